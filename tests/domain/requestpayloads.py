"""Pull and merge requests as each Git server's webhook sends them: in the form that its public documentation shows."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Callable
from typing import Any

from tests.domain.hookpayloads import NOW, SECRET, SENDERS, SHA, Sent

OWN, FORK = 15, 99  # numbers of repositories
ACTIONS = ("opened", "pushed", "reopened", "closed", "merged", "labelled")


def signed(sender: str, event: str, body: bytes, secret: str = SECRET, at: float = NOW, delivery: str = "1") -> Sent:
    """As the sender would send it: its headers, with this event, and its signature of this body."""
    make = SENDERS[sender][1]
    plain = make(secret, at=at) if sender in ("gitee", "gitlab-signed") else make(secret)
    headers = dict(plain.headers)
    for name in headers:
        if name.endswith(("-event", "event-key")):
            headers[name] = event
        if name.endswith(("-delivery", "request-uuid", "request-id")) or name in ("idempotency-key", "webhook-id"):
            headers[name] = f"4f3a-{delivery}"
    made = hmac.digest(secret.encode(), body, "sha256").hex()
    if sender == "gitlab-signed":
        key = base64.b64decode(secret.removeprefix("whsec_"))
        text = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        headers["webhook-signature"] = "v1," + base64.b64encode(hmac.digest(key, text, "sha256")).decode()
    for name in ("x-gitea-signature", "x-forgejo-signature", "x-gogs-signature"):
        headers |= {name: made} if name in headers else {}
    for name in ("x-hub-signature-256", *(("x-hub-signature",) if sender.startswith("bitbucket") else ())):
        headers |= {name: f"sha256={made}"} if name in headers else {}
    return Sent(headers, body)


Document = dict[str, Any]


def _repository(number: int) -> Document:
    owner = "team" if number == OWN else "stranger"
    return {"id": number, "name": "shop", "full_name": f"{owner}/shop", "fork": number != OWN, "private": False}


def _github(action: str, number: int, source: int) -> tuple[str, Document]:
    known = {"pushed": "synchronize", "merged": "closed", "labelled": "labeled"}
    request = {
        "id": 279147437,
        "number": number,
        "state": "closed" if action in ("closed", "merged") else "open",
        "title": "A change",
        "merged": action == "merged",
        "head": {"label": "ann:change", "ref": "change", "sha": SHA, "repo": _repository(source)},
        "base": {"label": "team:main", "ref": "main", "sha": SHA, "repo": _repository(OWN)},
    }
    document = {"action": known.get(action, action), "number": number, "pull_request": request}
    return "pull_request", {**document, "repository": _repository(OWN), "sender": {"login": "ann", "id": 7}}


def _gitea(action: str, number: int, source: int) -> tuple[str, Document]:
    event, document = _github(action, number, source)
    known = {"pushed": "synchronized", "labelled": "label_updated"}
    request = document["pull_request"]
    for end, repository in (("head", source), ("base", OWN)):
        request[end]["repo_id"] = repository
    document["action"] = known.get(action, document["action"])
    return "pull_request_sync" if action == "pushed" else event, {**document, "commit_id": "", "review": None}


def _gitlab(action: str, number: int, source: int) -> tuple[str, Document]:
    known = {"opened": "open", "pushed": "update", "reopened": "reopen", "closed": "close", "merged": "merge"}
    attributes = {
        "id": 99,
        "iid": number,
        "target_branch": "main",
        "source_branch": "change",
        "source_project_id": source,
        "target_project_id": OWN,
        "state": "opened",
        "action": known.get(action, "update"),
        "last_commit": {"id": SHA, "message": "two"},
        "url": f"https://gitlab.example.com/team/shop/-/merge_requests/{number}",
        **({"oldrev": SHA} if action == "pushed" else {}),
    }
    document = {"object_kind": "merge_request", "event_type": "merge_request", "user": {"id": 1, "username": "ann"}}
    project = {"id": OWN, "path_with_namespace": "team/shop", "default_branch": "main"}
    changes = {"labels": {"previous": [], "current": [{"id": 1}]}} if action == "labelled" else {}
    return "Merge Request Hook", {**document, "project": project, "object_attributes": attributes, "changes": changes}


def _gitee(action: str, number: int, source: int) -> tuple[str, Document]:
    known = {"opened": "open", "reopened": "open", "closed": "close", "merged": "merge"}
    said = {"pushed": "source_branch_changed", "labelled": "update_label"}
    request = {
        "id": 5021,
        "number": number,
        "state": "open",
        "title": "A change",
        "head": {"label": "change", "ref": "change", "sha": SHA, "repo": _repository(source)},
        "base": {"label": "main", "ref": "main", "sha": SHA, "repo": _repository(OWN)},
    }
    document = {
        "hook_name": "merge_request_hooks",
        "action": known.get(action, "update"),
        "iid": number,
        "state": "open",
        "target_branch": "main",
        "source_branch": "change",
        "pull_request": request,
        "project": _repository(OWN),
        "repository": _repository(OWN),
    }
    return "Merge Request Hook", {**document, **({"action_desc": said[action]} if action in said else {})}


def _bitbucket(action: str, number: int, source: int) -> tuple[str, Document]:
    known = {"opened": "created", "reopened": "created", "closed": "rejected", "merged": "fulfilled"}
    known["labelled"] = "approved"
    ends = {
        end: {
            "branch": {"name": branch},
            "commit": {"hash": SHA[:12]},
            "repository": {"type": "repository", "uuid": f"{{0000-{repository}}}", "full_name": f"x/{repository}"},
        }
        for end, branch, repository in (("source", "change", source), ("destination", "main", OWN))
    }
    request = {"type": "pullrequest", "id": number, "title": "A change", "state": "OPEN", **ends}
    document = {"pullrequest": request, "repository": {"uuid": f"{{0000-{OWN}}}"}, "actor": {"type": "user"}}
    return f"pullrequest:{known.get(action, 'updated')}", document


def _bitbucket_server(action: str, number: int, source: int) -> tuple[str, Document]:
    known = {"pushed": "from_ref_updated", "closed": "declined", "labelled": "modified"}
    event = f"pr:{known.get(action, action)}"
    ends = {
        end: {"id": f"refs/heads/{branch}", "displayId": branch, "latestCommit": SHA, "repository": {"id": repository}}
        for end, branch, repository in (("fromRef", "change", source), ("toRef", "main", OWN))
    }
    request = {"id": number, "version": 1, "title": "A change", "state": "OPEN", "open": True, "closed": False, **ends}
    return event, {"eventKey": event, "date": "2025-10-09T08:53:20+0000", "pullRequest": request}


Write = Callable[[str, int, int], tuple[str, Document]]

WRITERS: dict[str, Write] = {
    "github": _github,
    "gitea": _gitea,
    "forgejo": _gitea,
    "gitlab": _gitlab,
    "gitlab-signed": _gitlab,
    "gitee": _gitee,
    "bitbucket": _bitbucket,
    "bitbucket-server": _bitbucket_server,
}

REFS = {
    "gitlab": "refs/merge-requests/{}/head",
    "gitlab-signed": "refs/merge-requests/{}/head",
    "bitbucket": "refs/heads/change",
    "bitbucket-server": "refs/pull-requests/{}/from",
}


def ref_of(sender: str, number: int) -> str:
    return REFS.get(sender, "refs/pull/{}/head").format(number)


def request_sent(sender: str, action: str = "opened", number: int = 12, fork: bool = False, **how: Any) -> Sent:
    """`how`: secret, at, delivery of `signed`."""
    event, document = WRITERS[sender](action, number, FORK if fork else OWN)
    document["date"] = f"2025-10-09T08:53:20, {how.get('delivery', '')}"  # each has one, here or there
    return signed(sender, event, json.dumps(document).encode(), **how)
