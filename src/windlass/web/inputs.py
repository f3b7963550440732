"""What endpoints are given: the outside world, and names that are valid."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Path, Request

from windlass.domain.names import app_name
from windlass.domain.rights import Caller
from windlass.ports.outside import Outside
from windlass.usecases.logins import Unauthenticated
from windlass.web.guard import asker_of

Document = dict[str, Any]


async def _outside(request: Request) -> Outside:
    found: Outside = request.app.state.outside
    return found


async def _app(app: Annotated[str, Path(description="Name of the app, or NAME@ENVIRONMENT")]) -> str:
    return app_name(app)


async def _who(request: Request) -> Caller:
    caller = asker_of(request.scope).caller
    if caller is None:
        raise Unauthenticated("this needs a token, or a log-in")
    return caller


World = Annotated[Outside, Depends(_outside)]
App = Annotated[str, Depends(_app)]
Who = Annotated[Caller, Depends(_who)]
