"""What the store keeps of people and projects. Times are UTC seconds since the epoch; no secret lies in a record."""

from __future__ import annotations

from dataclasses import dataclass

from windlass.domain.rights import Role


@dataclass(frozen=True)
class Project:
    """Apps that belong together. `protected`: environments to which only maintainers deploy."""

    name: str
    created_at: float
    protected: tuple[str, ...] = ()


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
