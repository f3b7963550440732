"""The page about one's own account: password, second factor, sessions and tokens; by forms, without scripts."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from fastapi import Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.concurrency import run_in_threadpool

from windlass.domain.errors import Usage, WindlassError
from windlass.domain.rights import Caller, Role
from windlass.ports.outside import Outside
from windlass.usecases import accounts, logins, tokens
from windlass.usecases.tokens import TokenWish
from windlass.web.accountwords import WORDS
from windlass.web.guard import asker_of, session_cookie
from windlass.web.inputs import Who, World
from windlass.web.needs import for_whom_it_concerns, open_to_all
from windlass.web.paper import form_of, language, page
from windlass.web.routing import guarded_router

router = guarded_router("account")

PATH = "/account"
_SCOPES = (*(role.value for role in Role), "all")
_DAY_S = 86400.0


@router.get(PATH, response_class=HTMLResponse)
@open_to_all("shows one's own account, or the way to the log-in", page=True)
def account(request: Request, outside: World, done: str = "") -> Response:
    """One's own account; who has no session is sent to the log-in."""
    cookie = session_cookie(request.scope["headers"])
    caller = logins.caller_by_cookie(outside, cookie)
    if caller is None:
        return RedirectResponse("/login", status_code=303)
    return _page(request, outside, caller, cookie, done=done)


@router.post(f"{PATH}/password", response_class=HTMLResponse)
@for_whom_it_concerns("me.password", page=True)
async def password(request: Request, outside: World, who: Who) -> Response:
    """Set a new password; all sessions end."""
    try:
        present, new = await form_of(request, "password", "new")
        await run_in_threadpool(accounts.change_password, outside, who, present, new)
    except WindlassError as error:
        return await _again(request, outside, who, error=error)
    return RedirectResponse("/login", status_code=303)


@router.post(f"{PATH}/second-factor", response_class=HTMLResponse)
@for_whom_it_concerns("me.second_factor.begin", page=True)
async def begin_second_factor(request: Request, outside: World, who: Who) -> Response:
    """Show the key of a second factor, once; it counts when a code has been confirmed."""
    try:
        (present,) = await form_of(request, "password")
        made = await run_in_threadpool(accounts.begin_totp, outside, who, present)
    except WindlassError as error:
        return await _again(request, outside, who, error=error)
    return await _again(request, outside, who, factor={**made, "qr": _qr_code(made["uri"])})


@router.post(f"{PATH}/second-factor/confirm", response_class=HTMLResponse)
@for_whom_it_concerns("me.second_factor.confirm", page=True)
async def confirm_second_factor(request: Request, outside: World, who: Who) -> Response:
    """Ask for a code at every log-in from now on."""
    try:
        (code,) = await form_of(request, "code")
        await run_in_threadpool(accounts.confirm_totp, outside, who, code)
    except WindlassError as error:
        return await _again(request, outside, who, error=error)
    return _back("second_factor_on")


@router.post(f"{PATH}/second-factor/remove", response_class=HTMLResponse)
@for_whom_it_concerns("me.second_factor.remove", page=True)
async def remove_second_factor(request: Request, outside: World, who: Who) -> Response:
    """Ask for the password alone again."""
    try:
        (present,) = await form_of(request, "password")
        await run_in_threadpool(accounts.remove_totp, outside, who, present)
    except WindlassError as error:
        return await _again(request, outside, who, error=error)
    return _back("second_factor_off")


@router.post(f"{PATH}/sessions/end", response_class=HTMLResponse)
@for_whom_it_concerns("me.sessions.end", page=True)
async def end_sessions(outside: World, who: Who) -> Response:
    """Log out everywhere."""
    await run_in_threadpool(logins.end_sessions, outside, who)
    return RedirectResponse("/login", status_code=303)


@router.post(f"{PATH}/tokens", response_class=HTMLResponse)
@for_whom_it_concerns("token.create", told=("name", "scope", "days"), page=True)
async def create_token(request: Request, outside: World, who: Who) -> Response:
    """Make a token; the page shows it, only now."""
    try:
        name, scope, days = await form_of(request, "name", "scope", "days")
        if not (days.isascii() and days.isdigit() and len(days) < 6):
            raise Usage("the days are no number", code="duration_invalid")
        wish = TokenWish(name, [scope], int(days) * _DAY_S)
        made = await run_in_threadpool(tokens.create_token, outside, who, wish)
    except WindlassError as error:
        return await _again(request, outside, who, error=error)
    return await _again(request, outside, who, token=made["token"])


@router.post(f"{PATH}/tokens/{{id}}/revoke", response_class=HTMLResponse)
@for_whom_it_concerns("token.revoke", page=True)
async def revoke_token(id: str, request: Request, outside: World, who: Who) -> Response:
    """Take a token back."""
    try:
        await run_in_threadpool(tokens.revoke_token, outside, who, id)
    except WindlassError as error:
        return await _again(request, outside, who, error=error)
    return _back("revoked")


# ---- what is shown --------------------------------------------------------------------------------------------------


def _back(done: str) -> Response:
    """To the page itself: to load it again does nothing twice."""
    return RedirectResponse(f"{PATH}?done={done}", status_code=303)


async def _again(request: Request, outside: Outside, who: Caller, **more: Any) -> Response:
    cookie = asker_of(request.scope).cookie
    return await run_in_threadpool(_page, request, outside, who, cookie, **more)


def _page(request: Request, outside: Outside, who: Caller, cookie: str, **more: Any) -> Response:
    lang = language(request, WORDS)
    user = outside.store.users.find(who.name)
    own = tokens.own_tokens(outside, who)
    shown = {
        "lang": lang,
        "width": "36rem",
        "name": who.name,
        "csrf": logins.csrf_token(cookie) if cookie else "",
        "done": WORDS[lang].get(f"done_{more.get('done', '')}", ""),
        "has_factor": user is not None and user.has_totp,
        "factor": more.get("factor"),
        "token": more.get("token", ""),
        "sessions": [_session(s) for s in logins.sessions_document(outside, who, cookie)["items"]],
        "tokens": [{**t, "scopes": ", ".join(t["scopes"]), "ends": _moment(t["expires_at"])} for t in own],
        "scopes": _SCOPES,
    }
    return page("account.html", WORDS[lang], shown, more.get("error"))


def _session(document: Mapping[str, Any]) -> dict[str, Any]:
    return {**document, "created": _moment(document["created_at"]), "seen": _moment(document["seen_at"])}


def _moment(at: float | None) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(at)) if at else ""


def _qr_code(uri: str) -> Any:
    """As an SVG in the page; the library is loaded when the first one is drawn."""
    import segno
    from markupsafe import Markup

    return Markup(segno.make(uri, error="m", micro=False).svg_inline(scale=4, light="#fff"))
