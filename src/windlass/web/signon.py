"""Log-in by an OpenID provider: the browser is sent there, and comes back with a code; and how it is set up."""

from __future__ import annotations

from http.cookies import CookieError, SimpleCookie

from fastapi import Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.concurrency import run_in_threadpool

from windlass.domain.errors import WindlassError
from windlass.domain.oidc import CALLBACK, FLOW_S, Provider
from windlass.domain.rights import Permission
from windlass.usecases import signon
from windlass.web.api_people import UserName
from windlass.web.guard import asker_of
from windlass.web.inputs import Document, World
from windlass.web.needs import needs, open_to_all
from windlass.web.pages import begun_by, login_failed
from windlass.web.paper import is_secure
from windlass.web.routing import guarded_router
from windlass.wire.people import IdentityBody, ProviderBody

router = guarded_router("log-in")
api_router = guarded_router("people")

START = "/login/oidc"


@router.get(START, response_class=HTMLResponse)
@open_to_all("sends the browser to the OpenID provider", page=True)
async def start(request: Request, outside: World) -> Response:
    """To the provider, with what this log-in is known by."""
    try:
        cookie, place = await run_in_threadpool(signon.begin, outside)
    except WindlassError as error:
        return await run_in_threadpool(login_failed, request, outside, error)
    answer = RedirectResponse(place, status_code=303)
    secure = is_secure(request)
    answer.set_cookie(_name(secure), cookie, max_age=int(FLOW_S), httponly=True, secure=secure, samesite="lax")
    answer.headers["cache-control"] = "no-store"
    return answer


@router.get(CALLBACK, response_class=HTMLResponse)
@open_to_all("begins a session for whom the OpenID provider vouches; audited", page=True)
async def callback(request: Request, outside: World) -> Response:
    """Back from the provider: its code is exchanged for a token that says who this is."""
    name = _name(is_secure(request))
    source, query = asker_of(request.scope).source, dict(request.query_params)
    try:
        session = await run_in_threadpool(signon.finish, outside, _cookie(request, name), query, source)
    except WindlassError as error:
        answer = await run_in_threadpool(login_failed, request, outside, error)
    else:
        answer = begun_by(request, session)
    answer.delete_cookie(name, secure=is_secure(request), httponly=True, samesite="lax")
    return answer


def _name(secure: bool) -> str:
    return "__Host-windlass-oidc" if secure else "windlass-oidc"


def _cookie(request: Request, name: str) -> str:
    """Of our own form alone: no other cookie of the browser is read."""
    try:
        found = SimpleCookie(request.headers.get("cookie", "")).get(name)
    except CookieError:
        return ""
    return found.value if found else ""


# ---- how it is set up -----------------------------------------------------------------------------------------------


@api_router.get("/oidc")
@needs(Permission.USERS_MANAGE)
def provider(outside: World) -> Document:
    """The OpenID provider that people log in by, and who is bound to whom there."""
    return signon.provider_document(outside)


@api_router.put("/oidc")
@needs(Permission.USERS_MANAGE, "oidc.set", told=("issuer", "client_id", "role"))
def set_provider(outside: World, body: ProviderBody) -> Document:
    """Let people log in by an OpenID provider. The secret is kept sealed and shown to nobody."""
    wish = Provider(body.issuer, body.client_id, body.secret, body.url, body.role)
    return signon.set_provider(outside, wish)


@api_router.delete("/oidc")
@needs(Permission.USERS_MANAGE, "oidc.remove")
def remove_provider(outside: World) -> Document:
    """People log in by password alone; who is bound is forgotten."""
    return signon.remove_provider(outside)


@api_router.put("/users/{user}/identity")
@needs(Permission.USERS_MANAGE, "oidc.bind", told=("identity",))
def bind(user: UserName, outside: World, body: IdentityBody) -> Document:
    """Let whom the provider knows by this address or subject log in as the user."""
    return signon.bind(outside, user, body.identity)


@api_router.delete("/users/{user}/identity")
@needs(Permission.USERS_MANAGE, "oidc.unbind")
def unbind(user: UserName, outside: World) -> Document:
    """Nobody logs in as the user by the provider any more."""
    return signon.unbind(outside, user)
