"""What must not be printed, of all apps: told whenever it has changed, and only then."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from windlass.adapters.store.store import SqlStore
from windlass.domain.records import App
from windlass.main import LogRedaction

CHANGES: dict[str, Callable[[SqlStore], object]] = {
    "another value": lambda s: s.variables.set("shop", {"PASSWORD": "other-value"}, 1.0),
    "the same value anew": lambda s: s.variables.set("shop", {"PASSWORD": "first-value"}, 1.0),
    "one more": lambda s: s.variables.set("toys", {"B": "x"}, 1.0),
    "one less": lambda s: s.variables.unset("shop", ["PASSWORD"]),
    "a secret": lambda s: s.sources.keep_secret("shop", "hook", "hook-secret"),
    "an app less": lambda s: s.apps.remove("shop"),
}


@pytest.fixture
def filled(store: SqlStore) -> SqlStore:
    store.apps.add(App("shop", 1.0))
    store.apps.add(App("toys", 1.0))
    store.variables.set("shop", {"PASSWORD": "first-value"}, 1.0)
    return store


@pytest.mark.parametrize("how", CHANGES)
def test_a_change_is_told(filled: SqlStore, how: str) -> None:
    before = filled.secret_values.mark()
    assert filled.secret_values.mark() == before
    CHANGES[how](filled)
    assert filled.secret_values.mark() != before


def test_all_of_them(filled: SqlStore) -> None:
    filled.sources.keep_secret("toys", "hook", "hook-secret")
    filled.variables.set("toys", {"A": "é\udcff$"}, 1.0)
    assert filled.secret_values.all() == {
        "shop_PASSWORD": "first-value",
        "toys_A": "é\udcff$",
        "toys_hook": "hook-secret",
    }


def test_the_log_is_redacted_by_what_is_secret_now(filled: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("windlass.main.REDACTION_S", -1.0)
    redaction = LogRedaction(cast(Any, SimpleNamespace(store=filled)))
    assert "first-value" not in redaction({"event": "it is first-value"})["event"]
    made = redaction._redactor
    redaction("")
    assert redaction._redactor is made, "nothing has changed: it is not made anew"
    filled.variables.set("toys", {"B_SECRET": "second-value"}, 1.0)
    assert "second-value" not in redaction("and second-value")
