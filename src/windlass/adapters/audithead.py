"""The audit log's head: a small file outside the database, whole after every crash."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from windlass.adapters.disk import sync_folder, write_synced
from windlass.domain.auditchain import Head
from windlass.domain.errors import OutOfReach

LOCK = "audit.lock"


class HeadFile:
    """Holds the number and code of the newest entry, and a seal over both that only the log's key can make."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Row and head belong together: no other process, a backup say, writes either meanwhile. Raises OutOfReach."""
        try:
            descriptor = os.open(self.path.with_name(LOCK), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise self._unwritable(error) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def read(self) -> tuple[Head, str] | None:
        """Head and seal; None when there is none that can be read."""
        try:
            found = json.loads(self.path.read_text())
            return Head(int(found["number"]), str(found["mac"])), str(found["seal"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, head: Head, seal: str) -> None:
        """On the disk when it returns. Raises OutOfReach."""
        temporary = self.path.with_name(self.path.name + ".new")
        document = json.dumps({"number": head.number, "mac": head.mac, "seal": seal})
        try:
            write_synced(temporary, document.encode(), os.O_TRUNC)
            os.replace(temporary, self.path)
            sync_folder(self.path.parent)
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> OutOfReach:
        return OutOfReach(
            f"the head of the audit log {self.path} cannot be written: {error.strerror}; nothing was changed",
            code="audit_unwritable",
            hint=f"check free disk space, and that {self.path.parent} belongs to the user that runs windlass",
        )
