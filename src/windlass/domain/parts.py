"""Questions about the parts of a release: which wait for the switch, which jobs come first, their containers."""

from __future__ import annotations

from collections.abc import Collection

from windlass.domain.ordering import layers
from windlass.domain.release import (
    Part,
    Role,
    Snapshot,
    Strategy,
    base_project,
    container_name,
    generation_project,
)


def late_parts(snapshot: Snapshot) -> tuple[Part, ...]:
    """Parts that may not run beside their predecessor, and whatever needs one of them."""
    late = {p.name for p in snapshot.generation() if p.strategy is Strategy.RECREATE or p.role is Role.SCHEDULER}
    grown = True
    while grown:
        more = {
            p.name
            for p in snapshot.generation()
            if p.name not in late and (any(d.service in late for d in p.needs) or p.peer in late)
        }
        late |= more
        grown = bool(more)
    return tuple(p for p in snapshot.generation() if p.name in late)


def release_jobs(snapshot: Snapshot) -> tuple[Part, ...]:
    """Jobs that need nothing but the base and other such jobs: they run before anything of the new version starts."""
    jobs = {p.name: p for p in snapshot.services() if p.strategy is Strategy.JOB}
    early = dict(jobs)
    shrunk = True
    while shrunk:
        kept = {
            n: p
            for n, p in early.items()
            if all(
                d.service in early or d.service not in snapshot.parts or snapshot.parts[d.service].in_base
                for d in p.needs
            )
        }
        shrunk = len(kept) != len(early)
        early = kept
    return tuple(early.values())


def containers_of(snapshot: Snapshot, part: Part) -> tuple[str, ...]:
    project = base_project(snapshot.app) if part.in_base else generation_project(snapshot.app, snapshot.number)
    return tuple(container_name(project, part.name, i + 1) for i in range(part.replicas))


def is_needed(new: Snapshot, part: Part) -> bool:
    """Something that is no worker waits for it, so it cannot be the last to start."""
    return any(d.service == part.name for p in new.generation() if p.role is not Role.WORKER for d in p.needs)


def layers_of(snapshot: Snapshot, names: list[str]) -> tuple[tuple[str, ...], ...]:
    chosen = set(names)
    needs = {}
    for name in names:
        part = snapshot.parts[name]
        wanted = [d.service for d in part.needs if d.service in chosen]
        if part.peer in chosen:
            wanted.append(part.peer)
        needs[name] = tuple(dict.fromkeys(wanted))
    return layers(names, needs)


def needed_jobs(snapshot: Snapshot, part: Part) -> frozenset[str]:
    """Jobs that must have ended before the part starts, also those its jobs need."""
    found: set[str] = set()
    open_ = [d.service for d in part.needs]
    while open_:
        other = snapshot.parts.get(open_.pop())
        if other is not None and other.strategy is Strategy.JOB and other.name not in found:
            found.add(other.name)
            open_ += [d.service for d in other.needs]
    return frozenset(found)


def jobs_before_base(snapshot: Snapshot, services: Collection[str]) -> tuple[Part, ...]:
    """Jobs for whose end one of these base services waits."""
    wanted = {j for n in services if n in snapshot.parts for j in needed_jobs(snapshot, snapshot.parts[n])}
    return tuple(p for p in snapshot.generation() if p.name in wanted)
