"""What is shown of apps, releases and deployments: the documents of the API, read only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from windlass.domain import names
from windlass.domain.errors import NotFound, OutOfReach
from windlass.domain.paging import WHOLE, Page, cut, cut_numbered
from windlass.domain.queueing import waiting
from windlass.domain.records import App, AppLine, Deployment, Event, Release, StepRecord
from windlass.domain.release import STEPS, DeploymentStatus, Snapshot, base_project, generation_project
from windlass.ports.engine import Container
from windlass.ports.outside import Outside
from windlass.usecases import approvals
from windlass.usecases.applist import app_items
from windlass.usecases.approvals import approval_document
from windlass.usecases.flags import flags_of
from windlass.usecases.requests import at_work
from windlass.usecases.routes import default_host, is_only_hostless
from windlass.usecases.undertaking import load_kept


def deployment_document(outside: Outside, id: str) -> dict[str, Any]:
    """One deployment, with the fields that `deploy --json` prints."""
    return describe_deployment(outside, outside.store.deployments.get(id))


def describe_deployment(outside: Outside, deployment: Deployment) -> dict[str, Any]:
    urls = _urls(outside, deployment)
    ended = deployment.ended_at or outside.clock.now()
    live = deployment.live_at
    return {
        "app": names.shown(deployment.app),
        "release": deployment.release,
        "previous": deployment.previous,
        "deployment": deployment.id,
        "kind": deployment.kind,
        "status": deployment.status.shown,
        "url": urls[0] if urls else "",
        "urls": urls,
        "seconds": round(ended - deployment.created_at, 3),
        "live_seconds": round(live - deployment.created_at, 3) if live else None,
        "created_at": deployment.created_at,
        "ended_at": deployment.ended_at,
        "steps": [_step(s, outside.clock.now()) for s in sorted(deployment.steps, key=_order)],
        "error": deployment.error,
        "report": deployment.report or None,
        "position": _position(outside, deployment),
        "waiting": waiting_document(outside, deployment),
        "approval": approval_document(outside, deployment),
        "by": str(deployment.options.get("by") or ""),
        "flags": flags_of(deployment.options),
        "dirty": bool(deployment.options.get("dirty")),
    }


def _order(step: StepRecord) -> int:
    return STEPS.index(step.name) if step.name in STEPS else len(STEPS)


def _step(step: StepRecord, now: float) -> dict[str, Any]:
    seconds = round((step.ended_at or now) - step.started_at, 3)
    return {"name": step.name, "status": step.status, "seconds": seconds, "parts": [dict(p) for p in step.parts]}


def _position(outside: Outside, deployment: Deployment) -> int | None:
    if deployment.status is not DeploymentStatus.QUEUED:
        return None
    return outside.store.jobs.position(deployment.id)


def waiting_document(outside: Outside, deployment: Deployment) -> dict[str, Any] | None:
    """{"position": 1 for the next, or null without a place in the queue, "reason"}; None for one that does not wait."""
    status = deployment.status
    if status is DeploymentStatus.AWAITING:
        return approvals.waiting_document(deployment)
    begun = status is DeploymentStatus.RUNNING
    if status.is_final or begun and not _builds(deployment):
        return None
    standing = outside.store.jobs.standing(deployment.id, outside.clock.now())
    found = waiting(standing, outside.limits, begun=begun) if standing is not None else None
    return found.as_dict() if found is not None else None


def _builds(deployment: Deployment) -> bool:
    """In the only step that may wait for others."""
    return any(s.name == "build" and s.status == "running" for s in deployment.steps)


def _urls(outside: Outside, deployment: Deployment) -> list[str]:
    number = deployment.release
    if number is None or deployment.live_at is None and deployment.status is not DeploymentStatus.UNCHANGED:
        app = outside.store.apps.find(deployment.app)
        number = app.live if app else None
    return [r["url"] for r in _routes(outside, deployment.app, number)] if number is not None else []


def _routes(outside: Outside, app: str, release: int) -> list[dict[str, Any]]:
    try:
        snapshot = load_kept(outside, app, release).snapshot
    except NotFound:
        return []
    default = default_host(app, outside.domain)
    found = [_route(outside, r.host or default, r.path, r.service, r.port) for r in snapshot.routes]
    if any(not r.host for r in snapshot.routes) and is_only_hostless(outside, app):
        first = next(r for r in snapshot.routes if not r.host)
        found += [_route(outside, a, first.path, first.service, first.port) for a in outside.machine.addresses()[:1]]
    return sorted(found, key=lambda r: r["host"] != default)


def _route(outside: Outside, host: str, path: str, service: str, port: int) -> dict[str, Any]:
    suffix = "" if outside.http_port == 80 else f":{outside.http_port}"
    url = f"http://{host}{suffix}{path if path != '/' else ''}"
    return {"host": host, "path": path, "service": service, "port": port, "url": url}


def status_document(outside: Outside, app: str) -> dict[str, Any]:
    """What runs of an app, where it is reached, and what is under way."""
    known = outside.store.apps.get(_name(app))
    unfinished = [*outside.store.approvals.waiting(known.name), *outside.store.deployments.unfinished(known.name)]
    document: dict[str, Any] = {
        "app": names.shown(known.name),
        "live": known.live,
        "running": known.running,
        "services": [],
        "routes": _routes(outside, known.name, known.live) if known.live is not None else [],
        "deployment": describe_deployment(outside, at_work(unfinished)) if unfinished else None,
        "warm": known.warm,
        "engine": "ok",
    }
    if known.live is None:
        return document
    snapshot = load_kept(outside, known.name, known.live).snapshot
    try:
        containers = outside.engine.containers({"windlass.instance": outside.instance, "windlass.app": known.name})
    except OutOfReach as error:
        return document | {"engine": error.message, "services": _services(snapshot, [])}
    return document | {"services": _services(snapshot, containers)}


def _services(snapshot: Snapshot, containers: list[Container]) -> list[dict[str, Any]]:
    found = []
    for part in snapshot.services():
        project = base_project(snapshot.app) if part.in_base else generation_project(snapshot.app, snapshot.number)
        own = [
            c
            for c in containers
            if c.labels.get("com.docker.compose.project") == project and c.labels.get("windlass.service") == part.name
        ]
        found.append(
            {
                "name": part.name,
                "role": part.role.value,
                "strategy": part.strategy.value,
                "state": _state(part.strategy.value, own, part.replicas),
                "containers": [_container(c) for c in sorted(own, key=lambda c: c.name)],
            }
        )
    return found


def _state(strategy: str, containers: list[Container], wanted: int) -> str:
    if strategy == "job":
        return "done" if not containers or all(c.exit_code == 0 for c in containers) else "failed"
    running = [c for c in containers if c.state == "running"]
    if wanted and len(running) >= wanted:
        return "running"
    return "degraded" if running else "stopped"


def _container(container: Container) -> dict[str, Any]:
    release = container.labels.get("windlass.release", "")
    return {
        "id": container.id[:12],
        "name": container.name,
        "release": int(release) if release.isdigit() else None,
        "state": container.state,
        "health": container.health or ("running" if container.state == "running" else "none"),
        "restarts": container.restarts,
        "exit_code": container.exit_code,
    }


def apps_document(
    outside: Outside, sees: Callable[[AppLine], bool] = lambda app: True, page: Page = WHOLE
) -> dict[str, Any]:
    """The apps that the caller sees."""
    shown, more = cut([a for a in outside.store.apps.lines() if sees(a)], page, lambda app: app.name)
    return {"items": app_items(outside, shown), "next": more}


def releases_document(outside: Outside, app: str, page: Page = WHOLE) -> dict[str, Any]:
    known = outside.store.apps.get(_name(app))
    made = {d.release: d for d in outside.store.deployments.of_app(known.name, 1000) if d.kind == "deploy"}
    shown, more = cut_numbered(outside.store.releases.all(known.name), page, lambda release: release.number)
    return {"items": [_release(r, known, made.get(r.number)) for r in shown], "next": more}


def _release(release: Release, app: App, made: Deployment | None) -> dict[str, Any]:
    """`made`: the deployment that it was made for; None when that is forgotten."""
    return {
        "release": release.number,
        "state": release.state.value,
        "live": release.number == app.live,
        "commit": release.commit,
        "author": release.author,
        "message": release.message,
        "committed_at": release.committed_at,
        "source": release.source,
        "ref": release.ref,
        "created_at": release.created_at,
        "live_at": release.live_at,
        "images": dict(release.images),
        "can_roll_back": release.kept and release.state.value == "retired",
        "deployment": made.id if made else "",
        "status": made.status.value if made else "",
        "error": str((made.error or {}).get("code", "")) if made else "",
        "by": str(made.options.get("by") or "") if made else "",
        "ended_at": made.ended_at if made else None,
        "flags": flags_of(made.options) if made else [],
        "dirty": bool(made and made.options.get("dirty")),
    }


def events_document(outside: Outside, app: str, after: int, page: Page) -> dict[str, Any]:
    """Oldest first."""
    known = outside.store.apps.get(_name(app))
    last = max(after, page.number or 0)
    found = outside.store.events.after(last, app=known.name, limit=page.limit + 1)
    more = str(found[page.limit - 1].id) if len(found) > page.limit else None
    return {"items": [event_document(e) for e in found[: page.limit]], "next": more}


def event_document(event: Event) -> dict[str, Any]:
    return {
        "id": event.id,
        "at": event.at,
        "app": names.shown(event.app),
        "deployment": event.deployment,
        "kind": event.kind,
        "data": dict(event.data),
    }


def deployments_document(outside: Outside, app: str, page: Page) -> dict[str, Any]:
    """Newest first."""
    known = outside.store.apps.get(_name(app))
    found = outside.store.deployments.of_app(known.name, page.limit + 1, page.cursor)
    more = found[page.limit - 1].id if len(found) > page.limit else None
    return {"items": [describe_deployment(outside, d) for d in found[: page.limit]], "next": more}


def _name(app: str) -> str:
    return names.docker_name(names.app_name(app))
