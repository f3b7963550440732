"""What each release changed in the variables, and what was set in between: names and times, and never a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from tests.usecases.worlds import World

from windlass.domain.errors import NotFound
from windlass.domain.records import Deployment, Job, ReleaseState
from windlass.domain.release import DeploymentStatus
from windlass.usecases.undertaking import Kept, load_kept, save_kept
from windlass.usecases.variablehistory import diff_variables, variable_history
from windlass.usecases.variables import keep_given_values, pack_values, set_variables, unset_variables

FIRST = {"A": "value-1", "B": "value-2"}
SECOND = {"A": "value-1", "B": "value-3", "C": "value-4"}


def release(world: World, variables: Mapping[str, str] | None) -> int:
    """Another one, with these variables; None: it ended before it had any."""
    made = world.store.releases.add("shop", world.clock.now(), "upload", "")
    if variables is None:
        world.store.releases.set_state("shop", made.number, ReleaseState.FAILED)
    else:
        snapshot = load_kept(world.outside, "shop", 1).snapshot
        save_kept(world.outside, Kept(replace(snapshot, number=made.number, variables=variables)))
    return made.number


@pytest.fixture
def shop(world: World) -> World:
    """Release 1 is live, of a version that kept no variables."""
    world.deploy()
    return world


def changes(world: World, limit: int = 20) -> list[tuple[Any, ...]]:
    items = variable_history(world.outside, "shop", limit)["items"]
    return [(i["release"], i["against"], i["known"], i["added"], i["changed"], i["removed"]) for i in items]


def test_each_release_against_the_one_before(shop: World) -> None:
    for variables in (FIRST, SECOND, None, {"C": "value-4"}, {"C": "value-4"}):
        release(shop, variables)
    assert changes(shop) == [
        (6, 5, True, [], [], []),
        (5, 3, True, [], [], ["A", "B"]),
        (4, 3, False, [], [], []),
        (3, 2, True, ["C"], ["B"], []),
        (2, None, True, ["A", "B"], [], []),
        (1, None, False, [], [], []),
    ]
    assert changes(shop, 2) == changes(shop)[:2]


def edits(items: list[dict[str, Any]]) -> list[tuple[list[str], list[str]]]:
    return [(e["set"], e["unset"]) for e in items]


def test_what_was_set_belongs_to_the_next_release(shop: World) -> None:
    set_variables(shop.outside, "shop", {"B": "value-2", "A": "value-1"})
    shop.clock.ahead += 1
    release(shop, FIRST)
    shop.clock.ahead += 1
    set_variables(shop.outside, "shop", {"C": "value-4"})
    shop.clock.ahead += 1
    unset_variables(shop.outside, "shop", ["A"])
    document = variable_history(shop.outside, "shop", 20)
    assert edits(document["pending"]) == [(["C"], []), ([], ["A"])]
    assert [edits(i["edits"]) for i in document["items"]] == [[(["A", "B"], [])], []]
    assert [e["at"] for e in document["pending"]] == sorted(e["at"] for e in document["pending"])
    assert "value-" not in str(document)


def test_values_given_with_a_deployment_are_told_once_they_are_the_app_s(shop: World) -> None:
    number = release(shop, FIRST)
    now = shop.clock.now()
    deployment = Deployment("given", "shop", "deploy", DeploymentStatus.RUNNING, now, number)
    held = pack_values({"B": "value-2", "windlass.git.url": "value-5"})
    shop.store.deployments.add(deployment, Job("given", "deployment", "shop", {}, "queued", now, now), held)
    shop.clock.ahead += 1
    keep_given_values(shop.outside, deployment)
    document = variable_history(shop.outside, "shop", 20)
    assert edits(document["items"][0]["edits"]) == [(["B"], [])]
    assert document["pending"] == []
    told = [e.data for e in shop.store.events.after(0, app="shop", kind="variables")]
    assert told == [{"set": ["B"], "release": number}]


def test_many_events_are_read_to_the_end(shop: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("windlass.usecases.variablehistory.PAGE", 3)
    for n in range(7):
        set_variables(shop.outside, "shop", {f"A{n}": "value-1"})
        shop.store.events.add(1.0, "shop", "", "note", {})
    assert len(variable_history(shop.outside, "shop", 20)["pending"]) == 7


def test_diff(shop: World) -> None:
    one, two = release(shop, FIRST), release(shop, SECOND)
    hidden = diff_variables(shop.outside, "shop", one, two, False)["items"]
    assert [(i["name"], i["change"]) for i in hidden] == [("A", "same"), ("B", "changed"), ("C", "added")]
    assert "value-" not in str(hidden)
    back = diff_variables(shop.outside, "shop", two, one, True)["items"]
    assert [(i["change"], i["before"], i["after"]) for i in back] == [
        ("same", "value-1", "value-1"),
        ("changed", "value-3", "value-2"),
        ("removed", "value-4", None),
    ]


@pytest.mark.parametrize(("one", "two", "code"), [(1, 2, "variables_not_kept"), (2, 9, "snapshot_not_found")])
def test_diff_of_what_was_not_kept(shop: World, one: int, two: int, code: str) -> None:
    release(shop, FIRST)
    with pytest.raises(NotFound) as told:
        diff_variables(shop.outside, "shop", one, two, False)
    assert told.value.code == code


def test_unknown_app_and_one_without_releases(world: World) -> None:
    with pytest.raises(NotFound):
        variable_history(world.outside, "shop", 20)
    set_variables(world.outside, "shop@staging", {"A": "value-1"})
    document = variable_history(world.outside, "shop@staging", 20)
    assert (document["app"], document["items"], len(document["pending"])) == ("shop@staging", [], 1)
