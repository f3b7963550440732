"""env check, generate, diff and set --url-encode, as they are typed."""

import io
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

Windlass = Callable[..., Any]
FOUND = {"status": "refused", "code": "variable_missing", "name": "A", "message": "A has no value", "fix": "set A"}
NOTED = {"status": "warning", "code": "variable_unused", "name": "B", "message": "B is used by nothing", "fix": ""}
CHECKS: list[tuple[str, list[dict[str, str]], int, tuple[str, ...]]] = [
    ("ok", [], 0, ("every variable",)),
    ("warning", [NOTED], 0, ("B is used by nothing", "0 refused, 1 to look at")),
    ("refused", [FOUND, NOTED], 3, ("A has no value", "→ set A", "1 refused, 1 to look at")),
]


@pytest.mark.parametrize(("status", "items", "code", "words"), CHECKS)
def test_check(
    api: Any, windlass: Windlass, status: str, items: list[Any], code: int, words: tuple[str, ...]
) -> None:  # fmt: skip
    api.on("GET /api/v1/apps/shop/env/check", {"app": "shop", "status": status, "items": items})
    typed = windlass("env", "check", "shop")
    assert typed.code == code
    assert [word for word in words if word not in typed.out] == []
    typed = windlass("env", "check", "shop", "--json")
    assert (typed.code, typed.json["items"]) == (code, items)


@pytest.mark.parametrize(("names", "words"), [(["A", "B"], "generated A, B"), ([], "nothing to generate")])
def test_generate(api: Any, windlass: Windlass, names: list[str], words: str) -> None:
    api.on("POST /api/v1/apps/shop/env/generate", {"items": [{"name": name} for name in names]})
    typed = windlass("env", "generate", "shop")
    assert (typed.code, words in typed.out) == (0, True)


def test_diff(api: Any, windlass: Windlass) -> None:
    items: list[dict[str, Any]] = [
        {"name": "A", "change": "added", "before": None, "after": None},
        {"name": "B", "change": "same", "before": None, "after": None},
    ]
    api.on("GET /api/v1/apps/shop/env/diff", {"items": items})
    typed = windlass("env", "diff", "shop", "12", "14")
    assert typed.code == 0
    assert api.requests[-1].path.endswith("?one=12&two=14")
    assert "added" in typed.out
    assert "1 unchanged" in typed.out
    assert "BEFORE" not in typed.out
    items[0]["after"] = "new\x1b[2Jvalue"
    typed = windlass("env", "diff", "shop", "12", "14", "--reveal")
    assert api.requests[-1].path.endswith("&reveal=true")
    assert "newvalue" in typed.out
    api.on("GET /api/v1/apps/shop/env/diff", {"items": items[1:]})
    assert "the same 1" in windlass("env", "diff", "shop", "1", "2").out
    assert windlass("env", "diff", "shop", "1", "r2").code == 2


def test_url_encode_what_is_set(api: Any, windlass: Windlass) -> None:
    api.on("POST /api/v1/apps/shop/env/encode", {"items": [{"name": "A"}]})
    typed = windlass("env", "set", "shop", "A", "B", "--url-encode")
    assert (typed.code, api.requests[-1].json) == (0, {"names": ["A", "B"]})
    assert "encoded A;" in typed.out


def test_url_encode_what_is_given(api: Any, windlass: Windlass, monkeypatch: pytest.MonkeyPatch) -> None:
    api.on("PUT /api/v1/apps/shop/env", {"items": []})
    given = "postgresql://app:p@ss/w:rd#1@db/app"
    encoded = {"values": {"A": "postgresql://app:p%40ss%2Fw%3Ard%231@db/app"}}
    typed = windlass("env", "set", "shop", f"A={given}", "--url-encode")
    assert (typed.code, api.requests[-1].json) == (0, encoded)
    assert "p@ss" not in typed.out + typed.err
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(given.encode()), isatty=lambda: False))
    assert windlass("env", "set", "shop", "A", "--stdin", "--url-encode").code == 0
    assert api.requests[-1].json == encoded
    typed = windlass("env", "set", "shop", "A=hunter2", "--url-encode")
    assert typed.code == 2
    assert "hunter2" not in typed.err


def test_history(api: Any, windlass: Windlass) -> None:
    changed = {"added": ["A"], "changed": ["B"], "removed": ["C"]}
    base = {"state": "live", "live": True, "created_at": 1.0, "live_at": 2.0, "against": 1, "known": True, "edits": []}
    edit = {"at": 3.0, "set": ["A", "B\x1b[2J"], "unset": ["C"]}
    items = [
        {**base, **changed, "release": 3, "edits": [edit]},
        {**base, "release": 2, "state": "failed", "known": False},
        {**base, "release": 1},
    ]
    api.on("GET /api/v1/apps/shop/env/history", {"app": "shop", "items": items, "pending": [{**edit, "unset": []}]})
    typed = windlass("env", "history", "shop", "-n", "3")
    assert (typed.code, api.requests[-1].path.partition("?")[2]) == (0, "limit=3")
    for words in (
        "not deployed yet",
        "r3 live",
        "+A -C ~B",
        "set A, B; unset C",
        "r2 failed",
        "ended before",
        "no change",
    ):
        assert words in typed.out
    assert "\x1b" not in typed.out
    api.on("GET /api/v1/apps/shop/env/history", {"app": "shop", "items": [], "pending": []})
    assert "no releases yet" in windlass("env", "history", "shop").out
    assert windlass("env", "history", "shop", "-n", "0").code == 2
