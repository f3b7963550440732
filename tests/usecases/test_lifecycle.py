"""Restart, stop, start, scale, exec, stats and logs, on a live release."""

from __future__ import annotations

import copy
import threading
from typing import Any

import pytest
from tests.usecases.worlds import SHOP, World

from windlass.domain.errors import Conflict, NotFound, Refused, Usage, WindlassError
from windlass.domain.release import DeploymentStatus
from windlass.ports.engine import ExecResult
from windlass.usecases import lifecycle
from windlass.usecases.logs import LogQuery
from windlass.usecases.undertaking import load_kept

WEB, WORKER, DB = "shop-g1-web-1", "shop-g1-worker-1", "shop-db-1"


def asked(world: World, *verbs: str) -> list[tuple[str, str]]:
    """Calls of these verbs, with the container's name instead of its ID."""
    names = {c.now.id: c.now.name for c in world.engine.all.values()}
    return [(call[0], names.get(call[1], call[1])) for call in world.engine.calls if call[0] in verbs]


def started_at(world: World, name: str) -> str:
    return next(c.now.started_at for c in world.engine.all.values() if c.now.name == name)


def policy(world: World, name: str) -> str:
    return next(c.now.restart_policy for c in world.engine.all.values() if c.now.name == name)


def with_policies() -> dict[str, Any]:
    document = copy.deepcopy(SHOP)
    for service in document["services"].values():
        service["restart"] = "unless-stopped"
    return document


# --- stop and start --------------------------------------------------------------------------------------------------


def test_stop_ends_dependents_first_and_start_begins_with_what_they_need(world: World) -> None:
    world.deploy(with_policies())
    world.engine.calls.clear()
    stopped = lifecycle.stop(world.outside, "shop", None)
    assert {i["state"] for i in stopped["items"]} == {"stopped"}
    assert asked(world, "stop")[-1] == ("stop", DB)
    assert set(world.states().values()) == {"exited"}
    assert {policy(world, n) for n in (WEB, WORKER, DB)} == {"no"}
    assert not world.store.apps.get("shop").running

    world.engine.calls.clear()
    started = lifecycle.start(world.outside, "shop", None)
    assert {i["state"] for i in started["items"]} == {"running"}
    assert asked(world, "start")[0] == ("start", DB)
    assert {policy(world, n) for n in (WEB, WORKER, DB)} == {"unless-stopped"}
    assert world.store.apps.get("shop").running


def test_stopped_app_keeps_its_routes_at_addresses_that_were_its_own(world: World) -> None:
    world.deploy()
    before = world.servers()
    lifecycle.stop(world.outside, "shop", None)
    assert world.servers() == before
    lifecycle.start(world.outside, "shop", None)
    assert world.servers() == [world.address(WEB)]


def test_one_service_stays_stopped_until_it_is_started(world: World) -> None:
    world.deploy()
    lifecycle.stop(world.outside, "shop", "worker")
    app = world.store.apps.get("shop")
    assert (app.running, app.stopped_services) == (True, ("worker",))
    assert world.states() == {WEB: "running", WORKER: "exited", DB: "running"}
    lifecycle.start(world.outside, "shop", "worker")
    assert world.store.apps.get("shop").stopped_services == ()
    assert set(world.states().values()) == {"running"}


def test_start_of_one_service_of_a_stopped_app_starts_what_it_needs_and_no_more(world: World) -> None:
    world.deploy()
    lifecycle.stop(world.outside, "shop", None)
    lifecycle.start(world.outside, "shop", "web")
    assert world.states() == {WEB: "running", WORKER: "exited", DB: "running"}
    app = world.store.apps.get("shop")
    assert (app.running, app.stopped_services) == (True, ("worker",))


