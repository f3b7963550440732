"""Reads a table of SQLite in one step: the driver lets go of the interpreter at every row, and each time a request may
have to wait for a thread that computes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Boolean, Column, Connection, Double, Table, func, select


def rows_at_once(connection: Connection, table: Table, columns: Sequence[str]) -> list[tuple[Any, ...]]:
    """These columns of every row, in no order; in other databases as they come."""
    wanted = [table.columns[name] for name in columns]
    if connection.dialect.name != "sqlite":
        return [tuple(row) for row in connection.execute(select(*wanted))]
    query = select(func.json_group_array(func.json_array(*(_written(column) for column in wanted)))).select_from(table)
    whole = json.loads(connection.execute(query).scalar() or "[]")
    readers = [(n, _READERS[type(column.type)]) for n, column in enumerate(wanted) if type(column.type) in _READERS]
    for row in whole:
        for n, read in readers:
            row[n] = None if row[n] is None else read(row[n])
    return [tuple(row) for row in whole]


def _written(column: Column[Any]) -> Any:
    if isinstance(column.type, Double):
        return func.printf("%!.17g", column, type_=None)  # its own JSON has too few digits; these are exact for times
    return column


_READERS = {Double: float, Boolean: bool}
