"""Webhooks as each Git server sends them: headers and bodies in the form that its public documentation shows."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from windlass.domain.hooksigns import make_secret

SECRET = make_secret(bytes(range(32)))
OTHER_SECRET = make_secret(bytes(range(1, 33)))
NOW = 1_760_000_000.0
SHA = "1cdcd819599cbb4099289dbbec762452f006cb40"
BEFORE = "95790bf891e76fee5e1747ab589903a6a1f80f22"
NONE = "0" * 40


@dataclass(frozen=True)
class Sent:
    headers: Mapping[str, str]
    body: bytes

    def changed(self, **headers: str | None) -> Sent:
        """With other headers; `_` for `-`, None to leave one out."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        merged = {**self.headers, **given}
        return Sent({name: value for name, value in merged.items() if value is not None}, self.body)


def _hex(secret: str, body: bytes) -> str:
    return hmac.digest(secret.encode(), body, "sha256").hex()


def _commit(message: str) -> dict[str, Any]:
    return {
        "id": SHA,
        "message": message,
        "timestamp": "2025-10-09T08:53:20Z",
        "url": f"https://git.example.com/team/shop/commit/{SHA}",
        "author": {"name": "Ann", "email": "ann@example.com"},
        "added": [],
        "modified": ["web.py"],
        "removed": [],
    }


def _plain_push(ref: str, message: str, after: str, **more: Any) -> bytes:
    commits = [_commit(message)] if after != NONE else []
    return json.dumps({"ref": ref, "before": BEFORE, "after": after, "commits": commits, **more}).encode()


def github(secret: str = SECRET, ref: str = "refs/heads/main", message: str = "two", deleted: bool = False) -> Sent:
    after = NONE if deleted else SHA
    more = {
        "created": False,
        "deleted": deleted,
        "forced": False,
        "head_commit": None if deleted else _commit(message),
        "repository": {"id": 35129377, "full_name": "team/shop", "default_branch": "main", "pushed_at": 1760000000},
        "pusher": {"name": "ann", "email": "ann@example.com"},
    }
    body = _plain_push(ref, message, after, **more)
    return Sent(
        {
            "user-agent": "GitHub-Hookshot/044aadd",
            "content-type": "application/json",
            "x-github-event": "push",
            "x-github-delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958",
            "x-github-hook-id": "292430182",
            "x-hub-signature": "sha1=" + "0" * 40,
            "x-hub-signature-256": "sha256=" + _hex(secret, body),
        },
        body,
    )


def gitea(secret: str = SECRET, ref: str = "refs/heads/main", message: str = "two", deleted: bool = False) -> Sent:
    after = NONE if deleted else SHA
    body = _plain_push(ref, message, after, repository={"full_name": "team/shop"}, total_commits=1)
    shown = _hex(secret, body)
    delivery = "f6266f16-1bf3-46a5-9ea4-602e06ead473"
    return Sent(
        {
            "content-type": "application/json",
            "x-github-delivery": delivery,
            "x-github-event": "push",
            "x-github-event-type": "push",
            "x-gogs-delivery": delivery,
            "x-gogs-event": "push",
            "x-gogs-signature": shown,
            "x-hub-signature-256": "sha256=" + shown,
            "x-gitea-delivery": delivery,
            "x-gitea-event": "push",
            "x-gitea-signature": shown,
        },
        body,
    )


def forgejo(secret: str = SECRET, ref: str = "refs/heads/main", message: str = "two", deleted: bool = False) -> Sent:
    sent = gitea(secret, ref, message, deleted)
    own = {name.replace("gitea", "forgejo"): value for name, value in sent.headers.items() if "gitea" in name}
    return Sent({**sent.headers, **own}, sent.body)


def _gitlab_body(ref: str, message: str, deleted: bool) -> bytes:
    after = NONE if deleted else SHA
    more = {
        "object_kind": "push",
        "event_name": "push",
        "checkout_sha": None if deleted else SHA,
        "project_id": 15,
        "project": {"id": 15, "path_with_namespace": "team/shop", "default_branch": "main"},
        "total_commits_count": 1,
    }
    return _plain_push(ref, message, after, **more)


def _gitlab_headers() -> dict[str, str]:
    return {
        "content-type": "application/json",
        "user-agent": "GitLab/18.5.0",
        "idempotency-key": "b5e1e2c2-4b6a-4a4e-a6b1-0a6f0a0d6c11",
        "x-gitlab-event": "Push Hook",
        "x-gitlab-webhook-uuid": "a3d9f5f0-1111-4c8c-9df5-5f2f8c1f0001",
        "x-gitlab-instance": "https://gitlab.example.com",
        "x-gitlab-event-uuid": "13792a34-cac6-4fda-95a8-c58e00a3954e",
    }


