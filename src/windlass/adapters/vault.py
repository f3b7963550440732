"""Encrypts what must not lie in the database in clear, with a key that lies outside of it."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import secrets
import stat
from collections.abc import Sequence
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from windlass.domain.errors import OutOfReach, Refused

_FORMAT = b"\x01"
_KEY_BYTES = 32
_ID_BYTES = 4
_NONCE_BYTES = 12


class Vault:
    """AES-256-GCM under the first of its keys; the others open what was sealed before a rotation.

    A sealed value is: format byte, key id, nonce, ciphertext. The label is authenticated with it, so that a value
    that was moved to another row does not open.
    """

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._ciphers = {_key_id(key): AESGCM(key) for key in keys}
        self._current = _key_id(keys[0])

    def seal(self, plain: bytes, label: str) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        body = self._ciphers[self._current].encrypt(nonce, plain, label.encode())
        return _FORMAT + self._current + nonce + body

    def open(self, sealed: bytes, label: str) -> bytes:
        """Raises Refused (code sealed_unreadable) for another key or a value that was changed or moved."""
        key_id, nonce, body = _split(sealed)
        cipher = self._ciphers.get(key_id)
        try:
            if cipher is not None:
                return cipher.decrypt(nonce, body, label.encode())
        except (InvalidTag, ValueError) as error:
            raise _unreadable(label) from error
        raise _unreadable(label)

    def has_key_of(self, sealed: bytes) -> bool:
        return _split(sealed)[0] in self._ciphers


def open_vault(key_file: Path, sealed: Sequence[bytes] = ()) -> Vault:
    """The vault of this key file, which is made when there is none.

    `sealed` are samples of what the database holds: with any, a missing or foreign key is refused, not replaced.
    """
    if not key_file.exists():
        if sealed:
            raise Refused(
                f"the database holds encrypted values, but their key {key_file} is missing; nothing was changed",
                code="master_key_missing",
                hint=f"put {key_file} back from your backup; it must belong to the user that runs windlass, mode 0600",
            )
        _make_key(key_file)
    vault = Vault(_read_keys(key_file))
    if not all(vault.has_key_of(sample) for sample in sealed):
        raise Refused(
            f"{key_file} is not the key of this database; nothing was changed",
            code="master_key_wrong",
            hint="put the key and the database of the same home back together",
        )
    return vault


def _make_key(key_file: Path) -> None:
    """Complete on the disk before it has its name: a crash leaves no half a key, and a key is never overwritten."""
    temporary = key_file.with_name(f"{key_file.name}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(base64.b64encode(os.urandom(_KEY_BYTES)) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(temporary, key_file)
        except FileExistsError:
            return  # another start was faster: its key counts
        finally:
            temporary.unlink()
        _sync_folder(key_file.parent)
    except OSError as error:
        raise OutOfReach(
            f"the key file {key_file} cannot be made: {error.strerror}",
            code="master_key_unwritable",
            hint=f"check that {key_file.parent} exists and belongs to the user that runs windlass",
        ) from error


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read_keys(key_file: Path) -> list[bytes]:
    """One key per line in base64, the current one first."""
    try:
        descriptor = os.open(key_file, os.O_RDONLY | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            found = os.fstat(file.fileno())
            if stat.S_IMODE(found.st_mode) & 0o077 or found.st_uid not in (0, os.geteuid()):
                raise Refused(
                    f"the key file {key_file} can be read by others (mode {stat.S_IMODE(found.st_mode):04o})",
                    code="master_key_open",
                    hint=f"chmod 600 {key_file} and make sure that it belongs to the user that runs windlass",
                )
            lines = file.read(65536).split()
    except OSError as error:
        raise OutOfReach(
            f"the key file {key_file} cannot be read: {error.strerror}",
            code="master_key_unreadable",
            hint="start windlass as the user that owns it",
        ) from error
    return _decode(lines, key_file)


def _decode(lines: Sequence[bytes], key_file: Path) -> list[bytes]:
    try:
        keys = [base64.b64decode(line, validate=True) for line in lines]
    except binascii.Error:
        keys = []
    if not keys or any(len(key) != _KEY_BYTES for key in keys):
        raise Refused(
            f"the key file {key_file} is damaged: it must hold 32 bytes in base64 per line",
            code="master_key_damaged",
            hint=f"put {key_file} back from your backup",
        )
    return keys


def _key_id(key: bytes) -> bytes:
    return hashlib.sha256(b"windlass key id\0" + key).digest()[:_ID_BYTES]


def _split(sealed: bytes) -> tuple[bytes, bytes, bytes]:
    nonce_at = len(_FORMAT) + _ID_BYTES
    body_at = nonce_at + _NONCE_BYTES
    if sealed[: len(_FORMAT)] != _FORMAT:
        return b"", b"", b""
    return sealed[len(_FORMAT) : nonce_at], sealed[nonce_at:body_at], sealed[body_at:]


def _unreadable(label: str) -> Refused:
    table, app, key = (label.split(":", 2) + ["", ""])[:3]
    return Refused(
        f"{key} of {app} ({table}) cannot be decrypted: it was changed, moved, or sealed with another key",
        code="sealed_unreadable",
        hint="set the value again, or put the database and its key back from the same backup",
    )
