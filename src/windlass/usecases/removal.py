"""Removes an app: what this instance made of it, by recorded ID, and nothing else. It may be repeated and resumed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from windlass.domain.errors import Conflict, Detail, Failed, NotFound, OutOfReach, WindlassError
from windlass.domain.names import shown
from windlass.domain.plan import WithdrawRoutes
from windlass.domain.protection import ApprovalState
from windlass.domain.raising import stop_parts
from windlass.domain.records import App, Resource
from windlass.domain.release import DeploymentStatus, Part, Snapshot, Strategy, base_project
from windlass.ports.engine import Container
from windlass.ports.outside import Outside
from windlass.usecases.approvals import withdraw
from windlass.usecases.containers import remove_one
from windlass.usecases.execute import execute
from windlass.usecases.journal import Journal
from windlass.usecases.liveapp import docker_name
from windlass.usecases.previewends import end_all
from windlass.usecases.routes import edge_app, is_only_hostless
from windlass.usecases.slots import Unhurried, hold_slot
from windlass.usecases.undertaking import Undertaking, is_owned, load_kept
from windlass.usecases.variables import redactor_for

UNDO_S = 180.0
PAUSE_S = 0.1
PATIENCE_S = 600.0
PATIENT_PAUSE_S = 0.5
GRACE_S = 10.0
PAGE = 500


@dataclass
class _Removal:
    """`removed` counts by kind what went in this run; `problems` is what the engine would not give up."""

    outside: Outside
    app: str
    data: bool
    work: Undertaking
    removed: dict[str, int] = field(default_factory=dict)
    problems: list[Detail] = field(default_factory=list)

    def attempt(self, kind: str, name: str, step: Callable[[], None]) -> None:
        """One thing that does not go does not keep the others."""
        try:
            step()
            self.removed[kind] = self.removed.get(kind, 0) + 1
        except WindlassError as error:
            self.problems.append(Detail(error.code, name, f"{kind} {name}: {error.message}", error.hint))


def remove(outside: Outside, app: str, data: bool) -> dict[str, Any]:
    """Containers, networks, images, files and records; `data`: also its volumes and data folders.

    An unfinished deployment is cancelled first, and its undoing waited for. Answers {"app", "removed": {kind: count},
    "kept": [volumes]}. Raises NotFound, Conflict deployment_running, Failed not_removed with what is left.
    """
    name = docker_name(app)
    known = outside.store.apps.find(name)
    if known is None:
        return _remove_leftovers(outside, name, data)
    outside.store.apps.update(name, removing=True)
    outside.store.events.add(outside.clock.now(), name, "", "removal", {"data": data})
    end_all(outside, name)
    try:
        _end_deployments(outside, name)
        return _carry_out(outside, name, data)
    except Conflict as error:
        if error.code in ("deployment_running", "operation_running"):
            outside.store.apps.update(name, removing=False)
        raise


def resume(outside: Outside) -> None:
    """Finish the removals that a crash left; one that cannot be finished now is told in the app's events.

    What the crash held of the app is waited for, and so is an engine that is away.
    """
    apps = outside.store.apps.all()
    for app in apps:
        if app.removing:
            _finish(outside, app.name)
    for gone in outside.store.resources.apps() - {app.name for app in apps}:
        with suppress(OutOfReach):
            _forget_gone_volumes(outside, gone)


def _finish(outside: Outside, app: str) -> None:
    deadline = outside.clock.monotonic() + PATIENCE_S
    while True:
        try:
            _end_deployments(outside, app)
            _carry_out(outside, app, _asked_for_data(outside, app))
            return
        except WindlassError as error:
            if isinstance(error, Conflict | OutOfReach) and outside.clock.monotonic() < deadline:
                outside.clock.sleep(PATIENT_PAUSE_S)
                continue
            text = f"removing {shown(app)}: {error.message}"
            outside.store.events.add(outside.clock.now(), app, "", "warning", {"text": text})
            return


def _asked_for_data(outside: Outside, app: str) -> bool:
    """What the latest request to remove it said."""
    last, data = 0, False
    while page := outside.store.events.after(last, app=app, limit=PAGE):
        for event in page:
            last = event.id
            data = bool(event.data.get("data")) if event.kind == "removal" else data
    return data


def _end_deployments(outside: Outside, app: str) -> None:
    """Cancel what waits and what runs, and wait until it has taken itself back."""
    for deployment in outside.store.approvals.waiting(app):
        withdraw(outside, deployment, ApprovalState.WITHDRAWN, "the app is being removed")
    for deployment in outside.store.deployments.unfinished(app):
        job = outside.store.jobs.request_cancel(deployment.id)
        if job is None or job.state != "running":
            error = {"code": "cancelled", "message": "the app is being removed", "hint": "", "details": []}
            outside.store.deployments.finish(deployment.id, DeploymentStatus.CANCELLED, outside.clock.now(), error)
    deadline = outside.clock.monotonic() + UNDO_S
    while outside.store.deployments.unfinished(app):
        if outside.clock.monotonic() > deadline:
            raise Conflict(
                f"the deployment of {shown(app)} has not ended {UNDO_S:g} s after its cancelling; nothing was removed",
                code="deployment_running",
                hint=f"windlass status {shown(app)}, then again: windlass remove {shown(app)}",
            )
        outside.clock.sleep(PAUSE_S)


def _carry_out(outside: Outside, app: str, data: bool) -> dict[str, Any]:
    with hold_slot(outside, app, "remove"):
        journal = Journal(outside, app, "", redactor_for(outside, app))
        work = Undertaking(outside, app, "", Unhurried(), journal.note)
        removal = _Removal(outside, app, data, work)
        known = outside.store.apps.get(app)
        execute(work, (WithdrawRoutes(),))
        _stop_all(removal, known)
        _remove_containers(removal)
        _remove_networks(removal)
        _remove_volumes(removal)
        _remove_images(removal)
        if removal.problems:
            raise Failed(
                f"{shown(app)} is not wholly removed: {len(removal.problems)} things are left",
                code="not_removed",
                hint=f"windlass remove {shown(app)}{' --data' if data else ''} goes on where this ended",
                details=removal.problems,
            )
        outside.trees.remove_app(app, data)
    outside.store.apps.remove(app)
    outside.store.events.add(outside.clock.now(), "", "", "removal", {"text": f"{shown(app)} removed", "data": data})
    _give_back_bare_address(outside)
    return _answer(removal)


def _answer(removal: _Removal) -> dict[str, Any]:
    kept = [r.name for r in removal.outside.store.resources.of_app(removal.app, "volume")]
    return {"app": shown(removal.app), "removed": removal.removed, "kept": sorted(kept)}


def _remove_leftovers(outside: Outside, name: str, data: bool) -> dict[str, Any]:
    """An app removed before without its data: with `data` that goes too."""
    _forget_gone_volumes(outside, name)
    left = outside.store.resources.of_app(name, "volume")
    if not data or not left:
        raise NotFound(f"there is no app named {shown(name)}", code="app_not_found", hint="windlass apps")
    removal = _Removal(outside, name, data, Undertaking(outside, name, "", Unhurried(), lambda kind, facts: None))
    _remove_volumes(removal)
    if removal.problems:
        raise Failed(f"volumes of {shown(name)} are left", code="not_removed", details=removal.problems)
    outside.trees.remove_app(name, True)
    return _answer(removal)


# --- containers ------------------------------------------------------------------------------------------------------


def _stop_all(removal: _Removal, app: App) -> None:
    """Releases first, the base last; dependents before what they need; everyone with their own grace."""
    running = [c for c in _own_containers(removal) if c.state in ("running", "restarting", "paused")]
    releases = sorted({_release(c) for c in running}, key=lambda n: n == app.live)
    for number in releases:
        snapshot = _snapshot(removal, number)
        if snapshot is not None and any(_release(c) == number and not _is_base(removal, c) for c in running):
            parts = [p for p in snapshot.generation() if p.strategy is not Strategy.JOB]
            _stop_in_order(removal, snapshot, parts)
    live = _snapshot(removal, app.live)
    if live is not None:
        _stop_in_order(removal, live, live.base())
    for container in _own_containers(removal):
        if container.state in ("running", "restarting", "paused"):
            removal.outside.engine.stop(container.id, GRACE_S)


def _stop_in_order(removal: _Removal, snapshot: Snapshot, parts: Iterable[Part]) -> None:
    with suppress(WindlassError):  # whoever still runs afterwards is stopped by ID
        execute(removal.work, tuple(stop_parts(snapshot, parts)))


def _release(container: Container) -> int | None:
    written = container.labels.get("windlass.release", "")
    return int(written) if written.isdigit() else None


def _is_base(removal: _Removal, container: Container) -> bool:
    return container.labels.get("com.docker.compose.project") == base_project(removal.app)


def _snapshot(removal: _Removal, number: int | None) -> Snapshot | None:
    if number is None:
        return None
    try:
        return load_kept(removal.outside, removal.app, number).snapshot
    except NotFound:
        return None


def _own_containers(removal: _Removal) -> list[Container]:
    outside = removal.outside
    found = outside.engine.containers({"windlass.instance": outside.instance, "windlass.app": removal.app})
    return [c for c in found if is_owned(outside, removal.app, c)]


def _remove_containers(removal: _Removal) -> None:
    for container in _own_containers(removal):
        removal.attempt("container", container.name, partial(remove_one, removal.work, container))
    for record in removal.outside.store.resources.of_app(removal.app, "container"):
        removal.outside.engine.remove(record.ref)  # by the ID that was recorded; one that is gone is no error
        removal.outside.store.resources.forget("container", record.ref)


# --- networks, volumes, images ---------------------------------------------------------------------------------------


def _remove_networks(removal: _Removal) -> None:
    """Those recorded, unless another app lives on one too: that app is its keeper from now on."""
    store = removal.outside.store
    for record in store.resources.of_app(removal.app, "network"):
        heir = _other_user(removal, record.name)
        if heir:
            store.resources.record(Resource("network", record.ref, record.name, heir, None, record.deployment))
            continue

        def drop(record: Resource = record) -> None:
            removal.outside.engine.remove_network(record.ref)
            store.resources.forget("network", record.ref)

        removal.attempt("network", record.name, drop)


def _other_user(removal: _Removal, network: str) -> str:
    for app in removal.outside.store.apps.all():
        if app.name == removal.app or app.live is None:
            continue
        try:
            snapshot = load_kept(removal.outside, app.name, app.live).snapshot
        except NotFound:
            continue
        if any(n.name == network for n in snapshot.networks.values()):
            return app.name
    return ""


def _remove_volumes(removal: _Removal) -> None:
    """A release's own copies always; the app's volumes only when its data is to go."""
    store, app = removal.outside.store, removal.app
    _forget_gone_volumes(removal.outside, app)
    copies = {
        v.name
        for v in removal.outside.engine.volumes()
        if v.labels.get("windlass.instance") == removal.outside.instance
        and v.labels.get("windlass.app") == app
        and v.labels.get("com.docker.compose.project") != base_project(app)
    }
    for record in store.resources.of_app(app, "volume"):
        if not removal.data and record.name not in copies:
            continue

        def drop(record: Resource = record) -> None:
            removal.outside.engine.remove_volume(record.name)
            store.resources.forget("volume", record.ref)

        removal.attempt("volume", record.name, drop)


def _forget_gone_volumes(outside: Outside, app: str) -> None:
    """A crash between the removal of a volume and of its record leaves a record of nothing."""
    there = {volume.name for volume in outside.engine.volumes()}
    for record in outside.store.resources.of_app(app, "volume"):
        if record.name not in there:
            outside.store.resources.forget("volume", record.ref)


def _remove_images(removal: _Removal) -> None:
    """Their tags; the engine drops an image with its last tag, unless a container needs it."""
    store = removal.outside.store
    for record in store.resources.of_app(removal.app, "image"):

        def drop(record: Resource = record) -> None:
            removal.outside.engine.untag(record.ref)
            store.resources.forget("image", record.ref)

        removal.attempt("image", record.ref, drop)


def _give_back_bare_address(outside: Outside) -> None:
    """When one app without a host of its own is left, the server's bare address leads to it."""
    for app in outside.store.apps.all():
        if app.live is None or not app.running or app.removing or outside.store.deployments.unfinished(app.name):
            continue
        work = Undertaking(outside, app.name, "", Unhurried(), lambda kind, facts: None)
        with outside.routes_lock:
            current = outside.edge.current(app.name)
            if current is not None and current.release == app.live and is_only_hostless(outside, app.name):
                outside.edge.apply(edge_app(work, work.snapshot(app.live), None))
