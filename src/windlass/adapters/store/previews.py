"""Which apps have previews and under what limits, and the requests that are known."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from windlass.adapters.store.apps import no_such_app
from windlass.adapters.store.database import Database
from windlass.adapters.store.rows import to_record, to_row
from windlass.adapters.store.sourcetables import preview_rules, previews
from windlass.adapters.store.tables import apps
from windlass.domain.previews import Preview, PreviewRules, PreviewState


class SqlPreviews:
    """Implements ports.previews.Previews."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def rules(self, app: str) -> PreviewRules | None:
        with self._database.read() as connection:
            row = connection.execute(select(preview_rules).where(preview_rules.c.app == app)).first()
        return None if row is None else to_record(PreviewRules, row)

    def set_rules(self, rules: PreviewRules) -> None:
        """Raises NotFound when there is no such app."""
        with self._database.write() as connection:
            if connection.execute(select(apps.c.name).where(apps.c.name == rules.app)).scalar() is None:
                raise no_such_app(rules.app)
            connection.execute(delete(preview_rules).where(preview_rules.c.app == rules.app))
            connection.execute(insert(preview_rules).values(to_row(rules)))

    def drop_rules(self, app: str) -> None:
        with self._database.write() as connection:
            connection.execute(delete(preview_rules).where(preview_rules.c.app == app))

    def find(self, app: str) -> Preview | None:
        with self._database.read() as connection:
            return _find(connection, app)

    def of(self, base: str) -> list[Preview]:
        query = select(previews).where(previews.c.base == base).order_by(previews.c.number)
        with self._database.read() as connection:
            return [_from_row(row) for row in connection.execute(query)]

    def keep(self, preview: Preview, most: int) -> bool:
        others = (
            select(func.count())
            .select_from(previews)
            .where(
                previews.c.base == preview.base, previews.c.state == preview.state.value, previews.c.app != preview.app
            )
        )
        with self._database.write() as connection:
            if (connection.execute(others).scalar() or 0) >= most:
                return False
            connection.execute(delete(previews).where(previews.c.app == preview.app))
            connection.execute(insert(previews).values(to_row(preview)))
        return True

    def end(self, app: str, until: float) -> Preview | None:
        with self._database.write() as connection:
            connection.execute(update(previews).where(previews.c.app == app).values(until=until))
            return _find(connection, app)

    def forget(self, preview: Preview) -> None:
        is_same = (previews.c.app == preview.app) & (previews.c.until == preview.until)
        with self._database.write() as connection:
            connection.execute(delete(previews).where(is_same))


def _find(connection: Connection, app: str) -> Preview | None:
    row = connection.execute(select(previews).where(previews.c.app == app)).first()
    return None if row is None else _from_row(row)


def _from_row(row: Any) -> Preview:
    return to_record(Preview, row, state=PreviewState(row.state))
