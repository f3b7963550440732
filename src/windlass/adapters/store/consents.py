"""What the operator allowed each app beyond the ordinary."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete, insert, select

from windlass.adapters.store.apps import no_such_app
from windlass.adapters.store.database import Database
from windlass.adapters.store.tables import apps, consents


class SqlConsents:
    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self, app: str) -> dict[str, float]:
        """Item -> when it was given."""
        query = select(consents.c.item, consents.c.given_at).where(consents.c.app == app).order_by(consents.c.item)
        with self._database.read() as connection:
            return {row.item: row.given_at for row in connection.execute(query)}

    def give(self, app: str, items: Sequence[str], at: float) -> None:
        """One that was given before keeps its time. Raises NotFound when there is no such app."""
        with self._database.write() as connection:
            if connection.execute(select(apps.c.name).where(apps.c.name == app)).scalar() is None:
                raise no_such_app(app)
            given = set(connection.execute(select(consents.c.item).where(consents.c.app == app)).scalars())
            rows = [{"app": app, "item": item, "given_at": at} for item in dict.fromkeys(items) if item not in given]
            if rows:
                connection.execute(insert(consents), rows)

    def revoke(self, app: str, items: Sequence[str]) -> None:
        with self._database.write() as connection:
            connection.execute(delete(consents).where(consents.c.app == app, consents.c.item.in_(items)))
