"""Webhooks as they come over TCP, from strangers; and sources over the API, with no secret in any answer."""

from __future__ import annotations

import time
from typing import Any

import pytest
from fastapi import FastAPI
from tests.domain.hookpayloads import SENDERS, Sent, github
from tests.web.people import Town

from windlass.domain.hooks import LARGEST_BODY
from windlass.domain.records import App
from windlass.domain.sources import HOOK, Source, SourceKind
from windlass.ports.outside import Outside
from windlass.ports.sources import DeployKey
from windlass.web import api_hooks


class Keys:
    """Of ports.sources.Git what makes keys."""

    def make_key(self, comment: str) -> DeployKey:
        return DeployKey("PRIVATE-HALF", f"ssh-ed25519 AAAA {comment}")

    def read_key(self, private: str) -> DeployKey:
        return DeployKey(private, "ssh-ed25519 BBBB")


@pytest.fixture
def town(app: FastAPI, outside: Outside) -> Town:
    object.__setattr__(outside, "git", Keys())
    now = time.time()
    for name, branch in (("shop", "main"), ("shop--staging", "develop"), ("shop2", "main")):
        outside.store.apps.add(App(name, now))
        source = Source(name, SourceKind.GIT, "https://git.example.com/shop.git", now, branch)
        outside.store.sources.set(source, {})
    return Town(app, outside).settle()


def secret_of(town: Town, app: str = "shop") -> str:
    answer = town.ask("POST", f"/api/v1/apps/{app}/hook", "maintainer", json={"reveal": True})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["secret"])


def post(town: Town, sent: Sent, app: str = "shop", **headers: str) -> Any:
    return town.send("POST", f"/hooks/{app}", {**sent.headers, **headers}, content=sent.body)


def make(sender: str, secret: str, **more: Any) -> Sent:
    if sender in ("gitlab-signed", "gitee"):
        more["at"] = time.time()
    return SENDERS[sender][1](secret=secret, **more)


def queued(outside: Outside) -> list[tuple[str, str, str]]:
    found = outside.store.deployments.unfinished()
    return sorted((d.app, d.options["by"], d.options["ref"]) for d in found)


@pytest.mark.parametrize("sender", SENDERS)
def test_a_push_of_each_server_is_deployed_once(town: Town, outside: Outside, sender: str) -> None:
    sent = make(sender, secret_of(town))
    answer = post(town, sent)
    assert (answer.status_code, answer.json()["result"]) == (202, "queued")
    assert [d["app"] for d in answer.json()["deployments"]] == ["shop"]
    assert queued(outside) == [("shop", f"hook:{SENDERS[sender][0]}", "main")]
    again = post(town, sent)
    assert (again.status_code, again.json()["error"]["code"]) == (409, "hook_replayed")
    entries = [e for e in outside.store.audit.entries() if e.action == "hook.push"]
    assert {(e.app, e.source) for e in entries} == {("shop", "192.0.2.7")}


def test_a_push_goes_to_the_environment_of_its_branch(town: Town, outside: Outside) -> None:
    secret = secret_of(town)
    assert post(town, github(secret, ref="refs/heads/develop")).json()["deployments"][0]["app"] == "shop@staging"
    assert queued(outside) == [("shop--staging", "hook:github", "develop")]
    answer = post(town, github(secret, ref="refs/heads/other").changed(x_github_delivery="2"))
    assert (answer.status_code, answer.json()["result"]) == (200, "ignored")


def test_an_environment_s_own_hook_is_for_it_alone(town: Town, outside: Outside) -> None:
    secret = secret_of(town, "shop@staging")
    assert secret != secret_of(town)
    assert post(town, github(secret), "shop@staging").json()["result"] == "ignored"
    assert post(town, github(secret), "shop").status_code == 422
    assert queued(outside) == []


def test_pings_and_what_is_ignored(town: Town, outside: Outside) -> None:
    secret = secret_of(town)
    assert post(town, github(secret).changed(x_github_event="ping")).json()["result"] == "pong"
    deleted = post(town, github(secret, deleted=True).changed(x_github_delivery="2"))
    assert deleted.json() == {"result": "ignored", "reason": "the branch was deleted", "deployments": []}
    skipped = post(town, github(secret, message="[skip deploy]").changed(x_github_delivery="3"))
    assert skipped.json()["result"] == "ignored"
    assert queued(outside) == []


def test_what_is_not_proved_says_not_whether_there_is_such_an_app(town: Town, outside: Outside) -> None:
    answers = [post(town, github(secret="whsec_" + "x" * 30), app) for app in ("shop2", "ghost")]
    told = [(a.status_code, a.json()["error"]["message"]) for a in answers]
    assert told[0] == told[1]
    assert told[0][0] == 422
    assert "ghost" not in str(outside.store.audit.entries())
    assert queued(outside) == []


def test_a_delivery_that_could_not_be_taken_may_come_again(town: Town, outside: Outside) -> None:
    sent = github(secret_of(town))
    outside.store.apps.update("shop", removing=True)
    assert post(town, sent).status_code == 409
    outside.store.apps.update("shop", removing=False)
    assert post(town, sent).status_code == 202


