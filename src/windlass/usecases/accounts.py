"""People: added, given a role, let in by a one-time link, and taken out again."""

from __future__ import annotations

import base64
import secrets
from typing import Any

from windlass.domain.credentials import hash_password, hash_secret, secret_text, totp_uri, valid_password
from windlass.domain.errors import Conflict, NotAllowed, NotFound
from windlass.domain.paging import Page, cut
from windlass.domain.people import Link, SecondFactor, User, project_name, user_name
from windlass.domain.rights import PERMISSIONS_OF, Caller, Permission, may, role_named
from windlass.ports.outside import Outside
from windlass.usecases.auditing import record
from windlass.usecases.logins import SECRET_BYTES, begin_session, confirm_password, use_code
from windlass.usecases.signon import unbind

FIRST_LINK_S = 3600.0
LINK_S = 3 * 86400.0
_SALT_BYTES = 16
_TOTP_BYTES = 20


# ---- users ----------------------------------------------------------------------------------------------------------


def users_document(outside: Outside, page: Page) -> dict[str, Any]:
    """{"items": [{"user", "admin", "roles", "second_factor", "has_password", "created_at"}], "next"}."""
    shown, more = cut(outside.store.users.all(), page, lambda user: user.name)
    return {"items": [_user(outside, user) for user in shown], "next": more}


def add_user(outside: Outside, name: str, admin: bool, password: str | None) -> dict[str, Any]:
    """With a password, or with a one-time link to set one: {"user", "link": path or null}."""
    user_name(name)
    hashed = _hashed(password, name) if password else ""
    outside.store.users.add(User(name, outside.clock.now(), admin, hashed))
    return {"user": name, "link": None if password else _put_link(outside, name, LINK_S)}


def remove_user(outside: Outside, name: str) -> dict[str, Any]:
    """Who is bound to it at an OpenID provider is so no more: another user of this name is somebody else."""
    unbind(outside, name)
    outside.store.users.remove(name)
    return {"user": name}


def set_admin(outside: Outside, name: str, admin: bool) -> dict[str, Any]:
    outside.store.users.set_admin(name, admin)
    return _user(outside, outside.store.users.get(name))


def new_link(outside: Outside, name: str) -> dict[str, Any]:
    """A one-time link to set a new password, for who has forgotten it; what was set stays until it is used."""
    outside.store.users.get(name)
    return {"user": name, "link": _put_link(outside, name, LINK_S)}


def first_link(outside: Outside) -> dict[str, Any]:
    """The link that makes the first admin, in place of an earlier one; {"link": null} when there are users."""
    if outside.store.users.count():
        return {"link": None}
    return {"link": _put_link(outside, "", FIRST_LINK_S)}


def link_of(outside: Outside, secret: str) -> Link | None:
    """None for one that was used or is over."""
    link = outside.store.links.by_hash(hash_secret(secret))
    return link if link is not None and link.expires_at > outside.clock.now() else None


def use_link(outside: Outside, secret: str, name: str, password: str, source: str) -> str:
    """Set the password, of a new first admin `name` or of the link's user, and begin a session; its cookie.

    Raises Usage for a name or password that will not do: then the link can be used again. Raises NotFound.
    """
    link = link_of(outside, secret)
    if link is None:
        raise no_such_link()
    user = link.user or user_name(name)
    hashed = _hashed(password, user)
    if outside.store.links.take(link.hash, outside.clock.now()) is None:
        raise no_such_link()
    record(outside, user, source, "user.password", data={"user": user, "by": "link"})
    if link.user:
        outside.store.users.set_password(user, hashed)
    else:
        outside.store.users.add_first(User(user, outside.clock.now(), admin=True, password=hashed))
    return begin_session(outside, outside.store.users.get(user), source)


def no_such_link() -> NotFound:
    return NotFound(
        "the link was used, or its time is over", code="link_not_found", hint="windlass up, or: windlass user link NAME"
    )


def _put_link(outside: Outside, user: str, seconds: float) -> str:
    """The path of the page; the secret in it is shown once."""
    secret = secret_text(secrets.token_bytes(SECRET_BYTES))
    now = outside.clock.now()
    outside.store.links.put(Link(hash_secret(secret), user, now, now + seconds))
    return f"/setup/{secret}"


