"""Connections of this machine, as the kernel lists them."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from pathlib import Path

_ESTABLISHED = b" 01 "


def established(servers: Iterable[tuple[str, int]], folder: Path = Path("/proc/net")) -> int:
    """How many established connections lead from this machine to one of these addresses and ports."""
    tables = [(folder / name).read_bytes() for name in ("tcp", "tcp6") if (folder / name).exists()]
    wanted = {b" " + end + _ESTABLISHED for address, port in servers for end in _spellings(address, port)}
    return sum(table.count(end) for table in tables for end in wanted)


def _spellings(address: str, port: int) -> list[bytes]:
    """The remote end as the kernel prints it; an IPv4 address also as one of IPv6, as dual-stack programs use it."""
    parsed = ipaddress.ip_address(address)
    if parsed.version == 6:
        return [_printed(parsed.packed, port)]
    mapped = ipaddress.IPv6Address(b"\0" * 10 + b"\xff\xff" + parsed.packed)
    return [_printed(parsed.packed, port), _printed(mapped.packed, port)]


def _printed(packed: bytes, port: int) -> bytes:
    words = (int.from_bytes(packed[i : i + 4], "big") for i in range(0, len(packed), 4))
    return b"%s:%04X" % (b"".join(b"%08X" % socket.htonl(word) for word in words), port)
