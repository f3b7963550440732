"""Who may do what: permissions, the roles that carry them, and the one decision whether a caller has one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from windlass.domain.errors import Usage

DEFAULT_PROJECT = "default"


class Permission(StrEnum):
    """A right that routes ask for; its name is what a token's scope says."""

    # On an app, by the role in its project.
    APP_READ = "app.read"
    APP_LOGS = "app.logs"
    ENV_READ = "env.read"
    APP_DEPLOY = "app.deploy"
    APP_OPERATE = "app.operate"
    APP_DEPLOY_PROTECTED = "app.deploy.protected"
    APP_EXEC = "app.exec"
    APP_SOURCE = "app.source"
    ENV_WRITE = "env.write"
    ENV_REVEAL = "env.reveal"
    APP_DEPLOY_UNAPPROVED = "app.deploy.unapproved"
    APP_CONSENT = "app.consent"
    APP_REMOVE = "app.remove"
    PROJECT_MEMBERS = "project.members"
    # On the server, for admins.
    SERVER_READ = "server.read"
    SERVER_MANAGE = "server.manage"
    USERS_MANAGE = "users.manage"
    PROJECTS_MANAGE = "projects.manage"
    TOKENS_MANAGE = "tokens.manage"
    AUDIT_READ = "audit.read"


class Role(StrEnum):
    """What a person is in a project; each may all that the one before it may."""

    VIEWER = "viewer"
    DEPLOYER = "deployer"
    MAINTAINER = "maintainer"
    OWNER = "owner"


_GAINED: Mapping[Role, frozenset[Permission]] = {
    Role.VIEWER: frozenset({Permission.APP_READ, Permission.APP_LOGS, Permission.ENV_READ}),
    Role.DEPLOYER: frozenset({Permission.APP_DEPLOY, Permission.APP_OPERATE}),
    Role.MAINTAINER: frozenset(
        {
            Permission.APP_DEPLOY_PROTECTED,
            Permission.APP_EXEC,
            Permission.APP_SOURCE,
            Permission.ENV_WRITE,
            Permission.ENV_REVEAL,
        }
    ),
    Role.OWNER: frozenset(
        {
            Permission.APP_DEPLOY_UNAPPROVED,
            Permission.APP_CONSENT,
            Permission.APP_REMOVE,
            Permission.PROJECT_MEMBERS,
        }
    ),
}
_ROLES = tuple(Role)
PERMISSIONS_OF: Mapping[Role, frozenset[Permission]] = {
    role: frozenset().union(*(_GAINED[r] for r in _ROLES[: n + 1])) for n, role in enumerate(_ROLES)
}
IN_PROJECTS = PERMISSIONS_OF[Role.OWNER]
ON_SERVER = frozenset(Permission) - IN_PROJECTS


@dataclass(frozen=True)
class Limits:
    """What a token is confined to; "" for `project` and `app` confines to none."""

    permissions: frozenset[Permission]
    project: str = ""
    app: str = ""


@dataclass(frozen=True)
class Caller:
    """Who asks. `kind`: owner (of the unix socket), user or token. `roles`: project -> role.

    A token is its user with `limits`: what the user may not, the token may not either.
    """

    name: str
    kind: str
    admin: bool = False
    roles: Mapping[str, Role] = field(default_factory=dict)
    limits: Limits | None = None
    token: str = ""

    @property
    def is_unlimited(self) -> bool:
        return self.admin and self.limits is None


OWNER = Caller("owner", "owner", admin=True)


def may(caller: Caller, permission: Permission, project: str = "", app: str = "") -> bool:
    """Whether the caller has this right: on the server, or on this app of this project."""
    if permission in ON_SERVER:
        return caller.admin and _within(caller.limits, permission, "", "")
    held = caller.admin or (project in caller.roles and permission in PERMISSIONS_OF[caller.roles[project]])
    return held and _within(caller.limits, permission, project, app)


def may_somewhere(caller: Caller, permission: Permission) -> bool:
    """Whether there may be an app on which the caller has this right."""
    if caller.limits is not None and permission not in caller.limits.permissions:
        return False
    return caller.admin or any(permission in PERMISSIONS_OF[role] for role in caller.roles.values())


def _within(limits: Limits | None, permission: Permission, project: str, app: str) -> bool:
    if limits is None:
        return True
    fits = limits.project in ("", project) and limits.app in ("", app)
    return fits and permission in limits.permissions


def role_named(text: str) -> Role:
    """Raises Usage role_invalid."""
    try:
        return Role(text)
    except ValueError:
        known = ", ".join(Role)
        raise Usage(f"{text!r} is not a role: {known}", code="role_invalid") from None


def scope_named(text: str) -> frozenset[Permission]:
    """What a word in a token's scope stands for: a permission, a role, or `all`. Raises Usage scope_invalid."""
    if text == "all":
        return frozenset(Permission)
    if text in list(Role):
        return PERMISSIONS_OF[Role(text)]
    try:
        return frozenset({Permission(text)})
    except ValueError:
        words = f"{text!r} is not a scope: all, a role ({', '.join(Role)}) or a permission ({', '.join(Permission)})"
        raise Usage(words, code="scope_invalid") from None
