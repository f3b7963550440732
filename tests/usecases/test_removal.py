"""Removal takes what this instance made of the app and nothing else; it can be repeated and resumed."""

from __future__ import annotations

import threading

import pytest
from tests.usecases.worlds import World

from windlass.domain.errors import Conflict, Failed, NotFound
from windlass.domain.records import Job, Resource
from windlass.domain.release import DeploymentStatus
from windlass.ports.engine import VolumeFacts
from windlass.usecases import removal


def tagged(world: World, app: str = "shop") -> list[str]:
    """Gives the app images of its own, as the build step records them."""
    tags = [t for t in world.engine.images if t.startswith(f"windlass/{app}/")]
    for tag in tags:
        world.store.resources.record(Resource("image", tag, tag, app, 1, "d1-shop"))
    return tags


def test_everything_of_the_app_goes_and_its_data_stays(world: World) -> None:
    world.deploy()
    tags = tagged(world)
    foreign = world.foreign("shop-web-1", com__docker__compose__project="shop")
    world.engine.calls.clear()
    answer = removal.remove(world.outside, "shop", False)
    assert answer["kept"] == ["shop_db"]
    assert answer["removed"]["container"] == 3
    assert [c.now.id for c in world.engine.all.values()] == [foreign]
    assert world.engine.nets == {}
    assert "shop_db" in world.engine.vols
    assert not set(tags) & set(world.engine.images)
    assert world.store.apps.find("shop") is None
    assert "shop" not in world.edge.apps
    names = [call[0] for call in world.engine.calls if call[0] in ("stop", "remove")]
    assert names.index("stop") < names.index("remove")


def test_data_goes_when_asked_for_also_afterwards(world: World) -> None:
    world.deploy()
    world.engine.vols["other_db"] = VolumeFacts("other_db", {})
    removal.remove(world.outside, "shop", False)
    with pytest.raises(NotFound):
        removal.remove(world.outside, "shop", False)
    removal.remove(world.outside, "shop", True)
    assert set(world.engine.vols) == {"other_db"}
    with pytest.raises(NotFound):
        removal.remove(world.outside, "shop", True)


def test_waiting_deployment_is_cancelled_first(world: World) -> None:
    world.deploy()
    waiting = world.unfinished(status=DeploymentStatus.QUEUED)
    removal.remove(world.outside, "shop", True)
    assert world.engine.vols == {}
    assert world.store.apps.find("shop") is None
    assert world.store.jobs.claim("worker", world.clock.now(), 15.0) is None
    with pytest.raises(NotFound):
        world.store.deployments.get(waiting.id)


def test_running_deployment_takes_itself_back_first(world: World) -> None:
    world.deploy()
    running = world.unfinished()
    job = world.store.jobs.claim("worker", world.clock.now(), 15.0)
    assert job is not None

    def end() -> None:
        assert set(world.states().values()) == {"running"}, "nothing is removed before"
        world.store.deployments.finish(running.id, DeploymentStatus.CANCELLED, world.clock.now(), None)
        world.store.jobs.finish(job.id, "worker", "cancelled")

    threading.Timer(0.3, end).start()
    removal.remove(world.outside, "shop", True)
    assert world.states() == {}


def test_deployment_that_does_not_end_keeps_the_app_as_it_is(world: World) -> None:
    world.deploy()
    world.unfinished()
    assert world.store.jobs.claim("worker", world.clock.now(), 15.0) is not None
    threading.Timer(0.2, lambda: setattr(world.clock, "ahead", 1000.0)).start()
    with pytest.raises(Conflict) as caught:
        removal.remove(world.outside, "shop", True)
    assert caught.value.code == "deployment_running"
    assert set(world.states().values()) == {"running"}
    assert not world.store.apps.get("shop").removing


def test_what_the_engine_does_not_give_up_is_told_and_the_next_try_goes_on(world: World) -> None:
    world.deploy()
    stranger = world.foreign("stranger")
    network = next(n.facts for n in world.engine.nets.values() if n.facts.name == "shop_default")
    world.engine.all[stranger].endpoints[network.name] = next(iter(world.engine.all.values())).endpoints["shop_default"]
    with pytest.raises(Failed) as caught:
        removal.remove(world.outside, "shop", True)
    assert [d.name for d in caught.value.details] == ["shop_default"]
    assert world.store.apps.get("shop").removing
    world.engine.remove(stranger)
    removal.remove(world.outside, "shop", True)
    assert (world.engine.nets, world.engine.vols) == ({}, {})


@pytest.mark.parametrize("data", [False, True])
def test_removal_that_a_crash_left_is_finished_at_the_next_start(world: World, data: bool) -> None:
    world.deploy()
    world.engine.away = True
    with pytest.raises(Exception, match="does not answer"):
        removal.remove(world.outside, "shop", data)
    world.engine.away = False
    removal.resume(world.outside)
    assert world.store.apps.find("shop") is None
    assert (world.states(), set(world.engine.vols)) == ({}, set() if data else {"shop_db"})


def test_resume_touches_no_app_that_is_not_being_removed(world: World) -> None:
    world.deploy()
    removal.resume(world.outside)
    assert set(world.states().values()) == {"running"}


def test_network_that_another_app_lives_on_becomes_its_own(world: World) -> None:
    world.deploy()
    world.deploy(app="other")
    shared = next(n.facts for n in world.engine.nets.values() if n.facts.name == "other_default")
    world.store.resources.record(Resource("network", shared.id, shared.name, "shop", None, "d1-shop"))
    removal.remove(world.outside, "shop", True)
    assert "other_default" in {n.facts.name for n in world.engine.nets.values()}
    assert shared.id in {r.ref for r in world.store.resources.of_app("other", "network")}
    assert set(world.states("other").values()) == {"running"}


def test_bare_address_leads_to_the_app_that_is_left(world: World) -> None:
    world.deploy()
    world.deploy(app="other")
    assert all(route.hosts for route in world.edge.apps["other"].routes)
    removal.remove(world.outside, "shop", True)
    assert any(not route.hosts for route in world.edge.apps["other"].routes)


def test_resume_waits_for_what_the_crash_held_of_the_app(world: World) -> None:
    world.deploy()
    now = world.clock.now()
    world.store.jobs.enqueue(Job("held", "operation", "shop", {}, "running", now, now, "gone", now + 20.0))
    world.store.apps.update("shop", removing=True)
    threading.Timer(0.3, lambda: world.store.jobs.finish("held", "gone", "done")).start()
    removal.resume(world.outside)
    assert world.store.apps.find("shop") is None


def leave_a_record_of_nothing(world: World) -> None:
    """Killed between the removal of the volume and of its record."""
    world.engine.vols.pop("shop_db")
    assert [r.name for r in world.store.resources.of_app("shop", "volume")] == ["shop_db"]


def test_a_record_of_a_volume_that_is_gone_is_forgotten_at_the_next_start(world: World) -> None:
    world.deploy()
    removal.remove(world.outside, "shop", False)
    world.deploy(app="other")
    leave_a_record_of_nothing(world)
    world.engine.away = True
    removal.resume(world.outside)
    world.engine.away = False
    removal.resume(world.outside)
    assert world.store.resources.of_app("shop") == []
    assert [r.name for r in world.store.resources.of_app("other", "volume")] == ["other_db"]
    with pytest.raises(NotFound):
        removal.remove(world.outside, "shop", True)


def test_a_volume_that_is_gone_is_neither_kept_nor_in_the_way(world: World) -> None:
    world.deploy()
    leave_a_record_of_nothing(world)
    assert removal.remove(world.outside, "shop", False)["kept"] == []
    assert world.store.resources.of_app("shop") == []
