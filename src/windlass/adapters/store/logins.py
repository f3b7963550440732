"""Tokens, sessions, one-time links and failed log-ins: of each secret only its hash is kept."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, delete, insert, select, update

from windlass.adapters.store.database import Database
from windlass.adapters.store.rows import to_record, to_row
from windlass.adapters.store.tables import links, login_attempts, sessions, tokens
from windlass.domain.errors import NotFound
from windlass.domain.people import Attempts, Link, Session, Token


class SqlTokens:
    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, token: Token) -> None:
        with self._database.write() as connection:
            connection.execute(insert(tokens).values(to_row(token)))

    def by_hash(self, hash: str) -> Token | None:
        with self._database.read() as connection:
            row = connection.execute(select(tokens).where(tokens.c.hash == hash)).first()
        return None if row is None else _token(row)

    def all(self) -> list[Token]:
        with self._database.read() as connection:
            return [_token(row) for row in connection.execute(select(tokens).order_by(tokens.c.created_at))]

    def touch(self, id: str, at: float) -> None:
        with self._database.write(durable=False) as connection:
            connection.execute(update(tokens).where(tokens.c.id == id).values(used_at=at))

    def remove(self, id: str) -> None:
        with self._database.write() as connection:
            if not connection.execute(delete(tokens).where(tokens.c.id == id)).rowcount:
                raise NotFound(f"there is no token {id}", code="token_not_found", hint="windlass token list")


class SqlSessions:
    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, session: Session) -> None:
        with self._database.write() as connection:
            connection.execute(insert(sessions).values(to_row(session)))

    def by_hash(self, hash: str) -> Session | None:
        with self._database.read() as connection:
            row = connection.execute(select(sessions).where(sessions.c.hash == hash)).first()
        return None if row is None else to_record(Session, row)

    def touch(self, hash: str, at: float) -> None:
        with self._database.write(durable=False) as connection:
            connection.execute(update(sessions).where(sessions.c.hash == hash).values(seen_at=at))

    def end(self, hash: str) -> None:
        with self._database.write() as connection:
            connection.execute(delete(sessions).where(sessions.c.hash == hash))

    def of_user(self, user: str) -> list[Session]:
        query = select(sessions).where(sessions.c.user == user).order_by(sessions.c.created_at.desc())
        with self._database.read() as connection:
            return [to_record(Session, row) for row in connection.execute(query)]

    def end_of(self, user: str) -> None:
        with self._database.write() as connection:
            connection.execute(delete(sessions).where(sessions.c.user == user))

    def prune(self, now: float) -> None:
        with self._database.write() as connection:
            connection.execute(delete(sessions).where(sessions.c.expires_at <= now))


class SqlLinks:
    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, link: Link) -> None:
        with self._database.write() as connection:
            connection.execute(delete(links).where(links.c.user == link.user))
            connection.execute(insert(links).values(to_row(link)))

    def by_hash(self, hash: str) -> Link | None:
        with self._database.read() as connection:
            row = connection.execute(select(links).where(links.c.hash == hash)).first()
        return None if row is None else to_record(Link, row)

    def take(self, hash: str, now: float) -> Link | None:
        with self._database.write() as connection:
            row = connection.execute(select(links).where(links.c.hash == hash)).first()
            connection.execute(delete(links).where((links.c.hash == hash) | (links.c.expires_at <= now)))
        return None if row is None or row.expires_at <= now else to_record(Link, row)


class SqlLoginAttempts:
    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, key: str) -> Attempts | None:
        with self._database.read() as connection:
            row = connection.execute(select(login_attempts).where(login_attempts.c.key == key)).first()
        return None if row is None else to_record(Attempts, row)

    def fail(self, key: str, now: float, window_s: float) -> int:
        """What is over is forgotten on the way, so that invented names do not fill the table."""
        over = (login_attempts.c.since < now - window_s) & (login_attempts.c.locked_until < now)
        with self._database.write() as connection:
            connection.execute(delete(login_attempts).where(over))
            row = connection.execute(select(login_attempts).where(login_attempts.c.key == key)).first()
            if row is None:
                connection.execute(insert(login_attempts).values(to_row(Attempts(key, 1, now))))
                return 1
            count = to_record(Attempts, row).count + 1
            connection.execute(update(login_attempts).where(login_attempts.c.key == key).values(count=count))
        return count

    def lock(self, key: str, until: float) -> None:
        with self._database.write() as connection:
            connection.execute(update(login_attempts).where(login_attempts.c.key == key).values(locked_until=until))

    def clear(self, key: str) -> None:
        with self._database.write() as connection:
            connection.execute(delete(login_attempts).where(login_attempts.c.key == key))


def _token(row: Row[Any]) -> Token:
    return to_record(Token, row, scopes=tuple(row.scopes))
