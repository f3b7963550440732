"""HTTP connections to the control plane: over its unix socket, or over https with a token."""

from __future__ import annotations

import http.client
import ipaddress
import socket
from pathlib import Path
from urllib.parse import urlsplit

from windlass.client.target import Target
from windlass.domain.errors import NotAllowed, OutOfReach, Usage, WindlassError

CONNECT_S = 5.0


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: Path, timeout_s: float | None) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(CONNECT_S)
        self.sock.connect(str(self._path))
        self.sock.settimeout(self.timeout)


def open_connection(target: Target, timeout_s: float | None) -> http.client.HTTPConnection:
    """A connection that is not connected yet; raises Usage for an address that must not be used."""
    if not target.url:
        return UnixConnection(target.socket, timeout_s)
    parts = urlsplit(target.url)
    try:
        port = parts.port
    except ValueError:
        raise Usage(f"WINDLASS_URL: {target.url} has no valid port") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Usage(f"WINDLASS_URL: {target.url} is not an http(s) address", hint="export WINDLASS_URL=https://host")
    if parts.scheme == "https":
        return http.client.HTTPSConnection(parts.hostname, port, timeout=timeout_s)
    if not is_loopback(parts.hostname):
        raise Usage(
            f"WINDLASS_URL: {target.url} would send the token in clear over the network",
            hint=f"export WINDLASS_URL=https://{parts.netloc}",
        )
    return http.client.HTTPConnection(parts.hostname, port, timeout=timeout_s)


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def explain(target: Target, error: OSError | http.client.HTTPException) -> WindlassError:
    """Our words for a connection that failed."""
    if target.url:
        return OutOfReach(f"{target.url} does not answer: {error}", code="out_of_reach", hint="check WINDLASS_URL")
    if isinstance(error, PermissionError):
        return NotAllowed(
            f"the control plane at {target.home} belongs to another user",
            hint="run the command as that user, or set WINDLASS_URL and WINDLASS_TOKEN",
        )
    if isinstance(error, FileNotFoundError | ConnectionRefusedError | NotADirectoryError):
        return OutOfReach(
            f"the control plane of {target.home} is not running; the apps go on",
            code="control_plane_down",
            hint="windlass up",
        )
    return OutOfReach(
        f"the control plane of {target.home} does not answer: {error or type(error).__name__}",
        code="control_plane_silent",
        hint="windlass up",
    )
