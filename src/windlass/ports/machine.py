"""This computer and its clock."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class PortHolder:
    port: int
    pid: int
    process: str


class Machine(Protocol):
    """This computer."""

    def routes(self) -> list[str]:
        """Subnets the host routes to, in CIDR notation."""
        ...

    def holder(self, port: int, protocol: str = "tcp") -> PortHolder | None: ...
    def disk_free(self, path: Path) -> int: ...
    def inodes_free(self, path: Path) -> int | None:
        """None where the file system has no fixed number of them."""
        ...

    def memory_available(self) -> int: ...
    def swap_free(self) -> int: ...
    def memory_of(self, pid: int, container: str) -> int | None:
        """Bytes that the container (by its ID) with this process uses; None when it is not seen from here."""
        ...

    def addresses(self) -> list[str]: ...
    def is_own(self, address: str) -> bool:
        """Whether this IPv4 or IPv6 address is one of this machine's."""
        ...

    def resolve(self, host: str) -> list[str]:
        """The addresses behind the name; [] when nobody knows it. Raises OutOfReach when no name server answers.

        There is no time limit: ask in a thread that is not waited for.
        """
        ...

    def emulated(self) -> list[str]:
        """Architectures of other processors whose programs this machine can run, as Docker calls them."""
        ...

    def has_program(self, name: str) -> bool: ...


class Clock(Protocol):
    def now(self) -> float: ...
    def monotonic(self) -> float: ...
    def sleep(self, seconds: float) -> None: ...
