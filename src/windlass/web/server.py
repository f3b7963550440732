"""The API as one application: its routes, its open paths, and the one place where errors become answers."""

from __future__ import annotations

import logging
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import ValidationError
from starlette.exceptions import HTTPException

from windlass import __version__
from windlass.domain.errors import Detail, NotFound, OutOfReach, Usage, WindlassError
from windlass.domain.rights import Permission
from windlass.ports.outside import Outside
from windlass.usecases.logins import caller_by_cookie, caller_by_token
from windlass.web import (
    api_access,
    api_apps,
    api_deployments,
    api_hooks,
    api_keys,
    api_logs,
    api_people,
    api_sources,
    api_variables,
    pages,
)
from windlass.web.feed import Feed
from windlass.web.guard import Authentication
from windlass.web.inputs import World
from windlass.web.needs import needs, open_to_all
from windlass.web.options import WebOptions
from windlass.web.routing import guarded_router, open_paths, routes_of
from windlass.wire import API, EXIT_HEADER, error_document
from windlass.wire.answers import CHECKS

LOG = logging.getLogger(__name__)

_ERROR_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message", "hint", "details"],
            "properties": {
                "code": {"type": "string"},
                "message": {"type": "string"},
                "hint": {"type": "string"},
                "details": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "properties": {k: {"type": "string"} for k in ("code", "name", "message", "fix")},
                    },
                },
            },
        },
        "checks": {**CHECKS, "description": "Of a refused plan: what every check found."},
    },
}

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
    ("", pages.router),
    *(
        (API, module.router)
        for module in (api_apps, api_deployments, api_variables, api_logs, api_keys, api_people, api_access)
    ),
    *((API, module.router) for module in (api_sources, api_hooks)),
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
        responses={"default": {"description": "An error", "content": {"application/json": {"schema": _ERROR_SCHEMA}}}},
    )
    app.state.outside = outside
    app.state.options = options
    app.state.authentication = authentication(outside)
    app.state.feed = Feed(outside.store.events)
    for prefix, router in ROUTERS:
        routes_of(router)
        app.include_router(router, prefix=prefix)
    app.add_exception_handler(WindlassError, _answer)
    app.add_exception_handler(RequestValidationError, _answer)
    app.add_exception_handler(ValidationError, _answer)
    app.add_exception_handler(HTTPException, _answer)
    app.add_exception_handler(Exception, _answer_unexpected)
    return app


async def _answer(_request: Request, error: Exception) -> JSONResponse:
    status, ours = _translated(error)
    return _response(status, ours)


async def _answer_unexpected(request: Request, error: Exception) -> JSONResponse:
    LOG.error("%s %s", request.method, request.url.path, exc_info=error)
    words = "windlass met something it did not expect; its log says more, and the apps go on"
    return _response(500, WindlassError(words, hint="windlass doctor"))


def _response(status: int, error: WindlassError) -> JSONResponse:
    headers = {EXIT_HEADER: str(error.exit_code)}
    return JSONResponse(error_document(error), status_code=status, headers=headers)


def _translated(error: Exception) -> tuple[int, WindlassError]:
    if isinstance(error, WindlassError):
        return error.http_status, error
    if isinstance(error, RequestValidationError | ValidationError):
        return Usage.http_status, _invalid(error)
    if isinstance(error, HTTPException) and error.status_code == 404:
        return 404, NotFound("there is no such path in the API", code="path_not_found")
    if isinstance(error, HTTPException):
        return error.status_code, Usage(str(error.detail), code=f"http_{error.status_code}")
    return 500, WindlassError("unexpected")


def _invalid(error: RequestValidationError | ValidationError) -> Usage:
    """What is wrong where; the value itself is not repeated, it may be a secret."""
    details = [
        Detail("invalid", ".".join(str(part) for part in found["loc"]), str(found["msg"])) for found in error.errors()
    ]
    words = details[0].message if len(details) == 1 else f"{len(details)} values are invalid"
    return Usage(f"the request is invalid: {words}", code="invalid_request", details=details)
