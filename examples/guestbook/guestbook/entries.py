"""What an entry is, and how it is kept in PostgreSQL."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from guestbook.stores import Pool


class NewEntry(BaseModel):
    """What a visitor sends."""

    model_config = ConfigDict(str_strip_whitespace=True)

    name: str = Field(min_length=1, max_length=60)
    message: str = Field(min_length=1, max_length=500)


class Entry(NewEntry):
    """What is shown; words, mood and counted_by are empty until the worker has been there."""

    id: int
    created_at: datetime
    words: int | None
    mood: str | None
    counted_by: str | None


COLUMNS = "id, name, message, created_at, words, mood, counted_by"
INSERT = f"INSERT INTO entries (name, message) VALUES (%(name)s, %(message)s) RETURNING {COLUMNS}"


async def newest(db: Pool, limit: int = 30) -> list[Entry]:
    """The latest entries, newest first."""
    async with db.connection() as connection:
        rows = await connection.execute(f"SELECT {COLUMNS} FROM entries ORDER BY id DESC LIMIT %s", [limit])
        return [Entry.model_validate(row) async for row in rows]


async def one(db: Pool, entry_id: int) -> Entry | None:
    """The entry with that number, if there is one."""
    async with db.connection() as connection:
        rows = await connection.execute(f"SELECT {COLUMNS} FROM entries WHERE id = %s", [entry_id])
        row = await rows.fetchone()
        return Entry.model_validate(row) if row else None


async def add(db: Pool, entry: NewEntry) -> Entry:
    """Keep a new entry."""
    async with db.connection() as connection:
        rows = await connection.execute(INSERT, entry.model_dump())
        return Entry.model_validate(await rows.fetchone())
