"""API: webhooks of Git servers, open to strangers and proved by their signature; and what the operator sees of them."""

from __future__ import annotations

import asyncio
import ipaddress
import time
from dataclasses import dataclass, field
from typing import Any

from fastapi import Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from windlass.domain.errors import NotAllowed, Refused, Usage
from windlass.domain.hooks import LARGEST_BODY
from windlass.domain.pacing import Buckets, Pace
from windlass.domain.rights import Permission
from windlass.usecases import hooks
from windlass.usecases.hooks import Delivery, HookRefused
from windlass.web.guard import source_of
from windlass.web.inputs import App, Document, World
from windlass.web.needs import needs, open_to_all
from windlass.web.routing import guarded_router
from windlass.wire.bodies import HookBody

router = guarded_router("hooks")
open_router = guarded_router("hooks")

BODY_S = 20.0
AT_ONCE = 8
_FORWARDED = "x-forwarded-for"


class TooMany(NotAllowed):
    http_status, default_code = 429, "hook_too_many"


class HookTooLarge(Refused):
    http_status, default_code = 413, "hook_too_large"


@dataclass
class Doorkeeper:
    """`failures`: of one address, before it is not even looked at. `pushes`: of one app, proved ones."""

    failures: Buckets = field(default_factory=lambda: Buckets(Pace(burst=20, per_minute=20)))
    pushes: Buckets = field(default_factory=lambda: Buckets(Pace(burst=60, per_minute=60)))
    places: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))


@router.post("/apps/{app}/hook")
@needs(Permission.APP_SOURCE, "hook.show", told=("reveal", "renew"))
def show(app: App, request: Request, outside: World, body: HookBody) -> Document:
    """Address and secret of the app's webhook; the secret is made when there is none."""
    control: dict[str, Any] = request.app.state.options.control()
    base = str(control.get("hooks_url") or control.get("url") or "")
    return hooks.show_hook(outside, app, base, reveal=body.reveal, renew=body.renew)


@open_router.post("/hooks/{app}")
@open_to_all("comes from a Git server, and is proved by its signature")
async def receive(app: App, request: Request, response: Response, outside: World) -> Document:
    """A webhook of GitHub, GitLab, Gitea, Forgejo, Gitee or Bitbucket: a push to an app's branch deploys it."""
    keeper = _keeper(request)
    came_from, now = _came_from(request), time.monotonic()
    if keeper.failures.is_empty(came_from, now):
        raise TooMany("too many webhooks that were not proved came from there", hint="wait a minute")
    if keeper.pushes.is_empty(app, now):
        raise TooMany(f"too many webhooks came for {app}", hint="wait a minute")
    body = await _body(request, keeper)
    delivery = Delivery(app, _headers(request), body, came_from)
    try:
        document = await run_in_threadpool(hooks.receive_hook, outside, delivery)
    except HookRefused:
        keeper.failures.take(came_from, now)
        raise
    keeper.pushes.take(app, now)
    response.status_code = 202 if document["result"] == "queued" else 200
    return document


def _keeper(request: Request) -> Doorkeeper:
    state = request.app.state
    if not hasattr(state, "doorkeeper"):
        state.doorkeeper = Doorkeeper()
    found: Doorkeeper = state.doorkeeper
    return found


async def _body(request: Request, keeper: Doorkeeper) -> bytes:
    """Never more than allowed, never for longer, and of few at once: whoever sends it is not known yet."""
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > LARGEST_BODY:
        raise _too_large()
    try:
        async with asyncio.timeout(BODY_S), keeper.places:
            return await _read(request)
    except TimeoutError:
        raise Usage("the body did not come in time", code="hook_too_slow") from None
    except ClientDisconnect:
        raise Usage("the body was cut off", code="hook_cut_off") from None


async def _read(request: Request) -> bytes:
    found = bytearray()
    async for chunk in request.stream():
        found += chunk
        if len(found) > LARGEST_BODY:
            raise _too_large()
    return bytes(found)


def _too_large() -> HookTooLarge:
    return HookTooLarge(f"the body is larger than {LARGEST_BODY} bytes")


def _headers(request: Request) -> dict[str, str]:
    """With names in small letters; what was sent twice is joined, and so no signature any more."""
    found: dict[str, str] = {}
    for name, value in request.headers.items():
        found[name] = f"{found[name]},{value}" if name in found else value
    return found


def _came_from(request: Request) -> str:
    """The caller's address; behind a proxy of this machine the one that it names, which it has seen itself."""
    peer = source_of(request.scope)
    last = request.headers.get(_FORWARDED, "").rpartition(",")[2].strip()
    try:
        if last and ipaddress.ip_address(peer).is_loopback:
            return str(ipaddress.ip_address(last))
    except ValueError:
        return peer
    return peer
