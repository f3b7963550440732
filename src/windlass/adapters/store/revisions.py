"""Which revision a database is of, and the way to the newest; SQLite's file is kept as it was before that."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from windlass.adapters.disk import sync_folder
from windlass.adapters.store.sourcetables import sources
from windlass.domain.errors import OutOfReach, Refused

if TYPE_CHECKING:
    from windlass.adapters.store.database import Database

_TABLE = "alembic_version"


def revision_of(connection: Connection) -> str | None:
    """None for a database without our tables."""
    if not inspect(connection).has_table(_TABLE):
        return None
    found = connection.execute(text(f"SELECT version_num FROM {_TABLE}")).scalar()
    return None if found is None else str(found)


def create_tables(connection: Connection, revision: str) -> None:
    """Of the newest revision, in an empty database."""
    sources.metadata.create_all(connection)
    connection.execute(text(f"CREATE TABLE {_TABLE} (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"))
    connection.execute(text(f"INSERT INTO {_TABLE} VALUES (:revision)"), {"revision": revision})


def bring_up_to_date(database: Database, newest: str) -> None:
    """Create what is missing, migrate what is old. Raises Refused database_newer; then nothing was touched."""
    with database.read() as connection:
        found = revision_of(connection)
    if found == newest:
        return
    if found is not None:
        _refuse_newer(found, newest)
        if database.path is not None:
            keep_copy(database.path)
    with database.write() as connection:
        found = revision_of(connection)  # another process may have been faster
        if found is None:
            create_tables(connection, newest)
        elif found != newest:
            _refuse_newer(found, newest)
            # Alembic costs 11 MB and a third of a second, and is needed once per upgrade.
            from windlass.adapters.store.migrate import upgrade

            upgrade(connection, newest)


def _refuse_newer(found: str, newest: str) -> None:
    if found > newest:
        raise Refused(
            f"the database is of a newer windlass (revision {found}, known here: {newest}); nothing was changed",
            code="database_newer",
            hint="start the newer windlass again, or put back the database from before its upgrade",
        )


def kept_copy(file: Path) -> Path:
    """Where the database lies as it was before the last migration."""
    return file.with_name(file.name + ".before-upgrade")


def keep_copy(file: Path) -> None:
    """In place of an older one, whole or not at all, for its owner alone. Raises OutOfReach: migrate nothing then."""
    copy = kept_copy(file)
    fresh = copy.with_name(copy.name + ".new")
    try:
        fresh.unlink(missing_ok=True)
        os.close(os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
        with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(fresh)) as target:
            source.backup(target)
        with fresh.open("rb") as written:
            os.fsync(written.fileno())
        fresh.replace(copy)
        sync_folder(copy.parent)
    except (OSError, sqlite3.Error) as error:
        with suppress(OSError):
            fresh.unlink(missing_ok=True)
        raise OutOfReach(
            f"the database {file} could not be copied before its upgrade ({error}); nothing was changed",
            code="database_not_copied",
            hint=f"free some disk at {file.parent}, then: windlass up",
        ) from error
