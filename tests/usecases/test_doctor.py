"""What the doctor says of a machine in good order, and of each thing that is not."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.usecases.worlds import World

from windlass.domain.records import App
from windlass.ports.machine import PortHolder
from windlass.usecases import doctor


def found(world: World, name: str) -> list[dict[str, str]]:
    return [i for i in doctor.examine(world.outside)["items"] if i["name"] == name]


def test_machine_in_good_order_has_nothing_to_fix(world: World) -> None:
    world.edge.ensure()
    world.deploy()
    items = doctor.examine(world.outside)["items"]
    assert {i["status"] for i in items} == {"ok"}, items
    assert not [i for i in items if i["fix"]]
    assert {"engine", "compose", "edge", "address pool", "clock", "database", "memory"} <= {i["name"] for i in items}


CASES: dict[str, tuple[Callable[[World], object], str, str, str]] = {
    "edge is down": (lambda w: w.edge.stop(), "edge", "failed", "does not answer"),
    "port is held": (
        lambda w: (w.edge.stop(), w.machine.held.update({80: PortHolder(80, 7, "nginx")})),
        "port 80",
        "failed",
        "nginx (pid 7)",
    ),
    "disk is low": (lambda w: setattr(w.machine, "disk", 1 << 30), "disk of windlass", "warning", "1.0 GiB"),
    "disk is full": (lambda w: setattr(w.machine, "disk", 1 << 20), "disk of the engine", "failed", "1 MiB"),
    "memory is short": (lambda w: setattr(w.machine, "memory", 100 << 20), "memory", "warning", "100 MiB"),
    "pool is full": (lambda w: w.machine.known.append("10.9.0.0/20"), "address pool", "failed", "0 of 64"),
    "clock was set back": (lambda w: setattr(w.clock, "ahead", -5000.0), "clock", "warning", "set back"),
    "compose up beside us": (
        lambda w: w.foreign("shop-web-1", com__docker__compose__project="shop"),
        "app shop",
        "warning",
        "shop-web-1: made by `docker compose up`",
    ),
    "stray generation": (
        lambda w: (w.deploy(), w.store.apps.update("shop", live=1)),
        "app shop",
        "warning",
        "shop-g2-web-1",
    ),
    "app unknown": (
        lambda w: w.foreign("x-g1-web-1", windlass__instance="i1", windlass__app="x", windlass__release="1"),
        "app x",
        "warning",
        "x-g1-web-1",
    ),
    "removal not ended": (
        lambda w: w.store.apps.add(App("half", w.clock.now(), removing=True)),
        "app half",
        "warning",
        "removal",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_wrong_is_told_with_a_way_out(world: World, case: str) -> None:
    spoil, name, status, words = CASES[case]
    world.edge.ensure()
    world.deploy()
    spoil(world)
    items = found(world, name)
    assert [i["status"] for i in items] == [status]
    assert words in items[0]["message"]
    assert items[0]["fix"]


def test_few_inodes_are_told(world: World) -> None:
    world.machine.inodes = 100
    assert [i["status"] for i in found(world, "disk of windlass")] == ["ok", "failed"]


def test_engine_that_is_away_is_told_and_the_rest_is_looked_at(world: World) -> None:
    world.edge.ensure()
    world.engine.away = True
    items = {i["name"]: i for i in doctor.examine(world.outside)["items"]}
    assert items["engine"]["status"] == "failed"
    assert items["engine"]["fix"]
    assert items["database"]["status"] == items["compose"]["status"] == "ok"
