"""An app is closed, stays closed over deployments, and is opened again."""

from __future__ import annotations

import pytest
from tests.usecases.worlds import World

from windlass.domain.errors import NotFound, Usage
from windlass.ports.edge import Maintenance
from windlass.usecases.maintenance import MOST_PASSES, close, maintenance, open_again


def in_force(world: World) -> Maintenance | None:
    current = world.edge.current("shop")
    assert current is not None
    return current.maintenance


def test_closed_over_deployments_until_it_is_opened(world: World) -> None:
    world.deploy()
    assert in_force(world) is None
    told = {"app": "shop", "closed": True, "allowed": ["192.0.2.7/32", "10.0.0.0/8"]}
    assert close(world.outside, "shop", ["192.0.2.7", "10.0.0.0/8", "192.0.2.7"]) == told
    assert in_force(world) == Maintenance(("192.0.2.7/32", "10.0.0.0/8"))
    world.deploy()
    assert in_force(world) == Maintenance(("192.0.2.7/32", "10.0.0.0/8"))
    assert maintenance(world.outside, "shop") == told
    assert open_again(world.outside, "shop") == {"app": "shop", "closed": False, "allowed": []}
    assert in_force(world) is None


def test_what_is_no_address(world: World) -> None:
    world.deploy()
    with pytest.raises(Usage):
        close(world.outside, "shop", ["somebody"])
    with pytest.raises(Usage):
        close(world.outside, "shop", ["10.0.0.1"] * (MOST_PASSES + 1))
    assert in_force(world) is None


def test_an_app_that_is_not_there(world: World) -> None:
    for call in (lambda: maintenance(world.outside, "shop"), lambda: close(world.outside, "shop", [])):
        with pytest.raises(NotFound):
            call()
