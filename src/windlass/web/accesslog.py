"""Counts every request by its route, and writes down those that change something or fail: who, what, how long."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from functools import partial

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from windlass.ports.tally import OTHER, Tally
from windlass.usecases.auditing import actor_of
from windlass.web.guard import Asker

REQUESTS = "api_requests"
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
NO_ROUTE = "none"  # refused at the door, or no such path

_SEEN = "windlass.seen"
_LOG = structlog.get_logger("windlass.requests")


@dataclass
class _Seen:
    """What the route tells of a request; the path itself, the query and the body are never written down."""

    route: str = NO_ROUTE
    who: str = ""
    status: int = 0


def note(scope: Scope, template: str, asker: Asker) -> None:
    """Which route it is, and who asks."""
    seen: _Seen | None = scope.get(_SEEN)
    if seen is not None:
        seen.route = template
        seen.who = actor_of(asker.caller) if asker.caller is not None else ""


class AccessLog:
    """Stands before all else on a listener. Reads that went well are counted only: pollers would fill the log."""

    def __init__(self, app: ASGIApp, tally: Tally) -> None:
        self._app = app
        self._tally = tally

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        seen, began = _Seen(), time.monotonic()

        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start":
                seen.status = int(message["status"])
            await send(message)

        try:
            await self._app({**scope, _SEEN: seen}, receive, watched)
        finally:
            self._account(scope, seen, time.monotonic() - began)

    def _account(self, scope: Scope, seen: _Seen, seconds: float) -> None:
        method = scope["method"] if scope["method"] in METHODS else OTHER
        self._tally.add(REQUESTS, method, seen.route, f"{seen.status // 100}xx" if seen.status else "cut")
        if method in ("GET", "HEAD") and 0 < seen.status < 400:
            return
        source = str((scope.get("client") or ("socket",))[0])
        said = {"method": method, "route": seen.route, "status": seen.status, "seconds": round(seconds, 3)}
        # In a thread: the redactor before the log may have to read what is secret now.
        write = partial(_LOG.info, "request", **said, who=seen.who, source=source)
        asyncio.get_running_loop().run_in_executor(None, write)
