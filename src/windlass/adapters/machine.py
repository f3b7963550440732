"""This computer, as its kernel tells it: routes, who holds a port, room, addresses."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import shutil
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import psutil

from windlass.domain.errors import OutOfReach
from windlass.ports.machine import PortHolder

_LISTEN = "0A"
_UNCONNECTED = "07"  # what a bound UDP socket shows
_ROUTE_UP = 0x1
_DEFAULT_ROUTE = "0.0.0.0/0"
_BRIDGES = ("docker", "br-", "veth", "lo")
_EMULATORS = "sys/fs/binfmt_misc"
_EMULATED = {  # the kernel's rule for foreign programs -> Docker's name of the processor
    "qemu-aarch64": "arm64", "qemu-arm": "arm", "qemu-x86_64": "amd64", "qemu-i386": "386", "qemu-ppc64le": "ppc64le",
    "qemu-s390x": "s390x", "qemu-riscv64": "riscv64", "qemu-mips64el": "mips64le", "qemu-loongarch64": "loong64",
    "rosetta": "amd64",
}  # fmt: skip


class LocalMachine:
    """ports.machine.Machine, from /proc of `proc`."""

    def __init__(self, proc: Path = Path("/proc"), cgroups: Path = Path("/sys/fs/cgroup")) -> None:
        self._proc = proc
        self._cgroups = cgroups

    def routes(self) -> list[str]:
        """Without the default route, which would cover every subnet."""
        found = set()
        for line in self._lines("net/route"):
            words = line.split()
            destination, flags, mask = words[1], int(words[3], 16), words[7]
            if flags & _ROUTE_UP:
                found.add(str(ipaddress.IPv4Network((_ipv4(destination), _ipv4(mask)), strict=False)))
        return sorted(found - {_DEFAULT_ROUTE})

    def holder(self, port: int, protocol: str = "tcp") -> PortHolder | None:
        """Who listens on the port, on any address; pid 0 and "" when the kernel does not let us see who."""
        inodes = set(self._listening(port, protocol))
        if not inodes:
            return None
        for pid in self._pids():
            if inodes & set(self._sockets(pid)):
                return PortHolder(port, pid, self._name(pid))
        return PortHolder(port, 0, "")

    def disk_free(self, path: Path) -> int:
        """Bytes that we may still write at the path, or at the nearest folder above it that exists."""
        return shutil.disk_usage(_nearest(path)).free

    def inodes_free(self, path: Path) -> int | None:
        found = os.statvfs(_nearest(path))
        return found.f_favail if found.f_files else None

    def memory_available(self) -> int:
        return int(psutil.virtual_memory().available)

    def swap_free(self) -> int:
        return int(psutil.swap_memory().free)

    def memory_of(self, pid: int, container: str) -> int | None:
        """Without what the kernel would give back at once, as `docker stats` counts it."""
        for line in self._text(self._proc / str(pid) / "cgroup").splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers in ("", "memory") and container in path:
                folders = [self._cgroups / controllers / path[1:], self._cgroups / "unified" / path[1:]]
                found = next((f for f in folders if (f / "memory.stat").is_file()), None)
                if found is not None:
                    return self._used(found)
        return None

    def _used(self, group: Path) -> int | None:
        whole = self._text(group / "memory.current") or self._text(group / "memory.usage_in_bytes")
        lines = (line.split() for line in self._text(group / "memory.stat").splitlines())
        stat = {words[0]: int(words[1]) for words in lines if len(words) == 2}
        if not whole.strip().isdigit():
            return None
        return max(int(whole) - stat.get("total_inactive_file", stat.get("inactive_file", 0)), 0)

    @staticmethod
    def _text(file: Path) -> str:
        try:
            return file.read_text()
        except OSError:
            return ""

    def is_own(self, address: str) -> bool:
        """Only an address of this machine can be bound."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with contextlib.closing(socket.socket(family, socket.SOCK_DGRAM)) as probe:
            try:
                probe.bind((address, 0))
            except OSError:
                return False
            return True

    def resolve(self, host: str) -> list[str]:
        try:
            found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        except socket.gaierror as error:
            if error.errno in (socket.EAI_NONAME, socket.EAI_NODATA):
                return []
            raise OutOfReach(f"no name server answers for {host}: {error.strerror}", code="dns_silent") from error
        except UnicodeError:
            return []
        return list(dict.fromkeys(str(entry[4][0]) for entry in found))

    def emulated(self) -> list[str]:
        folder = self._proc / _EMULATORS
        rules = [p.name for p in folder.iterdir()] if folder.is_dir() else []
        return sorted({_EMULATED[rule] for rule in rules if rule in _EMULATED})

    def has_program(self, name: str) -> bool:
        return shutil.which(name) is not None

    def addresses(self) -> list[str]:
        """IPv4 addresses under which others may know this machine: the one towards the outside first."""
        found = [
            entry.address
            for name, entries in sorted(psutil.net_if_addrs().items())
            for entry in entries
            if entry.family == socket.AF_INET and not name.startswith(_BRIDGES)
        ]
        outside = _address_towards_outside()
        return [a for a in (outside,) if a] + [a for a in found if a != outside]

    def _listening(self, port: int, protocol: str) -> Iterator[str]:
        state = _LISTEN if protocol == "tcp" else _UNCONNECTED
        for table in (f"net/{protocol}", f"net/{protocol}6"):
            for line in self._lines(table):
                words = line.split()
                if words[3] == state and int(words[1].rpartition(":")[2], 16) == port:
                    yield words[9]

    def _lines(self, table: str) -> list[str]:
        """Without the heading; a table that this kernel does not have is empty."""
        try:
            return (self._proc / table).read_text().splitlines()[1:]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise OutOfReach(
                f"{self._proc / table} cannot be read: {error.strerror}", code="machine_unknown"
            ) from error

    def _pids(self) -> Iterator[int]:
        yield from sorted(int(name) for name in os.listdir(self._proc) if name.isdigit())

    def _sockets(self, pid: int) -> Iterator[str]:
        with contextlib.suppress(OSError):
            for entry in os.scandir(self._proc / str(pid) / "fd"):
                with contextlib.suppress(OSError):
                    target = os.readlink(entry.path)
                    if target.startswith("socket:["):
                        yield target[8:-1]

    def _name(self, pid: int) -> str:
        try:
            return (self._proc / str(pid) / "comm").read_text().strip()
        except OSError:
            return ""


def _nearest(path: Path) -> Path:
    return next((p for p in (path, *path.parents) if p.exists()), Path("/"))


def _ipv4(text: str) -> str:
    """An address as /proc/net/route writes it: hexadecimal, in the machine's own byte order."""
    return socket.inet_ntoa(struct.pack("=I", int(text, 16)))


def _address_towards_outside() -> str:
    """The source address of the default route; nothing is sent."""
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as probe:
        try:
            probe.connect(("198.51.100.1", 9))
            return str(probe.getsockname()[0])
        except OSError:
            return ""
