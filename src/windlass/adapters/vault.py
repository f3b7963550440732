"""Encrypts what must not lie in the database in clear, with a key that lies outside of it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from windlass.adapters.keyfile import KEY_BYTES, KeyFile
from windlass.domain.errors import Refused

_FORMAT = b"\x01"
_ID_BYTES = 4
_NONCE_BYTES = 12

PREFIX_BYTES = len(_FORMAT) + _ID_BYTES


@dataclass(frozen=True)
class _Ring:
    """`keys`: those of the file, the first seals. `ciphers` may know more: keys that nothing should need any more."""

    keys: tuple[bytes, ...]
    ciphers: Mapping[bytes, AESGCM]

    @property
    def current(self) -> bytes:
        return _key_id(self.keys[0])


class Vault:
    """AES-256-GCM under the first of its keys; the others open what was sealed before a rotation.

    A sealed value is: format byte, key id, nonce, ciphertext. The label is authenticated with it, so that a value
    that was moved to another row does not open. Without a `file` its keys live as long as it does.
    """

    def __init__(self, keys: Sequence[bytes], file: KeyFile | None = None) -> None:
        self._file = file
        self._ring = _ring(keys, {})

    def seal(self, plain: bytes, label: str) -> bytes:
        """To be stored in the write transaction in which it is sealed: a key is dropped when no row needs it."""
        ring = self._ring
        nonce = os.urandom(_NONCE_BYTES)
        body = ring.ciphers[ring.current].encrypt(nonce, plain, label.encode())
        return _FORMAT + ring.current + nonce + body

    def open(self, sealed: bytes, label: str) -> bytes:
        """Raises Refused (code sealed_unreadable) for another key or a value that was changed or moved."""
        key_id, nonce, body = _split(sealed)
        cipher = self._ring.ciphers.get(key_id)
        try:
            if cipher is not None:
                return cipher.decrypt(nonce, body, label.encode())
        except (InvalidTag, ValueError) as error:
            raise _unreadable(label) from error
        raise _unreadable(label)

    def has_key_of(self, sealed: bytes) -> bool:
        return _split(sealed)[0] in self._ring.ciphers

    # --- its keys --------------------------------------------------------------------------------------------------

    @property
    def prefix(self) -> bytes:
        """What every value begins with that is sealed now."""
        return _FORMAT + self._ring.current

    @property
    def current(self) -> str:
        """The id of the key that seals: a hash, which tells nothing of the key."""
        return self._ring.current.hex()

    @property
    def older(self) -> tuple[str, ...]:
        """The ids of the other keys in the file: there are some while a rotation is under way."""
        return tuple(_key_id(key).hex() for key in self._ring.keys[1:])

    def add_key(self) -> None:
        """From now on a new key seals; it is safe on the disk before it seals anything.

        Raises Refused master_key_changed when somebody put another file in its place, OutOfReach.
        """
        keys = self._keys_on_disk()
        known = {_key_id(key) for key in keys}
        new = os.urandom(KEY_BYTES)
        while _key_id(new) in known:
            new = os.urandom(KEY_BYTES)
        self._keep([new, *keys])

    def drop_older(self) -> None:
        """Only the key that seals is kept. Whoever is reading an older value just now can open it still."""
        self._keep(self._ring.keys[:1])

    def changed_at(self) -> float | None:
        return self._file.changed_at() if self._file else None

    def check_file(self) -> None:
        """Raises what keeps a next start from opening the values."""
        if self._file and not self._file.exists():
            way_out = "put it back from your backup; or: windlass key rotate, which writes it anew"
            raise _missing(self._file.path, "what runs goes on, but a next start will be refused", way_out)
        self._keys_on_disk()

    def _keys_on_disk(self) -> Sequence[bytes]:
        if self._file is None or not self._file.exists():
            return self._ring.keys
        keys = self._file.read()
        if self._ring.keys[0] not in keys:
            raise Refused(
                f"{self._file.path} is not the file that windlass was started with: its key is not in it",
                code="master_key_changed",
                hint=f"put the former {self._file.path} back",
            )
        return keys

    def _keep(self, keys: Sequence[bytes]) -> None:
        if self._file is not None:
            self._file.replace(keys)
        self._ring = _ring(keys, self._ring.ciphers)


def open_vault(key_file: Path, sealed: Sequence[bytes] = ()) -> Vault:
    """The vault of this key file, which is made when there is none.

    `sealed` are samples of what the database holds: with any, a missing or foreign key is refused, not replaced.
    """
    file = KeyFile(key_file)
    if not file.exists():
        if sealed:
            way_out = f"put {key_file} back from your backup; it must belong to the user that runs windlass, mode 0600"
            raise _missing(key_file, "nothing was changed", way_out)
        file.make()
    vault = Vault(file.read(), file)
    if not all(vault.has_key_of(sample) for sample in sealed):
        raise Refused(
            f"{key_file} is not the key of this database; nothing was changed",
            code="master_key_wrong",
            hint="put the key and the database of the same home back together",
        )
    file.forget_unfinished()
    return vault


def _ring(keys: Sequence[bytes], known: Mapping[bytes, AESGCM]) -> _Ring:
    return _Ring(tuple(keys), {**known, **{_key_id(key): AESGCM(key) for key in keys}})


def _key_id(key: bytes) -> bytes:
    return hashlib.sha256(b"windlass key id\0" + key).digest()[:_ID_BYTES]


def _split(sealed: bytes) -> tuple[bytes, bytes, bytes]:
    body_at = PREFIX_BYTES + _NONCE_BYTES
    if sealed[: len(_FORMAT)] != _FORMAT:
        return b"", b"", b""
    return sealed[len(_FORMAT) : PREFIX_BYTES], sealed[PREFIX_BYTES:body_at], sealed[body_at:]


def _missing(key_file: Path, what_now: str, way_out: str) -> Refused:
    words = f"the database holds encrypted values, but their key {key_file} is missing; {what_now}"
    return Refused(words, code="master_key_missing", hint=way_out)


def _unreadable(label: str) -> Refused:
    table, app, key = (label.split(":", 2) + ["", ""])[:3]
    return Refused(
        f"{key} of {app} ({table}) cannot be decrypted: it was changed, moved, or sealed with another key",
        code="sealed_unreadable",
        hint="set the value again, or put the database and its key back from the same backup",
    )
