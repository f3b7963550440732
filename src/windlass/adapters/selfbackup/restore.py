"""Puts a backup onto an empty home: into a folder beside it first, and in its place only when all of it is genuine."""

from __future__ import annotations

import io
import json
import os
import shutil
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, BinaryIO

from sqlalchemy import Connection, Table, select, update

from windlass.adapters.disk import sync_folder, write_synced
from windlass.adapters.keyfile import KeyFile
from windlass.adapters.selfbackup.cipher import Opener, damaged, newer
from windlass.adapters.selfbackup.contents import FILES, FORMAT, KEY, MANIFEST, SUMMARY, TABLES, Place
from windlass.adapters.store.database import REVISION, reach_database
from windlass.adapters.store.dump import Digest, finish, prepare_empty, set_counters, write_lines
from windlass.adapters.store.sealed import snapshot_label
from windlass.adapters.store.tables import snapshots
from windlass.adapters.vault import Vault
from windlass.domain.errors import Failed, NotAllowed, Refused, WindlassError

_SETTINGS = "settings.json"


def read_backup(source: BinaryIO, passphrase: str, place: Place) -> dict[str, Any]:
    """{"home", "was_at", "made_at", "windlass", "apps"}; `place.url` "" for an SQLite file in the home.

    Raises Refused: home_not_empty, database_not_empty, and what cipher.Opener says. Then nothing is left of it.
    """
    _refuse_used(place.home)
    opener = Opener(source, passphrase)
    with _told(place.home), _beside(place.home) as folder:
        with tarfile.open(fileobj=io.BufferedReader(opener), mode="r|") as tar:
            manifest = _manifest(tar)
            database = reach_database(place.url or f"sqlite:///{folder / 'windlass.db'}")
            try:
                with database.write() as connection:
                    apps = _fill(connection, tar, opener, _Target(folder, place.home, manifest))
                    if place.url:
                        _put_in_place(folder, place.home)  # the commit is all that is missing
                database.empty_log()
            finally:
                database.close()
        if not place.url:
            _put_in_place(folder, place.home)
    facts = {name: manifest[name] for name in ("made_at", "windlass")}
    return {"home": str(place.home), "was_at": manifest["home"], "apps": apps, **facts}


class _Target:
    """Where it goes: `folder` becomes `home`."""

    def __init__(self, folder: Path, home: Path, manifest: dict[str, Any]) -> None:
        self.folder = folder
        self.home = home
        self.manifest = manifest
        self.links: list[tuple[Path, str]] = []
        self.digests: dict[str, Digest] = {}

    @property
    def both(self) -> tuple[str, str]:
        """What paths began with, and what they begin with now."""
        return f"{self.manifest['home']}/", f"{self.home}/"


def _fill(connection: Connection, tar: tarfile.TarFile, opener: Opener, target: _Target) -> int:
    """How many apps there are."""
    manifest = target.manifest
    tables = {table.name: table for table in prepare_empty(connection, manifest["revision"])}
    summary: dict[str, Any] = {}
    for member in tar:
        content = tar.extractfile(member) if member.isreg() else None
        if member.name.startswith(TABLES) and content is not None:
            _fill_table(connection, tables, member.name.removeprefix(TABLES), content, target)
        elif member.name == SUMMARY and content is not None:
            summary = json.load(content)
        elif member.name.startswith(FILES):
            _unpack(member, content, target)
    opener.drain()
    if {name: found.as_dict() for name, found in target.digests.items()} != summary:
        raise damaged("its tables are not those that were put into it")
    for path, leads_to in target.links:  # last, so that nothing is ever written through one
        path.symlink_to(leads_to)
    set_counters(connection, tables.values(), manifest["counters"])
    finish(connection, manifest["revision"])
    if manifest["home"] != str(target.home):
        _rename_home(connection, target)
    _settle(target, connection.dialect.name)
    return target.digests["apps"].rows


def _manifest(tar: tarfile.TarFile) -> dict[str, Any]:
    first = tar.next()
    content = tar.extractfile(first) if first is not None and first.name == MANIFEST else None
    if content is None:
        raise damaged("it does not begin as a backup does")
    found: dict[str, Any] = json.load(content)
    if found["format"] > FORMAT or found["revision"] > REVISION:
        raise newer(f"windlass {found['windlass']}, database revision {found['revision']}, known here: {REVISION}")
    return found


