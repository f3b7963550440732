"""Layers of services, circles, and what is needed without being there."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.domain.samples import model_of

from windlass.domain.errors import Refused
from windlass.domain.ordering import layers, missing_needs, needed_names, peers, reverse, start_layers

LAYERS: list[tuple[dict[str, list[str]], tuple[tuple[str, ...], ...]]] = [
    ({}, ()),
    ({"a": []}, (("a",),)),
    ({"a": ["b"], "b": []}, (("b",), ("a",))),
    ({"web": ["api", "db"], "api": ["db"], "db": []}, (("db",), ("api",), ("web",))),
    ({"a": [], "b": [], "c": ["a", "b"]}, (("a", "b"), ("c",))),
    ({"a": ["elsewhere"]}, (("a",),)),
    ({"b": ["a", "a"], "a": []}, (("a",), ("b",))),
]


@pytest.mark.parametrize(("needs", "expected"), LAYERS)
def test_layers(needs: dict[str, list[str]], expected: tuple[tuple[str, ...], ...]) -> None:
    assert layers(needs, needs) == expected


def test_reverse_stops_what_needs_others_first() -> None:
    assert reverse((("db", "mq"), ("api",), ("web",))) == (("web",), ("api",), ("mq", "db"))


def test_a_circle_is_shown() -> None:
    with pytest.raises(Refused) as refusal:
        layers("abcd", {"a": ["b"], "b": ["c"], "c": ["a"], "d": []})
    assert refusal.value.code == "dependency_cycle"
    assert "a → b → c → a" in refusal.value.message


@given(st.dictionaries(st.integers(0, 30), st.sets(st.integers(0, 30)), max_size=20))
def test_every_name_is_there_once_and_after_its_needs(drawn: dict[int, set[int]]) -> None:
    needs = {str(name): [str(n) for n in found if n < name] for name, found in drawn.items()}
    ordered = layers(needs, needs)
    place = {name: index for index, layer in enumerate(ordered) for name in layer}
    assert sorted(place) == sorted(needs)
    assert sum(map(len, ordered)) == len(needs)
    assert all(place[need] < place[name] for name in needs for need in needs[name] if need in place)


def test_every_kind_of_need_counts() -> None:
    model = model_of(
        {
            "web": {
                "depends_on": ["db"],
                "links": ["api:backend"],
                "volumes_from": ["data:ro", "container:other"],
                "network_mode": "service:vpn",
                "pid": "service:api",
            },
            "db": {},
            "api": {},
            "data": {},
            "vpn": {},
        }
    )
    assert needed_names(model.services["web"]) == ("db", "api", "vpn", "data")
    assert peers(model.services["web"]) == ("vpn", "api", "data")
    assert start_layers(model) == (("db", "api", "data", "vpn"), ("web",))


def test_only_required_needs_must_be_there() -> None:
    model = model_of({"web": {"depends_on": {"a": {"required": False}, "b": {"required": True}}}})
    assert [d.code for d in missing_needs(model)] == ["dependency_missing"]
    assert "depends on b" in missing_needs(model)[0].message
    assert start_layers(model) == (("web",),)
