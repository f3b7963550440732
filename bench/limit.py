"""The time that nobody can go below: the same containers, created, started and probed directly by the SDK."""

from __future__ import annotations

import time
import urllib.request
from typing import Any

from tests.e2e.station import Station

POLL_S = 0.02


def limit_s(home: Station, app: str) -> float:
    """Network, job, web until it is ready, worker: from the images of the live release, in dependency order."""
    client = home.engine.client
    base = client.networks.get(f"{app}_default")
    web, worker = (home.serving(app, name)[0] for name in ("web", "worker"))
    release = home.status(app)["live"]
    made: list[Any] = []
    started = time.monotonic()
    network = client.networks.create(f"{app}-limit")
    try:
        for name, like in (("migrate", web), ("web", web), ("worker", worker)):
            command = ["python", "-m", "guestbook.migrate"] if name == "migrate" else like.attrs["Config"]["Cmd"]
            container = client.containers.create(
                f"windlass/{app}/{name}:r{release}",
                command,
                environment=like.attrs["Config"]["Env"],
                network=network.name,
            )
            made.append(container)
            base.connect(container)
        made[0].start()
        assert made[0].wait()["StatusCode"] == 0
        made[1].start()
        made[1].reload()
        address = made[1].attrs["NetworkSettings"]["Networks"][network.name]["IPAddress"]
        while not _is_ready(address):
            time.sleep(POLL_S)
        made[2].start()
        return time.monotonic() - started
    finally:
        for container in made:
            container.remove(force=True)
        network.remove()


def _is_ready(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://{address}:8000/ready", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
