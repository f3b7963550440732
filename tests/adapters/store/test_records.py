"""Records go in and come out the same, in the order that is promised, with words for what is missing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest

from windlass.adapters.store.database import Database
from windlass.adapters.store.events import SqlEvents
from windlass.adapters.store.store import SqlStore
from windlass.domain.errors import Conflict, NotFound
from windlass.domain.records import App, Deployment, Event, Job, ReleaseState, Resource, StepRecord
from windlass.domain.release import DeploymentStatus
from windlass.ports.store import Store

SHOP = App("shop", 1.5)
STAGING = App(
    "shop@staging",
    2.0,
    live=3,
    running=False,
    removing=True,
    warm=2,
    warm_until=9.5,
    scale=MappingProxyType({"web": 3}),
    stopped_services=("worker", "beat"),
)


def a_job(id: str, lock: str = "shop", at: float = 1.0) -> Job:
    return Job(id, "deployment", lock, {"deployment": id, "n": [1, None]}, "queued", at, at)


def a_deployment(id: str, app: str = "shop", at: float = 1.0) -> Deployment:
    return Deployment(id, app, "deploy", DeploymentStatus.QUEUED, at)


@pytest.fixture
def shop(store: SqlStore) -> SqlStore:
    store.apps.add(SHOP)
    return store


def test_it_is_the_store_of_the_port(store: SqlStore) -> None:
    port: Store = store
    assert port.ready()


# --- apps ---


def test_apps_come_back_as_they_went_in(store: SqlStore) -> None:
    for app in (STAGING, SHOP):
        store.apps.add(app)
    assert store.apps.all() == [SHOP, replace(STAGING, scale={"web": 3})]
    assert store.apps.find("shop") == store.apps.get("shop") == SHOP
    assert store.apps.find("shop@test") is None


def test_a_taken_name_is_a_conflict(shop: SqlStore) -> None:
    with pytest.raises(Conflict, match="shop"):
        shop.apps.add(SHOP)


def test_an_update_changes_what_it_names(shop: SqlStore) -> None:
    assert shop.apps.update("shop", live=4, stopped_services=("a",)) == replace(SHOP, live=4, stopped_services=("a",))
    assert shop.apps.update("shop", live=None) == shop.apps.get("shop") == replace(SHOP, stopped_services=("a",))
    with pytest.raises(TypeError):
        shop.apps.update("shop", no_such_thing=1)


def test_removing_an_app_takes_all_of_it_and_nothing_of_others(shop: SqlStore) -> None:
    shop.apps.add(STAGING)
    for app in ("shop", "shop@staging"):
        release = shop.releases.add(app, 1.0, "upload", "")
        shop.releases.save_snapshot(app, release.number, b"{}")
        shop.deployments.add(a_deployment(f"d-{app}", app), a_job(f"d-{app}", app), b"held")
        shop.deployments.save_step(f"d-{app}", StepRecord("source", "done", 1.0))
        shop.variables.set(app, {"A": "1"}, 1.0)
        shop.consents.give(app, ["privileged"], 1.0)
        shop.events.add(1.0, app, f"d-{app}", "note", {})
    shop.resources.record(Resource("volume", "shop_data", "shop_data", "shop", None, "d"))
    shop.apps.remove("shop")
    shop.apps.remove("shop")
    assert shop.apps.all() == [replace(STAGING, scale={"web": 3})]
    assert shop.releases.all("shop") == []
    assert shop.deployments.of_app("shop") == []
    assert shop.deployments.held("d-shop") == b""
    assert (shop.variables.all("shop"), shop.consents.all("shop")) == ({}, {})
    assert {e.app for e in shop.events.after(0)} == {"shop@staging"}
    assert len(shop.resources.of_app("shop")) == 1, "a kept volume stays ours"
    assert shop.releases.snapshot("shop@staging", 1) == b"{}"
    assert shop.deployments.held("d-shop@staging") == b"held"


# --- releases ---


def test_numbers_go_up_and_are_never_given_twice(shop: SqlStore) -> None:
    assert [shop.releases.add("shop", 1.0, "upload", "").number for _ in range(3)] == [1, 2, 3]
    shop.releases.drop("shop", 3)
    assert shop.releases.add("shop", 2.0, "https://example.com/shop.git", "main").number == 4
    assert [r.number for r in shop.releases.all("shop")] == [4, 2, 1]


def test_a_release_is_updated_and_keeps_its_snapshot(shop: SqlStore) -> None:
    shop.releases.add("shop", 1.0, "upload", "")
    document = b'{"parts": {}}' * 1000
    shop.releases.save_snapshot("shop", 1, b"before")
    shop.releases.save_snapshot("shop", 1, document)
    shop.releases.set_state("shop", 1, ReleaseState.LIVE)
    changed = shop.releases.update("shop", 1, images={"web": "sha256:1"}, live_at=3.25, commit="abc", kept=False)
    assert shop.releases.get("shop", 1) == changed
    assert (changed.state, changed.images, changed.live_at) == (ReleaseState.LIVE, {"web": "sha256:1"}, 3.25)
    assert shop.releases.snapshot("shop", 1) == document
    shop.releases.drop("shop", 1)
    with pytest.raises(NotFound):
        shop.releases.snapshot("shop", 1)


# --- deployments ---


def test_a_deployment_and_its_job_come_together_or_not_at_all(shop: SqlStore) -> None:
    shop.deployments.add(a_deployment("d1"), a_job("d1"))
    with pytest.raises(Exception, match="UNIQUE|unique|duplicate"):
        shop.deployments.add(a_deployment("d2"), a_job("d1"))
    assert [d.id for d in shop.deployments.of_app("shop")] == ["d1"]
    assert shop.jobs.get("d1") == a_job("d1")


def test_deployments_newest_first_and_unfinished_oldest_first(shop: SqlStore) -> None:
    shop.apps.add(STAGING)
    for n, app in enumerate(["shop", "shop@staging", "shop", "shop"]):
        shop.deployments.add(a_deployment(f"d{n}", app, float(n)), a_job(f"d{n}", app))
    shop.deployments.finish("d2", DeploymentStatus.LIVE, 9.0, None)
    assert [d.id for d in shop.deployments.of_app("shop")] == ["d3", "d2", "d0"]
    assert [d.id for d in shop.deployments.of_app("shop", limit=1)] == ["d3"]
    assert [d.id for d in shop.deployments.unfinished()] == ["d0", "d1", "d3"]
    assert [d.id for d in shop.deployments.unfinished("shop")] == ["d0", "d3"]


def test_the_journal_keeps_the_order_in_which_steps_began(shop: SqlStore) -> None:
    shop.deployments.add(a_deployment("d1"), a_job("d1"))
    source = StepRecord("source", "running", 1.0)
    shop.deployments.save_step("d1", source)
    shop.deployments.save_step("d1", StepRecord("check", "running", 2.0))
    done = replace(source, status="done", ended_at=4.0, parts=({"name": "git", "seconds": 1.5},), result={"n": [1]})
    shop.deployments.save_step("d1", done)
    assert shop.deployments.get("d1").steps == (done, StepRecord("check", "running", 2.0))
    assert shop.deployments.step("d1", "source") == done
    assert shop.deployments.step("d1", "build") is None
    with pytest.raises(TypeError):
        shop.deployments.update("d1", steps=())


def test_the_first_end_of_a_deployment_counts(shop: SqlStore) -> None:
    shop.deployments.add(a_deployment("d1"), a_job("d1"), b"its values")
    shop.deployments.update("d1", status=DeploymentStatus.RUNNING, release=3, previous=2, report={"a": {"b": 1}})
    assert shop.deployments.held("d1") == b"its values"
    failed = shop.deployments.finish("d1", DeploymentStatus.FAILED, 5.0, {"code": "probe_failed"})
    assert shop.deployments.finish("d1", DeploymentStatus.LIVE, 6.0, None) == failed
    assert shop.deployments.get("d1") == failed
    assert (failed.status, failed.ended_at, failed.error) == (DeploymentStatus.FAILED, 5.0, {"code": "probe_failed"})
    assert failed.release == 3
    assert shop.deployments.held("d1") == b""


def test_what_a_deployment_holds_is_replaced_and_dropped(shop: SqlStore) -> None:
    shop.deployments.add(a_deployment("d1"), a_job("d1"))
    assert shop.deployments.held("d1") == b""
    for value in (b"one", b"two"):
        shop.deployments.hold("d1", value)
    assert shop.deployments.held("d1") == b"two"
    shop.deployments.drop_held("d1")
    assert shop.deployments.held("d1") == b""


# --- events ---


def test_events_are_numbered_and_found_by_app_and_deployment(store: SqlStore) -> None:
    first = store.events.last()
    for app, deployment in [("a", "d1"), ("b", "d2"), ("a", "d3")]:
        store.events.add(1.0, app, deployment, "note", {"text": "zażółć \ud800 \x00"})
    all_of_them = store.events.after(first)
    assert all_of_them[0] == Event(all_of_them[0].id, 1.0, "a", "d1", "note", {"text": "zażółć \ud800 \x00"})
    assert [e.deployment for e in all_of_them] == ["d1", "d2", "d3"]
    assert [e.deployment for e in store.events.after(first, app="a")] == ["d1", "d3"]
    assert [e.deployment for e in store.events.after(first, deployment="d2")] == ["d2"]
    assert [e.deployment for e in store.events.after(all_of_them[0].id, limit=1)] == ["d2"]


def test_old_events_go_and_numbers_do_not_come_back(store: SqlStore) -> None:
    numbers = [store.events.add(1.0, "a", "", "note", {}).id for _ in range(5)]
    assert store.events.trim(2) == 3
    assert [e.id for e in store.events.after(0)] == numbers[-2:]
    assert store.events.trim(0) == 2
    assert store.events.add(1.0, "a", "", "note", {}).id == numbers[-1] + 1


def test_events_are_trimmed_by_themselves(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("windlass.adapters.store.events.KEPT_EVENTS", 3)
    monkeypatch.setattr("windlass.adapters.store.events._TRIM_EVERY", 10)
    events = SqlEvents(database)
    for _ in range(25):
        events.add(1.0, "a", "", "note", {})
    assert len(events.after(0)) <= 12


def test_ended_jobs_are_trimmed_by_themselves(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("windlass.adapters.store.jobs.KEPT_JOBS", 3)
    for n in range(10):
        store.jobs.enqueue(a_job(f"j{n}", "old" if n == 0 else "shop"))
    store.jobs.claim("o", 2.0, 100.0)
    for _ in range(9):
        job = store.jobs.claim("p", 2.0, 100.0)
        assert job is not None
        store.jobs.finish(job.id, "p", "done")
    kept = [n for n in range(10) if store.jobs.get(f"j{n}") is not None]
    assert kept == [0, 7, 8, 9], "what runs is never trimmed"


# --- variables, consents, resources ---

VALUES = ["", " ", "a", "$HOME $$ ${X}", "#'\"\\{}", "two\nlines\r\n", "zażółć 𝄞", "\udcff\udc80", "x" * 100_000]


def test_values_survive_byte_for_byte(shop: SqlStore) -> None:
    values = {f"V{n}": value for n, value in enumerate(VALUES)}
    shop.variables.set("shop", values, 1.0)
    assert shop.variables.all("shop") == values


def test_variables_are_set_one_by_one(shop: SqlStore) -> None:
    shop.variables.set("shop", {"B": "1", "A": "2"}, 1.0)
    shop.variables.set("shop", {"A": "3", "C": "4"}, 2.0)
    assert shop.variables.names("shop") == {"A": 2.0, "B": 1.0, "C": 2.0}
    shop.variables.unset("shop", ["B", "Z"])
    assert shop.variables.all("shop") == {"A": "3", "C": "4"}
    assert shop.variables.all("shop@staging") == {}


def test_consents_keep_the_time_at_which_they_were_given(shop: SqlStore) -> None:
    shop.consents.give("shop", ["privileged", "host_network", "privileged"], 1.0)
    shop.consents.give("shop", ["privileged", "devices"], 2.0)
    shop.consents.revoke("shop", ["host_network", "other"])
    assert shop.consents.all("shop") == {"devices": 2.0, "privileged": 1.0}


def test_resources_are_found_by_name_the_newest_first(store: SqlStore) -> None:
    old = Resource("container", "id1", "shop-g1-web-1", "shop", 1, "d1")
    new = replace(old, ref="id2", release=2)
    network = Resource("network", "id1", "shop_default", "shop", None, "d1")
    for resource in (old, new, network):
        store.resources.record(resource)
    assert store.resources.find("container", "shop-g1-web-1") == new
    assert store.resources.of_app("shop") == [old, new, network]
    assert store.resources.of_app("shop", "network") == [network]
    store.resources.record(replace(old, release=3))
    assert store.resources.find("container", "shop-g1-web-1") == replace(old, release=3)
    store.resources.forget("container", "id1")
    store.resources.forget("container", "id1")
    assert store.resources.of_app("shop") == [new, network]
    assert store.resources.find("container", "shop_default") is None


# --- what is missing ---

MISSING: list[tuple[str, Callable[[SqlStore], Any]]] = [
    ("app get", lambda s: s.apps.get("nope")),
    ("app update", lambda s: s.apps.update("nope", live=1)),
    ("release add", lambda s: s.releases.add("nope", 1.0, "", "")),
    ("release get", lambda s: s.releases.get("shop", 9)),
    ("release update", lambda s: s.releases.update("shop", 9, kept=False)),
    ("release state", lambda s: s.releases.set_state("shop", 9, ReleaseState.LIVE)),
    ("snapshot", lambda s: s.releases.snapshot("shop", 9)),
    ("snapshot save", lambda s: s.releases.save_snapshot("shop", 9, b"")),
    ("deployment add", lambda s: s.deployments.add(a_deployment("d", "nope"), a_job("d"))),
    ("deployment get", lambda s: s.deployments.get("nope")),
    ("deployment update", lambda s: s.deployments.update("nope", release=1)),
    ("deployment finish", lambda s: s.deployments.finish("nope", DeploymentStatus.LIVE, 1.0, None)),
    ("deployment step", lambda s: s.deployments.save_step("nope", StepRecord("source", "done", 1.0))),
    ("deployment hold", lambda s: s.deployments.hold("nope", b"x")),
    ("variables", lambda s: s.variables.set("nope", {"A": "1"}, 1.0)),
    ("consents", lambda s: s.consents.give("nope", ["privileged"], 1.0)),
]


@pytest.mark.parametrize("call", [call for _, call in MISSING], ids=[name for name, _ in MISSING])
def test_what_is_not_there_is_told(shop: SqlStore, call: Callable[[SqlStore], Any]) -> None:
    with pytest.raises(NotFound) as told:
        call(shop)
    assert told.value.hint
    assert told.value.code.endswith("_not_found")


def test_what_is_not_there_and_may_be_missing(shop: SqlStore) -> None:
    shop.releases.drop("shop", 9)
    shop.variables.unset("nope", ["A"])
    shop.consents.revoke("nope", ["A"])
    assert shop.jobs.get("nope") is None
    assert shop.jobs.request_cancel("nope") is None
    assert shop.jobs.position("nope") == 0
    assert shop.jobs.heartbeat("nope", "o", 1.0, 1.0).lost
