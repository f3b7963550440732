"""A connection to an outside service: its name looked up, the way to it, TLS; each failure told as what it is."""

from __future__ import annotations

import errno
import functools
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from windlass.domain.outposts import Step, Target, Tls

_UNKNOWN_NAMES = {socket.EAI_NONAME, socket.EAI_NODATA, socket.EAI_FAIL}
_NO_WAY = {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL, errno.ENETDOWN, errno.EHOSTDOWN, errno.EACCES}
_GONE = {errno.ECONNRESET, errno.EPIPE, errno.ECONNABORTED}
_LEAST_S = 0.05
_ANSWER_LIMIT = 1 << 16  # bytes of one message

# OpenSSL's numbers for what is wrong with a certificate.
_CERTIFICATE_FAULTS = {10: "expired", 9: "early", 62: "name", 64: "name"}
_UNKNOWN_AUTHORITY = {2, 18, 19, 20, 21, 27}
_NO_TLS = (
    "WRONG_VERSION_NUMBER",
    "HTTP_REQUEST",
    "UNEXPECTED_MESSAGE",
    "RECORD_LAYER_FAILURE",
    "PACKET_LENGTH_TOO_LONG",
)


class Fault(Exception):
    """What did not work, in the words of `domain.outposts.Reply`."""

    def __init__(self, step: Step, why: str, code: str = "") -> None:
        super().__init__(f"{step}: {why}")
        self.step, self.why, self.code = step, why, code


class Line:
    """An open connection. Whatever fails on it is raised as a Fault of the network."""

    def __init__(self, plain: socket.socket, host: str, until: float) -> None:
        self.socket = plain
        self.host = host
        self._until = until

    def left(self) -> float:
        return max(self._until - time.monotonic(), _LEAST_S)

    def send(self, data: bytes) -> None:
        with _told():
            self.socket.settimeout(self.left())
            self.socket.sendall(data)

    def read(self, count: int) -> bytes:
        """Exactly so many bytes."""
        if count > _ANSWER_LIMIT:
            raise Fault(Step.PROTOCOL, "other")
        found = bytearray()
        while len(found) < count:
            found += self._some(count - len(found))
        return bytes(found)

    def read_line(self) -> bytes:
        """Up to a line's end, without it."""
        found = bytearray()
        while not found.endswith(b"\n"):
            if len(found) > _ANSWER_LIMIT:
                raise Fault(Step.PROTOCOL, "other")
            found += self._some(1)
        return bytes(found).rstrip(b"\r\n")

    def _some(self, count: int) -> bytes:
        with _told():
            self.socket.settimeout(self.left())
            data = self.socket.recv(count)
        if not data:
            raise Fault(Step.NETWORK, "closed")
        return data

    def secure(self, tls: Tls) -> None:
        """The handshake, with as much proof of who answers as was asked for."""
        self.socket.settimeout(self.left())
        try:
            self.socket = context(tls).wrap_socket(self.socket, server_hostname=self.host)
        except ssl.SSLCertVerificationError as error:
            raise _certificate_fault(error) from error
        except ssl.SSLEOFError as error:
            raise Fault(Step.TLS, "silent") from error
        except ssl.SSLError as error:
            reason = error.reason or ""
            why = "none" if any(sign in reason for sign in _NO_TLS) else "failed"
            raise Fault(Step.TLS, why, reason.lower().replace("_", " ") if why == "failed" else "") from error
        except OSError as error:
            raise Fault(Step.TLS, "silent") from error

    def close(self) -> None:
        self.socket.close()


@contextmanager
def open_line(target: Target, until: float, secured: bool = True) -> Iterator[Line]:
    """A connection to the first of its servers that takes one, with TLS if the address asks for that from the start.

    `until`: on the monotonic clock. Raises Fault.
    """
    line = _reach(target, until)
    try:
        if secured and target.tls is not Tls.NONE:
            line.secure(target.tls)
        yield line
    finally:
        line.close()


def _reach(target: Target, until: float) -> Line:
    first: Fault | None = None
    for number, (host, port) in enumerate(target.servers):
        now = time.monotonic()
        end = now + (until - now) / (len(target.servers) - number)
        try:
            return Line(_connected(host, port, end), host, until)
        except Fault as fault:
            first = first or fault
    raise first or Fault(Step.NAME, "unknown")


def _connected(host: str, port: int, until: float) -> socket.socket:
    """To any of its addresses; told is what kept it from the first."""
    first: OSError | None = None
    addresses = _looked_up(host, port)
    for number, (family, address) in enumerate(addresses):
        left = max(until - time.monotonic(), _LEAST_S)
        made = socket.socket(family, socket.SOCK_STREAM)
        made.settimeout(left / (len(addresses) - number))
        try:
            made.connect(address)
        except OSError as error:
            made.close()
            first = first or error
        else:
            return made
    raise _network_fault(first or OSError())


def _looked_up(host: str, port: int) -> list[tuple[int, Any]]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        raise Fault(Step.NAME, "unknown" if error.errno in _UNKNOWN_NAMES else "timeout") from error
    except UnicodeError as error:
        raise Fault(Step.NAME, "unknown") from error
    # Where the network has no IPv6, its refusal would hide what IPv4 says.
    return sorted(((family, address) for family, _, _, _, address in found), key=lambda a: a[0] != socket.AF_INET)


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if isinstance(error, TimeoutError):
            raise Fault(Step.NETWORK, "silent") from error
        raise _network_fault(error) from error


def _network_fault(error: OSError) -> Fault:
    if isinstance(error, TimeoutError):
        return Fault(Step.NETWORK, "timeout")
    if isinstance(error, ConnectionRefusedError):
        return Fault(Step.NETWORK, "refused")
    if error.errno in _NO_WAY:
        return Fault(Step.NETWORK, "unreachable")
    if error.errno in _GONE or isinstance(error, ssl.SSLError):
        return Fault(Step.NETWORK, "closed")
    return Fault(Step.NETWORK, "unreachable", (error.strerror or "").lower())


def _certificate_fault(error: ssl.SSLCertVerificationError) -> Fault:
    why = _CERTIFICATE_FAULTS.get(error.verify_code, "unknown" if error.verify_code in _UNKNOWN_AUTHORITY else "failed")
    return Fault(Step.TLS, why, error.verify_message if why == "failed" else "")


@functools.cache
def context(tls: Tls) -> ssl.SSLContext:
    """Made once, with the machine's authorities."""
    made = ssl.create_default_context()
    if tls is not Tls.FULL:
        made.check_hostname = False
    if tls not in (Tls.FULL, Tls.CHAIN):
        made.verify_mode = ssl.CERT_NONE
    return made
