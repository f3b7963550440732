"""Webhooks: those of every Git server are understood, and whatever the secret did not make is refused."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.domain.hookpayloads import (
    NOW,
    OTHER_SECRET,
    SECRET,
    SENDERS,
    Sent,
    bitbucket,
    gitee,
    github,
    gitlab,
    gitlab_signed,
)

from windlass.domain.hooks import LARGEST_BODY, Verdict, Word, judge
from windlass.domain.pacing import Buckets, Pace

ALL = pytest.mark.parametrize("sender", SENDERS)


def judged(sent: Sent, secret: str = SECRET, now: float = NOW) -> Verdict:
    return judge(sent.headers, sent.body, secret, now)


# ---- what is understood ---------------------------------------------------------------------------------------------


@ALL
@pytest.mark.parametrize("branch", ["main", "feature/a-b.c", "release/1.0"])
def test_a_push(sender: str, branch: str) -> None:
    provider, make = SENDERS[sender]
    verdict = judged(make(ref=f"refs/heads/{branch}"))
    assert (verdict.word, verdict.provider, verdict.branch, verdict.reason) == (Word.PUSH, provider, branch, "")
    assert verdict.marks
    assert verdict.message == ("" if sender == "bitbucket-server" else "two")


@ALL
def test_a_branch_that_was_deleted(sender: str) -> None:
    verdict = judged(SENDERS[sender][1](deleted=True))
    assert (verdict.word, verdict.reason) == (Word.IGNORED, "the branch was deleted")


@ALL
def test_a_tag(sender: str) -> None:
    verdict = judged(SENDERS[sender][1](ref="refs/tags/v1"))
    assert (verdict.word, verdict.reason) == (Word.IGNORED, "it is no push to a branch")


@pytest.mark.parametrize("sender", [name for name in SENDERS if name != "bitbucket-server"])
@pytest.mark.parametrize("message", ["[skip deploy] words", "Words\n\n[Skip Deploy]", "x [deploy skip]"])
def test_a_commit_that_is_not_to_be_deployed(sender: str, message: str) -> None:
    assert judged(SENDERS[sender][1](message=message)).word is Word.IGNORED


@pytest.mark.parametrize("branch", ["--upload-pack=id", "a..b", "a b", "$(id)", "-x", "x.lock", "a\nb", "@", ""])
@ALL
def test_a_branch_with_a_name_that_cannot_be_one(sender: str, branch: str) -> None:
    assert judged(SENDERS[sender][1](ref=f"refs/heads/{branch}")).word is Word.IGNORED


EVENTS = [
    ("github", "x-github-event", "ping", Word.PING),
    ("github", "x-github-event", "issues", Word.IGNORED),
    ("gitlab", "x-gitlab-event", "Tag Push Hook", Word.IGNORED),
    ("bitbucket", "x-event-key", "pullrequest:created", Word.IGNORED),
    ("github", "x-github-event", "pull_request", Word.IGNORED),
    ("bitbucket-server", "x-event-key", "diagnostics:ping", Word.PING),
]


@pytest.mark.parametrize(("sender", "header", "event", "word"), EVENTS)
def test_other_events(sender: str, header: str, event: str, word: Word) -> None:
    sent = SENDERS[sender][1]()
    assert judged(replace(sent, headers={**sent.headers, header: event})).word is word


def test_the_last_branch_of_several_counts() -> None:
    sent = bitbucket()
    document = json.loads(sent.body)
    first = document["push"]["changes"][0]
    gone = {**first, "new": None}
    document["push"]["changes"] = [{**first, "new": {**first["new"], "name": "next"}}, gone]
    body = json.dumps(document).encode()
    import hmac

    shown = "sha256=" + hmac.digest(SECRET.encode(), body, "sha256").hex()
    assert judged(Sent({**sent.headers, "x-hub-signature": shown}, body)).branch == "next"


# ---- what is refused ------------------------------------------------------------------------------------------------

SIGNATURES = {
    "github": "x-hub-signature-256",
    "gitea": "x-gitea-signature",
    "forgejo": "x-forgejo-signature",
    "gitlab": "x-gitlab-token",
    "gitlab-signed": "webhook-signature",
    "gitee": "x-gitee-token",
    "bitbucket": "x-hub-signature",
    "bitbucket-server": "x-hub-signature",
}


def _with(sent: Sent, name: str, value: str | None) -> Sent:
    headers = {**sent.headers, name: value}
    return Sent({n: v for n, v in headers.items() if v is not None}, sent.body)


def _forged(sender: str) -> dict[str, tuple[Sent, str]]:
    """Kind of forgery -> what is sent, and the app's secret."""
    make, header = SENDERS[sender][1], SIGNATURES[sender]
    true = make()
    shown = true.headers[header]
    return {
        "no signature": (_with(true, header, None), SECRET),
        "empty signature": (_with(true, header, ""), SECRET),
        "another app's secret": (make(secret=OTHER_SECRET), SECRET),
        "the app has no secret": (make(secret=""), ""),
        "a short secret": (make(secret="whsec_c2hvcnQ="), "whsec_c2hvcnQ="),
        "cut short": (_with(true, header, shown[:-4]), SECRET),
        "longer": (_with(true, header, shown + "00"), SECRET),
        "sent twice": (_with(true, header, f"{shown},{shown}"), SECRET),
        "no text": (_with(true, header, "\udcff\u0130" + shown), SECRET),
        "zeros": (_with(true, header, "sha256=" + "0" * 64), SECRET),
        "the secret in clear": (_with(true, header, f"sha256={SECRET}"), SECRET),
        "no JSON": (_signed_again(sender, b"payload=%7B%7D"), SECRET),
        "a list": (_signed_again(sender, b"[]"), SECRET),
        "a deep body": (_signed_again(sender, b"[" * 100_000), SECRET),
        "too large": (Sent(true.headers, true.body + b" " * LARGEST_BODY), SECRET),
    }


