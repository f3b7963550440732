"""Brings a release up again that should be running: after a reboot, or after the engine was away."""

from __future__ import annotations

from collections.abc import Collection

from windlass.domain.parts import containers_of
from windlass.domain.plan import CreateServices, Deliver, Operation, SetRestart, SwitchRoutes
from windlass.domain.raising import bring_layers, create_parts, own_networks
from windlass.domain.release import Part, Snapshot, Strategy
from windlass.usecases.execute import execute
from windlass.usecases.undertaking import Undertaking


def revive(work: Undertaking, snapshot: Snapshot, resting: Collection[str] = ()) -> bool:
    """Start, in order, what does not run, whatever its restart policy; `resting` services are left stopped.

    Gives back whether anything had to be done.
    """
    wanted = [p for p in snapshot.parts.values() if p.strategy is not Strategy.JOB and p.name not in resting]
    down = [p for p in wanted if not _is_up(work, snapshot, p)]
    if not down:
        return False
    work.note("health", {"text": "bringing up " + ", ".join(p.name for p in down)})
    missing = [p for p in down if any(work.find(c) is None for c in containers_of(snapshot, p))]
    execute(work, (*_make(snapshot, missing), *_raise(snapshot, down), SwitchRoutes(snapshot.number)))
    return True


def _is_up(work: Undertaking, snapshot: Snapshot, part: Part) -> bool:
    found = [work.find(c) for c in containers_of(snapshot, part)]
    return all(c is not None and c.state == "running" for c in found)


def _make(snapshot: Snapshot, missing: list[Part]) -> list[Operation]:
    base = [p for p in missing if p.in_base]
    rest = [p for p in missing if not p.in_base]
    found: list[Operation] = []
    if base:
        found.append(CreateServices(snapshot.number, True, tuple(p.name for p in base)))
        found += [Deliver(snapshot.number, p.name, containers_of(snapshot, p)) for p in base]
    if rest:
        found += [*own_networks(snapshot), *create_parts(snapshot, rest)]
    return found


def _raise(snapshot: Snapshot, down: list[Part]) -> list[Operation]:
    found: list[Operation] = []
    for in_base in (True, False):
        found += bring_layers(snapshot, [p.name for p in down if p.in_base is in_base])
    return [*found, *(SetRestart(containers_of(snapshot, p), p.restart) for p in down if p.restart != "no")]