def _user(outside: Outside, user: User) -> dict[str, Any]:
    return {
        "user": user.name,
        "admin": user.admin,
        "roles": {project: role.value for project, role in outside.store.users.roles(user.name).items()},
        "second_factor": user.has_totp,
        "has_password": bool(user.password),
        "created_at": user.created_at,
    }


def _hashed(password: str, user: str) -> str:
    return hash_password(valid_password(password, user), secrets.token_bytes(_SALT_BYTES))


# ---- roles ----------------------------------------------------------------------------------------------------------


def members_document(outside: Outside, project: str, page: Page) -> dict[str, Any]:
    if outside.store.projects.find(project) is None:
        raise NotFound(f"there is no project named {project}", code="project_not_found", hint="windlass project list")
    shown, more = cut(outside.store.users.members(project), page, lambda member: member.user)
    return {"items": [{"user": m.user, "role": m.role.value} for m in shown], "next": more}


def set_role(outside: Outside, project: str, user: str, role: str | None) -> dict[str, Any]:
    """None takes it away. Raises NotFound, Usage."""
    given = None if role is None else role_named(role)
    outside.store.users.set_role(user, project_name(project), given)
    return {"user": user, "project": project, "role": role}


# ---- oneself --------------------------------------------------------------------------------------------------------


def me_document(outside: Outside, caller: Caller, csrf: str) -> dict[str, Any]:
    """Who asks, and what they may where; `csrf` only for a session."""
    projects = [p.name for p in outside.store.projects.all()]
    visible = [p for p in projects if may(caller, Permission.APP_READ, p, caller.limits.app if caller.limits else "")]
    limits = None if caller.limits is None else sorted(caller.limits.permissions)
    return {
        "name": caller.name,
        "kind": caller.kind,
        "admin": caller.admin,
        "token": caller.token or None,
        "permissions": limits,
        "roles": {p: caller.roles[p].value for p in visible if p in caller.roles},
        "rights": {p: sorted(PERMISSIONS_OF[r]) for p, r in caller.roles.items()},
        "csrf": csrf or None,
    }


def change_password(outside: Outside, caller: Caller, password: str, new: str) -> dict[str, Any]:
    """All sessions end, this one too. Raises NotAllowed when the present password is wrong."""
    user = _myself(outside, caller, password)
    outside.store.users.set_password(user.name, _hashed(new, user.name))
    return {"user": user.name}


def begin_totp(outside: Outside, caller: Caller, password: str) -> dict[str, Any]:
    """{"secret", "uri"}: shown once; asked for at the log-in as soon as a first code has been confirmed."""
    user = _myself(outside, caller, password)
    if user.has_totp:
        raise Conflict("there is a second factor already", code="totp_exists", hint="remove it first")
    secret = secrets.token_bytes(_TOTP_BYTES)
    outside.store.users.set_second_factor(user.name, SecondFactor(secret, 0, confirmed=False))
    key = base64.b32encode(secret).decode()
    return {"secret": key, "uri": totp_uri(secret, user.name, "windlass")}


def confirm_totp(outside: Outside, caller: Caller, code: str) -> dict[str, Any]:
    user = outside.store.users.get(_person(caller))
    factor = outside.store.users.second_factor(user.name)
    if factor is None or not use_code(outside, user.name, code):
        raise NotAllowed("the code is wrong", code="code_wrong", hint="check the clock of the telephone")
    used = outside.store.users.second_factor(user.name) or factor
    outside.store.users.set_second_factor(user.name, SecondFactor(used.secret, used.step, confirmed=True))
    return {"user": user.name, "second_factor": True}


def remove_totp(outside: Outside, caller: Caller, password: str) -> dict[str, Any]:
    user = _myself(outside, caller, password)
    outside.store.users.set_second_factor(user.name, None)
    return {"user": user.name, "second_factor": False}


def reset_totp(outside: Outside, name: str) -> dict[str, Any]:
    """For an admin, when somebody has lost the telephone."""
    outside.store.users.set_second_factor(outside.store.users.get(name).name, None)
    return {"user": name, "second_factor": False}


def _myself(outside: Outside, caller: Caller, password: str) -> User:
    user = outside.store.users.get(_person(caller))
    confirm_password(outside, user, password)
    return user


def _person(caller: Caller) -> str:
    if caller.kind != "user":
        words = "this is for people who have logged in; a token and the server's owner have no password"
        raise NotAllowed(words, code="not_a_person", hint="open /login")
    return caller.name
