"""Where apps come from: the settings in clear, tokens and keys encrypted, and what webhooks have brought already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from windlass.adapters.store.apps import no_such_app
from windlass.adapters.store.database import Database
from windlass.adapters.store.rows import changed, to_row
from windlass.adapters.store.sealed import secret_label
from windlass.adapters.store.sourcetables import hook_marks, secrets, sources
from windlass.adapters.store.tables import apps
from windlass.adapters.vault import Vault
from windlass.domain.sources import HOOK, Auth, Source, SourceKind, StatusHost


class SqlSources:
    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    def set(self, source: Source, secrets: Mapping[str, str], gone: Sequence[str] = ()) -> None:
        """Raises NotFound when there is no such app."""
        with self._database.write() as connection:
            _must_exist(connection, source.app)
            connection.execute(delete(sources).where(sources.c.app == source.app))
            connection.execute(insert(sources).values(to_row(source)))
            _forget(connection, source.app, (*gone, *secrets))
            for name, value in secrets.items():
                self._insert(connection, source.app, name, value)

    def find(self, app: str) -> Source | None:
        with self._database.read() as connection:
            return _find(connection, app)

    def all(self) -> list[Source]:
        with self._database.read() as connection:
            return [_from_row(row) for row in connection.execute(select(sources).order_by(sources.c.app))]

    def update(self, app: str, **changes: Any) -> Source | None:
        with self._database.write() as connection:
            before = _find(connection, app)
            if before is None:
                return None
            after = replace(before, **changes)
            if columns := changed(before, after):
                connection.execute(update(sources).where(sources.c.app == app).values(columns))
        return after

    def remove(self, app: str) -> None:
        with self._database.write() as connection:
            connection.execute(delete(sources).where(sources.c.app == app))
            connection.execute(delete(secrets).where(secrets.c.app == app, secrets.c.name != HOOK))

    def secrets(self, app: str) -> dict[str, str]:
        query = select(secrets.c.name, secrets.c.sealed).where(secrets.c.app == app).order_by(secrets.c.name)
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return {row.name: self._vault.open(row.sealed, secret_label(app, row.name)).decode() for row in rows}

    def keep_secret(self, app: str, name: str, value: str, *, renew: bool = False) -> str:
        query = select(secrets.c.sealed).where(secrets.c.app == app, secrets.c.name == name)
        with self._database.write() as connection:
            _must_exist(connection, app)
            sealed = connection.execute(query).scalar()
            if sealed is None or renew:
                _forget(connection, app, (name,))
                self._insert(connection, app, name, value)
                return value
        return self._vault.open(sealed, secret_label(app, name)).decode()

    def is_marked(self, app: str, marks: Sequence[str]) -> bool:
        query = select(hook_marks.c.mark).where(hook_marks.c.app == app, hook_marks.c.mark.in_(marks)).limit(1)
        with self._database.read() as connection:
            return connection.execute(query).first() is not None

    def mark(self, app: str, marks: Sequence[str], at: float, forget_before: float) -> None:
        rows = [{"app": app, "mark": mark, "seen_at": at} for mark in dict.fromkeys(marks)]
        is_one = (hook_marks.c.app == app) & hook_marks.c.mark.in_(marks)
        with self._database.write() as connection:
            connection.execute(delete(hook_marks).where(is_one | (hook_marks.c.seen_at < forget_before)))
            if rows:
                connection.execute(insert(hook_marks), rows)

    def _insert(self, connection: Connection, app: str, name: str, value: str) -> None:
        sealed = self._vault.seal(value.encode(), secret_label(app, name))
        connection.execute(insert(secrets).values(app=app, name=name, sealed=sealed))


def _must_exist(connection: Connection, app: str) -> None:
    if connection.execute(select(apps.c.name).where(apps.c.name == app)).scalar() is None:
        raise no_such_app(app)


def _forget(connection: Connection, app: str, names: Sequence[str]) -> None:
    connection.execute(delete(secrets).where(secrets.c.app == app, secrets.c.name.in_(names)))


def _find(connection: Connection, app: str) -> Source | None:
    row = connection.execute(select(sources).where(sources.c.app == app)).first()
    return None if row is None else _from_row(row)


def _from_row(row: Any) -> Source:
    columns = {f.name: getattr(row, f.name) for f in fields(Source)}
    typed = {
        "kind": SourceKind(row.kind),
        "auth": Auth(row.auth),
        "status": StatusHost(row.status),
        "compose": tuple(row.compose),
        "watch": tuple(row.watch),
    }
    return Source(**{**columns, **typed})