def test_two_signatures_are_none(town: Town) -> None:
    sent = github(secret_of(town))
    headers = [*sent.headers.items(), ("x-hub-signature-256", sent.headers["x-hub-signature-256"])]
    import asyncio

    import httpx2

    from windlass.web.guard import Guard

    async def twice() -> int:
        guard = Guard(town.app, town.app.state.authentication)
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(guard), base_url="http://x") as client:
            return (await client.post("/hooks/shop", headers=headers, content=sent.body)).status_code

    assert asyncio.run(twice()) == 422


def test_a_body_that_is_too_large_is_not_read(town: Town) -> None:
    sent = github(secret_of(town))
    huge = Sent(sent.headers, b"x" * (LARGEST_BODY + 1))
    assert post(town, huge).status_code == 413
    assert post(town, sent, **{"content-length": str(LARGEST_BODY + 1)}).status_code == 413


def test_who_forges_too_often_is_not_looked_at(town: Town) -> None:
    secret = secret_of(town)
    forged = github(secret="whsec_" + "x" * 30)
    answers = [post(town, forged).status_code for _ in range(25)]
    assert answers[:20] == [422] * 20
    assert 429 in answers[20:]
    assert post(town, github(secret)).status_code == 429


def test_behind_a_proxy_of_this_machine_its_word_counts() -> None:
    class Request:
        def __init__(self, peer: str, forwarded: str) -> None:
            self.scope = {"client": (peer, 1)}
            self.headers = {"x-forwarded-for": forwarded}

    for peer, forwarded, found in (
        ("127.0.0.1", "198.51.100.1, 203.0.113.9", "203.0.113.9"),
        ("127.0.0.1", "", "127.0.0.1"),
        ("127.0.0.1", "nonsense", "127.0.0.1"),
        ("192.0.2.1", "203.0.113.9", "192.0.2.1"),
        ("::1", "2001:db8::1", "2001:db8::1"),
    ):
        assert api_hooks._came_from(Request(peer, forwarded)) == found  # type: ignore[arg-type]


# ---- what the operator sees -----------------------------------------------------------------------------------------


def test_the_secret_is_shown_only_when_asked_for_and_can_be_renewed(town: Town, outside: Outside) -> None:
    hidden = town.ask("POST", "/api/v1/apps/shop/hook", "maintainer", json={}).json()
    assert (hidden["secret"], hidden["url"]) == (None, "/hooks/shop")
    secret = secret_of(town)
    assert secret == secret_of(town) == outside.store.sources.secrets("shop")[HOOK]
    renewed = town.ask("POST", "/api/v1/apps/shop/hook", "maintainer", json={"reveal": True, "renew": True}).json()
    assert renewed["secret"] != secret
    assert post(town, github(secret)).status_code == 422
    assert post(town, github(renewed["secret"])).status_code == 202
    assert secret not in str(outside.store.audit.entries())


def test_no_answer_and_no_log_shows_a_token_or_key(town: Town, outside: Outside) -> None:
    for body in (
        {"url": "https://ann:t0p-secret@git.example.com/x.git"},
        {"url": "https://git.example.com/x.git", "token": "t0p-secret"},
        {"url": "git@git.example.com:x.git", "key": "t0p-secret", "status": "github", "status_token": "t0p-secret"},
        {"url": "git@git.example.com:x.git", "key": "generate"},
    ):
        answer = town.ask("PUT", "/api/v1/apps/shop/source", "maintainer", json=body)
        assert answer.status_code == 200, answer.text
        shown = answer.text + town.ask("GET", "/api/v1/apps/shop/source", "viewer").text
        shown += str(outside.store.audit.entries()) + str(outside.store.events.after(0))
        assert "t0p-secret" not in shown
        assert "PRIVATE-HALF" not in shown


BAD = [
    {"url": "ext::sh -c id"},
    {"url": "/etc"},
    {"url": "file:///etc"},
    {"url": "https://h.example/x.git", "branch": "--upload-pack=id"},
    {"url": "https://h.example/x.git", "branch": ""},
    {"url": "https://h.example/x.git", "path": "../.."},
    {"url": "https://h.example/x.git", "compose": ["../x"]},
    {"url": "https://h.example/x.git", "watch": ["a\nb"]},
    {"url": "https://h.example/x.git", "poll": 0.5},
    {"url": "https://h.example/x.git", "poll": -1},
    {"url": "https://h.example/x.git", "key": "generate"},
    {"url": "git@h.example:x.git", "token": "t"},
    {"url": "https://h.example/x.git", "token": "t", "public": True},
    {"url": "image:NOT AN IMAGE"},
    {"url": "https://h.example/x.git", "status": "myforge"},
    {"url": "https://h.example/x.git", "unknown": 1},
]


@pytest.mark.parametrize("body", BAD)
def test_a_source_that_cannot_be_one_is_refused(town: Town, outside: Outside, body: Any) -> None:
    before = outside.store.sources.find("shop")
    answer = town.ask("PUT", "/api/v1/apps/shop/source", "maintainer", json=body)
    assert answer.status_code in (400, 422), answer.text
    assert outside.store.sources.find("shop") == before


def test_everything_that_is_wrong_is_said_at_once(town: Town) -> None:
    body = {"url": "ext::x", "branch": "a..b", "poll": 1, "watch": [" "]}
    answer = town.ask("PUT", "/api/v1/apps/shop/source", "maintainer", json=body)
    codes = {d["code"] for d in answer.json()["error"]["details"]}
    assert codes == {"git_url_invalid", "git_ref_invalid", "poll_invalid", "watch_invalid"}
