"""Answers to requests with an idempotency key, each encrypted for its own row."""

from __future__ import annotations

from sqlalchemy import delete, insert, select, update

from windlass.adapters.owner import owner_alive, owner_name
from windlass.adapters.store.database import Database
from windlass.adapters.store.sealed import answer_label
from windlass.adapters.store.tables import answers
from windlass.adapters.vault import Vault
from windlass.ports.answers import Kept, Progress


class SqlAnswers:
    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    def begin(self, id: str, at: float, forget_before: float) -> Kept | None:
        with self._database.write() as connection:
            connection.execute(delete(answers).where(answers.c.created_at < forget_before))
            row = connection.execute(select(answers.c.owner, answers.c.sealed).where(answers.c.id == id)).first()
            if row is None:
                sealed = self._vault.seal(b"", answer_label(id))
                connection.execute(insert(answers).values(id=id, created_at=at, owner=owner_name(), sealed=sealed))
                return None
        if row.owner:
            return Kept(Progress.RUNNING if owner_alive(row.owner) else Progress.CUT_OFF)
        return Kept(Progress.DONE, self._vault.open(row.sealed, answer_label(id)))

    def keep(self, id: str, answer: bytes) -> None:
        with self._database.write() as connection:
            sealed = self._vault.seal(answer, answer_label(id))
            connection.execute(update(answers).where(answers.c.id == id).values(owner="", sealed=sealed))

    def drop(self, id: str) -> None:
        with self._database.write() as connection:
            connection.execute(delete(answers).where(answers.c.id == id))
