"""Wishes of the latest deployment that was read, and what was allowed of them."""

from __future__ import annotations

import pytest
from tests.usecases.worlds import World

from windlass.domain.errors import NotFound, Refused, Usage
from windlass.domain.release import DeploymentStatus
from windlass.usecases import consents

SOCKET = {"item": "bind:/var/run/docker.sock", "service": "web", "message": "mounts the engine's socket"}
PRIVILEGED = {"item": "privileged:web", "service": "web", "message": "runs privileged"}


def wish(world: World, *wishes: dict[str, str]) -> None:
    deployment = world.unfinished()
    world.store.deployments.update(deployment.id, options={"wishes": list(wishes)})
    world.store.deployments.finish(deployment.id, DeploymentStatus.REFUSED, world.clock.now(), None)


def test_wishes_are_those_of_the_newest_deployment_that_was_read(world: World) -> None:
    world.deploy()
    assert consents.list_wishes(world.outside, "shop") == {"items": []}
    wish(world, PRIVILEGED)
    wish(world, SOCKET, SOCKET)
    world.unfinished()  # not read yet
    assert consents.list_wishes(world.outside, "shop") == {"items": [SOCKET | {"given": False}]}


def test_consent_is_given_once_listed_and_taken_back(world: World) -> None:
    world.deploy()
    wish(world, SOCKET, PRIVILEGED)
    given = consents.give(world.outside, "shop", [SOCKET["item"], SOCKET["item"]])
    assert [(i["item"], i["given"]) for i in given["items"]] == [(SOCKET["item"], True), (PRIVILEGED["item"], False)]
    wish(world, PRIVILEGED)
    left = consents.list_wishes(world.outside, "shop")["items"]
    assert [(i["item"], i["given"]) for i in left] == [(PRIVILEGED["item"], False), (SOCKET["item"], True)]
    consents.revoke(world.outside, "shop", [SOCKET["item"]])
    assert world.store.consents.all("shop") == {}
    told = [e.data for e in world.store.events.after(0, app="shop") if e.kind == "consent"]
    assert told == [{"given": [SOCKET["item"]]}, {"revoked": [SOCKET["item"]]}]


def test_answers_to_open_questions_are_consents_too(world: World) -> None:
    world.deploy()
    wish(world, PRIVILEGED)
    consents.give(world.outside, "shop", ["data:uploads", "volume:shop_db"])
    assert {"data:uploads", "volume:shop_db"} <= set(world.store.consents.all("shop"))


UNKNOWN: list[tuple[list[dict[str, str]] | None, str, str]] = [
    (None, "nonsense", ""),
    (None, "privileged:", ""),
    ([], "privileged:web", ""),
    ([PRIVILEGED, SOCKET], "nonsense", ""),
    ([PRIVILEGED, SOCKET], "priviledged:web", "privileged:web"),
    ([PRIVILEGED, SOCKET], "privileged:wbe", "privileged:web"),
    ([PRIVILEGED, SOCKET], "bind:/run/docker.sock", "bind:/var/run/docker.sock"),
    ([PRIVILEGED], "data:../elsewhere", ""),
    ([PRIVILEGED], "volume:", ""),
]


@pytest.mark.parametrize(("wishes", "item", "meant"), UNKNOWN)
def test_what_the_app_does_not_wish_is_refused_with_what_was_meant(
    world: World, wishes: list[dict[str, str]] | None, item: str, meant: str
) -> None:
    world.deploy()
    if wishes is not None:
        wish(world, *wishes)
    with pytest.raises(Refused) as refused:
        consents.give(world.outside, "shop", [item, "bind:/etc"] if wishes is None else [item])
    (detail,) = refused.value.details
    assert (detail.code, detail.name) == ("consent_unknown", item)
    assert meant in detail.message
    assert ("did you mean" in detail.message) is bool(meant)
    assert world.store.consents.all("shop") == {}


def test_before_the_first_reading_a_wish_of_a_known_kind_can_be_allowed(world: World) -> None:
    world.deploy()
    consents.give(world.outside, "shop", ["privileged:web"])
    assert "privileged:web" in world.store.consents.all("shop")


@pytest.mark.parametrize("items", [[], [""], ["  "], ["a\nb"], ["a\x1b[31mb"], ["x" * 2000]])
def test_what_is_no_name_of_an_item(world: World, items: list[str]) -> None:
    world.deploy()
    with pytest.raises(Usage):
        consents.give(world.outside, "shop", items)


def test_unknown_app_and_consent_that_was_never_given(world: World) -> None:
    with pytest.raises(NotFound):
        consents.list_wishes(world.outside, "shop")
    with pytest.raises(NotFound):
        consents.give(world.outside, "shop", ["privileged:web"])
    world.deploy()
    with pytest.raises(NotFound):
        consents.revoke(world.outside, "shop", ["privileged:web"])
