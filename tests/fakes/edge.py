"""An edge in memory: takes every route, unless told not to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from windlass.domain.edgefile import edge_file
from windlass.domain.errors import Failed
from windlass.ports.edge import EdgeApp, EdgeServer, EdgeStatus


class FakeEdge:
    """`refuses`: the next changes of these apps are not confirmed. `flights`: connections per server, for `in_flight`.

    `counts` is what was answered. `applied` lists every change in force so far, in order.
    """

    def __init__(self) -> None:
        self.apps: dict[str, EdgeApp] = {}
        self.applied: list[EdgeApp] = []
        self.withdrawn: list[str] = []
        self.refuses: set[str] = set()
        self.flights: dict[EdgeServer, int] = {}
        self.running = False
        self.counts: dict[str, dict[int, int]] = {}
        self.hooks: tuple[str, int] = ("", 0)

    def ensure(self) -> EdgeStatus:
        self.running = True
        return self.status()

    def status(self) -> EdgeStatus:
        return EdgeStatus(self.running, "3.7.15", 80, "" if self.running else "the edge does not answer")

    def apply(self, config: EdgeApp, timeout_s: float = 10.0) -> None:
        edge_file(config)  # refuses what the real one refuses
        if config.app in self.refuses:
            raise Failed(f"the edge has not taken the routes of {config.app}", code="edge_not_confirmed")
        self.apps[config.app] = config
        self.applied.append(config)

    def current(self, app: str) -> EdgeApp | None:
        return self.apps.get(app)

    def withdraw(self, app: str) -> None:
        self.apps.pop(app, None)
        self.withdrawn.append(app)

    def carry_hooks(self, host: str, port: int) -> None:
        self.hooks = (host, port)

    def in_flight(self, servers: Sequence[EdgeServer]) -> int:
        return sum(self.flights.get(server, 0) for server in servers)

    def answered(self) -> Mapping[str, Mapping[int, int]]:
        return {name: dict(by) for name, by in self.counts.items()}

    def stop(self) -> None:
        self.running = False
