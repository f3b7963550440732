"""Ports on loopback for what the control plane and its edge say to each other."""

from __future__ import annotations

import secrets
import socket
from pathlib import Path

_FIRST, _MANY = 21_000, 8_000  # below those the kernel lends to outgoing connections: after a reboot it must be free


def is_held(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
        return False


def free_port(before: int = 0) -> int:
    """The one of before while nobody else has it."""
    port = before or _any_port()
    while is_held(port):
        port = _any_port()
    return port


def kept_port(file: Path) -> int:
    """A free port, the same one as long as that can be; the file keeps it."""
    text = file.read_text() if file.exists() else ""
    before = int(text) if text.isascii() and text.isdecimal() else 0
    port = free_port(before)
    if port != before:
        file.write_text(str(port))
    return port


def _any_port() -> int:
    return _FIRST + secrets.randbelow(_MANY)
