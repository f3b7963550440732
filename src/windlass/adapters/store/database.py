"""Opens the database, gives connections for reading and for writing, and brings its tables up to date."""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, NoSuchModuleError, ProgrammingError, TimeoutError

from windlass.adapters.store.bell import Bell
from windlass.adapters.store.postgres import CHANNEL, PATIENT_CONNECTION, Ear, set_limits
from windlass.adapters.store.revisions import bring_up_to_date, revision_of
from windlass.adapters.store.rows import from_json, to_json
from windlass.domain.errors import OutOfReach, Refused, Usage

REVISION = "0008"
BUSY_S = 10.0

# One writer at a time, as SQLite has it, keeps claims and the order of event numbers right on PostgreSQL too.
_WRITER_LOCK = 0x77_69_6E_64


class Database:
    """Short transactions only: never hold one over a call to the engine or the network."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._readers = engine.execution_options(windlass_begin="read")
        self._writers = engine.execution_options(windlass_begin="write")
        self._loose_writers = engine.execution_options(windlass_begin="write", windlass_sync="NORMAL")
        self._turn = threading.Lock()
        self._name = secrets.token_hex(8)
        self._ear: Ear | None = None
        self.path = _sqlite_file(engine.url)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One consistent view for everything read inside."""
        with self._told(), self._readers.begin() as connection:
            yield connection

    @contextmanager
    def write(self, *, durable: bool = True, tells: bool = False) -> Iterator[Connection]:
        """All of it or nothing. `durable` False: may be lost in a power failure, though not when a process dies.

        `tells`: whoever listens at this database is woken when it is done.
        """
        engine = self._writers if durable else self._loose_writers
        with self._turn, self._told(), engine.begin() as connection:
            if self.path is None:
                connection.execute(text("SELECT pg_advisory_xact_lock(:n)"), {"n": _WRITER_LOCK})
            yield connection
            if tells and self.path is None:
                connection.execute(text("SELECT pg_notify(:channel, :name)"), {"channel": CHANNEL, "name": self._name})

    def listen(self, bell: Bell) -> None:
        """From now on ring it for what other processes tell; on SQLite there are none."""
        if self.path is None and self._ear is None:
            with self._turn, self._told():
                self._ear = self._ear or Ear(self._engine, self._name, bell)

    def is_there(self) -> bool:
        """Whether it answers and holds our tables; a file that was deleted under us does not count as there."""
        if self.path is not None and not self.path.exists():
            return False
        try:
            with self.read() as connection:
                return revision_of(connection) is not None
        except OutOfReach:
            return False

    def empty_log(self) -> None:
        """Take all that is in SQLite's write-ahead file into the database, as far as nobody reads older pages of it."""
        if self.path is None:
            return
        with self._turn, self._told(), closing(self._engine.raw_connection()) as connection:
            connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        if self._ear is not None:
            self._ear.close()
        self._engine.dispose()

    @contextmanager
    def _told(self) -> Iterator[None]:
        """The driver's errors in words of ours; a broken constraint is an answer, and is left to the caller."""
        try:
            yield
        except (IntegrityError, ProgrammingError):
            raise
        except DBAPIError as error:
            raise _out_of_reach(self._engine.url, str(error.orig)) from error
        except TimeoutError as error:
            raise _out_of_reach(self._engine.url, str(error)) from error


def open_database(url: str) -> Database:
    """Connect, create what is missing and migrate what is old.

    Raises Refused for a database newer than this windlass, OutOfReach when it does not answer, Usage for a bad URL.
    """
    database = Database(_engine(_parse(url)))
    try:
        bring_up_to_date(database, REVISION)
    except BaseException:
        database.close()
        raise
    return database


def reach_database(url: str) -> Database:
    """As it is: nothing is created in it, and nothing migrated. An SQLite file that is not there is made, empty."""
    return Database(_engine(_parse(url)))


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise Usage("the database URL cannot be read", code="database_url", hint=_URL_HINT) from error
    if parsed.drivername in ("postgres", "postgresql"):
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.get_backend_name() not in ("sqlite", "postgresql") or parsed.database in (None, "", ":memory:"):
        raise Usage("the database must be an SQLite file or PostgreSQL", code="database_url", hint=_URL_HINT)
    return parsed


_URL_HINT = "write sqlite:////path/to/windlass.db or postgresql://user:password@host/name"


def _engine(url: URL) -> Engine:
    file = _sqlite_file(url)
    options: dict[str, Any] = {"hide_parameters": True, "json_serializer": to_json, "json_deserializer": from_json}
    if file is None:
        options |= {"pool_pre_ping": True, "pool_size": 5, "max_overflow": 10, "connect_args": dict(PATIENT_CONNECTION)}
    else:
        _create_file(file)
        options |= {"connect_args": {"timeout": BUSY_S, "check_same_thread": False}}
    try:
        engine = create_engine(url, **options)
    except (ImportError, NoSuchModuleError) as error:
        raise Refused(
            "PostgreSQL is asked for, but its driver is not installed",
            code="database_driver",
            hint="pip install 'windlass[postgres]'",
        ) from error
    if file is not None:
        event.listen(engine, "connect", _on_sqlite_connect)
        event.listen(engine, "begin", _on_sqlite_begin)
    else:
        event.listen(engine, "connect", set_limits)
    return engine


def _on_sqlite_connect(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # the driver begins nothing by itself: _on_sqlite_begin does
    for pragma in ("journal_mode=WAL", "foreign_keys=ON", "synchronous=FULL", "secure_delete=ON"):
        connection.execute(f"PRAGMA {pragma}").close()


def _on_sqlite_begin(connection: Connection) -> None:
    options = connection.get_execution_options()
    if options.get("windlass_begin") != "write":
        connection.exec_driver_sql("BEGIN DEFERRED")
        return
    connection.exec_driver_sql(f"PRAGMA synchronous={options.get('windlass_sync', 'FULL')}")
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _create_file(file: Path) -> None:
    """SQLite would make it readable for everyone; its -wal and -shm files take over the mode given here."""
    try:
        os.close(os.open(file, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise OutOfReach(
            f"the database {file} cannot be opened: {error.strerror}",
            code="database_unavailable",
            hint=f"check that {file.parent} exists and belongs to the user that runs windlass",
        ) from error


def _sqlite_file(url: URL) -> Path | None:
    if url.get_backend_name() != "sqlite" or not url.database:
        return None
    return Path(url.database)


def _out_of_reach(url: URL, said: str) -> OutOfReach:
    place = url.database if url.get_backend_name() == "sqlite" else url.render_as_string(hide_password=True)
    words = said.strip().splitlines()[:1]
    return OutOfReach(
        f"the database {place} does not answer: {''.join(words)}; apps that run go on running",
        code="database_unavailable",
        hint="check free disk space and that the database can be reached, then try again",
    )
