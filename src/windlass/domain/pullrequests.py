"""What a webhook says of a pull or merge request: its number, what became of it, and whether it is from a fork."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from windlass.domain import names
from windlass.domain.errors import Refused

_LARGEST = 999_999_999
_FORK_WITHOUT_REF = "Bitbucket keeps no ref for the request of a fork, so there is nothing to fetch"


class Change(StrEnum):
    """What became of a request. PUSHED: opened, reopened or pushed to."""

    PUSHED = "pushed"
    CLOSED = "closed"
    OTHER = "other"


@dataclass(frozen=True)
class PullRequest:
    """`ref`: where its commits are to be fetched. `fork`: also when it cannot be told. `wrong`: why it is of no use."""

    change: Change
    number: int = 0
    fork: bool = True
    ref: str = ""
    wrong: str = ""


def is_request(event: str) -> bool:
    """Whether the event, in small letters, is one of a request at all."""
    return event in _READERS or event.startswith(("pullrequest:", "pr:"))


def read_request(event: str, provider: str, document: Mapping[str, Any]) -> PullRequest:
    """Never raises. `event` in small letters."""
    if event.startswith("pullrequest:"):
        found = _bitbucket(event, document)
    elif event.startswith("pr:"):
        found = _bitbucket_server(event, document)
    else:
        found = _READERS[event](provider, document)
    if found.wrong or found.change is Change.OTHER:
        return found
    if not 0 < found.number <= _LARGEST:
        return PullRequest(found.change, wrong="it has no number")
    try:
        names.git_ref(found.ref)
    except Refused:
        return PullRequest(found.change, found.number, wrong="its branch has a name that cannot be one")
    return found


def _pull_request(provider: str, document: Mapping[str, Any]) -> PullRequest:
    """GitHub's, and that of Gitea and Forgejo, which is made after it."""
    known = {"opened": Change.PUSHED, "reopened": Change.PUSHED, "closed": Change.CLOSED}
    known |= {"synchronize": Change.PUSHED, "synchronized": Change.PUSHED}
    change = known.get(_text(document, "action"), Change.OTHER)
    request = _mapping(document, "pull_request")
    number = _number(request, "number")
    if number != _number(document, "number"):
        number = 0
    return PullRequest(change, number, _is_fork(request, "head", "base"), f"refs/pull/{number}/head")


def _is_fork(request: Mapping[str, Any], source: str, target: str) -> bool:
    """Only where both ends name the same repository by its number it is none; every number that is given counts."""
    ends = [_mapping(request, end) for end in (source, target)]
    numbers = [[_number(_mapping(end, "repo"), "id"), _number(end, "repo_id")] for end in ends]
    given = [[number for number in found if number] for found in numbers]
    return not all(given) or len({number for found in given for number in found}) != 1


def _merge_request(provider: str, document: Mapping[str, Any]) -> PullRequest:
    return _gitee(document) if provider == "gitee" else _gitlab(document)


def _gitlab(document: Mapping[str, Any]) -> PullRequest:
    """`update` comes for labels too; `oldrev` says that commits came."""
    attributes = _mapping(document, "object_attributes")
    action = _text(attributes, "action")
    known = {"open": Change.PUSHED, "reopen": Change.PUSHED, "close": Change.CLOSED, "merge": Change.CLOSED}
    known |= {"update": Change.PUSHED if _text(attributes, "oldrev") else Change.OTHER}
    number = _number(attributes, "iid")
    source, target = _number(attributes, "source_project_id"), _number(attributes, "target_project_id")
    fork = not source or source != target
    return PullRequest(known.get(action, Change.OTHER), number, fork, f"refs/merge-requests/{number}/head")


def _gitee(document: Mapping[str, Any]) -> PullRequest:
    """`update` comes for labels too; `action_desc` says for what, in newer versions."""
    request = _mapping(document, "pull_request")
    said = _text(document, "action_desc")
    pushed = said in ("", "source_branch_changed")
    known = {"open": Change.PUSHED, "reopen": Change.PUSHED, "close": Change.CLOSED, "merge": Change.CLOSED}
    known |= {"update": Change.PUSHED if pushed else Change.OTHER}
    number = _number(request, "number")
    change = known.get(_text(document, "action"), Change.OTHER)
    return PullRequest(change, number, _is_fork(request, "head", "base"), f"refs/pull/{number}/head")


def _bitbucket(event: str, document: Mapping[str, Any]) -> PullRequest:
    """It keeps no ref of a request: what is fetched is its branch, and a fork's is elsewhere."""
    known = {"created": Change.PUSHED, "updated": Change.PUSHED, "fulfilled": Change.CLOSED, "rejected": Change.CLOSED}
    change = known.get(event.removeprefix("pullrequest:"), Change.OTHER)
    request = _mapping(document, "pullrequest")
    number = _number(request, "id")
    ends = [_mapping(request, end) for end in ("source", "destination")]
    source, target = (_text(_mapping(end, "repository"), "uuid") for end in ends)
    fork = not source or source != target
    if fork and change is Change.PUSHED:
        return PullRequest(change, number, wrong=_FORK_WITHOUT_REF)
    branch = _text(_mapping(ends[0], "branch"), "name")
    ref = f"refs/heads/{branch}" if change is Change.PUSHED else "refs/heads/closed"
    return PullRequest(change, number, fork, ref)


def _bitbucket_server(event: str, document: Mapping[str, Any]) -> PullRequest:
    known = {"opened": Change.PUSHED, "reopened": Change.PUSHED, "from_ref_updated": Change.PUSHED}
    known |= {"merged": Change.CLOSED, "declined": Change.CLOSED, "deleted": Change.CLOSED}
    change = known.get(event.removeprefix("pr:"), Change.OTHER)
    request = _mapping(document, "pullRequest")
    number = _number(request, "id")
    ends = (_mapping(request, end) for end in ("fromRef", "toRef"))
    source, target = (_number(_mapping(end, "repository"), "id") for end in ends)
    fork = not source or source != target
    return PullRequest(change, number, fork, f"refs/pull-requests/{number}/from")


def _mapping(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = document.get(name)
    return found if isinstance(found, Mapping) else {}


def _text(document: Mapping[str, Any], name: str) -> str:
    found = document.get(name)
    return found if isinstance(found, str) else ""


def _number(document: Mapping[str, Any], name: str) -> int:
    """0 for what is none; `true` is not 1."""
    found = document.get(name)
    return found if isinstance(found, int) and not isinstance(found, bool) and found > 0 else 0


_READERS: Mapping[str, Callable[[str, Mapping[str, Any]], PullRequest]] = {
    "pull_request": _pull_request,
    "pull_request_sync": _pull_request,
    "merge request hook": _merge_request,
    "merge_request": _merge_request,
}