def test_start_makes_a_container_again_that_was_removed_by_hand(world: World) -> None:
    world.deploy()
    lifecycle.stop(world.outside, "shop", None)
    gone = next(c.now.id for c in world.engine.all.values() if c.now.name == WEB)
    world.engine.remove(gone)
    lifecycle.start(world.outside, "shop", None)
    assert world.states()[WEB] == "running"
    assert world.servers() == [world.address(WEB)]


def test_part_that_does_not_become_ready_is_told_and_the_others_serve(world: World) -> None:
    world.deploy(with_policies())
    lifecycle.stop(world.outside, "shop", None)
    ref = next(c.now.id for c in world.engine.all.values() if c.now.name == WORKER)
    world.engine.all[ref].exits = 3
    with pytest.raises(WindlassError) as caught:
        lifecycle.start(world.outside, "shop", None)
    assert caught.value.code == "crashed"
    assert world.states()[WEB] == "running"
    assert policy(world, WEB) == "unless-stopped"


# --- restart ---------------------------------------------------------------------------------------------------------


def test_restart_of_the_app_leaves_its_base_alone(world: World) -> None:
    world.deploy()
    before = {n: started_at(world, n) for n in (WEB, WORKER, DB)}
    lifecycle.restart(world.outside, "shop", None)
    assert {n for n in before if started_at(world, n) != before[n]} == {WEB, WORKER}
    lifecycle.restart(world.outside, "shop", "db")
    assert started_at(world, DB) != before[DB]


def test_replicas_restart_one_after_another_each_off_the_edge_first(world: World) -> None:
    world.deploy()
    lifecycle.scale(world.outside, "shop", "web", 3)
    everyone = set(world.servers())
    assert len(everyone) == 3
    world.edge.applied.clear()
    lifecycle.restart(world.outside, "shop", "web")
    listed = [{s.address for s in config.routes[0].servers} for config in world.edge.applied]
    assert [len(servers) for servers in listed] == [2, 3, 2, 3, 2, 3]
    assert {frozenset(everyone - servers) for servers in listed if len(servers) == 2} == {
        frozenset({a}) for a in everyone
    }


def test_restart_begins_what_was_stopped(world: World) -> None:
    world.deploy()
    lifecycle.stop(world.outside, "shop", "worker")
    lifecycle.restart(world.outside, "shop", "worker")
    assert world.states()[WORKER] == "running"
    assert world.store.apps.get("shop").stopped_services == ()


# --- scale -----------------------------------------------------------------------------------------------------------


def test_more_containers_serve_once_they_are_ready_and_the_release_says_so(world: World) -> None:
    world.deploy()
    shown = lifecycle.scale(world.outside, "shop", "web", 3)
    assert shown == {"app": "shop", "items": [{"service": "web", "state": "running"}]}
    names = [WEB, "shop-g1-web-2", "shop-g1-web-3"]
    assert sorted(world.servers()) == sorted(world.address(n) for n in names)
    assert world.store.apps.get("shop").scale == {"web": 3}
    snapshot = load_kept(world.outside, "shop", 1).snapshot
    assert snapshot.parts["web"].replicas == 3
    assert snapshot.generation_model["services"]["web"]["deploy"]["replicas"] == 3
    assert snapshot.fingerprint == world.store.releases.get("shop", 1).fingerprint != ""


def test_addresses_of_scaled_services_never_meet(world: World) -> None:
    world.deploy()
    lifecycle.scale(world.outside, "shop", "web", 3)
    lifecycle.scale(world.outside, "shop", "worker", 3)
    network = "0-shop-g1-default"
    held = [c.now.addresses[network] for c in world.engine.all.values() if network in c.now.addresses]
    assert len(held) == len(set(held)) == 6


def test_fewer_containers_go_after_they_left_the_edge(world: World) -> None:
    world.deploy()
    lifecycle.scale(world.outside, "shop", "web", 3)
    lifecycle.scale(world.outside, "shop", "web", 1)
    assert world.servers() == [world.address(WEB)]
    assert set(world.states()) == {WEB, WORKER, DB}
    assert load_kept(world.outside, "shop", 1).snapshot.parts["web"].replicas == 1


