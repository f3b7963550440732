"""Pull and merge requests: every Git server's are understood, what is in doubt is a fork's, and no forgery passes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.domain.hookpayloads import NOW, OTHER_SECRET, SECRET, SENDERS, Sent
from tests.domain.requestpayloads import FORK, OWN, WRITERS, ref_of, request_sent, signed
from tests.domain.test_hooks import JSON, SIGNATURES, SIGNED_BODIES

from windlass.domain.hooks import Verdict, Word, judge
from windlass.domain.pullrequests import Change, PullRequest, is_request, read_request

ALL = pytest.mark.parametrize("sender", SENDERS)
PUSHED, CLOSED = ("opened", "pushed", "reopened"), ("closed", "merged")


def judged(sent: Sent, secret: str = SECRET, now: float = NOW) -> Verdict:
    return judge(sent.headers, sent.body, secret, now)


def request_of(sent: Sent) -> PullRequest:
    verdict = judged(sent)
    assert verdict.word is Word.PULL_REQUEST, verdict
    assert verdict.request is not None
    return verdict.request


@ALL
@pytest.mark.parametrize("action", PUSHED)
def test_one_that_brings_commits(sender: str, action: str) -> None:
    found = request_of(request_sent(sender, action, 12))
    assert found == PullRequest(Change.PUSHED, 12, False, ref_of(sender, 12))


@ALL
@pytest.mark.parametrize("action", CLOSED)
def test_one_that_is_over(sender: str, action: str) -> None:
    found = request_of(request_sent(sender, action, 7))
    assert (found.change, found.number) == (Change.CLOSED, 7)


@ALL
def test_one_that_only_got_a_label(sender: str) -> None:
    assert judged(request_sent(sender, "labelled")).word is Word.IGNORED


@pytest.mark.parametrize("sender", [s for s in SENDERS if s != "bitbucket"])
def test_one_of_a_fork(sender: str) -> None:
    found = request_of(request_sent(sender, "opened", 3, fork=True))
    assert (found.fork, found.number, found.ref) == (True, 3, ref_of(sender, 3))


def test_a_fork_s_on_bitbucket_has_no_ref_that_could_be_fetched() -> None:
    verdict = judged(request_sent("bitbucket", fork=True))
    assert (verdict.word, "no ref" in verdict.reason) == (Word.IGNORED, True)


# ---- what is in doubt -----------------------------------------------------------------------------------------------

BROKEN: dict[str, list[tuple[str, ...]]] = {
    "github": [("pull_request", "head", "repo"), ("pull_request", "base", "repo"), ("pull_request", "head")],
    "gitea": [("pull_request", "head"), ("pull_request", "base")],
    "gitlab": [("object_attributes", "source_project_id"), ("object_attributes", "target_project_id")],
    "gitee": [("pull_request", "head", "repo"), ("pull_request", "base", "repo", "id")],
    "bitbucket-server": [("pullRequest", "fromRef"), ("pullRequest", "toRef", "repository")],
}
INSTEAD: list[Any] = [None, "15", 15.0, True, 0, -15, [], {}]


def _with(document: dict[str, Any], path: tuple[str, ...], value: Any) -> dict[str, Any]:
    place: Any = document
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    return document


@pytest.mark.parametrize(("sender", "path"), [(s, p) for s, paths in BROKEN.items() for p in paths])
@pytest.mark.parametrize("value", INSTEAD, ids=repr)
def test_what_cannot_be_told_is_a_fork(sender: str, path: tuple[str, ...], value: Any) -> None:
    event, document = WRITERS[sender]("opened", 12, OWN)
    found = read_request(event.lower(), SENDERS[sender][0], _with(document, path, value))
    assert (found.fork, found.number) == (True, 12)


def test_numbers_that_contradict_each_other_are_a_fork_s() -> None:
    _, document = WRITERS["gitea"]("opened", 12, OWN)
    assert read_request("pull_request", "gitea", _with(document, ("pull_request", "head", "repo_id"), FORK)).fork
    _, document = WRITERS["gitea"]("opened", 12, FORK)
    assert read_request("pull_request", "gitea", _with(document, ("pull_request", "head", "repo_id"), OWN)).fork


NUMBERS = {
    "github": ("pull_request", "number"),
    "forgejo": ("number",),
    "gitlab": ("object_attributes", "iid"),
    "gitee": ("pull_request", "number"),
    "bitbucket": ("pullrequest", "id"),
    "bitbucket-server": ("pullRequest", "id"),
}


@pytest.mark.parametrize("sender", NUMBERS)
@pytest.mark.parametrize("value", [None, "12", 0, -1, 1 << 40, True, 1.5, "12/../../heads/main"], ids=repr)
def test_a_number_that_is_none(sender: str, value: Any) -> None:
    event, document = WRITERS[sender]("opened", 12, OWN)
    found = read_request(event.lower(), SENDERS[sender][0], _with(document, NUMBERS[sender], value))
    assert found.wrong


@pytest.mark.parametrize("branch", ["", "--upload-pack=id", "a..b", "a b", "$(id)", "a\nb", "x.lock"])
def test_a_branch_of_bitbucket_with_a_name_that_cannot_be_one(branch: str) -> None:
    event, document = WRITERS["bitbucket"]("opened", 12, OWN)
    document = _with(document, ("pullrequest", "source", "branch", "name"), branch)
    assert judged(signed("bitbucket", event, json.dumps(document).encode())).word is Word.IGNORED


EVENTS = [("pull_request", "github"), ("pull_request_sync", "gitea"), ("merge request hook", "gitlab")]
EVENTS += [("merge request hook", "gitee"), ("pullrequest:created", "bitbucket"), ("pr:opened", "bitbucket")]
WORDS = (
    "action number iid id head base repo repo_id source destination branch name uuid fromRef toRef pull_request"
    " object_attributes pullrequest pullRequest repository source_project_id target_project_id oldrev"
)
KEYS = st.sampled_from(WORDS.split())
DEEP = st.dictionaries(KEYS, JSON | st.dictionaries(KEYS, JSON, max_size=4), max_size=5)


@given(DEEP, st.sampled_from(EVENTS))
def test_no_body_makes_it_fall(document: dict[str, Any], kind: tuple[str, str]) -> None:
    event, provider = kind
    assert is_request(event)
    found = read_request(event, provider, document)
    assert found.wrong or found.change is Change.OTHER or 0 < found.number < 1 << 30


# ---- forgeries ------------------------------------------------------------------------------------------------------


def _forged(sender: str) -> dict[str, Sent]:
    header = SIGNATURES[sender]
    true, other = request_sent(sender), request_sent(sender, number=13)
    shown = true.headers[header]
    without = {name: value for name, value in true.headers.items() if name != header}
    event_names = [name for name in true.headers if name.endswith(("-event", "event-key"))]
    told = {name: value for name, value in true.headers.items() if name not in event_names}
    found = {
        "another app's secret": request_sent(sender, secret=OTHER_SECRET),
        "no signature": Sent(without, true.body),
        "a signature under another header": Sent({**without, "x-signature": shown}, true.body),
        "another algorithm": Sent({**true.headers, header: "sha1=" + "0" * 40}, true.body),
        "of no server that is known": Sent(told, true.body),
        "cut short": Sent(true.headers, true.body[: len(true.body) // 2]),
        "a signature cut short": Sent({**true.headers, header: shown[:-2]}, true.body),
        "a signature sent twice": Sent({**true.headers, header: f"{shown},{shown}"}, true.body),
    }
    if sender in SIGNED_BODIES:
        found["the signature of another body"] = Sent({**true.headers, header: other.headers[header]}, true.body)
    if sender in ("gitee", "gitlab-signed"):
        found["of yesterday"] = request_sent(sender, at=NOW - 86_400)
    return found


@pytest.mark.parametrize(("sender", "kind"), [(s, kind) for s in SENDERS for kind in _forged(s)])
def test_a_forgery_is_refused(sender: str, kind: str) -> None:
    verdict = judged(_forged(sender)[kind])
    assert (verdict.word, verdict.request, verdict.marks) == (Word.REFUSED, None, ())


@ALL
def test_each_is_known_again(sender: str) -> None:
    verdict = judged(request_sent(sender))
    assert verdict.marks
    assert set(verdict.marks) & set(judged(request_sent(sender)).marks)
