"""The envelope of a backup: a header that tells how the key is made, then pieces that open in their order only.

A piece is AES-256-GCM under a nonce of a random part, its number, and a mark for the last one; the header is
authenticated with each. So a file that was cut, put together anew, or changed anywhere does not open.
"""

from __future__ import annotations

import hashlib
import hmac
import io
import json
import os
import unicodedata
from dataclasses import dataclass
from typing import Any, BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from windlass.domain.errors import Refused

MAGIC = b"windlass backup\n"
FORMAT = 1
PIECE = 64 * 1024
LEAST_WORDS = 8  # characters of a passphrase

_TAG = 16
_RANDOM = 7
_LIMIT = 2000  # bytes of a header
_SCRYPT = {"n": 1 << 16, "r": 8, "p": 1}
_DEAREST = {"n": 1 << 20, "r": 16, "p": 4}  # a header must not make us use more


@dataclass(frozen=True)
class _Keys:
    cipher: AESGCM
    random: bytes
    about: bytes  # authenticated with every piece

    def nonce(self, number: int, last: bool) -> bytes:
        return self.random + number.to_bytes(4, "big") + bytes([last])


class Sealer(io.RawIOBase):
    """A file to write into; `finish` writes the last piece. Without it what was written does not open."""

    def __init__(self, into: BinaryIO, passphrase: str) -> None:
        self._into = into
        self._rest = bytearray()
        self._number = 0
        salt, random = os.urandom(16), os.urandom(_RANDOM)
        key, check = _derive(passphrase, salt, _SCRYPT)
        header: dict[str, Any] = {"format": FORMAT, "kdf": "scrypt", **_SCRYPT}
        header |= {"salt": salt.hex(), "random": random.hex(), "check": check.hex()}
        line = json.dumps(header).encode() + b"\n"
        about = MAGIC + line + hashlib.sha256(MAGIC + line).hexdigest().encode() + b"\n"
        into.write(about)
        self._keys = _Keys(AESGCM(key), random, hashlib.sha256(about).digest())

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._rest += data
        while len(self._rest) > PIECE:
            self._put(bytes(self._rest[:PIECE]), last=False)
            del self._rest[:PIECE]
        return len(data)

    def finish(self) -> None:
        self._put(bytes(self._rest), last=True)
        self._rest.clear()

    def _put(self, piece: bytes, *, last: bool) -> None:
        self._into.write(self._keys.cipher.encrypt(self._keys.nonce(self._number, last), piece, self._keys.about))
        self._number += 1


class Opener(io.RawIOBase):
    """A sealed file to read from. Nothing of a piece is given out before it has proved genuine.

    Raises Refused: backup_foreign, backup_newer, backup_passphrase, backup_damaged.
    """

    def __init__(self, source: BinaryIO, passphrase: str) -> None:
        self._source = source
        header, about = _read_header(source)
        key, check = _derive(passphrase, header["salt"], header["scrypt"])
        if not hmac.compare_digest(check, header["check"]):
            raise Refused(
                "this is not the passphrase of the backup; nothing was written",
                code="backup_passphrase",
                hint="give the one that it was made with",
            )
        self._keys = _Keys(AESGCM(key), header["random"], hashlib.sha256(about).digest())
        self._number = 0
        self._ahead = source.read(PIECE + _TAG)
        self._rest = b""
        self._is_over = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest and not self._is_over:
            self._rest = self._next()
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def drain(self) -> None:
        """To the end: only then the whole file has proved genuine."""
        while self.read(PIECE):
            pass

    def _next(self) -> bytes:
        piece, self._ahead = self._ahead, self._source.read(PIECE + _TAG)
        self._is_over = not self._ahead
        try:
            opened = self._keys.cipher.decrypt(self._keys.nonce(self._number, self._is_over), piece, self._keys.about)
        except (InvalidTag, ValueError) as error:
            raise damaged(f"its piece {self._number + 1} was cut off or changed") from error
        self._number += 1
        return opened


def damaged(why: str) -> Refused:
    return Refused(
        f"the backup is damaged: {why}; nothing was written",
        code="backup_damaged",
        hint="take another copy of it, or an older backup",
    )


def _derive(passphrase: str, salt: bytes, cost: dict[str, int]) -> tuple[bytes, bytes]:
    """The key, and a proof of it that tells nothing of the key."""
    words = unicodedata.normalize("NFC", passphrase).encode()
    made = hashlib.scrypt(words, salt=salt, **cost, maxmem=256 * cost["n"] * cost["r"], dklen=64)
    return made[:32], hashlib.sha256(made[32:]).digest()[:16]


def _read_header(source: BinaryIO) -> tuple[dict[str, Any], bytes]:
    magic = source.read(len(MAGIC))
    if magic != MAGIC:
        raise Refused("this file is no backup of windlass", code="backup_foreign", hint="windlass self backup FILE")
    line = source.readline(_LIMIT)
    proof = source.readline(_LIMIT)
    if proof != hashlib.sha256(MAGIC + line).hexdigest().encode() + b"\n":
        raise damaged("its header was changed")
    found = json.loads(line)
    if found["format"] > FORMAT:
        raise newer(f"format {found['format']}")
    cost = {name: int(found[name]) for name in _SCRYPT}
    if any(cost[name] > most for name, most in _DEAREST.items()):
        raise damaged("its header asks for too much memory")
    bytes_of = {name: bytes.fromhex(found[name]) for name in ("salt", "random", "check")}
    return {**bytes_of, "scrypt": cost}, magic + line + proof


def newer(what: str) -> Refused:
    return Refused(
        f"the backup was made by a newer windlass ({what}); nothing was written",
        code="backup_newer",
        hint="install that version of windlass, and restore again",
    )
