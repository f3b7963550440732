"""A start beside a deployment that another version began: taken up when it is understood, else refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.usecases.worlds import World, make_world

from windlass.domain.errors import Refused
from windlass.domain.records import StepRecord
from windlass.usecases.takeover import check_unfinished
from windlass.usecases.undertaking import FORMAT, load_kept, routes_in


@pytest.fixture
def world(tmp_path: Path) -> World:
    """With a release 1 that is live, and a deployment under way for it."""
    made = make_world(tmp_path)
    made.deploy()
    deployment = made.unfinished()
    made.store.deployments.update(deployment.id, release=1)
    made.store.deployments.save_step(deployment.id, StepRecord("start", "running", 1.0))
    return made


def rewrite(world: World, change: dict[str, object]) -> None:
    document = json.loads(world.store.releases.snapshot("shop", 1))
    world.store.releases.save_snapshot("shop", 1, json.dumps({**document, **change}).encode())


def test_what_is_kept_says_its_format(world: World) -> None:
    document = world.store.releases.snapshot("shop", 1)
    assert json.loads(document)["format"] == FORMAT
    assert routes_in(document) == load_kept(world.outside, "shop", 1).snapshot.routes


def test_one_of_this_version_is_taken_up(world: World) -> None:
    check_unfinished(world.outside)


def test_one_from_before_there_was_a_format_is_taken_up(world: World) -> None:
    document = json.loads(world.store.releases.snapshot("shop", 1))
    del document["format"]
    world.store.releases.save_snapshot("shop", 1, json.dumps(document).encode())
    check_unfinished(world.outside)
    assert load_kept(world.outside, "shop", 1).format == 1


@pytest.mark.parametrize("change", [{"format": FORMAT + 1}, {"snapshot": {"of": "another kind"}}, {"plan": {"x": 1}}])
def test_one_that_is_not_understood_keeps_it_from_starting(world: World, change: dict[str, object]) -> None:
    rewrite(world, change)
    before, states = world.store.deployments.unfinished(), world.states()
    with pytest.raises(Refused) as told:
        check_unfinished(world.outside)
    assert told.value.code == "journal_unknown"
    assert [d.name for d in told.value.details] == ["shop"]
    assert "windlass up" in told.value.hint
    assert (world.store.deployments.unfinished(), world.states()) == (before, states)


def test_one_that_has_no_plan_yet_is_no_matter(world: World) -> None:
    (deployment,) = world.store.deployments.unfinished()
    world.store.deployments.update(deployment.id, release=7)
    check_unfinished(replace(world.outside))
