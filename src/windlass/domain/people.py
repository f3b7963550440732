"""What the store keeps of people and projects. Times are UTC seconds since the epoch; no secret lies in a record."""

from __future__ import annotations

import re
from dataclasses import dataclass

from windlass.domain.errors import Usage
from windlass.domain.rights import Role

_NAME = re.compile(r"[a-z][a-z0-9._-]{0,39}")
_PROJECT = re.compile(r"[a-z][a-z0-9-]{0,39}")
_TOKEN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._@/-]{0,59}")
NOBODY = ("owner", "hook")  # actors in the audit log that are no users


@dataclass(frozen=True)
class Project:
    """Apps that belong together. `protected`: environments to which only maintainers deploy.

    `approval_s`: how long a deployment to them waits for a second person, 0 when none is asked.
    """

    name: str
    created_at: float
    protected: tuple[str, ...] = ()
    approval_s: float = 0.0


@dataclass(frozen=True)
class User:
    """`password`: its scrypt hash, "" before the first was set. `has_totp`: a second factor is asked for."""

    name: str
    created_at: float
    admin: bool = False
    password: str = ""
    has_totp: bool = False


@dataclass(frozen=True)
class Membership:
    user: str
    project: str
    role: Role


@dataclass(frozen=True)
class Token:
    """`hash`: SHA-256 of what is shown. `user` "" stands for the owner of the socket. `scopes`: words as given.

    `expires_at` None: never.
    """

    id: str
    name: str
    user: str
    hash: str
    scopes: tuple[str, ...]
    created_at: float
    expires_at: float | None = None
    project: str = ""
    app: str = ""
    used_at: float | None = None


@dataclass(frozen=True)
class Session:
    """A person who has logged in. `hash`: SHA-256 of the cookie."""

    hash: str
    user: str
    created_at: float
    expires_at: float
    seen_at: float
    source: str = ""


@dataclass(frozen=True)
class Link:
    """A one-time link with which a password is set. `user` "": makes the first admin. `hash`: SHA-256 of its secret."""

    hash: str
    user: str
    created_at: float
    expires_at: float


@dataclass(frozen=True)
class Attempts:
    """Failed log-ins under one key (an account or an address) since `since`."""

    key: str
    count: int
    since: float
    locked_until: float = 0.0


@dataclass(frozen=True)
class SecondFactor:
    """A TOTP secret; `step`: the last time step whose code was used. `confirmed` False: not asked for yet."""

    secret: bytes
    step: int
    confirmed: bool


def user_name(text: str) -> str:
    """Raises Usage user_name_invalid."""
    if not _NAME.fullmatch(text) or text in NOBODY:
        raise Usage(
            f"{text[:80]!r} cannot be the name of a user: a small letter, then small letters, digits, '.', '_' and '-',"
            f" at most 40, and not {' or '.join(NOBODY)}",
            code="user_name_invalid",
        )
    return text


def project_name(text: str) -> str:
    """Raises Usage project_name_invalid."""
    if not _PROJECT.fullmatch(text):
        raise Usage(
            f"{text[:80]!r} cannot be the name of a project: a small letter, then small letters, digits and '-',"
            " at most 40",
            code="project_name_invalid",
        )
    return text


def token_name(text: str) -> str:
    """Raises Usage token_name_invalid."""
    if not _TOKEN_NAME.fullmatch(text):
        words = f"{text[:80]!r} cannot be the name of a token: letters, digits, spaces and ._@/-, at most 60"
        raise Usage(words, code="token_name_invalid")
    return text
