"""What `windlass previews` asks of the API, and how it shows what it gets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.cli.conftest import Api, Typed

Windlass = Callable[..., Typed]

ON: dict[str, Any] = {
    "app": "shop", "on": True, "limit": 5, "keep": 604800.0, "memory": 512 << 20, "cpus": 1.0, "pids": 256,
    "values": "shop@preview",
    "items": [
        {"app": "shop@pr-12", "number": 12, "fork": False, "state": "open", "live": 3, "until": 1.8e9,
         "url": "http://pr-12.shop.localhost"},
        {"app": "shop@pr-13", "number": 13, "fork": True, "state": "waiting", "live": None, "until": 1.8e9, "url": ""},
    ],
}  # fmt: skip


def test_on_sends_only_what_is_said(api: Api, windlass: Windlass) -> None:
    api.on("PUT /api/v1/apps/shop/previews", ON)
    typed = windlass("previews", "on", "shop", "--keep", "3d", "--memory", "256MiB", "--limit", "2")
    assert typed.code == 0, typed.err
    sent = {"limit": 2, "keep": 3 * 86400.0, "memory": 256 << 20, "cpus": None, "pids": None}
    assert api.requests[-1].json == sent


def test_they_are_shown_with_what_waits(api: Api, windlass: Windlass) -> None:
    api.on("GET /api/v1/apps/shop/previews", ON)
    shown = windlass("previews", "list", "shop").out
    for words in ("at most 5, each for 7d", "512MiB, 1 CPUs", "http://pr-12.shop.localhost"):
        assert words in shown
    assert "windlass consent shop fork:13" in shown


def test_off(api: Api, windlass: Windlass) -> None:
    api.on("DELETE /api/v1/apps/shop/previews", {**ON, "on": False, "items": []})
    assert windlass("previews", "off", "shop").out.strip() == "off; windlass previews on shop"


def test_what_is_no_duration_or_size_goes_nowhere(api: Api, windlass: Windlass) -> None:
    assert windlass("previews", "on", "shop", "--keep", "long").code == 2
    assert windlass("previews", "on", "shop", "--memory", "much").code == 2
    assert api.requests == []
