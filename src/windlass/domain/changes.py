"""What differs between two releases, in words a person reads at night; no values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from windlass.domain.release import Part, Route, Snapshot
from windlass.domain.tasks import Phase, Task


def changes(old: Snapshot | None, new: Snapshot) -> tuple[str, ...]:
    """One line per service and kind of change."""
    if old is None:
        return ("the first release",)
    before = {p.name: p for p in old.services()}
    after = {p.name: p for p in new.services()}
    found = [f"{n}: new service" for n in after if n not in before]
    found += [f"{n}: no longer in the file" for n in before if n not in after]
    for name, part in after.items():
        if name in before:
            found += [f"{name}: {what}" for what in _part_changes(old, new, before[name], part)]
    found += [f"commands of {phase}" for phase in Phase if _commands(old, phase) != _commands(new, phase)]
    if [_route(r) for r in old.routes] != [_route(r) for r in new.routes]:
        found.append("routes")
    return tuple(found)


def _route(route: Route) -> tuple[object, ...]:
    return (route.host, route.path, route.service, route.port, route.options)


def _commands(snapshot: Snapshot, phase: Phase) -> list[Task | None]:
    return [p.task for p in snapshot.tasks(phase)]


def _part_changes(old: Snapshot, new: Snapshot, before: Part, after: Part) -> list[str]:
    found = []
    if before.image_id != after.image_id:
        found.append(f"image {_short(before.image_id)} → {_short(after.image_id)}")
    a, b = _service(old, before), _service(new, after)
    found += [f"environment {name}" for name in _differing(a.get("environment") or {}, b.get("environment") or {})]
    found += [key for key in ("command", "entrypoint", "ports", "healthcheck", "user") if a.get(key) != b.get(key)]
    if before.replicas != after.replicas:
        found.append(f"replicas {before.replicas} → {after.replicas}")
    if before.deliveries != after.deliveries:
        found.append("secrets or configs")
    return found


def _differing(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[str]:
    return sorted(n for n in {*a, *b} if a.get(n) != b.get(n) and not n.startswith("WINDLASS_"))


def _service(snapshot: Snapshot, part: Part) -> Mapping[str, Any]:
    model = snapshot.base_model if part.in_base else snapshot.generation_model
    found: Mapping[str, Any] = model.get("services", {}).get(part.name, {})
    return found


def _short(image: str) -> str:
    return image.removeprefix("sha256:")[:12] or "none"
