"""A host belongs to the app that had it first: at the design, at a rollback, and when two come at the same moment."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.usecases.worlds import SHOP, World

from windlass.domain.errors import Failed
from windlass.domain.plan import SwitchRoutes
from windlass.domain.records import Deployment, Job, ReleaseState
from windlass.domain.release import DeploymentStatus, Route
from windlass.ports.edge import EdgeApp, EdgeRoute
from windlass.usecases.execute import execute
from windlass.usecases.hostowners import taken
from windlass.usecases.jobs import run_job
from windlass.usecases.requests import request_rollback
from windlass.usecases.slots import Unhurried
from windlass.usecases.undertaking import Kept, Undertaking, save_kept


def keep_routes(world: World, app: str, *hosts: str) -> None:
    """As if the live release had these."""
    live = world.store.apps.get(app).live
    assert live is not None
    snapshot = Undertaking(world.outside, app, "", Unhurried(), lambda *_: None).snapshot(live)
    routes = tuple(Route(host, "web", 8000) for host in hosts)
    save_kept(world.outside, Kept(replace(snapshot, routes=routes)))


def refused(world: World, app: str, *hosts: str) -> list[str]:
    return [d.name for d in taken(world.outside, app, [Route(host, "web", 8000) for host in hosts])]


def test_hosts_of_a_live_app_and_its_default_one_are_its_own(world: World) -> None:
    world.deploy()
    keep_routes(world, "shop", "shop.example.com")
    assert refused(world, "blog", "shop.example.com", "blog.example.com", "shop.localhost") == [
        "routes.shop.example.com",
        "routes.shop.localhost",
    ]
    assert refused(world, "shop", "shop.example.com", "") == []


def test_a_default_host_that_another_app_has_is_not_taken_over(world: World) -> None:
    world.deploy()
    keep_routes(world, "shop", "blog.localhost")
    assert refused(world, "blog", "") == ["routes.blog.localhost"]
    assert refused(world, "blog", "news.example.com") == []


def test_a_rollback_does_not_take_a_host_back_that_another_app_has_now(world: World) -> None:
    for _ in range(2):
        world.deploy()
    first = world.store.releases.get("shop", 1)
    world.store.releases.update("shop", first.number, state=ReleaseState.RETIRED, kept=True, live_at=1.0)
    old = Undertaking(world.outside, "shop", "", Unhurried(), lambda *_: None).snapshot(1)
    save_kept(world.outside, Kept(replace(old, routes=(Route("old.example.com", "web", 8000),))))
    world.deploy(SHOP, "blog")
    keep_routes(world, "blog", "old.example.com")
    made = request_rollback(world.outside, "shop", 1)
    job = world.store.jobs.get(made.id)
    assert job is not None
    run_job(world.outside, job, Unhurried())
    ended = world.store.deployments.get(made.id)
    assert ended.status is DeploymentStatus.REFUSED
    assert "host_taken" in str(ended.error)


@pytest.mark.parametrize("forward", [True, False])
def test_of_two_at_the_same_moment_the_first_has_it(world: World, forward: bool) -> None:
    """What is taken back leads where it led before, whoever came meanwhile."""
    world.deploy()
    world.deploy(SHOP, "blog")
    keep_routes(world, "shop", "new.example.com")
    world.edge.apps["blog"] = EdgeApp("blog", 1, (EdgeRoute(("new.example.com",), "/", 0, "web", ()),), None)
    now = world.clock.now()
    deployment = Deployment("d9", "shop", "deploy", DeploymentStatus.RUNNING, now, release=1 if forward else 2)
    world.store.deployments.add(deployment, Job("d9", "deployment", "shop", {}, "done", now, now))
    work = Undertaking(world.outside, "shop", "d9", Unhurried(), lambda *_: None)
    if not forward:
        execute(work, [SwitchRoutes(1)])
        assert world.edge.apps["shop"].routes[0].hosts == ("new.example.com",)
        return
    with pytest.raises(Failed) as told:
        execute(work, [SwitchRoutes(1)])
    assert told.value.code == "host_taken"
    assert world.edge.apps["shop"].routes[0].hosts == ("shop.localhost",)
