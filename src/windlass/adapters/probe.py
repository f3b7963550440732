"""Asks a container once whether it is ready, by HTTP or by TCP, from this machine."""

from __future__ import annotations

import contextlib
import http.client
import socket
import time
from typing import Any, cast

from windlass.domain.release import Check, ProbeKind

_BODY_LIMIT = 64 << 10  # bytes read of an answer; more is not waited for
_BODY_S = 0.25  # the status has decided already
_SHOWN = 200  # characters of an unready answer's body


class _Socket(socket.socket):
    """A limit of time for all of the answer together, however slowly it drips."""

    until = 0.0

    def recv_into(self, *words: Any, **more: Any) -> int:
        self.settimeout(max(0.001, self.until - time.monotonic()))
        return super().recv_into(*words, **more)


class _Connection(http.client.HTTPConnection):
    def connect(self) -> None:
        super().connect()
        limited = _Socket(fileno=self.sock.detach())
        limited.settimeout(self.timeout)
        limited.until = time.monotonic() + (self.timeout or 0.0)
        self.sock = limited


class NetworkProber:
    """ports.edge.Prober."""

    def ask(self, check: Check, address: str) -> str:
        try:
            if check.kind is ProbeKind.HTTP:
                return _ask_http(check, address)
            if check.kind is ProbeKind.TCP:
                return _ask_tcp(check, address)
        except ConnectionRefusedError:
            return "refused"
        except TimeoutError:
            return "timed out"
        except (OSError, http.client.HTTPException, ValueError) as error:
            return _words(error)
        raise ValueError(f"not asked over the network: {check.kind}")


def _ask_tcp(check: Check, address: str) -> str:
    socket.create_connection((address, check.port), timeout=check.timeout_s).close()
    return ""


def _ask_http(check: Check, address: str) -> str:
    """One GET on a connection of its own; redirects are answers."""
    connection = _Connection(address, check.port, timeout=check.timeout_s)
    try:
        headers = {"User-Agent": "windlass", "Connection": "close", **({"Host": check.host} if check.host else {})}
        connection.request("GET", check.path, headers=headers)
        stream = cast(_Socket, connection.sock)  # the response takes it over
        answer = connection.getresponse()
        with answer:
            stream.until = min(stream.until, time.monotonic() + _BODY_S)
            body = _body(answer)
    finally:
        connection.close()
    if answer.status < 400 if check.declared else answer.status < 500:
        return ""
    return f"HTTP {answer.status}: {body}" if body else f"HTTP {answer.status}"


def _body(answer: http.client.HTTPResponse) -> str:
    """The beginning of the answer, in one line; a body that is slow or goes on for ever is left."""
    found, until = b"", time.monotonic() + _BODY_S
    with contextlib.suppress(OSError, http.client.HTTPException):
        while len(found) < _BODY_LIMIT and time.monotonic() < until:
            chunk = answer.read1(_BODY_LIMIT)
            if not chunk:
                break
            found += chunk
    text = "".join(c if c.isprintable() else " " for c in found[: 8 * _SHOWN].decode("utf-8", "replace"))
    return " ".join(text.split())[:_SHOWN]


def _words(error: Exception) -> str:
    if isinstance(error, http.client.RemoteDisconnected):
        return "closed without an answer"
    if isinstance(error, http.client.BadStatusLine):
        return "did not answer with HTTP"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error) or type(error).__name__
