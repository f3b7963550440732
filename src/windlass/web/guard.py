"""The one place where a request is let in: on TCP nobody passes whom windlass does not know, but to the open routes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from http.cookies import CookieError, SimpleCookie
from ipaddress import IPv6Address, ip_address, ip_network

from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Receive, Scope, Send

from windlass.domain.errors import NotAllowed, NotFound, WindlassError
from windlass.domain.rights import OWNER, Caller
from windlass.usecases.logins import Unauthenticated
from windlass.wire import EXIT_HEADER, error_document

SESSION_COOKIE = "windlass"
SECURE_COOKIE = "__Host-windlass"

SOCKET = "socket"  # from where the owner comes, in the audit log

_ASKER = "windlass.asker"
_HANDED_ON = frozenset({b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-real-ip", b"via"})


@dataclass(frozen=True)
class Asker:
    """Who asks, and from where. `cookie`: the session's, when that is how the caller is known."""

    caller: Caller | None
    source: str
    cookie: str = ""


STRANGER = Asker(None, "")

ByToken = Callable[[str], Caller | None]
IsOpen = Callable[[Scope], bool]


@dataclass(frozen=True)
class Authentication:
    """How callers are known on TCP, and which routes are open to strangers; `is_public`: webhooks and the like;
    `is_hook`: webhooks alone; `is_local`: those that strangers on this machine may ask.
    """

    by_token: ByToken
    by_cookie: ByToken
    is_open: IsOpen
    is_public: IsOpen
    is_hook: IsOpen
    is_local: IsOpen = lambda scope: False


class Owner:
    """Stands before the application on the unix socket, and marks its requests as the owner's: its mode lets only
    the owner in."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app({**scope, _ASKER: Asker(OWNER, SOCKET)}, receive, send)


def asker_of(scope: Scope) -> Asker:
    """A stranger when nothing has let the request in."""
    found: Asker = scope.get(_ASKER, STRANGER)
    return found


def is_owner(scope: Scope) -> bool:
    """Whether the request came by the unix socket: its caller may read this machine's files anyway."""
    caller = asker_of(scope).caller
    return caller is not None and caller.kind == "owner"


def is_here(scope: Scope) -> bool:
    """Whether the caller is on this machine's loopback and speaks for itself: what a proxy hands on comes from afar."""
    if any(name.lower() in _HANDED_ON for name, _ in scope["headers"]):
        return False
    try:
        return ip_address(source_of(scope)).is_loopback
    except ValueError:
        return False


class Guard:
    """Stands before the application on TCP."""

    def __init__(self, app: ASGIApp, authentication: Authentication) -> None:
        self._app = app
        self._known = authentication

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
        elif self._known.is_open(scope) or (self._known.is_local(scope) and is_here(scope)):
            await self._app({**scope, _ASKER: Asker(None, source_of(scope))}, receive, send)
        else:
            await self._let_in(scope, receive, send)

    async def _let_in(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            asker = await self._asker(scope)
        except WindlassError as error:
            await _refuse(send, error)
            return
        if asker.caller is None:
            hint = "set WINDLASS_TOKEN, or log in at /login"
            await _refuse(send, Unauthenticated("this needs a token, or a log-in", hint=hint))
            return
        await self._app({**scope, _ASKER: asker}, receive, send)

    async def _asker(self, scope: Scope) -> Asker:
        """A token counts alone: whoever shows one is not taken for the one whose cookie the browser added."""
        source = source_of(scope)
        shown = [value for name, value in scope["headers"] if name.lower() == b"authorization"]
        if shown:
            token = _bearer(shown)
            caller = await run_in_threadpool(self._known.by_token, token) if token else None
            return Asker(caller, source)
        cookie = session_cookie(scope["headers"])
        caller = await run_in_threadpool(self._known.by_cookie, cookie) if cookie else None
        return Asker(caller, source, cookie if caller else "")


class Public:
    """Stands on TCP when the admin surface has an address of its own: webhooks and health pass, and nothing else is
    there."""

    def __init__(self, app: ASGIApp, authentication: Authentication) -> None:
        self._app = app
        self._is_public = authentication.is_public

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
        elif self._is_public(scope):
            await self._app({**scope, _ASKER: Asker(None, source_of(scope))}, receive, send)
        else:
            await _refuse(send, NotFound("there is nothing here", code="path_not_found"))


class HooksOnly(Public):
    """Stands on loopback behind the edge: webhooks pass, and nothing else is there."""

    def __init__(self, app: ASGIApp, authentication: Authentication) -> None:
        super().__init__(app, replace(authentication, is_public=authentication.is_hook))


class AllowList:
    """Stands before the guard of the admin surface: only these networks reach it."""

    def __init__(self, app: ASGIApp, networks: Sequence[str]) -> None:
        self._app = app
        self._networks = [ip_network(network) for network in networks]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or not self._networks or self._is_allowed(source_of(scope)):
            await self._app(scope, receive, send)
        elif scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await _refuse(send, NotAllowed("this address is not on the list of those that may come here"))

    def _is_allowed(self, source: str) -> bool:
        try:
            address = ip_address(source)
        except ValueError:
            return False
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return any(address in network for network in self._networks)


def source_of(scope: Scope) -> str:
    """The caller's address; what a header says about it is not believed."""
    client = scope.get("client")
    return str(client[0]) if client else ""


def session_cookie(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """The session's cookie; "" when there is none, or more than one header of cookies."""
    found = [value for name, value in headers if name.lower() == b"cookie"]
    if len(found) != 1:
        return ""
    try:
        cookies = SimpleCookie(found[0].decode("ascii"))
    except (CookieError, UnicodeDecodeError):
        return ""
    shown = cookies.get(SECURE_COOKIE) or cookies.get(SESSION_COOKIE)
    return shown.value if shown else ""


def _bearer(shown: list[bytes]) -> str:
    """The token of the only Authorization header; "" when it is none, or when there is more than one."""
    if len(shown) != 1:
        return ""
    scheme, _, token = shown[0].partition(b" ")
    return token.strip().decode("ascii", "replace") if scheme.lower() == b"bearer" else ""


async def _refuse(send: Send, error: WindlassError) -> None:
    body = json.dumps(error_document(error)).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (EXIT_HEADER.encode(), str(error.exit_code).encode()),
    ]
    if error.http_status == Unauthenticated.http_status:
        headers.append((b"www-authenticate", b"Bearer"))
    await send({"type": "http.response.start", "status": error.http_status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
