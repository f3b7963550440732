"""Webhooks of Git servers: who really sent them, and the little of what they say that counts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from windlass.domain import names
from windlass.domain.errors import Refused
from windlass.domain.hooksigns import Signed, verify
from windlass.domain.pullrequests import Change, PullRequest, is_request, read_request
from windlass.domain.sources import asks_to_skip

LARGEST_BODY = 5 << 20  # bytes
KEPT_S = 30 * 86400.0  # how long it is known what was brought
_LONGEST_MESSAGE = 4000
_BRANCHES = "refs/heads/"
_NOTHING = frozenset({"0" * 40, "0" * 64})


class Word(StrEnum):
    """What a webhook comes to."""

    REFUSED = "refused"
    PING = "ping"
    PUSH = "push"
    PULL_REQUEST = "pull_request"
    IGNORED = "ignored"


@dataclass(frozen=True)
class Verdict:
    """`reason`: why it is refused or ignored. `marks`: by any of them this very delivery is known again.

    Of the body only `branch` counts, and `message`, which can keep a push from being deployed; or `request`, which says
    which pull or merge request is meant.
    """

    word: Word
    provider: str = ""
    reason: str = ""
    branch: str = ""
    message: str = ""
    marks: tuple[str, ...] = ()
    request: PullRequest | None = None


def judge(headers: Mapping[str, str], body: bytes, secret: str, now: float) -> Verdict:
    """`headers` with names in small letters, those that came twice joined by commas. Never raises."""
    if len(body) > LARGEST_BODY:
        return Verdict(Word.REFUSED, reason="the body is too large")
    signed = verify(headers, body, secret, now)
    if signed.refusal:
        return Verdict(Word.REFUSED, signed.provider, signed.refusal)
    try:
        document = _document(body)
    except (ValueError, RecursionError):
        return Verdict(Word.REFUSED, signed.provider, "the body is no JSON object; choose application/json")
    return _read(signed, document)


def _document(body: bytes) -> dict[str, Any]:
    found = json.loads(body)
    if not isinstance(found, dict):
        raise ValueError
    return found


def _read(signed: Signed, document: dict[str, Any]) -> Verdict:
    event = signed.event.lower()
    if event in _PINGS:
        return Verdict(Word.PING, signed.provider, marks=signed.marks)
    if is_request(event):
        return _request(signed, event, document)
    if event not in _PUSHES:
        return Verdict(Word.IGNORED, signed.provider, f"{signed.event[:60]!r} is no push", marks=signed.marks)
    return _push(signed, document)


_PINGS = frozenset({"ping", "diagnostics:ping"})
_PUSHES = frozenset({"push", "push hook", "repo:push", "repo:refs_changed"})


def _request(signed: Signed, event: str, document: dict[str, Any]) -> Verdict:
    found = read_request(event, signed.provider, document)
    why = found.wrong or ("it changes nothing of the request's files" if found.change is Change.OTHER else "")
    word = Word.IGNORED if why else Word.PULL_REQUEST
    return Verdict(word, signed.provider, why, marks=signed.marks, request=found)


def _push(signed: Signed, document: dict[str, Any]) -> Verdict:
    branch, message, why = _moved(signed, document)
    if not why:
        try:
            names.git_ref(branch)
        except Refused:
            why = "the branch has a name that cannot be one"
    if not why and asks_to_skip(message):
        why = "the commit's message says that it is not to be deployed"
    if why:
        return Verdict(Word.IGNORED, signed.provider, why, branch, marks=signed.marks)
    return Verdict(Word.PUSH, signed.provider, "", branch, message[:_LONGEST_MESSAGE], signed.marks)


def _moved(signed: Signed, document: dict[str, Any]) -> tuple[str, str, str]:
    """Branch, message of its last commit, and why it is to be ignored."""
    if signed.event.lower() == "repo:push":
        return _of_bitbucket(document)
    if signed.event.lower() == "repo:refs_changed":
        return _of_bitbucket_server(document)
    ref = _text(document.get("ref"))
    if not ref.startswith(_BRANCHES):
        return "", "", "it is no push to a branch"
    branch = ref.removeprefix(_BRANCHES)
    if document.get("deleted") is True or _text(document.get("after")) in _NOTHING:
        return branch, "", "the branch was deleted"
    return branch, _message(document), ""


def _message(document: dict[str, Any]) -> str:
    head = document.get("head_commit")
    if isinstance(head, dict):
        return _text(head.get("message"))
    after = _text(document.get("after"))
    commits = [c for c in _list(document.get("commits")) if isinstance(c, dict)]
    return next((_text(c.get("message")) for c in commits if _text(c.get("id")) == after), "")


def _of_bitbucket(document: dict[str, Any]) -> tuple[str, str, str]:
    """The last branch that was moved: they come one by one."""
    push = document.get("push")
    changes = _list(push.get("changes")) if isinstance(push, dict) else []
    why = "it is no push to a branch"
    for change in reversed([c for c in changes if isinstance(c, dict)]):
        new, old = change.get("new"), change.get("old")
        if isinstance(new, dict) and new.get("type") == "branch":
            target = new.get("target")
            return _text(new.get("name")), _text(target.get("message")) if isinstance(target, dict) else "", ""
        if new is None and isinstance(old, dict) and old.get("type") == "branch":
            why = "the branch was deleted"
    return "", "", why


def _of_bitbucket_server(document: dict[str, Any]) -> tuple[str, str, str]:
    why = "it is no push to a branch"
    for change in reversed([c for c in _list(document.get("changes")) if isinstance(c, dict)]):
        ref = change.get("ref")
        name = _text(ref.get("id")) if isinstance(ref, dict) else ""
        if not name.startswith(_BRANCHES):
            continue
        if change.get("type") != "DELETE":
            return name.removeprefix(_BRANCHES), "", ""
        why = "the branch was deleted"
    return "", "", why


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
