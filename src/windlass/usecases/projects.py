"""Projects: which apps belong together, and which of their environments are protected."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from windlass.domain import names
from windlass.domain.names import shown
from windlass.domain.people import Project, project_name
from windlass.domain.records import App
from windlass.domain.rights import Caller, Permission, may
from windlass.ports.outside import Outside


def projects_document(outside: Outside, caller: Caller) -> dict[str, Any]:
    """{"items": [{"project", "protected", "apps", "created_at"}]}: those in which the caller may see apps."""
    apps = outside.store.apps.all()
    found = [p for p in outside.store.projects.all() if may(caller, Permission.APP_READ, p.name)]
    return {"items": [_project(p, [a for a in apps if a.project == p.name]) for p in found]}


def add_project(outside: Outside, name: str) -> dict[str, Any]:
    project = Project(project_name(name), outside.clock.now())
    outside.store.projects.add(project)
    return _project(project, [])


def remove_project(outside: Outside, name: str) -> dict[str, Any]:
    outside.store.projects.remove(name)
    return {"project": name}


def protect(outside: Outside, name: str, environments: Sequence[str]) -> dict[str, Any]:
    """Only maintainers deploy to these; none: whoever may deploy. Raises NotFound, Usage."""
    wanted = tuple(dict.fromkeys(names.environment_name(e) for e in environments))
    project = outside.store.projects.update(name, protected=wanted)
    return _project(project, [a for a in outside.store.apps.all() if a.project == name])


def move_app(outside: Outside, app: str, project: str) -> dict[str, Any]:
    """The app and its environments. Raises NotFound."""
    outside.store.projects.move(names.docker_name(names.app_name(app)), project_name(project))
    return {"app": app, "project": project}


def _project(project: Project, apps: Sequence[App]) -> dict[str, Any]:
    return {
        "project": project.name,
        "protected": list(project.protected),
        "apps": [shown(a.name) for a in apps],
        "created_at": project.created_at,
    }
