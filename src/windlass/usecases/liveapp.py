"""The live release of an app, opened for commands that act on what runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from windlass.domain import names
from windlass.domain.errors import Conflict, NotFound
from windlass.domain.names import shown
from windlass.domain.parts import containers_of
from windlass.domain.records import App
from windlass.domain.release import Part, Snapshot, Strategy
from windlass.ports.engine import Container
from windlass.ports.outside import Outside
from windlass.usecases.journal import Journal
from windlass.usecases.routes import edge_app
from windlass.usecases.slots import Unhurried, hold_slot
from windlass.usecases.undertaking import Undertaking, load_kept
from windlass.usecases.variables import redactor_for


@dataclass
class Live:
    """An app with the release that serves. `work.snapshots` holds the snapshot too."""

    work: Undertaking
    app: App
    snapshot: Snapshot

    @property
    def outside(self) -> Outside:
        return self.work.outside

    def part(self, service: str) -> Part:
        """Raises NotFound for a service that the live release has not."""
        return part_of(self.snapshot, service)

    def lasting(self) -> list[Part]:
        """All parts that should be running: every one that is no job."""
        return [p for p in self.snapshot.parts.values() if p.strategy is not Strategy.JOB]

    def running(self, part: Part) -> list[Container]:
        found = (self.work.find(name) for name in containers_of(self.snapshot, part))
        return [c for c in found if c is not None and c.state == "running"]


def docker_name(app: str) -> str:
    """From the name as people write it: shop@staging → shop--staging."""
    return names.docker_name(names.app_name(app))


def part_of(snapshot: Snapshot, service: str) -> Part:
    if service not in snapshot.parts:
        known = ", ".join(sorted(p.name for p in snapshot.services()))
        raise NotFound(
            f"{shown(snapshot.app)} has no service {service!r}, but {known}",
            code="service_not_found",
            hint=f"windlass status {shown(snapshot.app)}",
        )
    return snapshot.parts[service]


def look(outside: Outside, app: str) -> Live:
    """To read only. Raises NotFound (app), Conflict `not_live`."""
    name = docker_name(app)
    known = outside.store.apps.get(name)
    if known.live is None:
        raise Conflict(
            f"{shown(name)} has no live release", code="not_live", hint=f"windlass deploy --app {shown(name)}"
        )
    snapshot = load_kept(outside, name, known.live).snapshot
    journal = Journal(outside, name, "", redactor_for(outside, name))
    work = Undertaking(outside, name, _maker(outside, name, known.live), Unhurried(), journal.note)
    work.snapshots[known.live] = snapshot
    return Live(work, known, snapshot)


@contextmanager
def changing(outside: Outside, app: str, what: str) -> Iterator[Live]:
    """To change what runs; nobody else does meanwhile. Raises Conflict when a deployment or a removal is under way."""
    name = docker_name(app)
    outside.store.apps.get(name)
    with hold_slot(outside, name, what):
        live = look(outside, app)
        if live.app.removing:
            raise Conflict(f"{shown(name)} is being removed", code="removing", hint=f"windlass remove {shown(name)}")
        yield live
        live.work.note("operation", {"text": what})


def _maker(outside: Outside, app: str, release: int) -> str:
    """The deployment that brought the release live: containers made later carry its mark too."""
    found = (d for d in outside.store.deployments.of_app(app, 1000) if d.release == release and d.live_at is not None)
    return next((d.id for d in found), "")


def states(live: Live, parts: Iterable[Part]) -> dict[str, Any]:
    """{"app", "items": [{"service", "state"}]} as it is now: running, degraded or stopped."""
    return {
        "app": shown(live.snapshot.app),
        "items": [{"service": p.name, "state": _state(len(live.running(p)), p.replicas)} for p in parts],
    }


def _state(running: int, wanted: int) -> str:
    if running >= wanted:
        return "running"
    return "degraded" if running else "stopped"


def put_routes(live: Live, out: frozenset[str] = frozenset()) -> None:
    """The live release's routes at present addresses, without the containers in `out` unless none would remain."""
    with live.outside.routes_lock:
        live.outside.edge.apply(edge_app(live.work, live.snapshot, None, out))