def test_new_container_that_is_not_ready_leaves_everything_as_it_was(world: World) -> None:
    world.deploy()
    before = world.servers()
    own = world.address(WEB)
    world.prober.unready = lambda address: address != own
    world.clock.ahead = 0.0

    def hurry() -> None:
        world.clock.ahead = 1000.0

    threading.Timer(0.3, hurry).start()
    with pytest.raises(WindlassError) as caught:
        lifecycle.scale(world.outside, "shop", "web", 2)
    assert caught.value.code == "probe_timeout"
    assert world.servers() == before
    assert set(world.states()) == {WEB, WORKER, DB}
    assert world.store.apps.get("shop").scale == {}
    assert load_kept(world.outside, "shop", 1).snapshot.parts["web"].replicas == 1


def test_scale_beyond_the_networks_room_is_kept_for_the_next_deployment(world: World) -> None:
    world.deploy()
    with pytest.raises(Refused) as caught:
        lifecycle.scale(world.outside, "shop", "web", 50)
    assert caught.value.code == "scale_no_room"
    assert world.store.apps.get("shop").scale == {"web": 50}
    assert set(world.states()) == {WEB, WORKER, DB}


@pytest.mark.parametrize(
    ("service", "count", "kind", "code"),
    [
        ("db", 2, Refused, "scale_refused"),
        ("web", 0, Usage, "scale_out_of_range"),
        ("web", 51, Usage, "scale_out_of_range"),
        ("nope", 2, NotFound, "service_not_found"),
    ],
)
def test_scale_that_cannot_be(world: World, service: str, count: int, kind: type[WindlassError], code: str) -> None:
    world.deploy()
    with pytest.raises(kind) as caught:
        lifecycle.scale(world.outside, "shop", service, count)
    assert caught.value.code == code


# --- who may, and when -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [DeploymentStatus.QUEUED, DeploymentStatus.RUNNING])
@pytest.mark.parametrize("verb", ["restart", "stop", "start"])
def test_nothing_is_touched_while_a_deployment_is_under_way(world: World, verb: str, status: DeploymentStatus) -> None:
    world.deploy()
    world.unfinished(status=status)
    world.engine.calls.clear()
    with pytest.raises(Conflict) as caught:
        getattr(lifecycle, verb)(world.outside, "shop", None)
    assert caught.value.code == "deployment_running"
    assert not asked(world, "start", "stop", "set_restart", "remove")


def test_no_deployment_begins_while_an_operation_runs(world: World) -> None:
    world.deploy()
    seen: list[object] = []
    answered = world.prober.unready

    def look(address: str) -> bool:
        world.unfinished(status=DeploymentStatus.QUEUED)
        seen.append(world.store.jobs.claim("worker", world.clock.now(), 15.0))
        world.prober.unready = answered
        return False

    world.prober.unready = look
    lifecycle.restart(world.outside, "shop", "web")
    assert seen == [None]
    assert world.store.jobs.claim("worker", world.clock.now(), 15.0) is not None


def test_two_operations_on_one_app_do_not_meet(world: World) -> None:
    world.deploy()
    errors: list[str] = []

    def second(address: str) -> bool:
        world.prober.unready = lambda address: False
        with pytest.raises(Conflict) as caught:
            lifecycle.stop(world.outside, "shop", "worker")
        errors.append(caught.value.code)
        return False

    world.prober.unready = second
    lifecycle.restart(world.outside, "shop", "web")
    assert errors == ["operation_running"]


def test_app_without_live_release_is_told_so(world: World) -> None:
    world.deploy()
    world.store.apps.update("shop", live=None)
    with pytest.raises(Conflict) as caught:
        lifecycle.restart(world.outside, "shop", None)
    assert caught.value.code == "not_live"
    with pytest.raises(NotFound):
        lifecycle.restart(world.outside, "other", None)


