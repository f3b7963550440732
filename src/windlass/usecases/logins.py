"""Who somebody is: by a token, by a session's cookie, or by name, password and second factor."""

from __future__ import annotations

import secrets
import threading
from dataclasses import dataclass, replace
from typing import Any

from windlass.domain.credentials import (
    NO_PASSWORD,
    check_password,
    csrf_of,
    hash_secret,
    secret_text,
    totp_step,
)
from windlass.domain.errors import NotAllowed, Usage
from windlass.domain.people import Session, Token, User, user_name
from windlass.domain.rights import OWNER, Caller, Limits, scope_named
from windlass.ports.outside import Outside
from windlass.usecases.auditing import record

SECRET_BYTES = 32
SESSION_S = 7 * 86400.0
IDLE_S = 86400.0
TOUCH_S = 300.0

WINDOW_S = 900.0
LOCK_S = 900.0
ACCOUNT_LIMIT = 5
SOURCE_LIMIT = 30

# A check takes 32 MiB and a core: more at once would be a way to stop the server.
_checks = threading.BoundedSemaphore(2)


class Unauthenticated(NotAllowed):
    http_status, default_code = 401, "unauthenticated"


class Locked(NotAllowed):
    http_status, default_code = 429, "login_locked"


@dataclass(frozen=True)
class Credentials:
    """What somebody shows at the log-in. `source`: from where."""

    name: str
    password: str
    code: str = ""
    source: str = ""


# ---- by token or cookie ---------------------------------------------------------------------------------------------


def caller_by_token(outside: Outside, text: str) -> Caller | None:
    """None for a token that is unknown, over, or of a user that is gone."""
    token = outside.store.tokens.by_hash(hash_secret(text))
    now = outside.clock.now()
    if token is None or (token.expires_at is not None and token.expires_at <= now):
        return None
    if now - (token.used_at or 0.0) > TOUCH_S:
        outside.store.tokens.touch(token.id, now)
    base = OWNER if not token.user else caller_named(outside, token.user)
    return base and replace(base, kind="token", limits=_limits(token), token=token.name)


def caller_by_cookie(outside: Outside, cookie: str) -> Caller | None:
    """None for a session that is unknown or over."""
    session = outside.store.sessions.by_hash(hash_secret(cookie)) if cookie else None
    now = outside.clock.now()
    if session is None or not _lasts(session, now):
        return None
    if now - session.seen_at > TOUCH_S:
        outside.store.sessions.touch(session.hash, now)
    return caller_named(outside, session.user)


def _lasts(session: Session, now: float) -> bool:
    return now < session.expires_at and now - session.seen_at <= IDLE_S


def caller_named(outside: Outside, name: str) -> Caller | None:
    user = outside.store.users.find(name)
    if user is None:
        return None
    return Caller(name, "user", user.admin, outside.store.users.roles(name))


def _limits(token: Token) -> Limits | None:
    """None when the token may all that its user may."""
    if "all" in token.scopes and not token.project and not token.app:
        return None
    permissions = frozenset().union(*(_scope(word) for word in token.scopes))
    return Limits(permissions, token.project, token.app)


def _scope(word: str) -> frozenset[Any]:
    """A permission that a later version does not know any more is none."""
    try:
        return scope_named(word)
    except Usage:
        return frozenset()


# ---- by password ----------------------------------------------------------------------------------------------------


def log_in(outside: Outside, shown: Credentials) -> str:
    """Begin a session; its cookie. Raises Unauthenticated (code totp_required for a missing second factor), Locked.

    Every try counts before the password is looked at, so that many at once are not more than one after another.
    """
    user = _find(outside, shown.name)
    keys = {_account_key(user, shown.name): ACCOUNT_LIMIT, f"from:{shown.source}": SOURCE_LIMIT}
    _count(outside, keys, user, shown)
    _check(outside, user, shown)
    assert user is not None
    for key in keys:
        outside.store.attempts.clear(key)
    return begin_session(outside, user, shown.source)


def begin_session(outside: Outside, user: User, source: str, by: str = "") -> str:
    """`by`: how somebody came who did not show a password."""
    now = outside.clock.now()
    record(outside, user.name, source, "login", data={"user": user.name, **({"by": by} if by else {})})
    outside.store.sessions.prune(now)
    cookie = secret_text(secrets.token_bytes(SECRET_BYTES))
    outside.store.sessions.add(Session(hash_secret(cookie), user.name, now, now + SESSION_S, now, source))
    return cookie


def log_out(outside: Outside, cookie: str) -> None:
    """A cookie of no session is no error."""
    outside.store.sessions.end(hash_secret(cookie))


