"""Snapshots of small projects, made the way the product makes them."""

from __future__ import annotations

from typing import Any

from windlass.domain.derivation import Ingredients, derive
from windlass.domain.imagehints import ImageHints
from windlass.domain.manifestfile import parse_manifest
from windlass.domain.modelreader import read_model
from windlass.domain.placement import place
from windlass.domain.probing import probe_for
from windlass.domain.release import Route, Snapshot
from windlass.domain.taskservices import add_tasks, tasks_of, with_images

WEB = {"build": {"context": "/src"}, "expose": ["8000"], "depends_on": {"db": {"condition": "service_healthy"}}}
DB = {
    "image": "postgres:16",
    "volumes": [{"type": "volume", "source": "data", "target": "/var/lib/postgresql/data"}],
    "healthcheck": {"test": ["CMD", "pg_isready"]},
}
WORKER = {"build": {"context": "/src"}, "command": ["celery", "worker"], "depends_on": {"db": {}}}
MIGRATE = {"build": {"context": "/src"}, "command": ["migrate"], "restart": "no"}


def snapshot(services: dict[str, Any], number: int = 1, **changes: Any) -> Snapshot:
    """A release of the project `shop`; `settings` is its windlass.yaml, further `changes` go into its ingredients."""
    tasks = tasks_of(parse_manifest(changes.pop("settings", "")))
    volumes = {m["source"] for s in services.values() for m in s.get("volumes", []) if m["type"] == "volume"}
    document: dict[str, Any] = {
        "services": services,
        "networks": {"default": {"name": "shop_default"}, **changes.pop("networks", {})},
        "volumes": {v: {"name": f"shop_{v}"} for v in volumes},
    }
    model = read_model(document)
    placements = {p.service: p for p in place(model).placements}
    hints = ImageHints()
    given = Ingredients(
        app="shop",
        number=number,
        model=model,
        placements=placements,
        probes={n: probe_for(s, None, hints, placements[n].role) for n, s in model.services.items()},
        images=changes.pop("images", {n: f"sha256:{n}" for n in with_images(model, tasks).services}),
        routes=tuple(Route("", n, 8000) for n, p in placements.items() if p.role == "http"),
        **changes,
    )
    return derive(add_tasks(given, tasks))
