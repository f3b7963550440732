"""Projects: which apps belong together, and which of their environments are protected."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from windlass.domain import names
from windlass.domain.names import shown
from windlass.domain.paging import Page, cut
from windlass.domain.people import Project, project_name
from windlass.domain.protection import Protection, waiting_time
from windlass.domain.records import App
from windlass.domain.rights import Caller, Permission, may
from windlass.ports.outside import Outside
from windlass.usecases.admission import protection


def projects_document(outside: Outside, caller: Caller, page: Page) -> dict[str, Any]:
    """{"items": [{"project", "protected", "approval_s", "apps", "created_at"}]}: where the caller sees apps."""
    apps = outside.store.apps.all()
    found = [p for p in outside.store.projects.all() if may(caller, Permission.APP_READ, p.name)]
    shown, more = cut(found, page, lambda project: project.name)
    return {"items": [_project(p, [a for a in apps if a.project == p.name]) for p in shown], "next": more}


def add_project(outside: Outside, name: str) -> dict[str, Any]:
    project = Project(project_name(name), outside.clock.now())
    outside.store.projects.add(project)
    return _project(project, [])


def remove_project(outside: Outside, name: str) -> dict[str, Any]:
    outside.store.projects.remove(name)
    return {"project": name}


def protect(outside: Outside, name: str, environments: Sequence[str], approval_s: float = 0.0) -> dict[str, Any]:
    """Only maintainers deploy to these; none: whoever may deploy. Raises NotFound, Usage.

    `approval_s`: how long a deployment to them waits for a second person, 0 when none is asked.
    """
    wanted = tuple(dict.fromkeys(names.environment_name(e) for e in environments))
    wait_s = waiting_time(approval_s) if approval_s else 0.0
    project = outside.store.projects.update(name, protected=wanted, approval_s=wait_s)
    return _project(project, [a for a in outside.store.apps.all() if a.project == name])


def protect_app(outside: Outside, app: str, wish: Protection | None) -> dict[str, Any]:
    """One app alone, or with None no longer; what its project says of its environment counts beside it.

    Raises NotFound, Usage.
    """
    name = names.docker_name(names.app_name(app))
    if wish is not None and wish.approval_s:
        waiting_time(wish.approval_s)
    outside.store.approvals.protect(name, wish)
    return protection_document(outside, app)


def protection_document(outside: Outside, app: str) -> dict[str, Any]:
    """{"app", "protected", "approval_s", "own": whether it is this app's own, "waiting": [deployments]}."""
    name = names.docker_name(names.app_name(app))
    outside.store.apps.get(name)
    counts = protection(outside, name)
    return {
        "app": shown(name),
        "protected": counts.protected,
        "approval_s": counts.approval_s,
        "own": outside.store.approvals.protection(name) is not None,
        "waiting": [deployment.id for deployment in outside.store.approvals.waiting(name)],
    }


def move_app(outside: Outside, app: str, project: str) -> dict[str, Any]:
    """The app and its environments. Raises NotFound."""
    outside.store.projects.move(names.docker_name(names.app_name(app)), project_name(project))
    return {"app": app, "project": project}


def _project(project: Project, apps: Sequence[App]) -> dict[str, Any]:
    return {
        "project": project.name,
        "protected": list(project.protected),
        "approval_s": project.approval_s,
        "apps": [shown(a.name) for a in apps],
        "created_at": project.created_at,
    }