def _signed_again(sender: str, body: bytes) -> Sent:
    """Another body under a signature that is right."""
    import hmac

    sent, header = SENDERS[sender][1](), SIGNATURES[sender]
    if sender in ("gitlab", "gitee"):
        return Sent(sent.headers, body)
    if sender == "gitlab-signed":
        text = f"{sent.headers['webhook-id']}.{sent.headers['webhook-timestamp']}.".encode() + body
        key = base64.b64decode(SECRET.removeprefix("whsec_"))
        return _with(
            Sent(sent.headers, body), header, "v1," + base64.b64encode(hmac.digest(key, text, "sha256")).decode()
        )
    shown = hmac.digest(SECRET.encode(), body, "sha256").hex()
    prefix = "" if sender in ("gitea", "forgejo") else "sha256="
    return _with(Sent(sent.headers, body), header, prefix + shown)


FORGERIES = [(sender, kind) for sender in SENDERS for kind in _forged(sender)]


@pytest.mark.parametrize(("sender", "kind"), FORGERIES)
def test_a_forgery_is_refused(sender: str, kind: str) -> None:
    sent, secret = _forged(sender)[kind]
    verdict = judged(sent, secret)
    assert (verdict.word, verdict.branch, verdict.marks) == (Word.REFUSED, "", ())
    assert verdict.reason
    assert SECRET not in verdict.reason


SIGNED_BODIES = [name for name in SENDERS if name not in ("gitlab", "gitee")]


@pytest.mark.parametrize("sender", SIGNED_BODIES)
def test_a_body_that_was_changed_is_refused(sender: str) -> None:
    sent = SENDERS[sender][1]()
    assert judged(Sent(sent.headers, sent.body.replace(b"main", b"evil"))).word is Word.REFUSED
    assert judged(Sent(sent.headers, sent.body + b" ")).word is Word.REFUSED


@pytest.mark.parametrize("sender", SIGNED_BODIES)
def test_a_delivery_without_an_id_is_refused(sender: str) -> None:
    sent = SENDERS[sender][1]()
    ids = (
        "x-github-delivery",
        "x-gitea-delivery",
        "x-forgejo-delivery",
        "webhook-id",
        "x-request-uuid",
        "x-request-id",
    )
    for value in (None, "", "x" * 300, "a\x00b"):
        changed = sent
        for name in ids:
            changed = _with(changed, name, value)
        assert judged(changed).word is Word.REFUSED, value


