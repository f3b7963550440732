"""PostgreSQL: how long a connection may take over anything, and what other processes tell through the database."""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Mapping
from contextlib import closing, suppress
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from windlass.adapters.store.bell import Bell

CHANNEL = "windlass_work"
RETRY_S = 2.0

# Seconds, but for the last one. A server that goes away without a word is noticed within half a minute.
PATIENT_CONNECTION: Mapping[str, Any] = {
    "connect_timeout": 10,
    "keepalives": 1,
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}

# A process that hangs in the middle of a write must not hold up the others for ever.
_LIMITS_MS = {"statement_timeout": 60_000, "lock_timeout": 30_000, "idle_in_transaction_session_timeout": 60_000}


def set_limits(connection: Any, _record: Any) -> None:
    """For a new connection of the driver."""
    connection.autocommit = True
    for name, limit in _LIMITS_MS.items():
        connection.execute(f"SET {name} = {limit}")
    connection.autocommit = False


class Ear:
    """Rings the bell whenever a transaction of another process that tells was committed; a thread and a connection.

    `name`: of this process, whose own transactions are not told. What was told while the database was away is not
    known, so the bell is rung when it is back.
    """

    def __init__(self, engine: Engine, name: str, bell: Bell) -> None:
        self._engine = engine
        self._name = name
        self._bell = bell
        self._failures = (DBAPIError, OSError, engine.dialect.loaded_dbapi.Error)
        first = self._open()
        self._end, self._stop = os.pipe()
        self._thread = threading.Thread(target=self._run, args=(first,), name="database-ear", daemon=True)
        self._thread.start()

    def close(self) -> None:
        os.write(self._stop, b".")
        self._thread.join()
        os.close(self._stop)
        os.close(self._end)

    def _open(self) -> Any:
        """A connection of the driver that is nobody else's."""
        pooled = self._engine.raw_connection()
        connection: Any = pooled.driver_connection
        pooled.detach()
        try:
            connection.autocommit = True
            connection.execute(f"LISTEN {CHANNEL}")
        except self._failures:
            connection.close()
            raise
        return connection

    def _run(self, first: Any) -> None:
        connection = first
        while connection is not None and not self._listens(connection):
            connection = self._open_again()
            self._bell.ring()

    def _listens(self, connection: Any) -> bool:
        """True at the end, False when the database went away."""
        with closing(connection), suppress(*self._failures):
            while not self._is_over(None, connection.fileno()):
                if any(told.payload != self._name for told in list(connection.notifies(timeout=0))):
                    self._bell.ring()
            return True
        return False

    def _open_again(self) -> Any:
        """None at the end."""
        while not self._is_over(RETRY_S):
            with suppress(*self._failures):
                return self._open()
        return None

    def _is_over(self, wait_s: float | None, *others: int) -> bool:
        """Until the end is told, or one of the others can be read, or the time is over."""
        readable, _, _ = select.select([self._end, *others], [], [], wait_s)
        return self._end in readable
