"""The audit log: rows in the database, chained by a key that lies there sealed only, and their head in a file."""

from __future__ import annotations

import hmac
import json
import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, Row, insert, select

from windlass.adapters.audithead import HeadFile
from windlass.adapters.store.database import Database
from windlass.adapters.store.sealed import keyring_label
from windlass.adapters.store.tables import audit, keyring
from windlass.adapters.vault import Vault
from windlass.domain.auditchain import START, AuditEntry, Head, before_next, check_chain, data_text, mac_of, seal_of
from windlass.domain.errors import Detail

_KEY = "audit"
_KEY_BYTES = 32
_BATCH = 500


class SqlAudit:
    def __init__(self, database: Database, vault: Vault, head: HeadFile) -> None:
        self._database = database
        self._vault = vault
        self._head = head
        self._known_key = b""
        self._turn = threading.Lock()

    def append(self, entry: AuditEntry) -> AuditEntry:
        """First the row, then the head: a kill between them leaves one row that the head does not know yet."""
        with self._turn, self._head.alone():
            with self._database.write() as connection:
                key = self._key(connection)
                last = _last(connection)
                before = before_next(self._read_head(key, last), last)
                numbered = replace(entry, number=before.number + 1, at=round(entry.at, 3))
                written = replace(numbered, mac=mac_of(key, before.mac, numbered))
                connection.execute(insert(audit).values(_columns(written)))
            head = Head(written.number, written.mac)
            self._head.write(head, seal_of(key, head))
        return written

    def entries(self, *, before: int | None = None, app: str = "", limit: int = 100) -> list[AuditEntry]:
        query = select(audit).order_by(audit.c.number.desc()).limit(limit)
        if before is not None:
            query = query.where(audit.c.number < before)
        if app:
            query = query.where(audit.c.app == app)
        with self._database.read() as connection:
            return [_entry(row) for row in connection.execute(query)]

    def check(self) -> tuple[int, list[Detail]]:
        with self._turn, self._head.alone():
            with self._database.read() as connection:
                last = _last(connection)
            key = self._key_there()
            head = self._read_head(key, last)
        return last.number, check_chain(key, self._all(last.number), head)

    def _all(self, last: int) -> Iterator[AuditEntry]:
        """In pages, so that writers do not wait."""
        done = 0
        while True:
            query = select(audit).where(audit.c.number > done, audit.c.number <= last)
            with self._database.read() as connection:
                page = [_entry(row) for row in connection.execute(query.order_by(audit.c.number).limit(_BATCH))]
            yield from page
            if len(page) < _BATCH:
                return
            done = page[-1].number

    def _read_head(self, key: bytes, last: Head) -> Head | None:
        """None when it is lost, or not written by us; before the first entry there is none to lose.

        One that the key does not fit, and no row is there: both were taken away, and the head tells what there was.
        """
        found = self._head.read()
        if found is None:
            return None if last.number else START
        head, seal = found
        return head if hmac.compare_digest(seal_of(key, head), seal) or not last.number else None

    def _key(self, connection: Connection) -> bytes:
        """Made for the first entry. It is random, and not the master key's child: that one may be rotated."""
        if self._known_key:
            return self._known_key
        sealed = connection.execute(_sealed_key).scalar()
        if sealed is None:
            key = os.urandom(_KEY_BYTES)
            row = {"name": _KEY, "sealed": self._vault.seal(key, keyring_label(_KEY))}
            connection.execute(insert(keyring).values(row))
        else:
            key = self._vault.open(sealed, keyring_label(_KEY))
            self._known_key = key
        return key

    def _key_there(self) -> bytes:
        """Of zeros when its row was taken away: then no entry fits."""
        with self._database.read() as connection:
            sealed = connection.execute(_sealed_key).scalar()
        return bytes(_KEY_BYTES) if sealed is None else self._vault.open(sealed, keyring_label(_KEY))


_sealed_key = select(keyring.c.sealed).where(keyring.c.name == _KEY)


def _last(connection: Connection) -> Head:
    row = connection.execute(select(audit.c.number, audit.c.mac).order_by(audit.c.number.desc()).limit(1)).first()
    return START if row is None else Head(row.number, row.mac)


def _columns(entry: AuditEntry) -> dict[str, Any]:
    return {
        "number": entry.number,
        "at": entry.at,
        "actor": entry.actor,
        "source": entry.source,
        "action": entry.action,
        "app": entry.app,
        "data": data_text(entry.data),
        "mac": entry.mac,
    }


def _entry(row: Row[Any]) -> AuditEntry:
    """A text that is no JSON any more was not written by us: it is kept so that the check says so."""
    try:
        data = json.loads(row.data)
    except ValueError:
        data = row.data
    shown = data if isinstance(data, dict) else {"unreadable": str(data)}
    return AuditEntry(row.number, row.at, row.actor, row.source, row.action, row.app, shown, row.mac)