@pytest.mark.parametrize("make", [gitlab_signed, gitee])
@pytest.mark.parametrize("ahead", [-7200.0, -3700.0, 3700.0, 1e9])
def test_one_of_another_time_is_refused(make: Any, ahead: float) -> None:
    assert judged(make(at=NOW)).word is Word.PUSH
    assert judged(make(at=NOW + ahead)).word is Word.REFUSED
    assert judged(make(at=NOW), now=NOW + ahead).word is Word.REFUSED


@pytest.mark.parametrize("stamp", ["", "x", "-1", "1e3", "9" * 40, "١٢٣"])
def test_a_time_that_is_none_is_refused(stamp: str) -> None:
    assert judged(gitlab_signed().changed(webhook_timestamp=stamp)).word is Word.REFUSED
    assert judged(gitee().changed(x_gitee_timestamp=stamp)).word is Word.REFUSED


def test_a_password_of_gitee_is_no_signature() -> None:
    verdict = judged(gitee().changed(x_gitee_token=SECRET))
    assert (verdict.word, "signature key" in verdict.reason) == (Word.REFUSED, True)


def test_the_old_sha1_signature_counts_nothing() -> None:
    sent = github().changed(x_hub_signature_256=None)
    assert judged(sent).word is Word.REFUSED


def test_no_server_s_headers_are_no_webhook() -> None:
    assert judged(Sent({}, b"{}")).word is Word.REFUSED
    assert judged(Sent({"x-hub-signature-256": "sha256=" + "0" * 64}, b"{}")).word is Word.REFUSED


def test_one_server_s_proof_is_not_taken_for_another_s() -> None:
    """A GitLab token beside GitHub's event does not open GitHub's door, nor the other way round."""
    assert judged(github().changed(x_hub_signature_256=None, x_gitlab_token=SECRET)).word is Word.REFUSED
    signed = github()
    mixed = Sent({**signed.headers, "x-gitlab-event": "Push Hook"}, signed.body)
    assert judged(mixed).word is Word.REFUSED


# ---- what it is known by --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sender", [n for n in SENDERS if n not in ("gitlab", "gitlab-signed", "gitee")])
def test_another_id_does_not_make_a_new_delivery(sender: str) -> None:
    sent = SENDERS[sender][1]()
    ids = [n for n in sent.headers if n.endswith(("-delivery", "-uuid", "-request-id"))]
    again = Sent({**sent.headers, **dict.fromkeys(ids, "another-id")}, sent.body)
    one, other = judged(sent), judged(again)
    assert one.word is other.word is Word.PUSH
    assert set(one.marks) & set(other.marks)


def test_a_signed_id_cannot_be_another() -> None:
    assert judged(gitlab_signed().changed(webhook_id="other")).word is Word.REFUSED
    assert judged(gitee()).marks == judged(gitee(ref="refs/heads/next")).marks
    assert judged(gitlab()).marks == ("gitlab:" + gitlab().headers["idempotency-key"],)


# ---- whatever comes -------------------------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(["ref", "after", "deleted", "head_commit", "commits", "push", "changes", "new", "old", "type"])


@given(st.dictionaries(KEYS, JSON, max_size=6), st.sampled_from(["gitlab", "gitee"]))
def test_no_body_makes_it_fall(document: dict[str, Any], sender: str) -> None:
    sent = SENDERS[sender][1]()
    assert judged(Sent(sent.headers, json.dumps(document).encode())).word in Word


@given(st.binary(max_size=64))
def test_no_bytes_make_it_fall(body: bytes) -> None:
    assert judged(Sent(gitlab().headers, body)).word in (Word.REFUSED, Word.IGNORED)


# ---- pace -----------------------------------------------------------------------------------------------------------


def test_buckets_are_emptied_and_fill_again() -> None:
    buckets = Buckets(Pace(burst=2, per_minute=60))
    assert [buckets.take("a", 0.0) for _ in range(3)] == [True, True, False]
    assert buckets.is_empty("a", 0.5)
    assert not buckets.is_empty("b", 0.0)
    assert buckets.take("a", 1.0)
    assert not buckets.take("a", 1.0)
    assert [buckets.take("a", 100.0) for _ in range(3)] == [True, True, False]


def test_a_flood_of_names_fills_no_memory() -> None:
    buckets = Buckets(Pace(burst=1, per_minute=1))
    for n in range(10_000):
        buckets.take(str(n), 0.0)
    assert len(buckets._left) <= 4096
