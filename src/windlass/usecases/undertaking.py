"""What every part of a deployment carries along: the outside world, the app, who asked, and how to stop."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Thread
from typing import Any

from pydantic import TypeAdapter, ValidationError

from windlass.domain.errors import Conflict, NotFound, Refused
from windlass.domain.plan import Plan
from windlass.domain.records import Resource
from windlass.domain.release import Route, Snapshot
from windlass.ports.engine import Container
from windlass.ports.outside import Outside
from windlass.usecases.control import Control

FORMAT = 1  # of what the store keeps of a release; to be raised when an older windlass would take it for another


@dataclass(frozen=True)
class Kept:
    """What the store keeps of a release, encrypted: the snapshot and the plan of its latest deployment."""

    snapshot: Snapshot
    plan: Plan | None = None
    format: int = FORMAT


_KEPT: TypeAdapter[Kept] = TypeAdapter(Kept)
_ROUTES: TypeAdapter[tuple[Route, ...]] = TypeAdapter(tuple[Route, ...])


@dataclass
class Undertaking:
    """One deployment, or a repair, at work. `note(kind, data)` records an event."""

    outside: Outside
    app: str
    deployment: str
    control: Control
    note: Callable[[str, Mapping[str, Any]], None]
    snapshots: dict[int, Snapshot] = field(default_factory=dict)
    stopping: list[Thread] = field(default_factory=list)  # stops that were begun and not waited for
    answered: Mapping[str, Mapping[int, int]] = field(default_factory=dict)  # by the edge, before anything was touched

    def snapshot(self, release: int) -> Snapshot:
        if release not in self.snapshots:
            self.snapshots[release] = load_kept(self.outside, self.app, release).snapshot
        return self.snapshots[release]

    def container(self, name: str) -> Container:
        """The container of this name, if it is ours; raises NotFound, or Conflict when it is someone else's."""
        found = self.outside.engine.container(name)
        if not is_owned(self.outside, self.app, found):
            raise Conflict(
                f"the container {name} exists and was not made by this windlass",
                code="foreign_container",
                hint=f"docker rename {name} {name}-other",
            )
        return found

    def find(self, name: str) -> Container | None:
        try:
            return self.container(name)
        except NotFound:
            return None

    def labels(self) -> dict[str, str]:
        return {"windlass.instance": self.outside.instance, "windlass.deployment": self.deployment}


def is_owned(outside: Outside, app: str, container: Container) -> bool:
    """By recorded ID; or it carries this instance's marks and was not recorded before a crash."""
    known = outside.store.resources.find("container", container.name)
    if known is not None and known.ref == container.id:
        return True
    labels = container.labels
    if labels.get("windlass.instance") != outside.instance or labels.get("windlass.app") != app:
        return False
    made_by = labels.get("windlass.deployment", "")
    if not made_by or not any(d.id == made_by for d in outside.store.deployments.of_app(app, 1000)):
        return False
    record_container(outside, app, container)
    return True


def record_container(outside: Outside, app: str, container: Container) -> None:
    release = container.labels.get("windlass.release", "")
    outside.store.resources.record(
        Resource(
            "container",
            container.id,
            container.name,
            app,
            int(release) if release.isdigit() else None,
            container.labels.get("windlass.deployment", ""),
        )
    )


def save_kept(outside: Outside, kept: Kept) -> None:
    outside.store.releases.save_snapshot(kept.snapshot.app, kept.snapshot.number, _KEPT.dump_json(kept))


def load_kept(outside: Outside, app: str, release: int) -> Kept:
    """Raises NotFound; Refused release_unknown for what this version cannot read."""
    return read_kept(app, release, outside.store.releases.snapshot(app, release))


def read_kept(app: str, release: int, document: bytes) -> Kept:
    try:
        kept = _KEPT.validate_json(document)
    except ValidationError as error:
        raise _unknown(app, release) from error
    if kept.format > FORMAT:
        raise _unknown(app, release)
    return kept


def routes_in(document: bytes) -> tuple[Route, ...]:
    """The routes of a kept release, without the rest, which takes ten times as long to read."""
    return _ROUTES.validate_python(json.loads(document)["snapshot"]["routes"])


def _unknown(app: str, release: int) -> Refused:
    return Refused(
        f"release {release} of {app} was made by another version of windlass, which this one cannot read; "
        "what runs goes on",
        code="release_unknown",
        hint="start that version of windlass again",
    )