def gitlab(secret: str = SECRET, ref: str = "refs/heads/main", message: str = "two", deleted: bool = False) -> Sent:
    return Sent({**_gitlab_headers(), "x-gitlab-token": secret}, _gitlab_body(ref, message, deleted))


def gitlab_signed(
    secret: str = SECRET, ref: str = "refs/heads/main", message: str = "two", deleted: bool = False, at: float = NOW
) -> Sent:
    body = _gitlab_body(ref, message, deleted)
    id = _gitlab_headers()["idempotency-key"]
    key = base64.b64decode(secret.removeprefix("whsec_"))
    made = hmac.digest(key, f"{id}.{int(at)}.".encode() + body, "sha256")
    own = {
        "webhook-id": id,
        "webhook-timestamp": str(int(at)),
        "webhook-signature": "v1," + base64.b64encode(made).decode(),
    }
    return Sent({**_gitlab_headers(), **own}, body)


def gitee(
    secret: str = SECRET, ref: str = "refs/heads/main", message: str = "two", deleted: bool = False, at: float = NOW
) -> Sent:
    after, stamp = NONE if deleted else SHA, str(int(at * 1000))
    shown = base64.b64encode(hmac.digest(secret.encode(), f"{stamp}\n{secret}".encode(), "sha256")).decode()
    more = {
        "hook_name": "push_hooks",
        "hook_id": 1,
        "timestamp": stamp,
        "sign": shown,
        "created": False,
        "deleted": deleted,
        "head_commit": None if deleted else _commit(message),
    }
    body = _plain_push(ref, message, after, **more)
    return Sent(
        {
            "content-type": "application/json",
            "user-agent": "git-oschina-hook",
            "x-gitee-token": shown,
            "x-gitee-timestamp": stamp,
            "x-gitee-event": "Push Hook",
            "x-git-oschina-event": "Push Hook",
        },
        body,
    )


def bitbucket(secret: str = SECRET, ref: str = "refs/heads/main", message: str = "two", deleted: bool = False) -> Sent:
    is_branch = ref.startswith("refs/heads/")
    name = ref.removeprefix("refs/heads/").removeprefix("refs/tags/")
    point = {
        "type": "branch" if is_branch else "tag",
        "name": name,
        "target": {"type": "commit", "hash": SHA, "message": message, "date": "2025-10-09T08:53:20+00:00"},
    }
    change = {"new": None if deleted else point, "old": point, "closed": deleted, "created": False, "forced": False}
    document = {"actor": {"type": "user"}, "repository": {"full_name": "team/shop"}, "push": {"changes": [change]}}
    body = json.dumps(document).encode()
    return Sent(
        {
            "content-type": "application/json",
            "user-agent": "Bitbucket-Webhooks/2.0",
            "x-event-key": "repo:push",
            "x-hook-uuid": "c8f7e3c9-37a3-4c9f-8d2e-000000000001",
            "x-request-uuid": "0ad07a40-2c2c-4d0d-9d2a-7c1d10f6a2f0",
            "x-attempt-number": "1",
            "x-hub-signature": "sha256=" + _hex(secret, body),
        },
        body,
    )


def bitbucket_server(
    secret: str = SECRET, ref: str = "refs/heads/main", message: str = "", deleted: bool = False
) -> Sent:
    kind = "DELETE" if deleted else "UPDATE"
    change = {
        "ref": {"id": ref, "displayId": ref.rpartition("/")[2], "type": "BRANCH"},
        "refId": ref,
        "fromHash": BEFORE,
        "toHash": NONE if deleted else SHA,
        "type": kind,
    }
    body = json.dumps({"eventKey": "repo:refs_changed", "date": "2025-10-09", "changes": [change]}).encode()
    return Sent(
        {
            "content-type": "application/json; charset=utf-8",
            "x-event-key": "repo:refs_changed",
            "x-request-id": "01b0cf19-7b2e-4c7a-bd3a-3a1f4a0a77aa",
            "x-hub-signature": "sha256=" + _hex(secret, body),
        },
        body,
    )


Make = Callable[..., Sent]

# Provider as the verdict names it, and how it sends.
SENDERS: dict[str, tuple[str, Make]] = {
    "github": ("github", github),
    "gitea": ("gitea", gitea),
    "forgejo": ("gitea", forgejo),
    "gitlab": ("gitlab", gitlab),
    "gitlab-signed": ("gitlab", gitlab_signed),
    "gitee": ("gitee", gitee),
    "bitbucket": ("bitbucket", bitbucket),
    "bitbucket-server": ("bitbucket", bitbucket_server),
}
