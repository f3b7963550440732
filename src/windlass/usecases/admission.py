"""Decides whether a caller may do what a route does: finds the app's project, and asks the rights of the domain."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from windlass.domain import names
from windlass.domain.errors import NotAllowed, NotFound, Usage
from windlass.domain.protection import Protection, protection_of
from windlass.domain.records import App, AppLine
from windlass.domain.rights import DEFAULT_PROJECT, ON_SERVER, Caller, Permission, may, may_somewhere
from windlass.ports.outside import Outside


@dataclass(frozen=True)
class Place:
    """What a path names, as it was written; all "" for a route about nothing in particular."""

    app: str = ""
    deployment: str = ""
    project: str = ""


def admit(outside: Outside, caller: Caller, permission: Permission, place: Place) -> None:
    """Raises NotAllowed; the same way for what is not there, so that names cannot be tried out."""
    if permission in ON_SERVER:
        allowed = may(caller, permission)
    elif place.app or place.deployment:
        allowed = _may_on_app(outside, caller, permission, place)
    elif place.project:
        allowed = may(caller, permission, place.project)
    else:
        allowed = may_somewhere(caller, permission)
    if not allowed:
        raise denied(caller, permission, place.app)


def denied(caller: Caller, permission: Permission, app: str = "") -> NotAllowed:
    where = f" on {app[:80]}" if app else ""
    by = "its token" if caller.limits is not None else caller.name
    return NotAllowed(
        f"this needs the right {permission}{where}, which {by} has not",
        hint="ask an owner of the project, or an admin: windlass user role NAME ROLE --project PROJECT",
    )


def sees(
    outside: Outside, caller: Caller, permission: Permission = Permission.APP_READ
) -> Callable[[App | AppLine], bool]:
    """Whether the caller has this right on an app, for lists."""
    return lambda app: may(caller, permission, app.project, app.name)


def project_of(outside: Outside, app: str) -> str:
    """Of an app by its name in the store; one that is to be made joins the others of its name."""
    known = outside.store.apps.find(app) or outside.store.apps.find(app.partition("--")[0])
    return known.project if known else DEFAULT_PROJECT


def new_app(outside: Outside, name: str) -> App:
    """An app as it begins, in the project of the other environments of its name; `name` as in the store."""
    return App(name=name, created_at=outside.clock.now(), project=project_of(outside, name))


def app_at(outside: Outside, place: Place) -> str:
    """The app's name in the store; "" when the path names none that can be."""
    try:
        if place.deployment:
            return outside.store.deployments.get(place.deployment).app
        return names.docker_name(names.app_name(place.app))
    except (Usage, NotFound):
        return ""


def _may_on_app(outside: Outside, caller: Caller, permission: Permission, place: Place) -> bool:
    name = app_at(outside, place)
    if not name:
        return caller.is_unlimited
    project = project_of(outside, name)
    if not may(caller, permission, project, name):
        return False
    if permission is not Permission.APP_DEPLOY or not protection(outside, name).protected:
        return True
    return may(caller, Permission.APP_DEPLOY_PROTECTED, project, name)


def protection(outside: Outside, app: str) -> Protection:
    """What counts for an app, also for one that is not there yet; `app` as in the store."""
    project = outside.store.projects.find(project_of(outside, app))
    return protection_of(app, outside.store.approvals.protection(app), project)
