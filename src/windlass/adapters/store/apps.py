"""Apps in the database; an environment other than production is a row of its own, `shop@staging`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from windlass.adapters.store.database import Database
from windlass.adapters.store.rows import changed, to_record, to_row
from windlass.adapters.store.tables import apps, events
from windlass.adapters.store.wholetables import rows_at_once
from windlass.domain.errors import Conflict, NotFound
from windlass.domain.records import App, AppLine


class SqlApps:
    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, app: App) -> None:
        """Raises Conflict when the name is taken."""
        try:
            with self._database.write() as connection:
                connection.execute(insert(apps).values(to_row(app)))
        except IntegrityError as error:
            raise Conflict(
                f"an app named {app.name} exists already", code="app_exists", hint=f"windlass status {app.name}"
            ) from error

    def get(self, name: str) -> App:
        with self._database.read() as connection:
            return _get(connection, name)

    def find(self, name: str) -> App | None:
        with self._database.read() as connection:
            return _find(connection, name)

    def all(self) -> list[App]:
        with self._database.read() as connection:
            found = [_from_row(row) for row in connection.execute(select(apps))]
        return sorted(found, key=lambda app: app.name)  # databases have orders of their own

    def lines(self) -> list[AppLine]:
        with self._database.read() as connection:
            rows = rows_at_once(connection, apps, AppLine._fields)
        return sorted(AppLine(*row) for row in rows)

    def update(self, name: str, **changes: Any) -> App:
        with self._database.write() as connection:
            before = _get(connection, name)
            after = replace(before, **changes)
            if columns := changed(before, after):
                connection.execute(update(apps).where(apps.c.name == name).values(columns))
        return after

    def remove(self, name: str) -> None:
        """Its resources stay recorded until each is forgotten: a kept volume is still ours."""
        with self._database.write() as connection:
            connection.execute(delete(events).where(events.c.app == name))
            connection.execute(delete(apps).where(apps.c.name == name))


def no_such_app(name: str) -> NotFound:
    return NotFound(f"there is no app named {name}", code="app_not_found", hint="windlass apps")


def _get(connection: Connection, name: str) -> App:
    found = _find(connection, name)
    if found is None:
        raise no_such_app(name)
    return found


def _find(connection: Connection, name: str) -> App | None:
    row = connection.execute(select(apps).where(apps.c.name == name)).first()
    return None if row is None else _from_row(row)


def _from_row(row: Any) -> App:
    return to_record(App, row, stopped_services=tuple(row.stopped_services), passes=tuple(row.passes))