def count_source(outside: Outside, source: str) -> None:
    """A try to log in without a name counts for where it comes from. Raises Locked."""
    _count(outside, {f"from:{source}": SOURCE_LIMIT}, None, Credentials("", "", source=source))


def forget_source(outside: Outside, source: str) -> None:
    outside.store.attempts.clear(f"from:{source}")


def sessions_document(outside: Outside, caller: Caller, cookie: str = "") -> dict[str, Any]:
    """{"items": [{"created_at", "seen_at", "expires_at", "source", "current"}]}: one's own that are not over."""
    now, own = outside.clock.now(), hash_secret(cookie) if cookie else ""
    return {
        "items": [
            {
                "created_at": session.created_at,
                "seen_at": session.seen_at,
                "expires_at": min(session.expires_at, session.seen_at + IDLE_S),
                "source": session.source,
                "current": session.hash == own,
            }
            for session in outside.store.sessions.of_user(caller.name)
            if _lasts(session, now)
        ]
    }


def end_sessions(outside: Outside, caller: Caller) -> dict[str, Any]:
    """Log out everywhere. Raises NotAllowed for a token that is confined."""
    if caller.limits is not None:
        raise NotAllowed("a confined token cannot end sessions", code="token_confined", hint="log in")
    outside.store.sessions.end_of(caller.name)
    return {"user": caller.name}


def confirm_password(outside: Outside, user: User, password: str) -> None:
    """Of who has logged in already; tries count as those at the log-in do. Raises NotAllowed password_wrong, Locked."""
    key = _account_key(user, user.name)
    _count(outside, {key: ACCOUNT_LIMIT}, user, Credentials(user.name, ""))
    if not password_fits(user, password):
        raise NotAllowed("the password is wrong", code="password_wrong")
    outside.store.attempts.clear(key)


def unlock(outside: Outside, name: str) -> None:
    """Failed log-ins of this account are forgotten. Raises NotFound."""
    outside.store.attempts.clear(_account_key(outside.store.users.get(name), name))


def password_fits(user: User | None, password: str) -> bool:
    """Takes as long for a user that is not there."""
    with _checks:
        fits = check_password(password[:2000], user.password if user and user.password else NO_PASSWORD)
    return fits and user is not None and bool(user.password)


def csrf_token(cookie: str) -> str:
    """What a page has to send back with every change."""
    return csrf_of(cookie)


def _account_key(user: User | None, name: str) -> str:
    """An unknown name is locked like a known one, and is not written down."""
    return f"user:{user.name}" if user else f"name:{hash_secret(name)}"


def _find(outside: Outside, name: str) -> User | None:
    try:
        return outside.store.users.find(user_name(name))
    except Usage:
        return None


def _count(outside: Outside, keys: dict[str, int], user: User | None, shown: Credentials) -> None:
    now = outside.clock.now()
    known = (outside.store.attempts.get(key) for key in keys)
    if any(a is not None and a.locked_until > now for a in known):
        raise _locked()
    counted = {key: outside.store.attempts.fail(key, now, WINDOW_S) for key in keys}
    over = [key for key, limit in keys.items() if counted[key] > limit]
    for key in over:
        outside.store.attempts.lock(key, now + LOCK_S)
        if counted[key] > keys[key] + 1:
            continue  # tries at the same moment: one of them has written it down
        locked = user.name if user and key.startswith("user:") else ""
        data = {"user": locked} if locked else {"what": key.partition(":")[0]}
        record(outside, "", shown.source, "login.locked", data={**data, "seconds": int(LOCK_S)})
    if over:
        raise _locked()


def _check(outside: Outside, user: User | None, shown: Credentials) -> None:
    if not password_fits(user, shown.password):
        _fail(outside, user, shown, "password")
    if user is None or not user.has_totp:
        return
    if not shown.code:
        raise Unauthenticated("the code of the second factor is asked for", code="totp_required")
    if not use_code(outside, user.name, shown.code):
        _fail(outside, user, shown, "code")


def use_code(outside: Outside, name: str, code: str) -> bool:
    """Whether the code is right; each is used once."""
    factor = outside.store.users.second_factor(name)
    if factor is None:
        return False
    step = totp_step(factor.secret, code, outside.clock.now(), factor.step)
    return step is not None and outside.store.users.use_step(name, step)


def _fail(outside: Outside, user: User | None, shown: Credentials, what: str) -> None:
    """A name that is no user's is not written down: people type passwords there."""
    data = {"user": user.name if user else "", "wrong": what}
    record(outside, "", shown.source, "login.failed", data=data)
    raise Unauthenticated("name, password or code is wrong", code="login_failed")


def _locked() -> Locked:
    return Locked(
        "too many log-ins failed; wait a quarter of an hour",
        hint="an admin, or the server's owner: windlass user unlock NAME",
    )
