"""Events in the database, numbered in the order in which they happened."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import delete, func, insert, select

from windlass.adapters.store.bell import Bell
from windlass.adapters.store.database import Database
from windlass.adapters.store.rows import plain, to_record
from windlass.adapters.store.tables import events
from windlass.domain.records import Event

KEPT_EVENTS = 100_000
_TRIM_EVERY = 1000


class SqlEvents:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._added = Bell()

    def add(self, at: float, app: str, deployment: str, kind: str, data: Mapping[str, Any]) -> Event:
        """Not synced to the disk by itself: events come by the thousand, and the next durable write syncs them too."""
        row = {"at": at, "app": app, "deployment": deployment, "kind": kind, "data": plain(data)}
        with self._database.write(durable=False) as connection:
            number = connection.execute(insert(events).values(row).returning(events.c.id)).scalar_one()
        self._added.ring()
        if number % _TRIM_EVERY == 0:
            self.trim(KEPT_EVENTS)
        return Event(id=number, **row)

    def after(self, id: int, *, app: str = "", deployment: str = "", kind: str = "", limit: int = 500) -> list[Event]:
        query = select(events).where(events.c.id > id)
        if app:
            query = query.where(events.c.app == app)
        if deployment:
            query = query.where(events.c.deployment == deployment)
        if kind:
            query = query.where(events.c.kind == kind)
        with self._database.read() as connection:
            return [to_record(Event, row) for row in connection.execute(query.order_by(events.c.id).limit(limit))]

    def wait(self, id: int, timeout_s: float) -> bool:
        """Woken by events of this process; those of another one are seen when the time is over."""
        seen = self._added.rings
        if self.last() > id:
            return True
        self._added.wait(seen, timeout_s)
        return self.last() > id

    def last(self) -> int:
        """The highest number so far, 0 at first."""
        with self._database.read() as connection:
            return connection.execute(select(func.max(events.c.id))).scalar() or 0

    def trim(self, keep: int) -> int:
        """Drop all but the newest `keep`; gives the number dropped."""
        with self._database.write(durable=False) as connection:
            newest = connection.execute(select(func.max(events.c.id))).scalar() or 0
            return connection.execute(delete(events).where(events.c.id <= newest - keep)).rowcount
