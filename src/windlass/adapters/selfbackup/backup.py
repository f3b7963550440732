"""Writes a backup of windlass itself, also while it runs: the database as of one moment, and the files of the home."""

from __future__ import annotations

import io
import json
import tarfile
import tempfile
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import IO, Any, BinaryIO

from sqlalchemy import Connection, Table

from windlass.adapters.audithead import HeadFile
from windlass.adapters.keyfile import KeyFile
from windlass.adapters.selfbackup.cipher import Sealer
from windlass.adapters.selfbackup.contents import (
    FILES,
    FORMAT,
    HEAD,
    KEY,
    MANIFEST,
    SUMMARY,
    TABLES,
    Place,
    apps_with_data,
    files_of,
)
from windlass.adapters.store.audit import SqlAudit
from windlass.adapters.store.database import REVISION, Database, reach_database
from windlass.adapters.store.dump import Digest, counters_of, freeze, lines_of, tables_known
from windlass.adapters.store.revisions import revision_of
from windlass.adapters.vault import Vault
from windlass.domain.auditchain import AuditEntry
from windlass.domain.errors import Refused


def write_backup(place: Place, into: BinaryIO, passphrase: str) -> dict[str, Any]:
    """What is in it, and what is not: {"apps", "rows", "files", "without_data"}.

    Raises Refused for a home without windlass in it or of another version; OutOfReach.
    """
    key = KeyFile(place.home / KEY)
    if not key.exists():
        raise Refused(
            f"there is no windlass in {place.home}", code="home_empty", hint="windlass self backup FILE --home DIR"
        )
    database = reach_database(place.url)
    try:
        with ExitStack() as stack:
            reader, head, before = _moment(database, place, stack)
            sealer = Sealer(into, passphrase)
            with tarfile.open(fileobj=sealer, mode="w|", format=tarfile.PAX_FORMAT) as tar:
                written = _write(tar, place, reader)
                after = key.path.read_bytes()
                # Rows may be under a key that a rotation has just forgotten.
                older = [line for line in before.split() if line not in after.split()]
                _add(tar, FILES + KEY, b"".join(line + b"\n" for line in (*after.split(), *older)))
                if head is not None:
                    _add(tar, FILES + HEAD, head)
                _add(tar, SUMMARY, json.dumps(written["tables"]).encode())
            sealer.finish()
    finally:
        database.close()
    rows = {name: found["rows"] for name, found in written["tables"].items()}
    return {
        "apps": rows["apps"],
        "rows": sum(rows.values()),
        "files": written["files"],
        "without_data": apps_with_data(place.home),
    }


def _moment(database: Database, place: Place, stack: ExitStack) -> tuple[Connection, bytes | None, bytes]:
    """A view of the database, and head and key as they were then: nobody writes while they are taken."""
    with database.read() as connection:
        found = revision_of(connection)
    if found != REVISION:
        raise Refused(
            f"the database is of another version of windlass (revision {found}, known here: {REVISION})",
            code="database_other_version",
            hint="windlass up, then again",
        )
    key = KeyFile(place.home / KEY)
    _write_down(database, place, key)
    with database.write():
        reader = stack.enter_context(database.read())
        freeze(reader)
        head = None
        with suppress(FileNotFoundError):
            head = (place.home / HEAD).read_bytes()
        return reader, head, key.path.read_bytes()


def _write_down(database: Database, place: Place, key: KeyFile) -> None:
    """In the audit log, whose own key may be under a newer one at any moment while the master key is rotated."""
    while True:
        keys = key.read()
        try:
            audit = SqlAudit(database, Vault(keys), HeadFile(place.home / HEAD))
            audit.append(AuditEntry(0, time.time(), "owner", "command", "self.backup", "", {}))
            return
        except Refused:
            if key.read() == keys:
                raise


def _write(tar: tarfile.TarFile, place: Place, reader: Connection) -> dict[str, Any]:
    manifest = {
        "format": FORMAT,
        "windlass": place.version,
        "revision": REVISION,
        "instance": place.instance,
        "home": str(place.home),
        "made_at": time.time(),
        "counters": counters_of(reader),
    }
    _add(tar, MANIFEST, json.dumps(manifest).encode())
    tables = {table.name: _add_table(tar, reader, table, place.home) for table in tables_known()}
    files = sum(_add_file(tar, FILES + name, path) for name, path in files_of(place.home))
    return {"tables": tables, "files": files}


def _add_table(tar: tarfile.TarFile, reader: Connection, table: Table, room: Path) -> dict[str, Any]:
    digest = Digest()
    with tempfile.TemporaryFile(dir=room) as rows:
        for line in lines_of(reader, table):
            digest.add(line)
            rows.write(line + b"\n")
        size = rows.tell()
        rows.seek(0)
        _add_from(tar, f"{TABLES}{table.name}", size, rows)
    return digest.as_dict()


def _add_file(tar: tarfile.TarFile, name: str, path: Path) -> bool:
    """Whether it is a file that is in it now: one that was taken away meanwhile is none."""
    try:
        info = tar.gettarinfo(path, arcname=name)
        info.uid = info.gid = 0
        info.uname = info.gname = ""
        if not info.isreg():
            tar.addfile(info)
            return False
        info.type = tarfile.REGTYPE  # a file with two names is kept twice
        with path.open("rb") as content:
            held = content.read() if info.size < _AT_ONCE else None
            if held is not None:
                info.size = len(held)
            tar.addfile(info, content if held is None else io.BytesIO(held))
        return True
    except FileNotFoundError:
        return False


_AT_ONCE = 1 << 20


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    _add_from(tar, name, len(content), io.BytesIO(content))


def _add_from(tar: tarfile.TarFile, name: str, size: int, content: IO[bytes]) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o600
    tar.addfile(info, content)
