"""Everything this instance made in the engine, by ID: windlass acts on nothing else."""

from __future__ import annotations

from sqlalchemy import ColumnElement, delete, insert, select

from windlass.adapters.store.database import Database
from windlass.adapters.store.rows import to_record, to_row
from windlass.adapters.store.tables import resources
from windlass.domain.records import Resource


class SqlResources:
    def __init__(self, database: Database) -> None:
        self._database = database

    def record(self, resource: Resource) -> None:
        """Recording the same ref again replaces what was known of it."""
        with self._database.write() as connection:
            connection.execute(delete(resources).where(_is(resource.kind, resource.ref)))
            connection.execute(insert(resources).values(to_row(resource)))

    def forget(self, kind: str, ref: str) -> None:
        """One that is not known is no error."""
        with self._database.write() as connection:
            connection.execute(delete(resources).where(_is(kind, ref)))

    def of_app(self, app: str, kind: str = "") -> list[Resource]:
        """In the order in which they were recorded."""
        query = select(resources).where(resources.c.app == app).order_by(resources.c.position)
        if kind:
            query = query.where(resources.c.kind == kind)
        with self._database.read() as connection:
            return [to_record(Resource, row) for row in connection.execute(query)]

    def of_kinds(self, *kinds: str) -> list[Resource]:
        query = select(resources).where(resources.c.kind.in_(kinds)).order_by(resources.c.position)
        with self._database.read() as connection:
            return [to_record(Resource, row) for row in connection.execute(query)]

    def apps(self) -> set[str]:
        with self._database.read() as connection:
            return set(connection.execute(select(resources.c.app).distinct()).scalars())

    def find(self, kind: str, name: str) -> Resource | None:
        """The one recorded last under this name."""
        query = select(resources).where(resources.c.kind == kind, resources.c.name == name)
        with self._database.read() as connection:
            row = connection.execute(query.order_by(resources.c.position.desc()).limit(1)).first()
        return None if row is None else to_record(Resource, row)


def _is(kind: str, ref: str) -> ColumnElement[bool]:
    return (resources.c.kind == kind) & (resources.c.ref == ref)
