"""The API with 500 apps: the list of apps while nothing happens, and while ten deployments run."""

from __future__ import annotations

import json
import threading
import time
from statistics import quantiles

from tests.e2e.projects import write
from tests.e2e.station import Station, eventually, station

from bench.figures import Figures
from windlass.adapters.store.store import open_store
from windlass.domain.records import App

APPS = 500
DEPLOYS = 10
PAUSE_S = 0.02
LIMIT_S = 600.0
COMPOSE = "services:\n  web:\n    image: nginx:alpine\n    expose: ['80']\n"
QUICK = "verify: {bake: 1s}\n"


def measure(figures: Figures) -> None:
    with station() as home:
        seed = home.app("seed")
        home.deploy(write(home.folder / seed, {"compose.yaml": COMPOSE, "windlass.yaml": QUICK}), seed)
        _insert(home, seed)
        idle = _Asker(home)
        idle.run(200 if figures.quick else 500)
        busy = _Asker(home)
        asking = threading.Thread(target=busy.run)
        asking.start()
        try:
            _deploy(home)
        finally:
            busy.over.set()
            asking.join()
        wanted = "≤ 50 ms"
        figures.note(f"GET /apps with {APPS} apps, idle, p95", 1000 * _p95(idle.took), "ms", wanted)
        figures.note(
            f"GET /apps with {APPS} apps, {DEPLOYS} deployments at once, p95", 1000 * _p95(busy.took), "ms", wanted
        )
        figures.note("the same, the slowest", 1000 * max(busy.took), "ms")


def _insert(home: Station, seed: str) -> None:
    """Rows as those of the app that was deployed; stopped, so that nobody looks for their containers."""
    store = open_store(f"sqlite:///{home.home / 'windlass.db'}", home.home / "secret.key")
    kept = store.releases.snapshot(seed, 1).decode()
    now = time.time()
    for n in range(APPS):
        name = f"bench-{n:03}"
        store.apps.add(App(name, now, running=False))
        number = store.releases.add(name, now, "upload", "").number
        store.releases.save_snapshot(name, number, kept.replace(seed, name).encode())
        store.apps.update(name, live=number)
    store.close()


def _deploy(home: Station) -> None:
    """Ten new apps, queued one after the other without waiting; returns when all have ended."""
    apps = [home.app("many") for _ in range(DEPLOYS)]
    for app in apps:
        folder = write(home.folder / app, {"compose.yaml": COMPOSE, "windlass.yaml": QUICK})
        home.ok("deploy", folder, "--app", app, "--detach")
    assert eventually(lambda: _are_live(home, apps), LIMIT_S, pause_s=1.0)


def _are_live(home: Station, apps: list[str]) -> bool:
    """By one request: ten at once would be measured as well."""
    items = {item["app"]: item for item in home.api("/api/v1/apps").json()["items"]}
    return all(items[app]["live"] and items[app]["deployment"] is None for app in apps)


class _Asker:
    """One client that asks again and again over one connection."""

    def __init__(self, home: Station) -> None:
        self.took: list[float] = []
        self.over = threading.Event()
        self._home = home

    def run(self, count: int = 1 << 30) -> None:
        connection = self._home.api_connection()
        try:
            while len(self.took) < count and not self.over.is_set():
                began = time.perf_counter()
                connection.request("GET", "/api/v1/apps")
                answer = connection.getresponse()
                body = answer.read()
                self.took.append(time.perf_counter() - began)
                assert answer.status == 200
                assert len(json.loads(body)["items"]) > APPS
                time.sleep(PAUSE_S)
        finally:
            connection.close()


def _p95(took: list[float]) -> float:
    return quantiles(took, n=100)[94]
