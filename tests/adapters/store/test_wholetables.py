"""A table that is read in one step holds what it holds row by row, to the last digit."""

from __future__ import annotations

import pytest

from windlass.adapters.store.store import SqlStore
from windlass.domain.records import App

TIMES = (0.0, 1.0, 0.1, 1764_000_000.123456, 1763789012.9876543, 2_200_000_000.0000002, 1 / 3)


def test_every_app_is_as_it_is_alone(store: SqlStore) -> None:
    for number, at in enumerate(TIMES):
        store.apps.add(App(f"a{number}", at, warm_until=at, running=bool(number % 2)))
    odd = {"scale": {'we"b': 3, "é\n": 1}, "stopped_services": ("x y", "'"), "live": 7, "warm": 2, "removing": True}
    store.apps.update("a3", **odd)
    names = sorted(f"a{number}" for number in range(len(TIMES)))
    assert store.apps.all() == [store.apps.get(name) for name in names]
    assert [type(app.running) for app in store.apps.all()] == [bool] * len(TIMES)


def test_no_app(store: SqlStore) -> None:
    assert store.apps.all() == []


@pytest.mark.parametrize("name", ["a--b", "ab", "a-b", "b", "a1"])
def test_they_come_by_name(store: SqlStore, name: str) -> None:
    for one in (name, "m", "aa"):
        store.apps.add(App(one, 1.0))
    assert [app.name for app in store.apps.all()] == sorted((name, "m", "aa"))
