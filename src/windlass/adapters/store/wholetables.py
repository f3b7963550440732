"""Reads a table of SQLite in one step: the driver lets go of the interpreter at every row, and each time a request may
have to wait for a thread that computes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import JSON, Boolean, Column, Connection, Double, Table, func, select


def rows_at_once(connection: Connection, table: Table, columns: Sequence[str]) -> list[dict[str, Any]]:
    """Every row, in no order, with these columns; in other databases as they come."""
    wanted = [table.columns[name] for name in columns]
    if connection.dialect.name != "sqlite":
        return [dict(row) for row in connection.execute(select(*wanted)).mappings()]
    query = select(func.json_group_array(func.json_array(*(_written(column) for column in wanted)))).select_from(table)
    whole = json.loads(connection.execute(query).scalar() or "[]")
    readers = [(column.name, _READERS.get(type(column.type))) for column in wanted]
    return [
        {
            name: value if read is None or value is None else read(value)
            for (name, read), value in zip(readers, row, strict=True)
        }
        for row in whole
    ]


def _written(column: Column[Any]) -> Any:
    if isinstance(column.type, Double):
        return func.printf("%!.17g", column, type_=None)  # its own JSON has too few digits; these are exact for times
    return func.json(column, type_=None) if isinstance(column.type, JSON) else column


_READERS = {Double: float, Boolean: bool}
