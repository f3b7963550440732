"""Projects: apps that belong together. `default` is there without a row."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from windlass.adapters.store.apps import no_such_app
from windlass.adapters.store.database import Database
from windlass.adapters.store.rows import changed, to_record, to_row
from windlass.adapters.store.tables import apps, memberships, projects
from windlass.domain.errors import Conflict, NotFound
from windlass.domain.people import Project
from windlass.domain.rights import DEFAULT_PROJECT


class SqlProjects:
    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, project: Project) -> None:
        try:
            with self._database.write() as connection:
                ensure_default(connection)
                connection.execute(insert(projects).values(to_row(project)))
        except IntegrityError as error:
            words = f"a project named {project.name} exists already"
            raise Conflict(words, code="project_exists", hint="windlass project list") from error

    def find(self, name: str) -> Project | None:
        with self._database.read() as connection:
            return _find(connection, name)

    def all(self) -> list[Project]:
        with self._database.read() as connection:
            found = [_from_row(row) for row in connection.execute(select(projects).order_by(projects.c.name))]
        return found if any(p.name == DEFAULT_PROJECT for p in found) else [Project(DEFAULT_PROJECT, 0.0), *found]

    def update(self, name: str, **changes: Any) -> Project:
        with self._database.write() as connection:
            ensure_default(connection)
            before = _find(connection, name)
            if before is None:
                raise no_such_project(name)
            after = replace(before, **changes)
            if columns := changed(before, after):
                connection.execute(update(projects).where(projects.c.name == name).values(columns))
        return after

    def remove(self, name: str) -> None:
        with self._database.write() as connection:
            used = connection.execute(select(apps.c.name).where(apps.c.project == name).limit(1)).scalar()
            if used is not None or name == DEFAULT_PROJECT:
                why = f"the app {used} belongs to it" if used else "it is where apps are that belong to no other"
                hint = "windlass project move APP PROJECT" if used else "windlass project list"
                raise Conflict(f"the project {name} stays: {why}", code="project_in_use", hint=hint)
            connection.execute(delete(memberships).where(memberships.c.project == name))
            if not connection.execute(delete(projects).where(projects.c.name == name)).rowcount:
                raise no_such_project(name)

    def move(self, app: str, project: str) -> None:
        """All environments of the app go with it."""
        name = app.partition("--")[0]
        own = or_(apps.c.name == name, apps.c.name.startswith(name + "--", autoescape=True))
        with self._database.write() as connection:
            if _find(connection, project) is None:
                raise no_such_project(project)
            if not connection.execute(update(apps).where(own).values(project=project)).rowcount:
                raise no_such_app(app)


def ensure_default(connection: Connection) -> None:
    """Rows that point at a project need one."""
    known = select(projects.c.name).where(projects.c.name == DEFAULT_PROJECT)
    if connection.execute(known).scalar() is None:
        connection.execute(insert(projects).values(to_row(Project(DEFAULT_PROJECT, 0.0))))


def no_such_project(name: str) -> NotFound:
    return NotFound(f"there is no project named {name}", code="project_not_found", hint="windlass project list")


def _find(connection: Connection, name: str) -> Project | None:
    row = connection.execute(select(projects).where(projects.c.name == name)).first()
    if row is None:
        return Project(DEFAULT_PROJECT, 0.0) if name == DEFAULT_PROJECT else None
    return _from_row(row)


def _from_row(row: Row[Any]) -> Project:
    return to_record(Project, row, protected=tuple(row.protected))
