"""What a deployment does, by the shape of the project and what is there already."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from tests.domain.shapes import DB, MIGRATE, WEB, WORKER, snapshot

from windlass.domain.plan import (
    Attach,
    CreateServices,
    Drain,
    EnsureNetwork,
    Gate,
    KeepWarm,
    Operation,
    Plan,
    PutBackBase,
    RemoveGeneration,
    RunJob,
    Start,
    Stop,
    SwitchRoutes,
    Watch,
    WithdrawRoutes,
)
from windlass.domain.planner import Observed, Situation, changed_base, plan_deployment
from windlass.domain.release import Route, Snapshot
from windlass.domain.routeoptions import ErrorPage, RouteOptions

SHOP = {
    "web": {
        **WEB,
        "depends_on": {
            "db": {"condition": "service_healthy"},
            "migrate": {"condition": "service_completed_successfully"},
        },
    },
    "worker": WORKER,
    "migrate": {**MIGRATE, "depends_on": {"db": {"condition": "service_healthy"}}},
    "db": DB,
}


def flat(operations: Iterable[Operation]) -> list[Any]:
    """In order, groups opened."""
    found: list[Any] = []
    for operation in operations:
        inner = getattr(operation, "operations", None)
        found += flat(inner) if inner is not None else [operation]
    return found


def kinds(plan: Plan, step: str, *wanted: type[Any]) -> list[Any]:
    return [o for o in flat(plan.step(step).operations) if isinstance(o, wanted)]


def running(shot: Snapshot) -> Observed:
    return Observed(base={p.name: p.digest for p in shot.base()}, present=frozenset({shot.number}))


def test_first_deploy_brings_the_base_then_the_job_then_the_rest() -> None:
    new = snapshot(SHOP)
    plan = plan_deployment(Situation(new, None))
    assert [o.services for o in kinds(plan, "base", CreateServices)] == [("db",)]
    assert [o.service for o in kinds(plan, "base", Gate)] == ["db"]
    assert [o.service for o in kinds(plan, "release", RunJob)] == ["migrate"]
    assert [o.service for o in kinds(plan, "start", Start)] == ["web", "worker"]
    assert [o.fallback for o in kinds(plan, "switch", SwitchRoutes)] == [None]
    assert not kinds(plan, "retire", Stop)


def test_unchanged_base_is_not_touched() -> None:
    old, new = snapshot(SHOP, 1), snapshot(SHOP, 2)
    plan = plan_deployment(Situation(new, old, running(old)))
    assert changed_base(Situation(new, old, running(old))) == ()
    assert not kinds(plan, "base", CreateServices, Start, Gate)
    assert plan.downtime == ()


def test_base_with_another_image_is_recreated_and_put_back_on_failure() -> None:
    old = snapshot(SHOP, 1)
    new = snapshot(SHOP, 2, images={**{n: f"sha256:{n}" for n in SHOP}, "db": "sha256:newer"})
    plan = plan_deployment(Situation(new, old, running(old)))
    assert [(o.services, o.recreate) for o in kinds(plan, "base", CreateServices)] == [(("db",), True)]
    assert PutBackBase(("db",), 1) in plan.step("base").undo
    assert plan.downtime
    assert "db" in plan.downtime[0]


def test_workers_start_after_every_routed_service_is_gated_and_old_ones_stop_at_the_switch() -> None:
    old, new = snapshot(SHOP, 1), snapshot(SHOP, 2)
    plan = plan_deployment(Situation(new, old, running(old)))
    order = [(type(o).__name__, o.service) for o in kinds(plan, "start", Start, Gate)]
    assert order.index(("Gate", "web")) < order.index(("Start", "worker"))
    stops = kinds(plan, "switch", Stop)
    assert [(o.service, o.release, o.wait) for o in stops] == [("worker", 1, False)]
    switched = flat(plan.step("switch").operations)
    assert switched.index(kinds(plan, "switch", SwitchRoutes)[0]) < switched.index(stops[0])


def test_switch_back_goes_to_the_old_routes_before_anything_else() -> None:
    old, new = snapshot(SHOP, 1), snapshot(SHOP, 2)
    undo = flat(plan_deployment(Situation(new, old, running(old))).step("switch").undo)
    assert undo[0] == SwitchRoutes(1)
    assert any(isinstance(o, Start) and o.service == "worker" and o.release == 1 for o in undo)


def test_first_deploy_that_fails_after_the_switch_leaves_no_route() -> None:
    assert plan_deployment(Situation(snapshot(SHOP), None)).step("switch").undo == (WithdrawRoutes(),)


def test_generation_joins_the_base_without_a_name() -> None:
    plan = plan_deployment(Situation(snapshot(SHOP), None))
    joined = {(o.network, o.aliases) for o in kinds(plan, "release", Attach) if o.container == "shop-g1-web-1"}
    assert ("shop_default", ()) in joined
    assert any(n == "0-shop-g1-default" and "web" in aliases for n, aliases in joined)
    made = kinds(plan, "base", EnsureNetwork) + kinds(plan, "release", EnsureNetwork)
    assert {o.name for o in made} == {"shop_default", "0-shop-g1-default"}


def test_app_without_base_has_no_shared_network() -> None:
    plan = plan_deployment(Situation(snapshot({"web": {**WEB, "depends_on": {}}}), None))
    assert not kinds(plan, "base", EnsureNetwork)
    assert [o.network for o in kinds(plan, "start", Attach)] == ["0-shop-g1-default"]


def test_recreate_service_is_created_before_and_swapped_at_the_switch() -> None:
    alone = {"app": {"build": {"context": "/src"}, "ports": [{"target": 8000, "published": "8090", "protocol": "tcp"}]}}
    old, new = snapshot(alone, 1), snapshot(alone, 2)
    plan = plan_deployment(Situation(new, old, running(old)))
    assert [o.services for o in kinds(plan, "start", CreateServices)] == [("app",)]
    assert not kinds(plan, "start", Start)
    order = [(type(o).__name__, getattr(o, "release", None)) for o in kinds(plan, "switch", Stop, Start, SwitchRoutes)]
    assert order == [("Stop", 1), ("Start", 2), ("SwitchRoutes", 2)]
    back = [o for o in flat(plan.step("switch").undo) if isinstance(o, Stop | Start)]
    assert [(type(o).__name__, o.release) for o in back] == [("Stop", 2), ("Stop", 1), ("Start", 1)]
    assert [o.begun for o in back if isinstance(o, Stop)] == [False, True]
    assert plan.downtime


def test_scheduler_never_runs_twice() -> None:
    services = {"web": {**WEB, "depends_on": {}}, "beat": {"build": {"context": "/src"}, "command": ["celery", "beat"]}}
    old, new = snapshot(services, 1), snapshot(services, 2)
    plan = plan_deployment(Situation(new, old, running(old)))
    order = [(type(o).__name__, o.release) for o in kinds(plan, "switch", Stop, Start) if o.service == "beat"]
    assert order == [("Stop", 1), ("Start", 2)]


def test_rollback_to_a_generation_that_is_there_creates_nothing_and_runs_no_job() -> None:
    old, new = snapshot(SHOP, 2), snapshot(SHOP, 1)
    seen = Observed(base={p.name: p.digest for p in old.base()}, present=frozenset({1, 2}))
    plan = plan_deployment(Situation(new, old, seen, again=True))
    assert not kinds(plan, "release", CreateServices, RunJob)
    assert not kinds(plan, "start", CreateServices, RunJob, Attach)
    assert not any(isinstance(o, RemoveGeneration) for o in flat(plan.step("start").undo))


def test_rollback_to_a_generation_that_is_gone_creates_it_without_its_migrations() -> None:
    old, new = snapshot(SHOP, 2), snapshot(SHOP, 1)
    seen = Observed(base={p.name: p.digest for p in old.base()}, present=frozenset({2}))
    plan = plan_deployment(Situation(new, old, seen, again=True))
    assert [o.services for o in kinds(plan, "start", CreateServices)] == [("web", "worker")]
    assert not kinds(plan, "release", RunJob)


def test_volume_that_a_job_fills_is_the_releases_own() -> None:
    def mount(read_only: bool) -> list[dict[str, Any]]:
        return [{"type": "volume", "source": "site", "target": "/site", "read_only": read_only}]

    services = {
        "fill": {**MIGRATE, "volumes": mount(False)},
        "web": {**WEB, "volumes": mount(True), "depends_on": {"fill": {"condition": "service_completed_successfully"}}},
    }
    new = snapshot(services, 4)
    assert [(v.name, v.per_release) for v in new.volumes] == [("shop-g4_site", True)]


def test_keep_warm_leaves_the_old_generation_running() -> None:
    old, new = snapshot(SHOP, 1), snapshot(SHOP, 2, keep_warm_s=600.0)
    plan = plan_deployment(Situation(new, old, running(old)))
    assert [o.release for o in kinds(plan, "retire", KeepWarm)] == [1]
    assert not kinds(plan, "retire", Stop, Drain)


def test_retire_drains_before_it_stops_and_removes_older_generations() -> None:
    old, new = snapshot(SHOP, 5), snapshot(SHOP, 6)
    seen = Observed(base={p.name: p.digest for p in old.base()}, present=frozenset({5}), leftovers=(3, 4, 5))
    plan = plan_deployment(Situation(new, old, seen))
    order = [type(o) for o in kinds(plan, "retire", Drain, Stop)]
    assert order[0] is Drain
    assert order.count(Stop) == 2
    assert [o.release for o in kinds(plan, "retire", RemoveGeneration)] == [3, 4]
    assert kinds(plan, "verify", Watch)[0].seconds == 10.0


def test_error_pages_are_drained_like_the_routes() -> None:
    old, new = snapshot(SHOP, 1), snapshot(SHOP, 2)
    pages = RouteOptions(errors=(ErrorPage(("404",), "worker", "/", 81),))
    old = replace(old, routes=(Route("", "web", 80, options=pages),))
    (drained,) = kinds(plan_deployment(Situation(new, old, running(old))), "retire", Drain)
    assert {port for _, port in drained.targets} == {80, 81}


def test_warm_rollback_moves_the_routes_before_it_starts_the_workers() -> None:
    old, new = snapshot(SHOP, 2), snapshot(SHOP, 1)
    seen = Observed(base={p.name: p.digest for p in old.base()}, present=frozenset({1, 2}))
    plan = plan_deployment(Situation(new, old, seen, again=True, warm=True))
    assert [o.service for o in kinds(plan, "start", Start)] == ["web"]
    order = [type(o) for o in kinds(plan, "switch", SwitchRoutes, Start, Stop)]
    assert order == [SwitchRoutes, Start, Stop]
