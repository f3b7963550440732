"""The master keys, and every row that they protect: counted, sealed anew a few at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy import Connection, func, select, update

from windlass.adapters.store.database import Database
from windlass.adapters.store.sealed import SEALED, SealedTable
from windlass.adapters.vault import Vault
from windlass.domain.errors import Conflict, Refused
from windlass.ports.store import KeyUse, SealedPlace


class SqlKeys:
    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault
        self._rotating = threading.Lock()

    @contextmanager
    def alone(self) -> Iterator[None]:
        if not self._rotating.acquire(blocking=False):
            raise Conflict("the key is being rotated already", code="rotation_running", hint="windlass key status")
        try:
            yield
        finally:
            self._rotating.release()

    def use(self) -> KeyUse:
        vault = self._vault
        counts = {vault.current: 0, **dict.fromkeys(vault.older, 0)}
        with self._database.read() as connection:
            for one in SEALED.values():
                for row in connection.execute(select(one.prefix.label("prefix"), func.count()).group_by("prefix")):
                    name = bytes(row[0])[1:].hex()
                    counts[name] = counts.get(name, 0) + row[1]
        return KeyUse(vault.current, vault.older, counts, vault.changed_at())

    def is_rotating(self) -> bool:
        return bool(self._vault.older)

    def check_file(self) -> None:
        self._vault.check_file()

    def add(self) -> None:
        self._vault.add_key()

    def stale(self) -> list[SealedPlace]:
        with self._database.read() as connection:
            return [place for one in SEALED.values() for place in self._stale_in(connection, one)]

    def reseal(self, places: Sequence[SealedPlace]) -> list[SealedPlace]:
        with self._database.write() as connection:
            return [place for place in places if not self._reseal_one(connection, place)]

    def drop_unused(self) -> bool:
        """In a write transaction: values are sealed in such ones only, so that none is on its way with an older key."""
        with self._database.write() as connection:
            if any(self._stale_in(connection, one, limit=1) for one in SEALED.values()):
                return False
            self._vault.drop_older()
        self._database.empty_log()
        return True

    def _stale_in(self, connection: Connection, one: SealedTable, limit: int | None = None) -> list[SealedPlace]:
        query = select(*one.key).where(one.prefix != self._vault.prefix).order_by(*one.key).limit(limit)
        return [SealedPlace(one.table.name, tuple(row), one.words.format(*row)) for row in connection.execute(query)]

    def _reseal_one(self, connection: Connection, place: SealedPlace) -> bool:
        """Whether it opens; one that is gone or was written anew meanwhile is as it should be."""
        one = SEALED[place.table]
        row, label = one.is_row(place.key), one.label(*place.key)
        sealed = connection.execute(select(one.table.c.sealed).where(row)).scalar()
        if sealed is None or sealed.startswith(self._vault.prefix):
            return True
        try:
            plain = self._vault.open(sealed, label)
        except Refused:
            return False
        connection.execute(update(one.table).where(row).values(sealed=self._vault.seal(plain, label)))
        return True
