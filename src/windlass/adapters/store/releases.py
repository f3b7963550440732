"""Releases in the database, each with its snapshot, which is compressed and encrypted."""

from __future__ import annotations

import zlib
from collections.abc import Collection
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from windlass.adapters.store.apps import no_such_app
from windlass.adapters.store.database import Database
from windlass.adapters.store.rows import changed, to_record, to_row
from windlass.adapters.store.sealed import snapshot_label
from windlass.adapters.store.tables import apps, releases, snapshots
from windlass.adapters.vault import Vault
from windlass.domain.errors import NotFound
from windlass.domain.records import Release, ReleaseState

_NAMED = 100  # apps; of more than these all are asked for


class SqlReleases:
    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    def add(self, app: str, created_at: float, source: str, ref: str) -> Release:
        with self._database.write() as connection:
            last = connection.execute(select(apps.c.last_release).where(apps.c.name == app)).scalar()
            if last is None:
                raise no_such_app(app)
            release = Release(app, last + 1, ReleaseState.PREPARING, created_at, source=source, ref=ref)
            connection.execute(update(apps).where(apps.c.name == app).values(last_release=release.number))
            connection.execute(insert(releases).values(to_row(release)))
        return release

    def get(self, app: str, number: int) -> Release:
        """Raises NotFound."""
        with self._database.read() as connection:
            return _get(connection, app, number)

    def all(self, app: str) -> list[Release]:
        found = select(releases).where(releases.c.app == app).order_by(releases.c.number.desc())
        with self._database.read() as connection:
            return [_from_row(row) for row in connection.execute(found)]

    def update(self, app: str, number: int, **changes: Any) -> Release:
        with self._database.write() as connection:
            before = _get(connection, app, number)
            after = replace(before, **changes)
            if columns := changed(before, after):
                connection.execute(update(releases).where(_is(app, number)).values(columns))
        return after

    def set_state(self, app: str, number: int, state: ReleaseState) -> None:
        self.update(app, number, state=state)

    def newest_at(self) -> float:
        with self._database.read() as connection:
            return float(connection.execute(select(func.max(releases.c.created_at))).scalar() or 0.0)

    def drop(self, app: str, number: int) -> None:
        """With its snapshot; its number is not given again."""
        with self._database.write() as connection:
            connection.execute(delete(releases).where(_is(app, number)))

    def save_snapshot(self, app: str, number: int, document: bytes) -> None:
        """Raises NotFound when there is no such release. Saving again replaces it."""
        packed = zlib.compress(document)
        with self._database.write() as connection:
            _get(connection, app, number)
            sealed = self._vault.seal(packed, snapshot_label(app, number))
            connection.execute(delete(snapshots).where(snapshots.c.app == app, snapshots.c.number == number))
            connection.execute(insert(snapshots).values(app=app, number=number, sealed=sealed))

    def snapshot(self, app: str, number: int) -> bytes:
        query = select(snapshots.c.sealed).where(snapshots.c.app == app, snapshots.c.number == number)
        with self._database.read() as connection:
            sealed = connection.execute(query).scalar()
        if sealed is None:
            raise NotFound(
                f"release {number} of {app} has no snapshot", code="snapshot_not_found", hint=f"windlass releases {app}"
            )
        return zlib.decompress(self._vault.open(sealed, snapshot_label(app, number)))

    def live_snapshots(self, wanted: Collection[str]) -> dict[tuple[str, int], bytes]:
        is_live = (apps.c.name == snapshots.c.app) & (apps.c.live == snapshots.c.number)
        query = select(snapshots).join(apps, is_live)
        if len(wanted) <= _NAMED:
            query = query.where(apps.c.name.in_(wanted))
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return {
            (row.app, row.number): zlib.decompress(self._vault.open(row.sealed, snapshot_label(row.app, row.number)))
            for row in rows
            if row.app in wanted
        }


def _is(app: str, number: int) -> Any:
    return (releases.c.app == app) & (releases.c.number == number)


def _get(connection: Connection, app: str, number: int) -> Release:
    row = connection.execute(select(releases).where(_is(app, number))).first()
    if row is None:
        raise NotFound(f"{app} has no release {number}", code="release_not_found", hint=f"windlass releases {app}")
    return _from_row(row)


def _from_row(row: Any) -> Release:
    return to_record(Release, row, state=ReleaseState(row.state))
