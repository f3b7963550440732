"""A row of made-up values for every table of a database, of whatever revision it is."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, Boolean, Column, Connection, Float, Integer, LargeBinary, MetaData, Table

VERSION_TABLE = "alembic_version"

Rows = dict[str, dict[str, Any]]


def tables_of(connection: Connection) -> list[Table]:
    """As the database itself tells them, those first that others point to."""
    found = MetaData()
    found.reflect(connection)
    return [table for table in found.sorted_tables if table.name != VERSION_TABLE]


def fill(connection: Connection) -> Rows:
    """One row each; foreign keys lead to the row of the other table."""
    rows: Rows = {}
    for table in tables_of(connection):
        rows[table.name] = {column.name: _value(table, column, rows) for column in table.columns}
        connection.execute(table.insert().values(rows[table.name]))
    return rows


def found_in(connection: Connection) -> Rows:
    rows = {}
    for table in tables_of(connection):
        row = connection.execute(table.select()).mappings().one_or_none()
        rows[table.name] = dict(row) if row is not None else {}
    return rows


def _value(table: Table, column: Column[Any], rows: Rows) -> Any:
    for key in column.foreign_keys:
        return rows[key.column.table.name][key.column.name]
    if isinstance(column.type, JSON):
        return {"of": [table.name, column.name], "é": None}
    if isinstance(column.type, Boolean):
        return True
    if isinstance(column.type, LargeBinary):
        return b"\x00\xff" + column.name.encode()
    if isinstance(column.type, Float):
        return 1234.5678901
    if isinstance(column.type, Integer):
        return 41
    return f"{table.name} {column.name} é ' \\ \n $"
