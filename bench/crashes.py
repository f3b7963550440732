"""How long it takes until what was killed is back: the edge, the only container of a service, one of two."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

from tests.e2e.projects import edit, shape
from tests.e2e.station import Station, eventually, station

from bench.figures import Figures


def measure(figures: Figures) -> None:
    with station() as home:
        alone, pair = home.app("alone"), home.app("pair")
        home.deploy(shape(home.folder / alone, "no-base"), alone)
        folder = shape(home.folder / pair, "no-base")
        edit(folder / "compose.yaml", "    build: .\n", "    build: .\n    deploy: {replicas: 2}\n")
        home.deploy(folder, pair)
        _edge(figures, home, alone)
        _alone(figures, home, alone)
        _one_of_two(figures, home, pair)


def _edge(figures: Figures, home: Station, app: str) -> None:
    edge = next(c for c in home.containers() if c.name.startswith("windlass-edge-"))
    figures.note("edge killed, back after", _outage(home, app, edge), "s", "≤ 2 s")


def _alone(figures: Figures, home: Station, app: str) -> None:
    (container,) = home.serving(app, "web")
    figures.note("only container killed, back after", _outage(home, app, container), "s", "its boot + 1 s")


def _outage(home: Station, app: str, container: Any) -> float:
    """Seconds from SIGKILL to its first process until the edge serves the app again."""
    container.reload()
    os.kill(container.attrs["State"]["Pid"], signal.SIGKILL)
    started = time.monotonic()
    assert eventually(lambda: home.get(app, limit_s=2).status != 200, 5, 0.005)
    assert eventually(lambda: home.get(app, limit_s=2).status == 200, 30, 0.01)
    return time.monotonic() - started


def _one_of_two(figures: Figures, home: Station, app: str) -> None:
    """Failures of the second after the kill, of the 200 requests in it."""
    with home.load(app, rate=200.0, streams_per_s=0.0, websockets=0) as load:
        time.sleep(2)
        container = home.serving(app, "web")[0]
        container.reload()
        os.kill(container.attrs["State"]["Pid"], signal.SIGKILL)
        time.sleep(5)
        report = load.stop()
    figures.note("one of two killed, failed requests of that second", report.failed / 2.0, "%", "≤ 1 %")
