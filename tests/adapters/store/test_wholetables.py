"""A table that is read in one step holds what it holds row by row, to the last digit."""

from __future__ import annotations

import pytest

from windlass.adapters.store.store import SqlStore
from windlass.domain.records import App, AppLine

TIMES = (0.0, 1.0, 0.1, 1764_000_000.123456, 1763789012.9876543, 2_200_000_000.0000002, 1 / 3)


def test_every_app_is_as_it_is_alone(store: SqlStore) -> None:
    for number, at in enumerate(TIMES):
        store.apps.add(App(f"a{number}", at, warm_until=at, running=bool(number % 2)))
    store.apps.update("a3", live=7, project='we"b é\n')
    alone = [store.apps.get(f"a{number}") for number in range(len(TIMES))]
    assert store.apps.all() == alone
    assert store.apps.lines() == [AppLine(a.name, a.created_at, a.live, a.running, a.project) for a in alone]
    assert [type(line.running) for line in store.apps.lines()] == [bool] * len(TIMES)


def test_no_app(store: SqlStore) -> None:
    assert (store.apps.all(), store.apps.lines()) == ([], [])


@pytest.mark.parametrize("name", ["a--b", "ab", "a-b", "b", "a1"])
def test_they_come_by_name(store: SqlStore, name: str) -> None:
    for one in (name, "m", "aa"):
        store.apps.add(App(one, 1.0))
    wanted = sorted((name, "m", "aa"))
    assert [app.name for app in store.apps.all()] == wanted
    assert [line.name for line in store.apps.lines()] == wanted
