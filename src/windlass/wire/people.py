"""The bodies of requests about people, their tokens and projects."""

from __future__ import annotations

from dataclasses import dataclass, field

from windlass.wire.bodies import Body


@dataclass(frozen=True)
class UserBody(Body):
    """`password` left out: a one-time link is made with which the user sets it."""

    name: str
    admin: bool = False
    password: str | None = None


@dataclass(frozen=True)
class AdminBody(Body):
    admin: bool


@dataclass(frozen=True)
class RoleBody(Body):
    """`role`: viewer, deployer, maintainer or owner."""

    role: str


@dataclass(frozen=True)
class TokenBody(Body):
    """`scopes`: permissions, roles or `all`. `seconds` 0: for ever; left out: 90 days."""

    name: str
    scopes: list[str]
    seconds: float | None = None
    app: str = ""
    project: str = ""


@dataclass(frozen=True)
class ProjectBody(Body):
    name: str


@dataclass(frozen=True)
class ProtectBody(Body):
    """`environments`: those to which only maintainers deploy. `approval_s`: how long a deployment to them waits for a
    second person's approval, 0 when none is asked."""

    environments: list[str] = field(default_factory=list)
    approval_s: float = 0.0


@dataclass(frozen=True)
class ProtectionBody(Body):
    """Of one app. `approval_s`: how long a deployment waits for a second person's approval, 0 when none is asked."""

    protected: bool = True
    approval_s: float = 0.0


@dataclass(frozen=True)
class DecisionBody(Body):
    """`note`: why, for the record."""

    note: str = ""


@dataclass(frozen=True)
class ProviderBody(Body):
    """An OpenID provider. `url`: where people reach windlass. `role`: what people without a user become in the
    project `default`; "" lets none of them in."""

    issuer: str
    client_id: str
    secret: str
    url: str
    role: str = ""


@dataclass(frozen=True)
class IdentityBody(Body):
    """`identity`: an e-mail address that the provider has verified, or `sub:` and its subject."""

    identity: str


@dataclass(frozen=True)
class PasswordBody(Body):
    password: str


@dataclass(frozen=True)
class NewPasswordBody(Body):
    password: str
    new: str


@dataclass(frozen=True)
class CodeBody(Body):
    code: str
