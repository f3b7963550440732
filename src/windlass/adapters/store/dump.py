"""All rows of a database in a form that SQLite and PostgreSQL share; read as of one moment, written in one go."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import JSON, Column, Connection, LargeBinary, MetaData, Table, inspect, select, text
from sqlalchemy.exc import DataError

from windlass.adapters.store.database import REVISION
from windlass.adapters.store.revisions import create_tables
from windlass.adapters.store.sourcetables import sources
from windlass.domain.errors import Failed, Refused

BATCH = 500
_VERSION_TABLE = "alembic_version"
_WHOLE = 1 << 256

Row = Mapping[str, Any]


@dataclass
class Digest:
    """Over rows in whatever order: how many, and the sum of their hashes."""

    rows: int = 0
    sum: int = 0

    def add(self, line: bytes) -> None:
        self.rows += 1
        self.sum = (self.sum + int.from_bytes(hashlib.sha256(line).digest())) % _WHOLE

    def as_dict(self) -> dict[str, Any]:
        return {"rows": self.rows, "digest": f"{self.sum:064x}"}


def tables_known() -> list[Table]:
    """Of this version, those first that others point to."""
    return list(sources.metadata.sorted_tables)


def freeze(connection: Connection) -> None:
    """To be the first of a transaction: all that is read in it is of one moment."""
    if _is_postgres(connection):
        connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
    take_time(connection)
    connection.execute(text(f"SELECT version_num FROM {_VERSION_TABLE}")).scalar()


def take_time(connection: Connection) -> None:
    """This transaction may last longer than those of a running windlass."""
    if _is_postgres(connection):
        for name in ("statement_timeout", "idle_in_transaction_session_timeout"):
            connection.execute(text(f"SET LOCAL {name} = 0"))


def lines_of(connection: Connection, table: Table) -> Iterator[bytes]:
    """One line of JSON per row, without its end."""
    found = connection.execution_options(yield_per=BATCH).execute(select(table))
    for row in found.mappings():
        plain = {column.name: _to_json(column, row[column.name]) for column in table.columns}
        yield json.dumps(plain, sort_keys=True, separators=(",", ":")).encode()


def write_lines(connection: Connection, table: Table, lines: Iterable[bytes]) -> None:
    """Raises Failed row_refused for a row that this kind of database cannot hold."""
    batch: list[dict[str, Any]] = []
    for line in lines:
        row = json.loads(line)
        batch.append({c.name: _from_json(c, row[c.name]) for c in table.columns if c.name in row})
        if len(batch) == BATCH:
            _insert(connection, table, batch)
            batch = []
    if batch:
        _insert(connection, table, batch)


def digest_of(connection: Connection, table: Table) -> Digest:
    found = Digest()
    for line in lines_of(connection, table):
        found.add(line)
    return found


def prepare_empty(connection: Connection, revision: str = REVISION) -> list[Table]:
    """Make the tables of that revision where none are; they are given back, those first that others point to.

    Tables of ours without a row may be there already. Raises Refused database_not_empty.
    """
    take_time(connection)
    here = set(inspect(connection).get_table_names())
    known = {table.name: table for table in tables_known()}
    ours = here & known.keys()
    if (ours and _VERSION_TABLE not in here) or any(_has_rows(connection, known[name]) for name in ours):
        raise Refused(
            "the database that is to be filled is not empty; nothing was written",
            code="database_not_empty",
            hint="give an empty one: createdb windlass",
        )
    for name in ours:
        connection.execute(text(f'DROP TABLE "{name}"' + (" CASCADE" if _is_postgres(connection) else "")))
    connection.execute(text(f"DROP TABLE IF EXISTS {_VERSION_TABLE}"))
    if revision == REVISION:
        create_tables(connection, REVISION)
        return tables_known()
    return _older(connection, revision)


def _older(connection: Connection, revision: str) -> list[Table]:
    from windlass.adapters.store.migrate import upgrade

    upgrade(connection, revision)
    found = MetaData()
    found.reflect(connection)
    for table in found.tables.values():
        for column in table.columns:
            if isinstance(column.type, JSON):
                column.type = JSON(none_as_null=bool(column.nullable))
    return [table for table in found.sorted_tables if table.name != _VERSION_TABLE]


def finish(connection: Connection, revision: str) -> None:
    """From the revision that was filled to the one of this version."""
    if revision != REVISION:
        from windlass.adapters.store.migrate import upgrade

        upgrade(connection, REVISION)


# --- numbers that are counted up -----------------------------------------------------------------------------------


def counters_of(connection: Connection) -> dict[str, int]:
    """Table -> the last number given, also when its row is gone: a number is never given twice."""
    found = {}
    for table, column in _counted(tables_known()):
        if _is_postgres(connection):
            query = "SELECT last_value FROM pg_sequences WHERE sequencename = :name"
            parameters = {"name": f"{table.name}_{column.name}_seq"}
        else:
            query, parameters = "SELECT seq FROM sqlite_sequence WHERE name = :name", {"name": table.name}
        found[table.name] = int(connection.execute(text(query), parameters).scalar() or 0)
    return found


def set_counters(connection: Connection, tables: Iterable[Table], wanted: Mapping[str, int]) -> None:
    for table, column in _counted(tables):
        last = wanted.get(table.name, 0)
        if not last:
            continue
        if _is_postgres(connection):
            query = text("SELECT setval(pg_get_serial_sequence(:table, :column), :last)")
            connection.execute(query, {"table": table.name, "column": column.name, "last": last})
            continue
        connection.execute(text("DELETE FROM sqlite_sequence WHERE name = :name"), {"name": table.name})
        connection.execute(
            text("INSERT INTO sqlite_sequence VALUES (:name, :last)"), {"name": table.name, "last": last}
        )


def _counted(tables: Iterable[Table]) -> Iterator[tuple[Table, Column[Any]]]:
    counted = {t.name: c.name for t in tables_known() for c in t.columns if c.autoincrement is True}
    for table in tables:
        if table.name in counted:
            yield table, table.columns[counted[table.name]]


# --- rows ----------------------------------------------------------------------------------------------------------


def _insert(connection: Connection, table: Table, batch: list[dict[str, Any]]) -> None:
    try:
        connection.execute(table.insert(), batch)
    except (DataError, UnicodeEncodeError, ValueError) as error:
        raise Failed(
            f"a row of the table {table.name} cannot be held by this database: {type(error).__name__}; "
            "nothing was written",
            code="row_refused",
            hint="the database it comes from is as it was; please report it",
        ) from error


def _has_rows(connection: Connection, table: Table) -> bool:
    return connection.execute(text(f'SELECT 1 FROM "{table.name}" LIMIT 1')).first() is not None


def _is_postgres(connection: Connection) -> bool:
    return connection.dialect.name == "postgresql"


def _to_json(column: Column[Any], value: Any) -> Any:
    if value is not None and isinstance(column.type, LargeBinary):
        return base64.b64encode(bytes(value)).decode()
    return value


def _from_json(column: Column[Any], value: Any) -> Any:
    if value is not None and isinstance(column.type, LargeBinary):
        return base64.b64decode(value)
    return value
