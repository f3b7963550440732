"""PostgreSQL: how long a connection may take over anything, and what other processes tell through the database."""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Mapping
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
    """Rings the bell whenever a transaction that tells was committed, by whatever process; a thread and a connection.

    What was told while the database was away is not known, so the bell is rung when it is back.
    """

    def __init__(self, engine: Engine, bell: Bell) -> None:
        self._engine = engine
        self._bell = bell
        self._end, self._stop = os.pipe()
        self._thread = threading.Thread(target=self._run, name="database-ear", daemon=True)
        self._thread.start()

    def close(self) -> None:
        os.write(self._stop, b".")
        self._thread.join()
        os.close(self._stop)
        os.close(self._end)

    def _run(self) -> None:
        wait_s = 0.0
        while not self._is_over(wait_s):
            try:
                self._listen()
            except (DBAPIError, OSError, self._engine.dialect.loaded_dbapi.Error):
                wait_s = RETRY_S

    def _listen(self) -> None:
        fairy = self._engine.raw_connection()
        connection: Any = fairy.driver_connection
        fairy.detach()
        with connection:
            connection.autocommit = True
            connection.execute(f"LISTEN {CHANNEL}")
            self._bell.ring()
            while not self._is_over(None, connection.fileno()):
                if list(connection.notifies(timeout=0)):
                    self._bell.ring()

    def _is_over(self, wait_s: float | None, *others: int) -> bool:
        """Until the end is told, or one of the others can be read, or the time is over."""
        readable, _, _ = select.select([self._end, *others], [], [], wait_s)
        return self._end in readable
