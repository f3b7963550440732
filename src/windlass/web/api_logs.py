"""API: what an app's containers say, at once or followed."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Query, Request
from sse_starlette.sse import EventSourceResponse

from windlass.domain.names import service_name
from windlass.domain.rights import Permission
from windlass.usecases import lifecycle
from windlass.web.inputs import App, Document, World
from windlass.web.needs import needs
from windlass.web.routing import guarded_router
from windlass.web.stream import line_messages, respond

router = guarded_router("logs")


async def _query(
    app: App,
    service: str | None = None,
    tail: Annotated[int | None, Query(ge=0, le=100_000, description="Lines per container")] = 100,
    since: Annotated[float | None, Query(description="Seconds since 1970, UTC")] = None,
) -> lifecycle.LogQuery:
    named = service_name(service) if service else None
    return lifecycle.LogQuery(app=app, service=named, tail=tail, since=since)


Asked = Annotated[lifecycle.LogQuery, Depends(_query)]


@router.get("/apps/{app}/logs")
@needs(Permission.APP_LOGS)
def logs(app: App, outside: World, asked: Asked) -> Document:
    """The lines of all services, in the order of time."""
    return {"items": lifecycle.logs(outside, asked)}


@router.get("/apps/{app}/logs/follow", response_class=EventSourceResponse)
@needs(Permission.APP_LOGS)
async def follow_logs(app: App, request: Request, outside: World, asked: Asked) -> EventSourceResponse:
    """Server-sent events, one per line, until the caller goes; also of releases to come."""
    feed = request.app.state.feed
    return respond(line_messages(lambda stop: lifecycle.follow_logs(outside, asked, stop), feed), feed)
