"""Values of an app's variables, each encrypted for its own place in the table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, delete, insert, select

from windlass.adapters.store.apps import no_such_app
from windlass.adapters.store.database import Database
from windlass.adapters.store.sealed import variable_label
from windlass.adapters.store.tables import apps, variables
from windlass.adapters.vault import Vault


class SqlVariables:
    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    def all(self, app: str) -> dict[str, str]:
        query = select(variables.c.name, variables.c.sealed).where(variables.c.app == app).order_by(variables.c.name)
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return {row.name: self._vault.open(row.sealed, variable_label(app, row.name)).decode(*_BYTES) for row in rows}

    def names(self, app: str) -> dict[str, float]:
        query = select(variables.c.name, variables.c.changed_at).where(variables.c.app == app)
        with self._database.read() as connection:
            return {row.name: row.changed_at for row in connection.execute(query.order_by(variables.c.name))}

    def set(self, app: str, values: Mapping[str, str], at: float) -> None:
        """All of them or none; others stay as they are. Raises NotFound when there is no such app."""
        with self._database.write() as connection:
            if connection.execute(select(apps.c.name).where(apps.c.name == app)).scalar() is None:
                raise no_such_app(app)
            _unset(connection, app, list(values))
            rows = [
                {"app": app, "name": name, "sealed": self._sealed(app, name, value), "changed_at": at}
                for name, value in values.items()
            ]
            if rows:
                connection.execute(insert(variables), rows)

    def unset(self, app: str, names: Sequence[str]) -> None:
        """A name that is not set is no error."""
        with self._database.write() as connection:
            _unset(connection, app, names)

    def _sealed(self, app: str, name: str, value: str) -> bytes:
        return self._vault.seal(value.encode(*_BYTES), variable_label(app, name))


# A value survives byte for byte, also when it is not UTF-8.
_BYTES = ("utf-8", "surrogateescape")


def _unset(connection: Connection, app: str, names: Sequence[str]) -> None:
    connection.execute(delete(variables).where(variables.c.app == app, variables.c.name.in_(names)))
