"""Keeps notes in SQLite, and the times between which each process was alive."""

import os
import sqlite3
import time
from contextlib import closing
from typing import Any

from server import HOST, VERSION, serve

FILE = os.environ["DATABASE_URL"].removeprefix("sqlite:///")
TABLES = """
CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, text TEXT, version TEXT);
CREATE TABLE IF NOT EXISTS lives (id INTEGER PRIMARY KEY, host TEXT, version TEXT, started REAL, stopped REAL);
"""


def run(query: str, *values: Any) -> list[dict[str, Any]]:
    """Carry out one statement on a connection of its own."""
    with closing(sqlite3.connect(FILE, timeout=5)) as connection, connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(query, values)]


def index(_path: str, _body: bytes) -> object:
    """How many notes there are."""
    return {"version": VERSION, "notes": run("SELECT count(*) AS n FROM notes")[0]["n"]}


def notes(_path: str, body: bytes) -> object:
    """With a body: keep it as a note. Always: the notes, oldest first."""
    if body:
        run("INSERT INTO notes (text, version) VALUES (?, ?)", body.decode(), VERSION)
    return run("SELECT id, text, version FROM notes ORDER BY id")


def lives(_path: str, _body: bytes) -> object:
    """Who had the file, from when to when."""
    return run("SELECT host, version, started, stopped FROM lives ORDER BY id")


def main() -> None:
    with closing(sqlite3.connect(FILE)) as connection:
        connection.executescript(TABLES)
    run("INSERT INTO lives (host, version, started) VALUES (?, ?, ?)", HOST, VERSION, time.time())
    serve({"/": index, "/notes": notes, "/lives": lives})
    run("UPDATE lives SET stopped = ? WHERE id = (SELECT max(id) FROM lives WHERE host = ?)", time.time(), HOST)


main()
