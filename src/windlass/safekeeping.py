"""Backup, restore and moving of windlass itself: what its owner does with the home, whether or not it runs."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

from windlass import __version__, settings
from windlass.adapters import daemon, systemd
from windlass.domain.errors import Conflict, NotAllowed, NotFound, Refused, Usage
from windlass.launch import database_of, locks_of
from windlass.settings import Settings

Say = Callable[[str], None]

STDOUT = "-"
LEAST_WORDS = 8  # characters of a passphrase
_LOCK_WAIT_S = 1.0


def backup(home: Path | None, file: str, passphrase: str) -> dict[str, Any]:
    """Write everything of this windlass into one encrypted file, also while it runs; "-" is standard output.

    Raises Usage passphrase_short, Refused file_exists, home_empty, database_other_version.
    """
    from windlass.adapters.selfbackup.backup import write_backup
    from windlass.adapters.selfbackup.contents import Place

    check_passphrase(passphrase)
    known = settings.load(home)
    place = Place(known.home, database_of(known), __version__, known.instance)
    with _output(file) as into:
        told = write_backup(place, into, passphrase)
        into.flush()
    return {"home": str(known.home), "file": file, **told}


def restore(home: Path | None, file: Path, passphrase: str) -> dict[str, Any]:
    """Onto an empty home, all of it or nothing. Raises NotFound, Refused."""
    from windlass.adapters.selfbackup.contents import Place
    from windlass.adapters.selfbackup.restore import read_backup

    known = settings.load(home)
    try:
        with file.open("rb") as source:
            return read_backup(source, passphrase, Place(known.home, known.database_url, __version__))
    except FileNotFoundError as error:
        raise NotFound(f"there is no file {file}", code="backup_not_found") from error
    except PermissionError as error:
        raise NotAllowed(f"{file} cannot be read: {error.strerror}", code="backup_unreadable") from error


def copy_database(home: Path | None, url: str) -> dict[str, Any]:
    """SQLite -> PostgreSQL, compared row by row; windlass has to be stopped. The SQLite file stays as it is.

    Raises Conflict still_running, Refused database_not_empty, database_moved, Usage, OutOfReach.
    """
    from windlass.adapters.store.database import open_database, reach_database
    from windlass.adapters.store.moving import copy_database as copy

    known = replace(settings.load(home), database_url="")
    file = known.home / "windlass.db"
    if known.database != "sqlite":
        raise Refused(
            f"the database of {known.home} is in PostgreSQL already",
            code="database_moved",
            hint="set WINDLASS_DATABASE_URL, then: windlass up",
        )
    if not file.exists():
        raise Refused(f"there is no database {file}", code="home_empty", hint="windlass db copy --home DIR")
    if not url.startswith("postgres"):
        raise Usage("the database to copy to must be PostgreSQL", hint="postgresql://user:password@host/name")
    with while_stopped(known):
        source, target = open_database(f"sqlite:///{file}"), reach_database(url)
        try:
            tables = copy(source, target)
            settings.save(replace(known, database="postgresql"))
        finally:
            source.close()
            target.close()
    return {"home": str(known.home), "rows": sum(t["rows"] for t in tables.values()), "tables": tables}


@contextmanager
def while_stopped(known: Settings) -> Iterator[None]:
    """No control plane of this home runs, and none can begin. Raises Conflict still_running."""
    locks = locks_of(known)
    with daemon.held(locks.starting, _LOCK_WAIT_S):
        if daemon.holder(locks.supervisor) is not None or systemd.unit_file(known.instance).exists():
            raise _still_running()
        try:
            descriptor = daemon.hold(locks.server, _LOCK_WAIT_S)
        except Conflict as error:
            raise _still_running() from error
        try:
            yield
        finally:
            os.close(descriptor)


def check_passphrase(passphrase: str) -> None:
    if len(passphrase) < LEAST_WORDS:
        raise Usage(
            f"the passphrase is shorter than {LEAST_WORDS} characters: whoever has the backup could guess it",
            code="passphrase_short",
            hint="some words that belong together for you alone",
        )


def _still_running() -> Conflict:
    return Conflict(
        "windlass runs, and would write to the database meanwhile; nothing was changed",
        code="still_running",
        hint="windlass down (the apps go on), then again",
    )


@contextmanager
def _output(file: str) -> Iterator[BinaryIO]:
    """A file that has its name only when it is whole, for its owner alone."""
    if file == STDOUT:
        if sys.stdout.isatty():
            raise Usage("a backup is not written to a terminal", hint="windlass self backup - > FILE")
        yield sys.stdout.buffer
        return
    path = Path(file)
    if path.exists():
        raise Refused(f"{path} exists already; nothing was written", code="file_exists", hint="give another name")
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600), "wb") as into:
            yield into
            into.flush()
            os.fsync(into.fileno())
        os.link(fresh, path)  # never in place of a file that came meanwhile
    except FileExistsError as error:
        raise Refused(f"{path} exists already", code="file_exists", hint="give another name") from error
    except (FileNotFoundError, PermissionError, NotADirectoryError) as error:
        raise NotAllowed(f"{path} cannot be written: {error.strerror}", code="file_not_writable") from error
    finally:
        fresh.unlink(missing_ok=True)
