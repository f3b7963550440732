"""key rotate and status, as they are typed."""

from collections.abc import Callable
from typing import Any

import pytest

Windlass = Callable[..., Any]
CURRENT = {"key": "a1b2c3d4", "state": "current", "values": 12}
OLDER = {"key": "0badc0de", "state": "older", "values": 3}
STATUS: list[tuple[str, list[Any], tuple[str, ...]]] = [
    ("done", [CURRENT], ("a1b2c3d4", "current", "12")),
    ("unfinished", [CURRENT, OLDER], ("0badc0de", "older", "3", "unfinished", "windlass key rotate")),
]


@pytest.mark.parametrize(("rotation", "items", "words"), STATUS)
def test_status(api: Any, windlass: Windlass, rotation: str, items: list[Any], words: tuple[str, ...]) -> None:
    document = {"key": "a1b2c3d4", "changed_at": 1_760_000_000.0, "rotation": rotation, "items": items}
    api.on("GET /api/v1/key", document)
    typed = windlass("key", "status")
    assert typed.code == 0
    assert [word for word in words if word not in typed.out] == []
    assert windlass("key", "status", "--json").json == document


@pytest.mark.parametrize("resumed", [False, True])
def test_rotate(api: Any, windlass: Windlass, resumed: bool) -> None:
    document = {"key": "a1b2c3d4", "before": "0badc0de", "resealed": 15, "resumed": resumed}
    api.on("POST /api/v1/key/rotate", document)
    typed = windlass("key", "rotate")
    assert typed.code == 0
    assert "15 values under the key a1b2c3d4" in typed.out
    assert ("cut off" in typed.out) is resumed
    assert windlass("key", "rotate", "--json").json == document
