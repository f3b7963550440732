"""What windlass costs while nothing happens, with ten apps."""

from __future__ import annotations

import time

import psutil
from tests.e2e.engines import processes_of
from tests.e2e.projects import write
from tests.e2e.station import Station, station

from bench.figures import Figures

APPS = 10
COMPOSE = "services:\n  web:\n    image: nginx:alpine\n    expose: ['80']\n"


def measure(figures: Figures) -> None:
    with station() as home:
        for _ in range(APPS):
            app = home.app("idle")
            files = {"compose.yaml": COMPOSE, "windlass.yaml": "verify: {bake: 1s}\n"}
            home.deploy(write(home.folder / app, files), app)
        look(figures, home)


def look(figures: Figures, home: Station) -> None:
    """Memory of its processes together, and their CPU time over a while."""
    time.sleep(5)
    seconds = 20.0 if figures.quick else 60.0
    processes = [psutil.Process(pid) for pid in processes_of(home.home)]
    before = sum(_cpu(p) for p in processes)
    time.sleep(seconds)
    used = sum(_cpu(p) for p in processes) - before
    full = [p.memory_full_info() for p in processes]
    figures.note(f"idle with {APPS} apps, memory of windlass (PSS)", sum(m.pss for m in full) / 1e6, "MB", "≤ 110 MB")
    figures.note(f"idle with {APPS} apps, memory of windlass (RSS)", sum(m.rss for m in full) / 1e6, "MB")
    figures.note(f"idle with {APPS} apps, CPU of windlass", 100 * used / seconds, "% of a core", "≤ 1 %")
    edge = next(c for c in home.containers() if c.name.startswith("windlass-edge-"))
    edge.reload()
    process = psutil.Process(edge.attrs["State"]["Pid"])
    figures.note("the edge (Traefik), memory (RSS)", process.memory_info().rss / 1e6, "MB")


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
