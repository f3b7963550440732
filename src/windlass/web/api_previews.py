"""API: previews of an app's pull and merge requests."""

from __future__ import annotations

from windlass.domain.rights import Permission
from windlass.usecases import previews
from windlass.web.inputs import App, Document, World
from windlass.web.needs import needs
from windlass.web.routing import guarded_router
from windlass.wire.bodies import PreviewsBody

router = guarded_router("previews")


@router.get("/apps/{app}/previews")
@needs(Permission.APP_READ)
def show(app: App, outside: World) -> Document:
    """Whether the app has previews, under what limits, and the requests that are known."""
    return previews.describe(outside, app)


@router.put("/apps/{app}/previews")
@needs(Permission.APP_SOURCE, "previews.on", told=("limit", "keep", "memory", "cpus", "pids"))
def put(app: App, outside: World, body: PreviewsBody) -> Document:
    """Make a preview for each pull or merge request from now on; what is left out is as it was."""
    return previews.turn_on(outside, previews.Wish(app, body.limit, body.keep, body.memory, body.cpus, body.pids))


@router.delete("/apps/{app}/previews")
@needs(Permission.APP_SOURCE, "previews.off")
def remove(app: App, outside: World) -> Document:
    """Make none any more; those that are there are taken away with their data."""
    return previews.turn_off(outside, app)
