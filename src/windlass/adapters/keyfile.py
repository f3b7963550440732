"""The file of the master keys: its owner's alone, and complete on the disk before it has its name."""

from __future__ import annotations

import base64
import binascii
import os
import secrets
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from windlass.adapters.disk import sync_folder, write_synced
from windlass.domain.errors import OutOfReach, Refused

KEY_BYTES = 32


class KeyFile:
    """One key per line in base64, the one that seals first. Errors: OutOfReach when the disk does not let us."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def exists(self) -> bool:
        return self.path.exists()

    def make(self) -> None:
        """A first key; never in place of one, also when two starts make it at once."""
        temporary = self.path.with_name(f"{self.path.name}.{secrets.token_hex(4)}")
        with self._told("made"):
            _write(temporary, [os.urandom(KEY_BYTES)])
            try:
                os.link(temporary, self.path)
            except FileExistsError:
                return  # another start was faster: its key counts
            finally:
                temporary.unlink()
            sync_folder(self.path.parent)

    def replace(self, keys: Sequence[bytes]) -> None:
        """When it returns, these keys are what a start finds, after a power failure too; before, the old or these."""
        temporary = self._unfinished
        with self._told("written"):
            self._tidy()
            _write(temporary, keys)
            os.replace(temporary, self.path)
            sync_folder(self.path.parent)

    def read(self) -> list[bytes]:
        """Raises Refused when others can read it, or when it is damaged."""
        with self._told("read"):
            descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
            with os.fdopen(descriptor, "rb") as file:
                self._check_owner(os.fstat(file.fileno()))
                lines = file.read(65536).split()
        return self._decode(lines)

    def forget_unfinished(self) -> None:
        """What a crash left of a file that never got its name: its keys sealed nothing."""
        with self._told("tidied"):
            self._unfinished.unlink(missing_ok=True)

    def changed_at(self) -> float | None:
        try:
            return self.path.stat().st_mtime
        except OSError:
            return None

    @property
    def _unfinished(self) -> Path:
        return self.path.with_name(self.path.name + ".new")

    def _tidy(self) -> None:
        """Also the second name that a crash in `make` leaves to a key: once replaced it must be nowhere."""
        for left in self.path.parent.glob(self.path.name + ".*"):
            left.unlink(missing_ok=True)

    def _check_owner(self, found: os.stat_result) -> None:
        if stat.S_IMODE(found.st_mode) & 0o077 or found.st_uid not in (0, os.geteuid()):
            raise Refused(
                f"the key file {self.path} can be read by others (mode {stat.S_IMODE(found.st_mode):04o})",
                code="master_key_open",
                hint=f"chmod 600 {self.path} and make sure that it belongs to the user that runs windlass",
            )

    def _decode(self, lines: Sequence[bytes]) -> list[bytes]:
        try:
            keys = [base64.b64decode(line, validate=True) for line in lines]
        except binascii.Error:
            keys = []
        if not keys or any(len(key) != KEY_BYTES for key in keys):
            raise Refused(
                f"the key file {self.path} is damaged: it must hold 32 bytes in base64 per line",
                code="master_key_damaged",
                hint=f"put {self.path} back from your backup",
            )
        return keys

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        """The system's errors in words of ours."""
        try:
            yield
        except OSError as error:
            belongs = f"check that {self.path.parent} exists and belongs to the user that runs windlass"
            raise OutOfReach(
                f"the key file {self.path} cannot be {what}: {error.strerror}",
                code="master_key_unreadable" if what == "read" else "master_key_unwritable",
                hint="start windlass as the user that owns it" if what == "read" else belongs,
            ) from error


def _write(path: Path, keys: Sequence[bytes]) -> None:
    write_synced(path, b"".join(base64.b64encode(key) + b"\n" for key in keys), os.O_EXCL)
