"""The pages that let people in: log-in, and the one-time link that sets a password; in English and Chinese."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs

from fastapi import Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse
from starlette.concurrency import run_in_threadpool

from windlass.domain.errors import NotAllowed, Refused, Usage, WindlassError
from windlass.ports.outside import Outside
from windlass.usecases import accounts, logins
from windlass.usecases.logins import Credentials
from windlass.usecases.signon import has_provider
from windlass.web.guard import SECURE_COOKIE, SESSION_COOKIE, asker_of, session_cookie
from windlass.web.inputs import World
from windlass.web.needs import for_whom_it_concerns, open_to_all
from windlass.web.paper import Words, check_origin, is_secure, language, page
from windlass.web.routing import FORM, MOST_FIELDS, guarded_router

router = guarded_router("log-in")

_FORM_LIMIT = 1 << 14
_WORDS: Words = {
    "en": {
        "login": "Log in",
        "setup": "Set your password",
        "first": "Become the first admin",
        "gone": "This link was used, or its time is over. Ask for another one.",
        "name": "Name",
        "password": "Password",
        "code": "Code of your second factor, if you have one",
        "hello": "You are logged in as",
        "log_out": "Log out",
        "account": "My account",
        "send": "Go on",
        "login_failed": "Name, password or code is wrong.",
        "login_locked": "Too many log-ins failed. Wait a quarter of an hour.",
        "totp_required": "Give the code of your second factor too.",
        "oidc": "Log in by your organisation",
        "oidc_unknown": "The provider knows you, but you are no user here. Ask an admin.",
        "oidc_name": "You cannot become a user here by yourself. Ask an admin.",
        "oidc_state": "This log-in was not begun in this browser. Try again.",
        "oidc_expired": "This log-in took too long. Try again.",
        "oidc_denied": "The provider did not let you in.",
        "oidc_away": "The provider does not answer. Log in by password.",
        "password_weak": "The password is too weak: at least 10 characters, and not your name.",
        "user_name_invalid": "A name is a small letter, then small letters, digits and . _ -",
    },
    "zh": {
        "login": "登录",
        "setup": "设置密码",
        "first": "创建首位管理员",
        "gone": "此链接已被使用或已过期，请重新获取。",
        "name": "用户名",
        "password": "密码",
        "code": "二次验证码（如已启用）",
        "hello": "当前登录用户：",
        "log_out": "退出登录",
        "account": "我的账户",
        "send": "继续",
        "login_failed": "用户名、密码或验证码错误。",
        "login_locked": "登录失败次数过多，请十五分钟后再试。",
        "totp_required": "请同时输入二次验证码。",
        "oidc": "通过组织账户登录",
        "oidc_unknown": "身份提供方认识您，但您在此处没有用户，请联系管理员。",
        "oidc_name": "无法自动为您创建用户，请联系管理员。",
        "oidc_state": "此登录并非由本浏览器发起，请重试。",
        "oidc_expired": "登录超时，请重试。",
        "oidc_denied": "身份提供方拒绝了登录。",
        "oidc_away": "身份提供方没有响应，请使用密码登录。",
        "password_weak": "密码太弱：至少 10 个字符，且不能与用户名相同。",
        "user_name_invalid": "用户名以小写字母开头，可含小写字母、数字和 . _ -",
    },
}


@router.get("/login", response_class=HTMLResponse)
@open_to_all("shows the form to log in", page=True)
def login_page(request: Request, outside: World) -> Response:
    """The form to log in; who has a session is shown it."""
    cookie = session_cookie(request.scope["headers"])
    caller = logins.caller_by_cookie(outside, cookie)
    if caller is None:
        return _page(request, "login", oidc=has_provider(outside))
    return _page(request, "home", name=caller.name, csrf=logins.csrf_token(cookie))


@router.post("/login", response_class=Response)
@open_to_all("begins a session for who knows a password; limited and audited", page=True)
async def login(request: Request, outside: World) -> Response:
    """Begin a session: by the form, or with JSON {"name", "password", "code"}."""
    fields, is_form = await _fields(request)
    shown = Credentials(fields["name"], fields["password"], fields["code"], asker_of(request.scope).source)
    try:
        cookie = await run_in_threadpool(logins.log_in, outside, shown)
    except NotAllowed as error:
        if not is_form:
            raise
        oidc = await run_in_threadpool(has_provider, outside)
        return _page(request, "login", name=shown.name, error=error, oidc=oidc)
    return _begun(request, cookie, is_form)


def login_failed(request: Request, outside: Outside, error: WindlassError) -> Response:
    """The form again, with what went wrong at an OpenID provider."""
    return _page(request, "login", error=error, oidc=has_provider(outside))


def begun_by(request: Request, cookie: str) -> Response:
    """A session that began without the form."""
    return _begun(request, cookie, is_form=True)


@router.post("/logout", response_class=Response)
@for_whom_it_concerns("logout")
async def logout(request: Request, outside: World) -> Response:
    """End this session."""
    await run_in_threadpool(logins.log_out, outside, asker_of(request.scope).cookie)
    answer: Response = RedirectResponse("/login", status_code=303)
    for name in (SECURE_COOKIE, SESSION_COOKIE):
        answer.delete_cookie(name, secure=is_secure(request), httponly=True, samesite="lax")
    return answer


@router.get("/setup/{secret}", response_class=HTMLResponse)
@open_to_all("shows the form of a one-time link", page=True)
def setup_page(secret: str, request: Request, outside: World) -> Response:
    """The form of a one-time link; to look at it does not use it up."""
    link = accounts.link_of(outside, secret)
    if link is None:
        return _page(request, "gone")
    return _page(request, "setup", name=link.user, title="setup" if link.user else "first")


@router.post("/setup/{secret}", response_class=Response)
@open_to_all("sets a password for who holds a one-time link; audited", page=True)
async def setup(secret: str, request: Request, outside: World) -> Response:
    """Set the password, by the form or with JSON {"name", "password"}, and begin a session."""
    fields, is_form = await _fields(request)
    source = asker_of(request.scope).source
    try:
        cookie = await run_in_threadpool(accounts.use_link, outside, secret, fields["name"], fields["password"], source)
    except Usage as error:
        if not is_form:
            raise
        link = await run_in_threadpool(accounts.link_of, outside, secret)
        name = link.user if link else ""
        return _page(request, "setup", name=name, title="setup" if name else "first", error=error)
    return _begun(request, cookie, is_form)


# ---- what is read and answered --------------------------------------------------------------------------------------


async def _fields(request: Request) -> tuple[dict[str, str], bool]:
    """The fields, and whether a form brought them. Raises NotAllowed for one that a foreign page sent, Usage."""
    check_origin(request)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _FORM_LIMIT:
            raise Refused("the form is too large", code="form_too_large")
    is_form = request.headers.get("content-type", "").startswith(FORM)
    try:
        found = _form(body.decode()) if is_form else json.loads(body)
    except ValueError as error:
        raise Usage("the body must be a form or JSON", code="malformed_body") from error
    if not isinstance(found, dict) or not all(isinstance(found.get(n, ""), str) for n in ("name", "password", "code")):
        raise Usage("the body must have the fields name, password and code", code="malformed_body")
    return {name: found.get(name, "") for name in ("name", "password", "code")}, is_form


def _form(text: str) -> dict[str, str]:
    return {
        name: values[0] for name, values in parse_qs(text, keep_blank_values=True, max_num_fields=MOST_FIELDS).items()
    }


def _begun(request: Request, cookie: str, is_form: bool) -> Response:
    answer: Response
    answer = (
        RedirectResponse("/login", status_code=303) if is_form else JSONResponse({"csrf": logins.csrf_token(cookie)})
    )
    secure = is_secure(request)
    name = SECURE_COOKIE if secure else SESSION_COOKIE
    answer.set_cookie(name, cookie, max_age=int(logins.SESSION_S), httponly=True, secure=secure, samesite="lax")
    answer.headers["cache-control"] = "no-store"
    return answer


def _page(request: Request, kind: str, *, name: str = "", title: str = "", csrf: str = "", **more: Any) -> Response:
    lang = language(request, _WORDS)
    words = _WORDS[lang]
    shown = {
        "lang": lang,
        "kind": kind,
        "name": name,
        "fixed": kind == "setup" and bool(name),
        "csrf": csrf,
        "oidc": more.get("oidc", False),
    }
    titled = {**words, "title": words.get(title or ("login" if kind == "home" else kind), words["login"])}
    answer = page("page.html", titled, shown, more.get("error"))
    if kind == "gone":
        answer.status_code = 404
    return answer
