"""The API as one application: its routes, its open paths, and the one place where errors become answers."""

from __future__ import annotations

import logging
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import JSONResponse

from windlass import __version__
from windlass.domain.errors import OutOfReach
from windlass.domain.rights import Permission
from windlass.ports.outside import Outside
from windlass.usecases.logins import caller_by_cookie, caller_by_token
from windlass.web import (
    account,
    api_access,
    api_apps,
    api_deployments,
    api_hooks,
    api_keys,
    api_logs,
    api_metrics,
    api_people,
    api_previews,
    api_sources,
    api_variables,
    pages,
    signon,
)
from windlass.web.failures import EXPECTED, answer_of
from windlass.web.feed import Feed
from windlass.web.guard import Authentication
from windlass.web.inputs import World
from windlass.web.needs import needs, open_to_all
from windlass.web.options import WebOptions
from windlass.web.routing import guarded_router, local_paths, open_paths, routes_of
from windlass.wire import API

LOG = logging.getLogger(__name__)

OPENAPI = "/api/openapi.json"

open_router = guarded_router("health")
control_router = guarded_router("control")


@open_router.get("/health")
@open_to_all("says that windlass is alive")
async def health() -> dict[str, str]:
    """Alive."""
    return {"status": "ok", "version": __version__}


@open_router.get("/ready")
@open_to_all("says whether windlass can work")
def ready(outside: World) -> dict[str, str]:
    """Ready to work: 503 when the database is gone."""
    if not outside.store.ready():
        raise OutOfReach("the database does not answer; the apps go on", code="database_unavailable")
    return {"status": "ready"}


@control_router.get("/control")
@needs(Permission.SERVER_READ)
def control(request: Request) -> dict[str, Any]:
    """The running control plane: version, process, home, edge."""
    described: dict[str, Any] = request.app.state.options.control()
    return described


# Everything that is served, but for the OpenAPI document.
ROUTERS: tuple[tuple[str, APIRouter], ...] = (
    ("", open_router),
    ("", api_metrics.router),
    ("", pages.router),
    ("", account.router),
    ("", signon.router),
    (API, signon.api_router),
    *(
        (API, module.router)
        for module in (api_apps, api_deployments, api_variables, api_logs, api_keys, api_people, api_access)
    ),
    *((API, module.router) for module in (api_sources, api_hooks, api_previews)),
    ("", api_hooks.open_router),
    (API, control_router),
)


def authentication(outside: Outside) -> Authentication:
    """How callers on TCP are known, and which routes are open to strangers."""
    is_open = open_paths(ROUTERS, pages=True)
    return Authentication(
        by_token=lambda token: caller_by_token(outside, token),
        by_cookie=lambda cookie: caller_by_cookie(outside, cookie),
        is_open=lambda scope: is_open(scope) or (scope["path"], scope["method"]) == (OPENAPI, "GET"),
        is_public=open_paths(ROUTERS, pages=False),
        is_hook=open_paths([("", api_hooks.open_router)], pages=False),
        is_local=local_paths(ROUTERS),
    )


def build_app(outside: Outside, options: WebOptions) -> FastAPI:
    """The application; `app.state.feed` ends its streams."""
    app = FastAPI(
        title="windlass",
        version=__version__,
        openapi_url=OPENAPI,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.openapi = lambda: described(app)  # type: ignore[method-assign]
    app.state.outside = outside
    app.state.options = options
    app.state.authentication = authentication(outside)
    app.state.feed = Feed(outside.store.events)
    for prefix, router in ROUTERS:
        routes_of(router)
        app.include_router(router, prefix=prefix)
    for kind in EXPECTED:
        app.add_exception_handler(kind, _answer)
    app.add_exception_handler(Exception, _answer_unexpected)
    return app


def described(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document; what it is made with is loaded when it is asked for."""
    from windlass.web.openapi import document

    return document(app, [(prefix + route.path, route) for prefix, router in ROUTERS for route in routes_of(router)])


async def _answer(_request: Request, error: Exception) -> JSONResponse:
    return answer_of(error)


async def _answer_unexpected(request: Request, error: Exception) -> JSONResponse:
    LOG.error("%s %s", request.method, request.url.path, exc_info=error)
    return answer_of(error)
