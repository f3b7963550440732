"""Previews over the API and by webhooks: off at first, one app for each request, a fork's after an owner's consent."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from tests.domain.hookpayloads import SECRET, SENDERS, github
from tests.domain.requestpayloads import ref_of, request_sent
from tests.web.people import Town
from tests.web.test_hooks import post, secret_of

from windlass.domain.errors import Conflict, Refused
from windlass.domain.previews import PreviewState
from windlass.domain.records import App, Job
from windlass.domain.release import DeploymentStatus
from windlass.domain.sources import HOOK, KEY, STATUS_TOKEN, TOKEN, Auth, Source, SourceKind, StatusHost
from windlass.ports.outside import Outside
from windlass.usecases import previews
from windlass.usecases.confines import consents_of, kept_values
from windlass.usecases.fetching import Wanted, obtain
from windlass.usecases.previewends import end_all

SETTINGS = "/api/v1/apps/shop/previews"


@pytest.fixture
def town(app: FastAPI, outside: Outside) -> Town:
    now = time.time()
    outside.store.apps.add(App("shop", now))
    source = Source(
        "shop", SourceKind.GIT, "https://git.example.com/shop.git", now, "main", "web", poll_s=60.0,
        submodules=True, auth=Auth.TOKEN, status=StatusHost.GITHUB,
    )  # fmt: skip
    outside.store.sources.set(source, {TOKEN: "t0ken", STATUS_TOKEN: "told"})
    outside.store.sources.keep_secret("shop", HOOK, SECRET)
    return Town(app, outside).settle()


def turn_on(town: Town, **rules: Any) -> dict[str, Any]:
    answer = town.ask("PUT", SETTINGS, "maintainer", json=rules)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def told(town: Town, sender: str = "github", action: str = "opened", number: int = 12, **how: Any) -> dict[str, Any]:
    """What the hook answers; each delivery has an id of its own."""
    at = {"at": time.time()} if sender in ("gitee", "gitlab-signed") else {}
    fork = how.pop("fork", False)
    how = {"secret": SECRET, "delivery": f"{action}-{number}-{time.monotonic_ns()}", **at, **how}
    answer = post(town, request_sent(sender, action, number, fork, **how))
    assert answer.status_code in (200, 202), answer.text
    return dict(answer.json())


def unfinished(outside: Outside) -> list[tuple[str, str]]:
    return [(d.app, d.options["ref"]) for d in outside.store.deployments.unfinished()]


def jobs_of(outside: Outside, app: str = "shop--pr-12") -> list[Job]:
    """Ends that are queued for a preview."""
    found = outside.store.previews.find(app)
    assert found is not None
    job = outside.store.jobs.get(f"preview-{app}-{found.until:.6f}-0")
    return [job] if job is not None else []


# ---- on and off -----------------------------------------------------------------------------------------------------


def test_they_are_off_until_a_maintainer_turns_them_on(town: Town, outside: Outside) -> None:
    answer = told(town)
    assert (answer["result"], "windlass previews on shop" in answer["reason"]) == ("ignored", True)
    assert (unfinished(outside), outside.store.previews.of("shop")) == ([], [])
    for who, status in (("viewer", 403), ("deployer", 403), ("foreign", 403), ("nobody", 403)):
        assert town.ask("PUT", SETTINGS, who, json={}).status_code == status
    assert turn_on(town)["on"]
    assert told(town)["result"] == "queued"


def test_what_is_left_out_stays_as_it_was(town: Town) -> None:
    first = turn_on(town, limit=2, memory=256 << 20)
    assert (first["limit"], first["memory"], first["cpus"], first["keep"]) == (2, 256 << 20, 1.0, 7 * 86400.0)
    assert turn_on(town, cpus=0.5)["limit"] == 2
    shown = town.ask("GET", SETTINGS, "viewer").json()
    assert (shown["on"], shown["cpus"], shown["values"], shown["items"]) == (True, 0.5, "shop@preview", [])


@pytest.mark.parametrize(
    "rules", [{"limit": 0}, {"limit": 1000}, {"keep": 1}, {"memory": 1}, {"cpus": 0}, {"pids": 1}, {"cpus": 1e9}]
)
def test_rules_that_cannot_be(town: Town, outside: Outside, rules: dict[str, Any]) -> None:
    answer = town.ask("PUT", SETTINGS, "maintainer", json=rules)
    assert (answer.status_code, outside.store.previews.rules("shop")) == (422, None)


def test_an_environment_has_none(town: Town) -> None:
    town.outside.store.apps.add(App("shop--staging", 1.0))
    assert town.ask("PUT", "/api/v1/apps/shop@staging/previews", "maintainer", json={}).status_code == 400


def test_an_environment_that_runs_is_no_place_for_their_values(town: Town, outside: Outside) -> None:
    outside.store.apps.add(App("shop--preview", 1.0, live=1))
    answer = town.ask("PUT", SETTINGS, "maintainer", json={})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "preview_values_taken")


def test_turned_off_all_are_taken_away(town: Town, outside: Outside) -> None:
    turn_on(town)
    told(town)
    assert town.ask("DELETE", SETTINGS, "maintainer").json()["on"] is False
    preview = outside.store.previews.find("shop--pr-12")
    assert preview is not None
    assert preview.until <= outside.clock.now()
    assert len(jobs_of(outside)) == 1
    assert told(town, number=13)["result"] == "ignored"


# ---- what a request brings ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sender", SENDERS)
def test_a_request_of_each_server_becomes_an_app(town: Town, outside: Outside, sender: str) -> None:
    turn_on(town)
    answer = told(town, sender)
    assert [d["app"] for d in answer["deployments"]] == ["shop@pr-12"]
    assert unfinished(outside) == [("shop--pr-12", ref_of(sender, 12))]
    own = outside.store.sources.find("shop--pr-12")
    assert own is not None
    assert (own.url, own.path, own.branch, own.poll_s) == (
        "https://git.example.com/shop.git", "web", ref_of(sender, 12), 0.0,
    )  # fmt: skip
    assert outside.store.sources.secrets("shop--pr-12") == {TOKEN: "t0ken", STATUS_TOKEN: "told"}
    assert (own.status, own.submodules) == (StatusHost.GITHUB, True)
    known = outside.store.apps.get("shop--pr-12")
    assert known.project == "default"
    entry = next(e for e in outside.store.audit.entries() if e.action == "hook.request")
    assert entry.data == {"request": 12, "change": "pushed", "fork": False, "result": "queued"}


def test_each_delivery_counts_once(town: Town, outside: Outside) -> None:
    turn_on(town)
    sent = request_sent("github", secret=SECRET)
    assert [post(town, sent).status_code for _ in range(2)] == [202, 409]


def test_a_push_prolongs_it_and_supersedes_what_waits(town: Town, outside: Outside) -> None:
    turn_on(town, keep=3600)
    told(town)
    first = outside.store.previews.find("shop--pr-12")
    told(town, action="pushed")
    second = outside.store.previews.find("shop--pr-12")
    assert first is not None
    assert second is not None
    assert second.until > first.until
    assert len(outside.store.deployments.unfinished("shop--pr-12")) == 1
    assert jobs_of(outside)[0].run_at == second.until


def test_not_more_than_may(town: Town, outside: Outside) -> None:
    turn_on(town, limit=2)
    assert [told(town, number=n)["result"] for n in (1, 2, 3)] == ["queued", "queued", "ignored"]
    assert "2 previews already" in told(town, number=4)["reason"]
    assert told(town, number=2, action="pushed")["result"] == "queued"
    assert outside.store.apps.find("shop--pr-3") is None


def test_closed_it_is_taken_away(town: Town, outside: Outside) -> None:
    turn_on(town)
    told(town)
    assert told(town, action="closed")["result"] == "closed"
    assert len(jobs_of(outside)) == 1
    assert told(town, action="closed", number=99)["result"] == "ignored"


def test_an_environment_made_by_hand_is_nobody_s_preview(town: Town, outside: Outside) -> None:
    turn_on(town)
    outside.store.apps.add(App("shop--pr-12", 1.0))
    outside.store.sources.set(Source("shop--pr-12", SourceKind.GIT, "https://h.example/x.git", 1.0, "x"), {})
    assert "made by hand" in told(town)["reason"]
    assert unfinished(outside) == []


def test_a_push_to_a_branch_of_such_a_name_moves_no_preview(town: Town, outside: Outside) -> None:
    turn_on(town)
    told(town)
    outside.store.deployments.finish(outside.store.deployments.unfinished()[0].id, DeploymentStatus.FAILED, 1.0, None)
    sent = github(SECRET, ref="refs/heads/refs/pull/12/head")
    assert post(town, sent).json()["result"] == "ignored"


def test_the_hook_of_an_environment_makes_none(town: Town, outside: Outside) -> None:
    turn_on(town)
    outside.store.apps.add(App("shop--staging", 1.0))
    secret = secret_of(town, "shop@staging")
    assert post(town, request_sent("github", secret=secret), "shop@staging").json()["result"] == "ignored"


# ---- forks ----------------------------------------------------------------------------------------------------------


def test_a_fork_s_waits_for_an_owner(town: Town, outside: Outside) -> None:
    turn_on(town)
    answer = told(town, fork=True)
    assert (answer["result"], "windlass consent shop fork:12" in answer["reason"]) == ("waiting", True)
    assert (unfinished(outside), outside.store.apps.find("shop--pr-12")) == ([], None)
    assert [i["item"] for i in town.ask("GET", "/api/v1/apps/shop/consents", "owner").json()["items"]] == ["fork:12"]
    give = ("POST", "/api/v1/apps/shop/consents")
    assert town.ask(*give, "maintainer", json={"items": ["fork:12"]}).status_code == 403
    assert town.ask(*give, "owner", json={"items": ["fork:13"]}).status_code == 422
    assert town.ask(*give, "owner", json={"items": ["fork:12"]}).status_code == 200
    assert unfinished(outside) == [("shop--pr-12", "refs/pull/12/head")]
    own = outside.store.sources.find("shop--pr-12")
    assert own is not None
    assert not own.submodules
    assert told(town, action="pushed", fork=True)["result"] == "queued"
    entries = [e for e in outside.store.audit.entries() if e.action == "consent.give"]
    assert any(e.data.get("items") == ["fork:12"] and "failed" not in e.data for e in entries)


def test_once_a_fork_s_always_a_fork_s(town: Town) -> None:
    turn_on(town)
    told(town, fork=True)
    assert told(town, action="pushed", fork=False)["result"] == "waiting"


def test_consent_ends_with_the_request_and_when_it_is_taken_back(town: Town, outside: Outside) -> None:
    turn_on(town)
    told(town, fork=True)
    consents = "/api/v1/apps/shop/consents"
    town.ask("POST", consents, "owner", json={"items": ["fork:12"]})
    assert town.ask("POST", f"{consents}/revoke", "owner", json={"items": ["fork:12"]}).status_code == 200
    assert told(town, action="pushed", fork=True)["result"] == "waiting"
    wanted = Wanted("shop--pr-12", "git", "https://git.example.com/shop.git", "refs/pull/12/head", own=True)
    with pytest.raises(Refused, match="no owner has consented"):
        obtain(outside, wanted, Path("nowhere"))
    town.ask("POST", consents, "owner", json={"items": ["fork:12"]})
    told(town, action="closed", fork=True)
    assert outside.store.consents.all("shop") == {}
    assert told(town, action="reopened", fork=True)["result"] == "waiting"


def test_a_flood_of_forks_fills_no_table(town: Town, outside: Outside, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(previews, "MOST_WAITING", 3)
    turn_on(town)
    assert [told(town, number=n, fork=True)["result"] for n in range(1, 6)] == ["waiting"] * 3 + ["ignored"] * 2
    assert len(outside.store.previews.of("shop")) == 3
    assert told(town, number=50)["result"] == "queued"


# ---- what they have -------------------------------------------------------------------------------------------------


def test_to_a_preview_no_consent_is_given(town: Town, outside: Outside) -> None:
    turn_on(town)
    told(town)
    for items in (["privileged:web"], ["fork:12"], ["data:./x"]):
        answer = town.ask("POST", "/api/v1/apps/shop@pr-12/consents", "owner", json={"items": items})
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "preview_refused")
    outside.store.consents.give("shop", ["privileged:web", "data:uploads"], 1.0)
    assert dict(consents_of(outside, "shop--pr-12")) == {"data:uploads": 1.0}


def test_its_values_are_those_for_previews_and_never_production_s(town: Town, outside: Outside) -> None:
    turn_on(town)
    told(town)
    given = {"shop": {"A": "live", "B": "live"}, "shop@preview": {"A": "try"}, "shop@pr-12": {"C": "1"}}
    for app, values in given.items():
        path = f"/api/v1/apps/{app}/env"
        assert town.ask("PUT", path, "maintainer", json={"values": values}).status_code == 200
    assert kept_values(outside, "shop--pr-12") == {"A": "try", "C": "1"}
    outside.store.apps.update("shop--preview", live=1)
    assert kept_values(outside, "shop--pr-12") == {"C": "1"}


def test_its_time_ends(town: Town, outside: Outside) -> None:
    turn_on(town)
    told(town, fork=True)
    preview = outside.store.previews.find("shop--pr-12")
    assert preview is not None
    (job,) = jobs_of(outside)
    previews.end(outside, job)
    assert outside.store.previews.find("shop--pr-12") == preview
    outside.store.previews.end("shop--pr-12", 1.0)
    previews.end(outside, job)
    assert outside.store.previews.find("shop--pr-12") is None
    previews.end(outside, job)


def test_keys_of_production_go_along(town: Town, outside: Outside) -> None:
    turn_on(town)
    source = outside.store.sources.find("shop")
    assert source is not None
    outside.store.sources.set(source, {KEY: "key"}, (TOKEN, STATUS_TOKEN))
    told(town)
    assert outside.store.sources.secrets("shop--pr-12") == {KEY: "key"}
    assert outside.store.previews.of("shop")[0].state is PreviewState.OPEN


def test_an_end_that_could_not_be_is_tried_again(town: Town, outside: Outside, monkeypatch: pytest.MonkeyPatch) -> None:
    turn_on(town)
    told(town)
    told(town, action="closed")
    (job,) = jobs_of(outside)

    def busy(*_: Any) -> None:
        raise Conflict("a deployment is running", code="deployment_running")

    monkeypatch.setattr(previews, "remove", busy)
    previews.end(outside, job)
    again = outside.store.jobs.get(job.id.removesuffix("-0") + "-1")
    assert again is not None
    assert again.run_at > outside.clock.now()
    assert outside.store.previews.find("shop--pr-12") is not None
    monkeypatch.setattr(previews, "remove", lambda *_: {})
    previews.end(outside, again)
    assert outside.store.previews.find("shop--pr-12") is None
    assert "preview.end" in [e.action for e in outside.store.audit.entries()]


def test_one_that_was_prolonged_meanwhile_stays_known(town: Town, outside: Outside) -> None:
    turn_on(town)
    told(town)
    before = outside.store.previews.find("shop--pr-12")
    assert before is not None
    told(town, action="pushed")
    outside.store.previews.forget(before)
    assert outside.store.previews.find("shop--pr-12") is not None


def test_with_the_app_its_previews_end(town: Town, outside: Outside) -> None:
    turn_on(town)
    told(town)
    told(town, number=13, fork=True)
    assert sorted(end_all(outside, "shop")) == ["shop--pr-12", "shop--pr-13"]
    assert all(p.until <= outside.clock.now() for p in outside.store.previews.of("shop"))
    outside.store.apps.remove("shop")
    assert outside.store.previews.rules("shop") is None
    assert len(outside.store.previews.of("shop")) == 2
