"""API: apps, what runs of them, and what is done to what runs."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from windlass.domain.names import service_name
from windlass.usecases import doctor, lifecycle, removal, views
from windlass.web.inputs import App, Document, World
from windlass.wire.bodies import ExecBody, ScaleBody, ServiceBody

router = APIRouter(tags=["apps"])


@router.get("/apps")
def apps(outside: World) -> Document:
    """All apps."""
    return views.apps_document(outside)


@router.get("/apps/{app}")
def status(app: App, outside: World) -> Document:
    """Live release, services, routes and the deployment under way."""
    return views.status_document(outside, app)


@router.delete("/apps/{app}")
def remove(app: App, outside: World, data: bool = False) -> Document:
    """Remove the app; its data only when `data` is true."""
    return removal.remove(outside, app, data)


@router.get("/apps/{app}/releases")
def releases(app: App, outside: World) -> Document:
    """The releases, newest first."""
    return views.releases_document(outside, app)


@router.get("/apps/{app}/events")
def events(app: App, outside: World, after: Annotated[int, Query(ge=0)] = 0) -> Document:
    """What happened to the app, after event number `after`."""
    return views.events_document(outside, app, after)


@router.get("/apps/{app}/stats")
def app_stats(app: App, outside: World) -> Document:
    """CPU, memory and traffic of the app's containers."""
    return lifecycle.stats(outside, app)


@router.get("/stats")
def stats(outside: World) -> Document:
    """CPU, memory and traffic of all apps' containers."""
    return lifecycle.stats(outside, None)


@router.post("/apps/{app}/restart")
def restart(app: App, outside: World, body: ServiceBody) -> Document:
    """Restart the app or one service."""
    return lifecycle.restart(outside, app, _service(body))


@router.post("/apps/{app}/stop")
def stop(app: App, outside: World, body: ServiceBody) -> Document:
    """Stop the app or one service, for good."""
    return lifecycle.stop(outside, app, _service(body))


@router.post("/apps/{app}/start")
def start(app: App, outside: World, body: ServiceBody) -> Document:
    """Start what was stopped."""
    return lifecycle.start(outside, app, _service(body))


@router.post("/apps/{app}/scale")
def scale(app: App, outside: World, body: ScaleBody) -> Document:
    """Run a service in so many containers."""
    return lifecycle.scale(outside, app, service_name(body.service), body.replicas)


@router.post("/apps/{app}/exec")
def execute(app: App, outside: World, body: ExecBody) -> Document:
    """Run a command in a container of a service."""
    return lifecycle.execute(outside, app, service_name(body.service), body.command)


@router.get("/doctor")
def examine(outside: World) -> Document:
    """The machine: engine, Compose, edge, disk, ports, clock, address pool."""
    return doctor.examine(outside)


def _service(body: ServiceBody) -> str | None:
    return None if body.service is None else service_name(body.service)
