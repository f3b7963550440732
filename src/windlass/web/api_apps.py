"""API: apps, what runs of them, and what is done to what runs."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query, Response

from windlass.domain import names
from windlass.domain.names import service_name
from windlass.domain.rights import Permission
from windlass.usecases import doctor, lifecycle, maintenance, removal, views
from windlass.usecases.admission import sees
from windlass.web.inputs import App, Document, Pages, Who, World
from windlass.web.needs import needs
from windlass.web.routing import guarded_router
from windlass.wire.bodies import ExecBody, MaintenanceBody, ScaleBody, ServiceBody

router = guarded_router("apps")

EVENTS = 500


@router.get("/apps", response_model=Document)
@needs(Permission.APP_READ)
def apps(outside: World, who: Who, pages: Pages) -> Response:
    """All apps that the caller may see."""
    return pages.answer(views.apps_document(outside, sees(outside, who), pages.page()))


@router.get("/apps/{app}")
@needs(Permission.APP_READ)
def status(app: App, outside: World) -> Document:
    """Live release, services, routes and the deployment under way."""
    return views.status_document(outside, app)


@router.delete("/apps/{app}")
@needs(Permission.APP_REMOVE, "app.remove")
def remove(app: App, outside: World, data: bool = False) -> Document:
    """Remove the app; its data only when `data` is true."""
    return removal.remove(outside, app, data)


@router.get("/apps/{app}/releases")
@needs(Permission.APP_READ)
def releases(app: App, outside: World, pages: Pages) -> Document:
    """The releases, newest first."""
    return pages.told(views.releases_document(outside, app, pages.page()))


@router.get("/apps/{app}/events")
@needs(Permission.APP_READ)
def events(app: App, outside: World, pages: Pages, after: Annotated[int, Query(ge=0, lt=1 << 62)] = 0) -> Document:
    """What happened to the app, after event number `after`; oldest first."""
    return pages.told(views.events_document(outside, app, after, pages.page(EVENTS)))


@router.get("/apps/{app}/stats")
@needs(Permission.APP_LOGS)
def app_stats(app: App, outside: World) -> Document:
    """CPU, memory and traffic of the app's containers."""
    return lifecycle.stats(outside, app)


@router.get("/stats")
@needs(Permission.APP_LOGS)
def stats(outside: World, who: Who) -> Document:
    """CPU, memory and traffic of the containers of all apps that the caller may see."""
    seen = {names.shown(a.name) for a in outside.store.apps.all() if sees(outside, who, Permission.APP_LOGS)(a)}
    return {"items": [i for i in lifecycle.stats(outside, None)["items"] if who.is_unlimited or i["app"] in seen]}


@router.post("/apps/{app}/restart")
@needs(Permission.APP_OPERATE, "app.restart", told=("service",))
def restart(app: App, outside: World, body: ServiceBody) -> Document:
    """Restart the app or one service."""
    return lifecycle.restart(outside, app, _service(body))


@router.post("/apps/{app}/stop")
@needs(Permission.APP_OPERATE, "app.stop", told=("service",))
def stop(app: App, outside: World, body: ServiceBody) -> Document:
    """Stop the app or one service, for good."""
    return lifecycle.stop(outside, app, _service(body))


@router.post("/apps/{app}/start")
@needs(Permission.APP_OPERATE, "app.start", told=("service",))
def start(app: App, outside: World, body: ServiceBody) -> Document:
    """Start what was stopped."""
    return lifecycle.start(outside, app, _service(body))


@router.post("/apps/{app}/scale")
@needs(Permission.APP_OPERATE, "app.scale", told=("service", "replicas"))
def scale(app: App, outside: World, body: ScaleBody) -> Document:
    """Run a service in so many containers."""
    return lifecycle.scale(outside, app, service_name(body.service), body.replicas)


@router.get("/apps/{app}/maintenance")
@needs(Permission.APP_READ)
def closed(app: App, outside: World) -> Document:
    """Whether the app is closed for maintenance, and who gets through."""
    return maintenance.maintenance(outside, app)


@router.put("/apps/{app}/maintenance")
@needs(Permission.APP_OPERATE, "app.maintenance", told=("closed", "allowed"))
def close(app: App, outside: World, body: MaintenanceBody) -> Document:
    """Close the app for maintenance, or open it again."""
    if body.closed:
        return maintenance.close(outside, app, body.allowed)
    return maintenance.open_again(outside, app)


@router.post("/apps/{app}/exec")
@needs(Permission.APP_EXEC, "app.exec", told=("service",))
def execute(app: App, outside: World, body: ExecBody) -> Document:
    """Run a command in a container of a service."""
    return lifecycle.execute(outside, app, service_name(body.service), body.command)


@router.get("/doctor")
@needs(Permission.SERVER_READ)
def examine(outside: World) -> Document:
    """The machine: engine, Compose, edge, disk, ports, clock, address pool."""
    return doctor.examine(outside)


def _service(body: ServiceBody) -> str | None:
    return None if body.service is None else service_name(body.service)
