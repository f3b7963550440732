"""Looks at what is there of an app, in the planner's words."""

from __future__ import annotations

import re

from windlass.domain.parts import containers_of
from windlass.domain.planner import Observed
from windlass.domain.release import Snapshot, Strategy, base_project
from windlass.ports.engine import Container
from windlass.ports.outside import Outside


def observe(outside: Outside, app: str, new: Snapshot, old: Snapshot | None) -> Observed:
    """Digests of the base, generations that are complete, and generations that nobody needs any more."""
    containers = outside.engine.containers({"windlass.instance": outside.instance, "windlass.app": app})
    names = {c.name: c for c in containers}
    base = {
        c.labels.get("windlass.service", ""): c.labels.get("windlass.digest", "")
        for c in containers
        if c.labels.get("com.docker.compose.project") == base_project(app)
    }
    stopped = frozenset(
        c.labels.get("windlass.service", "")
        for c in containers
        if c.labels.get("com.docker.compose.project") == base_project(app) and c.state != "running"
    )
    present = frozenset(s.number for s in (new, old) if s is not None and _is_complete(s, names))
    leftovers = generations(outside, app) - {new.number}
    return Observed(base, stopped, present, tuple(sorted(leftovers)))


def _is_complete(snapshot: Snapshot, names: dict[str, Container]) -> bool:
    parts = [p for p in snapshot.generation() if p.strategy is not Strategy.JOB]
    return bool(parts) and all(name in names for p in parts for name in containers_of(snapshot, p))


def generations(outside: Outside, app: str) -> set[int]:
    """By containers and by networks: a generation may have lost its containers and kept its networks."""
    pattern = re.compile(re.escape(app) + r"-g(\d+)")
    containers = outside.engine.containers({"windlass.instance": outside.instance, "windlass.app": app})
    projects = [c.labels.get("com.docker.compose.project", "") for c in containers]
    projects += [
        n.labels.get("com.docker.compose.project", "")
        for n in outside.engine.networks()
        if n.labels.get("windlass.instance") == outside.instance
    ]
    return {int(m.group(1)) for p in projects if (m := pattern.fullmatch(p))}
