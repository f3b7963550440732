"""Moves everything from one database to another: in one transaction, and compared row by row before it counts."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Table

from windlass.adapters.store.database import Database
from windlass.adapters.store.dump import (
    counters_of,
    digest_of,
    freeze,
    lines_of,
    prepare_empty,
    set_counters,
    tables_known,
    write_lines,
)
from windlass.domain.errors import Failed


def copy_database(source: Database, target: Database) -> dict[str, dict[str, Any]]:
    """Table -> {"rows", "digest"}. The source is only read.

    Raises Refused database_not_empty, Failed copy_differs or row_refused; then the target is as it was.
    """
    with source.read() as reader, target.write() as writer:
        freeze(reader)
        prepare_empty(writer)
        for table in tables_known():
            write_lines(writer, table, lines_of(reader, table))
        set_counters(writer, tables_known(), counters_of(reader))
        return {table.name: _compared(reader, writer, table) for table in tables_known()}


def _compared(reader: Connection, writer: Connection, table: Table) -> dict[str, Any]:
    wanted, found = digest_of(reader, table), digest_of(writer, table)
    if wanted != found:
        raise Failed(
            f"the copy of the table {table.name} differs ({found.rows} rows of {wanted.rows}); nothing was written",
            code="copy_differs",
            hint="the database it comes from is as it was; please report it",
        )
    return found.as_dict()