def test_container_of_somebody_else_is_not_touched(world: World) -> None:
    world.deploy()
    gone = next(c.now.id for c in world.engine.all.values() if c.now.name == WORKER)
    world.engine.remove(gone)
    foreign = world.foreign(WORKER, com__docker__compose__project="shop-g1")
    with pytest.raises(Conflict) as caught:
        lifecycle.stop(world.outside, "shop", "worker")
    assert caught.value.code == "foreign_container"
    assert world.engine.container(foreign).state == "running"


# --- exec, stats, logs -----------------------------------------------------------------------------------------------


def test_exec_gives_code_and_output_as_they_are(world: World) -> None:
    world.deploy()
    ref = next(c.now.id for c in world.engine.all.values() if c.now.name == WEB)
    world.engine.all[ref].answer = lambda argv: ExecResult(7, f"ran {argv[0]}\n")
    assert lifecycle.execute(world.outside, "shop", "web", ["true"]) == {"exit_code": 7, "output": "ran true\n"}
    lifecycle.stop(world.outside, "shop", "web")
    with pytest.raises(Conflict):
        lifecycle.execute(world.outside, "shop", "web", ["true"])
    with pytest.raises(Usage):
        lifecycle.execute(world.outside, "shop", "web", [])


def test_stats_of_what_runs_and_is_ours(world: World) -> None:
    world.deploy()
    world.foreign("stranger", windlass__instance="i1", windlass__app="shop", windlass__service="web")
    items = lifecycle.stats(world.outside, None)["items"]
    assert [i["container"] for i in items] == [DB, WEB, WORKER]
    assert items[1] | {"release": 1, "app": "shop", "service": "web"} == items[1]
    assert lifecycle.stats(world.outside, "shop")["items"] == items


def write(world: World, name: str, text: str, stream: str = "stdout") -> None:
    world.engine.write(next(c.now.id for c in world.engine.all.values() if c.now.name == name), text, stream)


def test_logs_are_merged_by_time_without_secrets_and_control_sequences(world: World) -> None:
    world.deploy()
    world.store.variables.set("shop", {"DB_PASSWORD": "s3cr3t-value"}, 1.0)
    write(world, WEB, "\x1b[31mfirst\x1b[0m")
    write(world, DB, "password is s3cr3t-value")
    write(world, WEB, "third", "stderr")
    items = lifecycle.logs(world.outside, LogQuery("shop"))
    assert [(i["service"], i["stream"], i["text"]) for i in items] == [
        ("web", "stdout", "first"),
        ("db", "stdout", "password is ***"),
        ("web", "stderr", "third"),
    ]
    assert [i["text"] for i in lifecycle.logs(world.outside, LogQuery("shop", "web", tail=1))] == ["third"]
    assert lifecycle.logs(world.outside, LogQuery("shop", tail=0)) == []
    with pytest.raises(NotFound):
        lifecycle.logs(world.outside, LogQuery("shop", "nope"))


def test_followed_logs_go_on_with_the_next_release_and_end_at_once(world: World) -> None:
    world.deploy()
    write(world, WEB, "old one")
    over = threading.Event()
    lines = lifecycle.follow_logs(world.outside, LogQuery("shop", "web"), over.is_set)
    assert next(lines)["text"] == "old one"
    threading.Timer(0.2, lambda: write(world, WEB, "still old")).start()
    assert next(lines)["text"] == "still old"
    world.deploy()
    write(world, "shop-g2-web-1", "new one")
    found = next(lines)
    assert (found["text"], found["release"]) == ("new one", 2)
    over.set()
    assert list(lines) == []


def test_followed_logs_end_with_the_app(world: World) -> None:
    world.deploy()
    lines = lifecycle.follow_logs(world.outside, LogQuery("shop", tail=0), lambda: False)
    threading.Timer(0.2, lambda: world.store.apps.remove("shop")).start()
    assert list(lines) == []
