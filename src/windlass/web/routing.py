"""Routes that ask for a right before anything else of the request is looked at, and write every change down."""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any
from urllib.parse import parse_qs

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.routing import compile_path
from starlette.types import Scope

from windlass.domain.credentials import csrf_of
from windlass.domain.errors import NotAllowed, WindlassError
from windlass.domain.rights import IN_PROJECTS, Caller, Permission
from windlass.ports.outside import Outside
from windlass.usecases.admission import Place, admit, app_at
from windlass.usecases.auditing import actor_of, audited_app, record, told
from windlass.usecases.logins import Unauthenticated
from windlass.web.accesslog import note
from windlass.web.freshness import told_once
from windlass.web.guard import Asker, asker_of, is_here
from windlass.web.needs import SAFE_METHODS, Need, need_of
from windlass.web.repeated import once, wanted_once

CSRF_HEADER = "x-csrf-token"
FORM = "application/x-www-form-urlencoded"
MOST_FIELDS = 20
TOLD_LIMIT = 1 << 20  # bytes of a body that is read for the audit log

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class GuardedRoute(APIRoute):
    """Its endpoint has to say what it needs; whoever has no right to it is refused, also before a stream begins."""

    @property
    def need(self) -> Need:
        return need_of(self.endpoint, frozenset(self.methods or ()))

    def get_route_handler(self) -> Handler:
        need, handle = self.need, super().get_route_handler()

        async def guarded(request: Request) -> Response:
            asker = asker_of(request.scope)
            note(request.scope, self.path, asker)
            if need.open or (need.local and asker.caller is None and is_here(request.scope)):
                return await handle(request)
            caller = await _let_in(request, need)
            if request.method in SAFE_METHODS:
                return told_once(request, await handle(request), secret=bool(_flags(request, need)))
            if wanted_once(request):
                return await once(request, caller, lambda first: _written_down(first, caller, need, handle))
            return await _written_down(request, caller, need, handle)

        return guarded


def guarded_router(tag: str) -> APIRouter:
    return APIRouter(tags=[tag], route_class=GuardedRoute)


def routes_of(router: APIRouter) -> list[GuardedRoute]:
    """Raises TypeError for a router with a route that nobody guards."""
    found = [route for route in router.routes if isinstance(route, GuardedRoute)]
    if len(found) != len(router.routes):
        raise TypeError(f"{router.tags}: has a route without a guard (web/routing.py: guarded_router)")
    return found


def open_paths(routers: Iterable[tuple[str, APIRouter]], *, pages: bool) -> Callable[[Scope], bool]:
    """Whether a request is for one of the routes that are open to all, with or without the pages among them."""
    known = [
        (compile_path(prefix + route.path)[0], frozenset(route.methods or ()))
        for prefix, router in routers
        for route in routes_of(router)
        if route.need.open and (pages or not route.need.page)
    ]
    return lambda scope: any(scope["method"] in methods and path.match(scope["path"]) for path, methods in known)


def local_paths(routers: Iterable[tuple[str, APIRouter]]) -> Callable[[Scope], bool]:
    """Whether a request is for one of the routes that callers on this machine need no right for."""
    known = [compile_path(prefix + r.path)[0] for prefix, router in routers for r in routes_of(router) if r.need.local]
    return lambda scope: scope["method"] == "GET" and any(path.match(scope["path"]) for path in known)


async def _let_in(request: Request, need: Need) -> Caller:
    asker = asker_of(request.scope)
    caller = asker.caller
    if caller is None:
        raise Unauthenticated("this needs a token, or a log-in", hint="set WINDLASS_TOKEN, or log in at /login")
    if asker.cookie and request.method not in SAFE_METHODS:
        await _check_csrf(request, asker.cookie)
    wanted = _permissions(request, need)
    if wanted and not caller.is_unlimited:
        await run_in_threadpool(_admit, request, caller, wanted, need)
    return caller


