"""The same app by `docker compose up -d`, with a published port."""

from __future__ import annotations

import contextlib
import os
import secrets
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
from tests.e2e.projects import PASSWORD, edit, guestbook
from tests.e2e.station import eventually, free_port
from tests.e2e.web import ask

from bench.figures import Figures, Turn, Way, load_on, served_since, settle


class Stack:
    """One Compose project, used as its author would."""

    def __init__(self, folder: Path, port: int, labels: str = "") -> None:
        self.folder = folder
        self.port = port
        self.labels = labels
        self.project = f"wltbench{secrets.token_hex(3)}"
        self.client = docker.from_env()

    def set_version(self, version: str) -> None:
        guestbook(self.folder, version)
        published = self.labels or f'    ports: ["127.0.0.1:{self.port}:8000"]\n'
        edit(self.folder / "compose.yaml", '    expose: ["8000"]\n', published)

    def compose(self, *words: str) -> str:
        argv = ["docker", "compose", "--project-name", self.project, *words]
        environment = {**os.environ, "POSTGRES_PASSWORD": PASSWORD}
        done = subprocess.run(
            argv, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=600, check=False
        )
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout

    def of_service(self, name: str) -> list[Any]:
        labels = [f"com.docker.compose.project={self.project}", f"com.docker.compose.service={name}"]
        return list(self.client.containers.list(filters={"label": labels}))

    def answers(self, port: int, host: str) -> bool:
        import http.client

        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        return ask(connection, "/ready", None, {"Host": host, "Connection": "close"}).status == 200

    def remove(self) -> None:
        """Only what belongs to this project."""
        filters = {"label": f"com.docker.compose.project={self.project}"}
        for container in self.client.containers.list(all=True, filters=filters):
            container.remove(force=True, v=True)
        for network in self.client.networks.list(filters=filters):
            network.remove()
        for volume in self.client.volumes.list(filters=filters):
            volume.remove()
        for image in self.client.images.list(filters={"reference": f"{self.project}-*"}):
            for tag in image.tags:
                self.client.images.remove(tag, force=True)


@contextlib.contextmanager
def stack(labels: str = "") -> Iterator[Stack]:
    with tempfile.TemporaryDirectory(prefix="wltbench-") as folder:
        made = Stack(Path(folder), free_port(), labels)
        try:
            yield made
        finally:
            made.remove()


def measure(figures: Figures) -> None:
    way = Way("docker compose up -d")
    with stack() as made:
        for version in ("v2", "v1"):
            made.set_version(version)
            made.compose("up", "-d", "--build")
        assert eventually(lambda: made.answers(made.port, "localhost"), 60)
        for turn in range(figures.turns):
            way.turns.append(_turn(made, "v2" if turn % 2 == 0 else "v1"))
    figures.note_way(way)


def _turn(made: Stack, version: str) -> Turn:
    made.set_version(version)
    with load_on("127.0.0.1", made.port, "localhost") as load:
        settle()
        load.expect_switch()
        started = time.time()
        made.compose("up", "-d", "--build")
        ended = time.time()
        assert eventually(lambda: made.answers(made.port, "localhost"), 90)
        settle()
        report = load.stop()
    return Turn(served_since(report, started, version), ended - started, report)
