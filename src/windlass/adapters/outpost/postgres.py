"""Logs in to PostgreSQL by its own protocol: the server's codes say what is wrong in whatever language it speaks.

No library here gives the code of a log-in that failed, and libpq would look into files of the machine.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import stringprep
import struct
import unicodedata

from windlass.adapters.outpost.line import Fault, Line, open_line
from windlass.domain.outposts import Depth, Reply, Step, Target, Tls

_VERSION = 3 << 16
_SSL_REQUEST = struct.pack("!ii", 8, 80877103)
_LARGEST = 1 << 16
_FIRST = b"RENv"  # what may begin an answer to the first message

# SQLSTATE -> what that means for a log-in.
_MEANINGS = {
    "28P01": (Step.CREDENTIALS, "wrong"),
    "3D000": (Step.DATABASE, "missing"),
    "42501": (Step.PERMISSION, "denied"),
    "53300": (Step.BUSY, "full"),
    "57P03": (Step.BUSY, "starting"),
}
_DOORKEEPER = "ClientAuthentication"  # the routine that reads pg_hba.conf; its name is not translated


def ask_postgres(target: Target, until: float) -> Reply:
    """Log in, and out again. Raises Fault."""
    with open_line(target, until, secured=False) as line:
        _agree_on_tls(line, target)
        if not target.knows_login:
            return Reply(depth=Depth.ANSWER)
        line.send(_startup(target))
        _log_in(line, target)
        line.send(b"X" + struct.pack("!i", 4))
    return Reply(depth=Depth.LOGIN)


def _agree_on_tls(line: Line, target: Target) -> None:
    if target.tls is Tls.NONE and target.knows_login:
        return
    line.send(_SSL_REQUEST)
    answer = line.read(1)
    if answer not in b"SNE":
        raise Fault(Step.PROTOCOL, "other")
    if answer == b"S":
        line.secure(Tls.REQUIRE if target.tls in (Tls.NONE, Tls.PREFER) else target.tls)
    elif target.tls not in (Tls.NONE, Tls.PREFER):
        raise Fault(Step.TLS, "none")


def _startup(target: Target) -> bytes:
    given = {"user": target.user, "database": target.name, "application_name": "windlass", "options": target.options}
    body = b"".join(f"{key}\0{value}\0".encode() for key, value in given.items() if value) + b"\0"
    return struct.pack("!ii", len(body) + 8, _VERSION) + body


def _log_in(line: Line, target: Target) -> None:
    """Until the server waits for a query."""
    scram: _Scram | None = None
    kind, body = _message(line, first=True)
    while kind != b"Z":
        if kind == b"E":
            raise _refusal(body)
        if kind == b"R":
            code, rest = struct.unpack("!i", body[:4])[0], body[4:]
            scram = _answer(line, target, code, rest, scram)
        kind, body = _message(line)


def _message(line: Line, first: bool = False) -> tuple[bytes, bytes]:
    kind, length = struct.unpack("!ci", line.read(5))
    if not 4 <= length <= _LARGEST or (first and kind not in _FIRST):
        raise Fault(Step.PROTOCOL, "other")
    return kind, line.read(length - 4)


def _answer(line: Line, target: Target, code: int, rest: bytes, scram: _Scram | None) -> _Scram | None:
    if code == 0:
        return scram
    if not target.password:
        raise Fault(Step.CREDENTIALS, "missing")
    if code == 3:
        _send(line, target.password.encode() + b"\0")
    elif code == 5:
        _send(line, _md5(target, rest) + b"\0")
    elif code == 10 and b"SCRAM-SHA-256\0" in rest:
        made = _Scram(target.password)
        first = made.first()
        _send(line, b"SCRAM-SHA-256\0" + struct.pack("!i", len(first)) + first)
        return made
    elif code == 11 and scram is not None:
        _send(line, scram.final(rest))
    elif code == 12 and scram is not None:
        if not scram.knows(rest):
            raise Fault(Step.PROTOCOL, "other")
    else:
        raise Fault(Step.PROTOCOL, "version", f"authentication {code}")
    return scram


def _send(line: Line, body: bytes) -> None:
    line.send(b"p" + struct.pack("!i", len(body) + 4) + body)


def _md5(target: Target, salt: bytes) -> bytes:
    inner = hashlib.md5(target.password.encode() + target.user.encode(), usedforsecurity=False).hexdigest()
    return b"md5" + hashlib.md5(inner.encode() + salt, usedforsecurity=False).hexdigest().encode()


def _refusal(body: bytes) -> Fault:
    fields = {part[:1]: part[1:].decode("utf-8", "replace") for part in body.split(b"\0") if part}
    state = fields.get(b"C", "")
    if state == "28000":
        return Fault(Step.PERMISSION, "address" if fields.get(b"R") == _DOORKEEPER else "login", state)
    step, why = _MEANINGS.get(state, (Step.BUSY, "failing"))
    return Fault(step, why, state)


class _Scram:
    """RFC 5802 and 7677, without binding to the channel."""

    def __init__(self, password: str) -> None:
        self._password = _prepared(password)
        self._bare = f"n=,r={secrets.token_urlsafe(18)}"
        self._proof_of_server = b""

    def first(self) -> bytes:
        return f"n,,{self._bare}".encode()

    def final(self, challenge: bytes) -> bytes:
        """The answer to the server's challenge. Raises Fault for one that is none."""
        try:
            given = dict(part.split("=", 1) for part in challenge.decode("ascii").split(","))
            nonce, salt, rounds = given["r"], base64.b64decode(given["s"], validate=True), int(given["i"])
        except (ValueError, KeyError) as error:
            raise Fault(Step.PROTOCOL, "other") from error
        if not nonce.startswith(self._bare.partition("r=")[2]) or not 1 <= rounds <= 1_000_000:
            raise Fault(Step.PROTOCOL, "other")
        salted = hashlib.pbkdf2_hmac("sha256", self._password, salt, rounds)
        bare = f"c=biws,r={nonce}"
        told = f"{self._bare},{challenge.decode('ascii')},{bare}".encode()
        key = _signed(salted, b"Client Key")
        proof = bytes(a ^ b for a, b in zip(key, _signed(hashlib.sha256(key).digest(), told), strict=True))
        self._proof_of_server = _signed(_signed(salted, b"Server Key"), told)
        return f"{bare},p={base64.b64encode(proof).decode()}".encode()

    def knows(self, last: bytes) -> bool:
        """Whether the server knows the password too."""
        return hmac.compare_digest(last.strip(), b"v=" + base64.b64encode(self._proof_of_server))


def _signed(key: bytes, text: bytes) -> bytes:
    return hmac.digest(key, text, "sha256")


def _prepared(password: str) -> bytes:
    """RFC 4013, as the server does it when the password is set: what is forbidden there is taken as it is."""
    if password.isascii():
        return password.encode()
    mapped = "".join(" " if stringprep.in_table_c12(c) else c for c in password if not stringprep.in_table_b1(c))
    return unicodedata.normalize("NFKC", mapped).encode()
