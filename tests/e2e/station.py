"""One windlass for tests: home, edge port, pool and engine of its own; everything of it is gone at the end."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import random
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker.errors
from tests.e2e.engines import ROOT, Engine, processes_of
from tests.e2e.web import Answer, UnixConnection, ask, read_events

from windlass.cli.load import BackgroundLoad, LoadProfile

WINDLASS = ROOT / ".venv" / "bin" / "windlass"
LIMIT_S = 300.0
RATE = 100.0  # requests per second; the long tests send twice as many
MARK = "windlass.instance"


@dataclass(frozen=True)
class Result:
    """How a command ended; `document` is what it printed with --json."""

    code: int
    out: str
    err: str
    document: dict[str, Any]

    @property
    def error(self) -> dict[str, Any]:
        return self.document.get("error") or {}

    @property
    def codes(self) -> set[str]:
        """The error's code and those of its details."""
        return {self.error.get("code", ""), *(d["code"] for d in self.error.get("details", ()))} - {""}

    def __str__(self) -> str:
        shown = {k: v for k, v in self.document.items() if k not in ("steps", "urls", "created_at")} or self.out[-6000:]
        return f"exit {self.code}\n{shown}\n{self.err[-3000:]}"


class Running:
    """A command that goes on in the background."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def wait(self, limit_s: float = LIMIT_S) -> Result:
        out, err = self.process.communicate(timeout=limit_s)
        return Result(self.process.returncode, out, err, _document(out))


class Station:
    """`app()` gives unique names; whatever carries this station's instance is removed by `remove`."""

    def __init__(self, engine: Engine | None = None) -> None:
        self.engine = engine or Engine()
        self.folder = Path(tempfile.mkdtemp(prefix="wlt-", dir="/tmp"))
        self.home = self.folder / "h"
        self.http_port = free_port()
        self.pool = free_pool()
        self.apps: list[str] = []

    # ---- the command ------------------------------------------------------------------------------------------------

    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("WINDLASS_", "DOCKER_"))}
        return {**kept, "WINDLASS_HOME": str(self.home), "NO_COLOR": "1", **self.engine.environment}

    def begin(self, *words: object, stdin: str | None = None, cwd: Path | None = None) -> Running:
        """Start `windlass WORDS`, and go on."""
        argv = [*self.engine.prefix, str(WINDLASS), *map(str, words)]
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="surrogateescape",
            env=self.environment(),
            cwd=cwd or self.folder,
        )
        if stdin is not None and process.stdin:
            process.stdin.write(stdin)
            process.stdin.close()
            process.stdin = None
        return Running(process)

    def run(self, *words: object, stdin: str | None = None, cwd: Path | None = None) -> Result:
        """`windlass WORDS --json`, to its end."""
        if "--" in words:
            at = words.index("--")
            words = (*words[:at], "--json", *words[at:])
        else:
            words = (*words, "--json")
        return self.begin(*words, stdin=stdin, cwd=cwd).wait()

    def ok(self, *words: object, stdin: str | None = None) -> dict[str, Any]:
        """The same, and it must end with 0."""
        result = self.run(*words, stdin=stdin)
        assert result.code == 0, f"{words}: {result}"
        return result.document

    def up(self, *words: object) -> dict[str, Any]:
        return self.ok("up", "--http", self.http_port, "--pool", self.pool, *words)

    def down(self) -> None:
        self.ok("down")

    def kill(self) -> int:
        """SIGKILL to every process of this home, all at once; how many there were."""
        found = processes_of(self.home)
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        while processes_of(self.home):
            time.sleep(0.01)
        return len(found)

    def app(self, kind: str = "app") -> str:
        """A name that nobody else has."""
        name = f"wlt{secrets.token_hex(3)}-{kind}"
        self.apps.append(name)
        return name

    def deploy(self, folder: Path, app: str, *words: object) -> dict[str, Any]:
        """It must go live."""
        document = self.ok("deploy", folder, "--app", app, *words)
        assert document["status"] == "live", document
        return document

    # ---- what it says -----------------------------------------------------------------------------------------------

    @property
    def instance(self) -> str:
        file = self.home / "settings.json"
        return str(json.loads(file.read_text())["instance"]) if file.exists() else ""

    @property
    def api_socket(self) -> Path:
        return self.home / "run" / "api.sock"

    def api_connection(self, timeout: float = 30) -> UnixConnection:
        return UnixConnection(self.api_socket, timeout)

    def api(self, path: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> Answer:
        return ask(self.api_connection(), path, body, headers or {})

    def follow(self, deployment: str, limit_s: float = LIMIT_S) -> Iterator[tuple[str, Any]]:
        return read_events(self.api_socket, f"/api/v1/deployments/{deployment}/events", limit_s)

    def status(self, app: str) -> dict[str, Any]:
        return self.ok("status", app)

    def releases(self, app: str) -> list[dict[str, Any]]:
        return list(self.ok("releases", app)["items"])

    def events(self, app: str) -> list[dict[str, Any]]:
        return list(self.ok("events", app)["items"])

    # ---- the edge ---------------------------------------------------------------------------------------------------

    def host(self, app: str) -> str:
        return f"{app}.localhost"

    def get(self, app: str, path: str = "/", body: bytes | None = None, limit_s: float = 15) -> Answer:
        """One request through the edge, on a new connection."""
        import http.client

        connection = http.client.HTTPConnection(self.engine.address, self.http_port, timeout=limit_s)
        return ask(connection, path, body, {"Host": self.host(app), "Connection": "close"})

    def wait_served(self, app: str, path: str = "/", limit_s: float = 30, version: str = "") -> Answer:
        """Until the edge answers 200 (from that version)."""
        answers: list[Answer] = []

        def served() -> bool:
            answers.append(self.get(app, path))
            return answers[-1].status == 200 and (not version or answers[-1].version == version)

        assert eventually(served, limit_s), f"{app}: {answers[-1]}"
        return answers[-1]

    def load(self, app: str, **changes: Any) -> BackgroundLoad:
        """The load of the acceptance tests on the guestbook; `changes` to its profile."""
        known: dict[str, Any] = {"get_path": "/health", "post_path": "/echo", "rate": RATE}
        profile = LoadProfile(self.engine.address, self.http_port, self.host(app), **{**known, **changes})
        return BackgroundLoad(profile)

    # ---- the engine -------------------------------------------------------------------------------------------------

    def containers(self, app: str = "") -> list[Any]:
        """Of this instance (and app), running or not."""
        return list(self.engine.client.containers.list(all=True, filters=self._filter(app)))

    def serving(self, app: str, service: str) -> list[Any]:
        """The running containers of a service in the live release (or in the base)."""
        projects = {app, f"{app}-g{self.status(app)['live']}"}
        return [
            c
            for c in self.containers(app)
            if c.status == "running"
            and c.labels.get("com.docker.compose.project") in projects
            and c.labels.get("com.docker.compose.service") == service
        ]

    def leftovers(self, app: str = "") -> dict[str, list[str]]:
        """Names of everything that is here of the instance (of one app: without the edge)."""
        client, marks = self.engine.client, self._filter(app)
        images = client.images.list(filters={"reference": f"windlass/{app or 'wlt*'}/*"})
        files = self.home / "apps" / app if app else self.home / "apps"
        return {
            "containers": sorted(c.name for c in client.containers.list(all=True, filters=marks)),
            "networks": sorted(n.name for n in client.networks.list(filters=marks)),
            "volumes": sorted(v.name for v in client.volumes.list(filters=marks)),
            "images": sorted(tag for i in images for tag in i.tags if self._is_own_tag(tag)),
            "files": [str(files)] if app and files.exists() else [],
        }

    def _is_own_tag(self, tag: str) -> bool:
        return any(tag.startswith(f"windlass/{app}/") for app in self.apps)

    def _filter(self, app: str) -> dict[str, list[str]]:
        return {"label": [f"{MARK}={self.instance}", *([f"windlass.app={app}"] if app else [])]}

    # ---- the end ----------------------------------------------------------------------------------------------------

    def remove(self) -> None:
        """Everything that was made here, whatever state it is in."""
        self.kill()
        if self.instance:
            client = self.engine.client
            for container in self.containers():
                with contextlib.suppress(docker.errors.NotFound):
                    container.remove(force=True, v=True)
            for network in client.networks.list(filters=self._filter("")):
                with contextlib.suppress(docker.errors.NotFound):
                    network.remove()
            for volume in client.volumes.list(filters=self._filter("")):
                with contextlib.suppress(docker.errors.NotFound):
                    volume.remove(force=True)
            for tag in self.leftovers()["images"]:
                with contextlib.suppress(docker.errors.APIError):
                    client.images.remove(tag, force=True)
        shutil.rmtree(self.folder, ignore_errors=True)


@contextlib.contextmanager
def station(engine: Engine | None = None) -> Iterator[Station]:
    """A station whose windlass is up; gone afterwards."""
    made = Station(engine)
    try:
        made.up()
        yield made
    finally:
        made.remove()


def eventually(holds: Callable[[], bool], limit_s: float, pause_s: float = 0.05) -> bool:
    """Whether it comes true within that time."""
    end = time.monotonic() + limit_s
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(pause_s)
    return True


def free_port() -> int:
    """Below the range that outgoing connections use, so that it stays free."""
    for _ in range(200):
        port = random.randrange(20000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(("0.0.0.0", port))
            except OSError:
                continue
            return port
    raise RuntimeError("no free port")


def free_pool() -> str:
    """A /16 that no route of this machine touches."""
    routes = subprocess.run(["ip", "-o", "-4", "route"], capture_output=True, text=True, check=True).stdout
    taken = [ipaddress.ip_network(line.split()[0], strict=False) for line in routes.splitlines() if line[0].isdigit()]
    for _ in range(200):
        pool = ipaddress.ip_network(f"10.{random.randrange(20, 190)}.0.0/16")
        if not any(pool.overlaps(one) for one in taken):
            return str(pool)
    raise RuntimeError("no free address range")


def _document(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
