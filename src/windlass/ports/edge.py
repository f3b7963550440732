"""The proxy in front of every app, and the probes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from windlass.domain.release import Check


@dataclass(frozen=True)
class EdgeServer:
    address: str
    port: int


@dataclass(frozen=True)
class EdgeRoute:
    """`hosts` empty: any host. `fallback` answers only while the servers fail at network level (the bake)."""

    hosts: tuple[str, ...]
    path: str
    priority: int
    service: str
    servers: tuple[EdgeServer, ...]
    fallback: tuple[EdgeServer, ...] = ()


@dataclass(frozen=True)
class EdgeApp:
    """All routes of an app on one release; `fallback_release` names the generation behind the fallback servers."""

    app: str
    release: int
    routes: tuple[EdgeRoute, ...]
    fallback_release: int | None = None


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
        """Write the app's file and wait until the edge has every router in force; else put the old file back and raise Failed."""
        ...

    def current(self, app: str) -> EdgeApp | None: ...
    def withdraw(self, app: str) -> None: ...
    def in_flight(self, servers: Sequence[EdgeServer]) -> int:
        """Established connections from this machine to these servers."""
        ...

    def stop(self) -> None: ...


class Prober(Protocol):
    def ask(self, check: Check, address: str) -> str:
        """Ask once by HTTP or TCP. "" means ready, else why not, in a few words."""
        ...
