"""The proxy in front of every app, and the probes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from windlass.domain.edgefile import EdgeApp, EdgePage, EdgeRoute, EdgeServer, Maintenance
from windlass.domain.release import Check

__all__ = ["Edge", "EdgeApp", "EdgePage", "EdgeRoute", "EdgeServer", "EdgeStatus", "Maintenance", "Prober"]


@dataclass(frozen=True)
class EdgeStatus:
    running: bool
    version: str
    http_port: int
    message: str = ""


class Edge(Protocol):
    """The proxy in front of every app."""

    def ensure(self) -> EdgeStatus:
        """Image, container and API are there and answer; raises Refused when the port is held (by whom)."""
        ...

    def status(self) -> EdgeStatus: ...
    def apply(self, config: EdgeApp, timeout_s: float = 10.0) -> None:
        """Write the app's file and wait until the edge has every router in force.

        Raises Refused before anything is written when a route is not fit for the edge (a host or path that breaks out
        of its rule, no server), and Failed (code edge_not_confirmed) with the old file back in force.
        """
        ...

    def current(self, app: str) -> EdgeApp | None:
        """What was last confirmed; None also when the app's file is another one, as after a crash within `apply`."""
        ...

    def withdraw(self, app: str) -> None:
        """Take the app's routes away and wait until they are gone."""
        ...

    def carry_hooks(self, host: str, port: int) -> None:
        """Lead webhooks of this host, and nothing else, to this port on loopback; "" leads none there.

        Raises Failed (code edge_not_confirmed).
        """
        ...

    def in_flight(self, servers: Sequence[EdgeServer]) -> int:
        """Established connections from this machine to these servers."""
        ...

    def answered(self) -> Mapping[str, Mapping[int, int]]:
        """Service of the edge -> HTTP status -> requests answered since the edge was started; raises OutOfReach.

        What a service could not be reached for counts as its 502 or 504, also where the fallback answered then.
        """
        ...

    def stop(self) -> None:
        """End and remove the edge; the apps' files stay."""
        ...


class Prober(Protocol):
    def ask(self, check: Check, address: str) -> str:
        """Ask once by HTTP or TCP. "" means ready, else why not, in a few words."""
        ...