def _permissions(request: Request, need: Need) -> list[Permission]:
    return [*([need.permission] if need.permission else []), *_flags(request, need)]


def _flags(request: Request, need: Need) -> list[Permission]:
    """The further rights that the query's flags ask for: those are for secrets."""
    return [right for flag, right in need.also.items() if request.query_params.get(flag, "false") != "false"]


def _admit(request: Request, caller: Caller, wanted: list[Permission], need: Need) -> None:
    """Who knew the door but had no key is written down, when there was something to change behind it."""
    outside: Outside = request.app.state.outside
    params = request.path_params
    place = Place(*(str(params.get(name, "")) for name in ("app", "id", "project")))
    try:
        for permission in wanted:
            admit(outside, caller, permission, place)
    except NotAllowed:
        if request.method not in SAFE_METHODS:
            asker, app = asker_of(request.scope), _app_concerned(outside, request, need)
            record(outside, actor_of(caller), asker.source, need.does, app=app, data={"failed": "not_allowed"})
        raise


async def _written_down(request: Request, caller: Caller, need: Need, handle: Handler) -> Response:
    """Before the change is made; when it is not made after all, a second entry says so."""
    outside: Outside = request.app.state.outside
    asker = asker_of(request.scope)
    who = (actor_of(caller), asker.source, need.does)
    app = await run_in_threadpool(_app_concerned, outside, request, need)
    data = {**_path_words(request), **told(await _body(request, need), need.told)}
    number = await run_in_threadpool(record, outside, *who, app=app, data=data)
    try:
        answer = await handle(request)
    except BaseException as error:
        failed = error.code if isinstance(error, WindlassError) else type(error).__name__
        await run_in_threadpool(record, outside, *who, app=app, data={"failed": failed, "entry": number})
        raise
    if failed := str(getattr(answer, "failed", "")):  # a page that tells an error
        await run_in_threadpool(record, outside, *who, app=app, data={"failed": failed, "entry": number})
    return answer


def _app_concerned(outside: Outside, request: Request, need: Need) -> str:
    """The one that the path names, itself or by a deployment of it."""
    named, id = (str(request.path_params.get(name, "")) for name in ("app", "id"))
    is_deployment = bool(id and not named and need.permission in IN_PROJECTS)
    return app_at(outside, Place(deployment=id)) if is_deployment else audited_app(named)


def _path_words(request: Request) -> dict[str, str]:
    return {name: str(value)[:100] for name, value in request.path_params.items() if name != "app"}


async def _body(request: Request, need: Need) -> Any:
    """The JSON or the form that the endpoint reads too; None when it is large, or neither."""
    length = request.headers.get("content-length", "")
    kind = request.headers.get("content-type", "").partition(";")[0].strip()
    read = _READERS.get(kind)
    if not need.told or read is None or not length.isdecimal() or int(length) > TOLD_LIMIT:
        return None
    try:
        return read(await request.body())
    except ValueError:
        return None


def _form(body: bytes) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(body.decode(), max_num_fields=MOST_FIELDS).items()}


_READERS: Mapping[str, Callable[[bytes], Any]] = {"application/json": json.loads, FORM: _form}


async def _check_csrf(request: Request, cookie: str) -> None:
    """A browser adds the cookie to whatever a foreign page sends; this token it cannot add."""
    shown = request.headers.get(CSRF_HEADER, "")
    if not shown and request.headers.get("content-type", "").startswith(FORM):
        shown = parse_qs((await request.body()).decode("ascii", "replace")).get("csrf", [""])[0]
    if not hmac.compare_digest(shown.encode(), csrf_of(cookie).encode()):
        raise NotAllowed(
            "the request does not carry the session's CSRF token",
            code="csrf",
            hint=f"send `csrf` of GET /api/v1/me in the header {CSRF_HEADER}",
        )


def asking(request: Request) -> Asker:
    """For endpoints: who asks."""
    return asker_of(request.scope)
