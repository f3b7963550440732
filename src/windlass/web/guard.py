"""The one place where a request is let in: on TCP nothing passes without a token but the open paths."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable

from starlette.types import ASGIApp, Receive, Scope, Send

from windlass.domain.errors import NotAllowed
from windlass.wire import EXIT_HEADER, error_document

OPEN_PATHS = frozenset({"/health", "/ready", "/api/openapi.json"})
_OPEN_METHODS = frozenset({"GET", "HEAD"})


_OWNER = "windlass.owner"


class Owner:
    """Stands before the application on the unix socket, and marks its requests as the owner's."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app({**scope, _OWNER: True}, receive, send)


def is_owner(scope: Scope) -> bool:
    """Whether the request came by the unix socket: its caller may read this machine's files anyway."""
    return scope.get(_OWNER) is True


class Guard:
    """Stands before the application on TCP. The unix socket needs none: its mode lets only the owner in."""

    def __init__(self, app: ASGIApp, token_hash: str) -> None:
        self._app = app
        self._token_hash = token_hash

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or self._lets_in(scope):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await _refuse(send)

    def _lets_in(self, scope: Scope) -> bool:
        if scope["type"] == "http" and scope["path"] in OPEN_PATHS and scope["method"] in _OPEN_METHODS:
            return True
        return self._knows(_bearer(scope["headers"]))

    def _knows(self, token: bytes) -> bool:
        shown = hashlib.sha256(token).hexdigest()
        return bool(self._token_hash) and bool(token) and hmac.compare_digest(shown, self._token_hash)


def _bearer(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The token of the only Authorization header; empty when there is none, or more than one."""
    found = [value for name, value in headers if name.lower() == b"authorization"]
    if len(found) != 1:
        return b""
    scheme, _, token = found[0].partition(b" ")
    return token.strip() if scheme.lower() == b"bearer" else b""


async def _refuse(send: Send) -> None:
    error = NotAllowed("this needs a token", code="unauthenticated", hint="set WINDLASS_TOKEN")
    body = json.dumps(error_document(error)).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"www-authenticate", b"Bearer"),
        (EXIT_HEADER.encode(), str(error.exit_code).encode()),
    ]
    await send({"type": "http.response.start", "status": 401, "headers": headers})
    await send({"type": "http.response.body", "body": body})
