"""Previews in the store: the limit holds also when many come at once, and nothing that was prolonged is forgotten."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from windlass.adapters.store.store import SqlStore
from windlass.domain.errors import NotFound
from windlass.domain.previews import Preview, PreviewRules, PreviewState
from windlass.domain.records import App


def preview(number: int, state: PreviewState = PreviewState.OPEN, until: float = 9.5) -> Preview:
    return Preview(f"shop--pr-{number}", "shop", number, f"refs/pull/{number}/head", False, state, 1.0, until)


def test_rules_come_back_and_go_with_the_app(store: SqlStore) -> None:
    with pytest.raises(NotFound):
        store.previews.set_rules(PreviewRules("shop"))
    store.apps.add(App("shop", 1.0))
    for rules in (PreviewRules("shop"), PreviewRules("shop", 3, 60.0, 1 << 40, 0.25, 99)):
        store.previews.set_rules(rules)
        assert store.previews.rules("shop") == rules
    store.previews.keep(preview(1), 5)
    store.apps.remove("shop")
    assert store.previews.rules("shop") is None
    assert store.previews.of("shop") == [preview(1)]


def test_the_limit_holds_when_many_come_at_once(store: SqlStore) -> None:
    with ThreadPoolExecutor(8) as many:
        kept = list(many.map(lambda n: store.previews.keep(preview(n), 3), range(1, 17)))
    assert sum(kept) == len(store.previews.of("shop")) == 3
    assert store.previews.keep(preview(50, PreviewState.WAITING), 1)
    known = store.previews.of("shop")[0]
    assert store.previews.keep(replace(known, until=20.0), 3)


def test_what_was_prolonged_is_not_forgotten(store: SqlStore) -> None:
    store.previews.keep(preview(1), 5)
    assert store.previews.end("shop--pr-1", 2.25) == preview(1, until=2.25)
    store.previews.forget(preview(1, until=2.0))
    assert store.previews.find("shop--pr-1") == preview(1, until=2.25)
    store.previews.forget(preview(1, until=2.25))
    assert store.previews.find("shop--pr-1") is None
    assert store.previews.end("shop--pr-1", 1.0) is None
