"""Asking outside services from a place in the app's networks: set up, asked once, and nothing left behind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.outposts import FakeOutposts
from tests.usecases.worlds import World, make_world

from windlass.domain.checks import Finding, Status
from windlass.domain.errors import Failed, OutOfReach
from windlass.domain.manifest import EnvRule
from windlass.domain.modelreader import read_model
from windlass.domain.outposts import Reply, Step
from windlass.domain.outsideservices import Landscape
from windlass.ports.engine import HolderContainer
from windlass.usecases.outposts import ROLE, sweep_outposts
from windlass.usecases.reachability import LIMIT_S, REMEMBERED_S, reachability

DB, CACHE = "postgres://a:p%40ss@pg.test/shop", "redis://:p%40ss@r.test"
NETWORKS = {
    "default": {"name": "shop_default"},
    "inside": {"name": "shop_inside", "internal": True},
    "far": {"name": "far", "external": True},
}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = make_world(tmp_path)
    yield made
    assert left_behind(made) == []
    made.store.close()


def outposts(world: World) -> FakeOutposts:
    assert isinstance(world.outside.outposts, FakeOutposts)
    return world.outside.outposts


def left_behind(world: World) -> list[str]:
    here = [c.now.name for c in world.engine.all.values() if ROLE in c.now.name]
    here += [n.facts.name for n in world.engine.nets.values() if ROLE in n.facts.name]
    return here + [r.name for r in world.store.resources.of_app("shop") if ROLE in r.name]


def land(environment: dict[str, str], *others: dict[str, Any], **web: Any) -> Landscape:
    services = {f"s{n}": {"image": "x", **other} for n, other in enumerate(others)}
    web = {"image": "x", "environment": environment, "networks": {"default": None}, **web}
    document = {"services": {"web": web, **services}, "networks": NETWORKS}
    return Landscape("shop", read_model(document), {"API": EnvRule(format="url")}, {"DB": DB})


def statuses(found: list[Finding]) -> dict[str, tuple[str, str]]:
    return {f.name: (f.status.value, f.code) for f in found}


def test_every_service_is_told_for_what_it_is(world: World) -> None:
    outposts(world).replies = {
        "pg.test": Reply(Step.CREDENTIALS, "wrong", "28P01"),
        "api.test": Reply(Step.TLS, "expired"),
    }
    environment = {"DB": DB, "CACHE": CACHE, "API": "https://api.test", "GONE": "amqp://q.invalid"}
    found = reachability(world.outside, land(environment))
    assert statuses(found) == {
        "DB": ("refused", "reach_credentials"),
        "CACHE": ("ok", ""),
        "API": ("refused", "reach_tls"),
        "GONE": ("refused", "reach_name"),
    }
    assert "p@ss" not in str(found)
    assert "p%40ss" not in str(found)


def test_the_outpost_stands_where_the_app_will(world: World) -> None:
    world.engine.create_network("far", "10.8.0.0/24", False, {})
    hosts = ["db.test=192.0.2.1"]
    seen: list[tuple[HolderContainer, set[str], bool]] = []
    create, start = world.engine.create_holder, world.engine.start
    holders: dict[str, HolderContainer] = {}

    def note(spec: HolderContainer) -> str:
        ref = create(spec)
        holders[ref] = spec
        return ref

    def noted(ref: str) -> None:
        spec = holders[ref]
        own = next(n.facts for n in world.engine.nets.values() if n.facts.name == spec.network)
        seen.append((spec, set(world.engine.all[ref].endpoints), own.internal))
        start(ref)

    world.engine.create_holder, world.engine.start = note, noted  # type: ignore[method-assign]
    networks = {"default": None, "far": None}
    reachability(world.outside, land({"DB": DB}, networks=networks, extra_hosts=hosts), "d1")
    ((spec, joined, internal),) = seen
    assert joined == {spec.network, "far"}
    assert spec.network < "far"  # gateway and names come from the first by name
    assert not internal
    assert spec.hosts == ("db.test:192.0.2.1",)
    assert spec.labels == {
        "windlass.instance": "i1", "windlass.role": ROLE, "windlass.for": "shop", "windlass.deployment": "d1",
    }  # fmt: skip

    seen.clear()
    reachability(world.outside, land({"DB": CACHE}, networks={"inside": None}))
    assert [inside for _, _, inside in seen] == [True]


def test_one_outpost_for_each_place_and_each_service_asked_once(world: World) -> None:
    outside = {"environment": {"DB": DB, "SAME": DB}, "networks": {"default": None}}
    inside = {"environment": {"DB": DB}, "networks": {"inside": None}}
    reachability(world.outside, land({"DB": DB}, outside, inside))
    assert sorted(len(targets) for _, targets, _ in outposts(world).asked) == [1, 1]
    assert all(limit < LIMIT_S for _, _, limit in outposts(world).asked)


def test_from_within_an_internal_network_it_is_the_network(world: World) -> None:
    outposts(world).replies = {"pg.test": Reply(Step.NAME, "timeout"), "r.test": Reply(Step.NETWORK, "refused")}
    found = reachability(world.outside, land({"DB": DB, "CACHE": CACHE}, networks={"inside": None}))
    assert statuses(found) == {"DB": ("refused", "reach_network"), "CACHE": ("refused", "reach_network")}
    assert "`internal`" in found[0].message
    assert "refuses connections" in found[1].message


def test_only_what_was_reached_is_remembered(world: World) -> None:
    asked = outposts(world).asked
    outposts(world).replies = {"pg.test": Reply(Step.NETWORK, "refused")}
    given = land({"DB": DB, "CACHE": CACHE})
    first = reachability(world.outside, given)
    assert reachability(world.outside, given) == first
    assert [[t.servers[0][0] for t in targets] for _, targets, _ in asked] == [["pg.test", "r.test"], ["pg.test"]]
    # Another value, another place, or later: asked anew.
    asked.clear()
    reachability(world.outside, land({"CACHE": CACHE + "/1"}))
    reachability(world.outside, land({"CACHE": CACHE}, networks={"inside": None}))
    world.clock.ahead += REMEMBERED_S + 1
    reachability(world.outside, land({"CACHE": CACHE}))
    assert len(asked) == 3


def test_what_is_skipped_is_not_asked(world: World) -> None:
    given = land({"DB": DB, "CACHE": CACHE})
    assert statuses(reachability(world.outside, given, skips=["reachability:DB"])) == {"CACHE": ("ok", "")}
    assert reachability(world.outside, given, skips=["reachability"]) == []


def test_without_anything_outside_nothing_is_set_up(world: World) -> None:
    assert reachability(world.outside, land({"X": "postgres://a:b@web/x", "Y": "plain"})) == []
    assert not [call for call in world.engine.calls if call[0] == "create_network"]


def test_the_machines_own_network_needs_no_outpost(world: World) -> None:
    reachability(world.outside, land({"DB": DB}, networks=None, network_mode="host"))
    assert [pid for pid, _, _ in outposts(world).asked] == [0]
    assert not [call for call in world.engine.calls if call[0] == "create_network"]


@pytest.mark.parametrize("kind", ["closed", "found closed", "hangs", "refuses"])
def test_where_nothing_can_be_asked_that_is_said(world: World, kind: str) -> None:
    given = land({"DB": DB})
    if kind.endswith("closed"):
        outposts(world).closed = "windlass does not run as root"
        outposts(world).knows_before = kind == "closed"
    elif kind == "hangs":
        outposts(world).hangs = True
    else:

        def refuse(spec: HolderContainer) -> str:
            raise Failed("the engine has no room")

        world.engine.create_holder = refuse  # type: ignore[method-assign]
    (found,) = reachability(world.outside, given)
    assert (found.status, found.code) == (Status.WARNING, "reach_unasked")
    assert "was not asked (" in found.message
    set_up = [call for call in world.engine.calls if call[0] == "create_network"]
    assert len(set_up) == (0 if kind == "closed" else 1)


def test_a_network_that_the_deployment_will_make(world: World) -> None:
    assert statuses(reachability(world.outside, land({"DB": DB}, networks={"far": None}))) == {"DB": ("ok", "")}


def test_an_engine_that_is_away(world: World) -> None:
    world.engine.away = True
    with pytest.raises(OutOfReach):
        reachability(world.outside, land({"DB": DB}))
    world.engine.away = False


def test_what_a_crash_left_is_swept_and_what_is_in_use_is_not(world: World) -> None:
    class Killed(Exception):
        pass

    def kill(*_: object) -> None:
        world.engine.away = True  # nothing is cleaned up by who is dead
        raise Killed

    fake = outposts(world)
    ask = fake.ask
    fake.ask = kill  # type: ignore[method-assign,assignment]
    with pytest.raises(Killed):
        reachability(world.outside, land({"DB": DB}), "d1")
    world.engine.away = False
    assert len(left_behind(world)) == 4  # container, network, and the record of each
    world.engine.create_network("other", "10.8.0.0/24", False, {"windlass.instance": "i2", "windlass.role": ROLE})

    def sweep(*arguments: Any) -> Any:
        sweep_outposts(world.outside)
        assert len(left_behind(world)) == 4  # the living one's
        return ask(*arguments)

    fake.ask = sweep  # type: ignore[method-assign]
    assert reachability(world.outside, land({"DB": DB}))[0].status is Status.OK
    assert [n.facts.name for n in world.engine.nets.values()] == ["other"]
