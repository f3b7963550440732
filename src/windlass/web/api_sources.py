"""API: where an app comes from."""

from __future__ import annotations

from windlass.domain.rights import Permission
from windlass.usecases import sources
from windlass.web.inputs import App, Document, Who, World
from windlass.web.needs import needs
from windlass.web.routing import guarded_router
from windlass.wire.bodies import SourceBody

router = guarded_router("sources")

_TOLD = ("url", "branch", "path", "compose", "watch", "submodules", "lfs", "poll", "user", "public", "status")


@router.get("/apps/{app}/source")
@needs(Permission.APP_READ)
def show(app: App, outside: World) -> Document:
    """The app's source; of its token and key only that they are there."""
    return sources.show_source(outside, app)


@router.put("/apps/{app}/source")
@needs(Permission.APP_SOURCE, "source.set", told=_TOLD)
def put(app: App, outside: World, who: Who, body: SourceBody) -> Document:
    """Set the source, used by the next deploy. The app need not be there yet."""
    setting = sources.Setting(
        app=app,
        url=body.url,
        branch=body.branch,
        path=body.path,
        compose=None if body.compose is None else tuple(body.compose),
        watch=None if body.watch is None else tuple(body.watch),
        submodules=body.submodules,
        lfs=body.lfs,
        poll_s=body.poll,
        user=body.user,
        token=body.token,
        key=body.key,
        public=body.public,
        status=body.status,
        status_token=body.status_token,
        local=who.kind == "owner",
    )
    return sources.set_source(outside, setting)


@router.delete("/apps/{app}/source")
@needs(Permission.APP_SOURCE, "source.remove")
def remove(app: App, outside: World) -> Document:
    """Forget the source with its token and key; the app goes on."""
    return sources.remove_source(outside, app)


@router.post("/apps/{app}/source/trust")
@needs(Permission.APP_SOURCE, "source.trust")
def trust(app: App, outside: World) -> Document:
    """Forget the server's SSH keys: those it shows next are remembered."""
    return sources.trust_source(outside, app)
