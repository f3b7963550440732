"""The whole of `ports.edge.Edge`: one file per app, written whole, and confirmed or taken back."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from windlass.adapters.edge.api import EdgeApi, Missing
from windlass.adapters.edge.container import Address, EdgeRunner
from windlass.adapters.edge.files import EdgeFiles
from windlass.adapters.edge.image import version
from windlass.adapters.edge.sockets import established
from windlass.domain import edgehooks
from windlass.domain.edgedocument import EdgeFile, Http
from windlass.domain.edgefile import EdgeApp, EdgeServer, dump_edge_app, edge_file, read_edge_app
from windlass.domain.errors import Detail, Failed, OutOfReach, WindlassError
from windlass.ports.edge import EdgeStatus
from windlass.ports.engine import Engine
from windlass.ports.machine import PortHolder

_POLL_S = 0.015
_NOTHING = EdgeFile(http=Http(routers={}, services={}, serversTransports={}))


class TraefikEdge:
    """May be used by many threads: changes of one app wait for each other, those of several apps do not."""

    def __init__(
        self, engine: Engine, folder: Path, address: Address, holder: Callable[[int], PortHolder | None]
    ) -> None:
        """`folder` is the edge's own, in the home; `holder` tells which process listens on a port."""
        self._files = EdgeFiles(folder.absolute())
        self._runner = EdgeRunner(engine, self._files, address, holder)
        self._http_port = address.http_port
        self._running = threading.Lock()
        self._apps: dict[str, threading.Lock] = {}

    def ensure(self) -> EdgeStatus:
        with self._running:
            self._files.prepare()
            found, started = self._runner.bring_up()
            for text in self._files.all_routes() if started else ():
                self._await(_parsed(text), frozenset(), timeout_s=5.0)
            return EdgeStatus(running=True, version=found, http_port=self._http_port)

    def status(self) -> EdgeStatus:
        try:
            return EdgeStatus(running=True, version=self._api().version(), http_port=self._http_port)
        except OutOfReach as error:
            return EdgeStatus(running=False, version=version(), http_port=self._http_port, message=error.message)

    def stop(self) -> None:
        with self._running:
            self._runner.take_down()

    def apply(self, config: EdgeApp, timeout_s: float = 10.0) -> None:
        wanted = edge_file(config)
        with self._lock(config.app):
            old = self._files.routes(config.app)
            gone = _routers(old) - wanted.http.routers.keys()
            if old != wanted.text():
                self._files.write_routes(config.app, wanted.text())
            left = self._await(wanted, gone, timeout_s)
            if left:
                raise self._taken_back(config.app, old, wanted, left)
            self._files.write_confirmed(config.app, dump_edge_app(config))

    def current(self, app: str) -> EdgeApp | None:
        kept = self._files.confirmed(app)
        if kept is None:
            return None
        try:
            config = read_edge_app(kept)
            return config if edge_file(config).text() == self._files.routes(app) else None
        except WindlassError:
            return None

    def withdraw(self, app: str) -> None:
        with self._lock(app):
            old = self._files.routes(app)
            self._files.write_confirmed(app, None)
            self._files.write_routes(app, None)
            left = self._await(_NOTHING, _routers(old), timeout_s=10.0) if self.status().running else []
            if left:
                raise Failed(
                    f"the edge has not given up the routes of {app}", code="edge_not_confirmed", hint="windlass doctor"
                )

    def carry_hooks(self, host: str, port: int) -> None:
        wanted = edgehooks.hooks_file(host, port) if host else _NOTHING
        with self._lock(edgehooks.NAME):
            old = self._files.routes(edgehooks.NAME)
            text = wanted.text() if host else None
            if old != text:
                self._files.write_routes(edgehooks.NAME, text)
            left = self._await(wanted, _routers(old) - wanted.http.routers.keys(), timeout_s=10.0)
        if left:
            raise Failed(
                f"the edge has not taken the way of webhooks ({left[0].name}: {left[0].message})",
                code="edge_not_confirmed",
                hint="windlass doctor",
            )

    def in_flight(self, servers: Sequence[EdgeServer]) -> int:
        return established((server.address, server.port) for server in servers)

    def answered(self) -> dict[str, dict[int, int]]:
        return self._api().answered()

    def _lock(self, app: str) -> threading.Lock:
        return self._apps.setdefault(app, threading.Lock())

    def _api(self) -> EdgeApi:
        return EdgeApi(self._files.api_port())

    def _await(self, wanted: EdgeFile, gone: frozenset[str], timeout_s: float) -> list[Missing]:
        """What is still not in force when the time is over, or when the edge has said no; empty when all is."""
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                left = self._api().missing(wanted, gone)
            except OutOfReach as error:
                left = [Missing("edge", error.message)]
            if not left or any(one.final for one in left) or time.monotonic() > deadline:
                return left
            time.sleep(_POLL_S)

    def _taken_back(self, app: str, old: str | None, refused: EdgeFile, left: list[Missing]) -> Failed:
        """The former file is in its place again; says also when the edge could not confirm even that."""
        self._files.write_routes(app, old)
        former = _parsed(old)
        gone = frozenset(refused.http.routers) - former.http.routers.keys()
        back = not self._await(former, gone, timeout_s=5.0)
        state = (
            "the former routes are in force again" if back else "the edge has not confirmed the former routes either"
        )
        details = [Detail("edge_not_confirmed", one.name, one.message) for one in left]
        said = self._runner.last_error()
        return Failed(
            f"the edge has not taken the routes of {app} ({left[0].name}: {left[0].message}); {state}",
            code="edge_not_confirmed",
            hint="windlass doctor",
            details=[*details, Detail("edge_not_confirmed", "edge", said)] if said else details,
        )


def _parsed(text: str | None) -> EdgeFile:
    """A file that is not there, or that somebody else wrote, counts as empty."""
    try:
        return EdgeFile.model_validate_json(text) if text is not None else _NOTHING
    except ValueError:
        return _NOTHING


def _routers(text: str | None) -> frozenset[str]:
    return frozenset(_parsed(text).http.routers)