def _fill_table(
    connection: Connection, tables: dict[str, Table], name: str, content: IO[bytes], target: _Target
) -> None:
    if name not in tables:
        raise damaged(f"it holds a table {name}, which there never was")
    digest = target.digests[name] = Digest()

    def lines() -> Iterator[bytes]:
        for line in content:
            digest.add(line.rstrip(b"\n"))
            yield line

    write_lines(connection, tables[name], lines())


def _unpack(member: tarfile.TarInfo, content: IO[bytes] | None, target: _Target) -> None:
    """Files and folders of windlass itself are its owner's alone; what apps mount is reached by its own mode."""
    name = member.name.removeprefix(FILES)
    parts = name.split("/")
    if name.startswith("/") or not all(part and part not in (".", "..") for part in parts):
        raise damaged(f"it names a file outside the home: {name!r}")
    path = target.folder / name
    is_shared = parts[0] == "apps" and len(parts) > 3
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if member.isdir():
        path.mkdir(mode=0o700, exist_ok=True)
        path.chmod(member.mode & 0o777 if is_shared else 0o700)
    elif member.issym():
        target.links.append((path, member.linkname))
    elif content is not None:
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
            shutil.copyfileobj(content, file)
            os.fchmod(file.fileno(), member.mode & 0o777 if is_shared else 0o600)
            file.flush()
            os.fsync(file.fileno())


# --- another place than before --------------------------------------------------------------------------------------


def _rename_home(connection: Connection, target: _Target) -> None:
    """What releases mount lies below the new home now."""
    before, after = target.both
    vault = Vault(KeyFile(target.folder / KEY).read())
    for row in connection.execute(select(snapshots)).all():
        label = snapshot_label(row.app, row.number)
        document = json.loads(zlib.decompress(vault.open(row.sealed, label)))
        moved = _moved(document, before, after)
        if moved != document:
            sealed = vault.seal(zlib.compress(json.dumps(moved).encode()), label)
            is_row = (snapshots.c.app == row.app) & (snapshots.c.number == row.number)
            connection.execute(update(snapshots).where(is_row).values(sealed=sealed))


def _settle(target: _Target, database: str) -> None:
    """The settings name files of the home, and the kind of database."""
    settings = target.folder / _SETTINGS
    if settings.exists():
        known = _moved(json.loads(settings.read_text()), *target.both)
        write_synced(settings, json.dumps(known | {"database": database}, indent=1).encode(), os.O_TRUNC)


def _moved(value: Any, before: str, after: str) -> Any:
    if isinstance(value, str):
        return after + value.removeprefix(before) if value.startswith(before) else value
    if isinstance(value, dict):
        return {key: _moved(inner, before, after) for key, inner in value.items()}
    if isinstance(value, list):
        return [_moved(inner, before, after) for inner in value]
    return value


# --- the folder -----------------------------------------------------------------------------------------------------


def _refuse_used(home: Path) -> None:
    if home.is_symlink() or (home.exists() and (not home.is_dir() or any(home.iterdir()))):
        raise Refused(
            f"{home} is not empty, and a backup is restored onto an empty home only; nothing was written",
            code="home_not_empty",
            hint=f"move it away: mv {home} {home}.before; or: windlass self restore FILE --home DIR",
        )


@contextmanager
def _beside(home: Path) -> Iterator[Path]:
    """Gone at the end, unless it has become the home; so is what a killed attempt left."""
    folder = home.with_name(f".{home.name}.restoring")
    home.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    mark = folder.stat().st_ino
    try:
        yield folder
    except BaseException:
        with suppress(OSError):
            if home.stat().st_ino == mark:  # it was put in place, and then the database refused
                home.rename(folder)
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _put_in_place(folder: Path, home: Path) -> None:
    for root, _, _ in os.walk(folder):
        sync_folder(Path(root))
    folder.rename(home)
    sync_folder(home.parent)


@contextmanager
def _told(home: Path) -> Iterator[None]:
    """What the disk, or a file that is genuine and makes no sense, says in words of ours."""
    try:
        yield
    except WindlassError:
        raise
    except PermissionError as error:
        raise NotAllowed(f"{home} cannot be written: {error.strerror}", code="home_not_writable") from error
    except OSError as error:
        raise Failed(
            f"the backup could not be restored: {error.strerror or error}; nothing of it is left",
            code="restore_failed",
            hint="windlass self restore FILE --home DIR on a disk with room",
        ) from error
    except (tarfile.TarError, ValueError, KeyError) as error:
        raise damaged(f"what is in it cannot be read ({type(error).__name__})") from error
