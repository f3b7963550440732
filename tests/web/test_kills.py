"""kill -9 of the control plane amid webhooks, changes of variables and approvals: all of each is there, or nothing.

A real process with a home of its own. Its engine says what it is and refuses everything else, so nothing ever runs.
"""

from __future__ import annotations

import contextlib
import http.client
import http.server
import itertools
import json
import os
import random
import signal
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.domain.hookpayloads import Sent, github
from tests.e2e.web import UnixConnection
from tests.gitservers import git

pytestmark = pytest.mark.timeout(600)

ROUNDS = 10
LIMIT_S = 120.0
NAMES = ("ONE", "TWO", "THREE")
FINAL = frozenset({"live", "unchanged", "failed", "switched_back", "cancelled", "refused", "superseded"})

ENGINE = {
    "/version": {"Version": "27.0.0", "ApiVersion": "1.43", "MinAPIVersion": "1.24", "Arch": "amd64", "Os": "linux"},
    "/info": {"NCPU": 2, "MemTotal": 1 << 32, "DockerRootDir": "/", "Driver": "overlay2"},
}


class Killed(Exception):
    """The other side is gone, or went away before it had answered."""


class EngineCalls(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        found = next((said for path, said in ENGINE.items() if self.path.split("?")[0].endswith(path)), None)
        self._answer(200, found) if found else self._answer(500, {"message": "not here"})

    def do_POST(self) -> None:
        self._answer(500, {"message": "not here"})

    do_DELETE = do_POST  # noqa: N815

    def _answer(self, status: int, document: dict[str, Any]) -> None:
        body = json.dumps(document).encode()
        with contextlib.suppress(OSError):
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(body)

    def address_string(self) -> str:
        return "unix"

    def log_message(self, *_: object) -> None: ...


class EngineServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Whoever asked was killed."""


@dataclass
class Plane:
    """A control plane that is started and killed."""

    home: Path
    engine: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("WINDLASS_", "DOCKER_"))}
        argv = [sys.executable, "-m", "windlass", "serve", "--home", str(self.home)]
        with (self.home.parent / "output").open("ab") as output:
            self.process = subprocess.Popen(
                argv, env={**kept, "DOCKER_HOST": f"unix://{self.engine}"}, stdout=output, stderr=output
            )
        deadline = time.monotonic() + LIMIT_S
        while True:
            with contextlib.suppress(Killed):
                if self.ask("GET", "/ready")[0] == 200:
                    return
            assert self.process.poll() is None, (self.home.parent / "output").read_text()[-2000:]
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def kill(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None

    def ask(self, method: str, path: str, body: Any = None, sent: Sent | None = None) -> tuple[int, dict[str, Any]]:
        """Raises Killed when no whole answer comes."""
        connection = UnixConnection(self.home / "run" / "api.sock", LIMIT_S)
        headers = {"Content-Type": "application/json"} if body is not None else {}
        content = json.dumps(body).encode() if body is not None else None
        if sent is not None:
            headers, content = dict(sent.headers), sent.body
        try:
            connection.request(method, path, content, headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or b"{}")
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Killed from error
        finally:
            connection.close()

    def ok(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        status, document = self.ask(method, f"/api/v1/{path}", body)
        assert status in (200, 201, 202), (path, status, document)
        return document


@dataclass
class Deeds:
    """What was asked for in all rounds. `open`: what was asked for when the kill came, by kind."""

    secrets: dict[str, str]
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    received: int = 0  # pushes that were answered, or known when they were sent again
    queued: list[str] = field(default_factory=list)
    values: list[str] = field(default_factory=list)
    approved: list[str] = field(default_factory=list)
    open: dict[str, Any] = field(default_factory=dict)

    def push(self, plane: Plane, app: str) -> str:
        """A webhook; the id of the deployment that it queued."""
        number = next(self.numbers)
        sent = github(self.secrets[app], message=f"push {number}").changed(X_GitHub_Delivery=f"d-{number}")
        self.open[app] = sent
        status, document = plane.ask("POST", f"/hooks/{app}", sent=sent)
        assert (status, document["result"]) == (202, "queued"), document
        del self.open[app]
        self.received += 1
        self.queued.append(document["deployments"][0]["deployment"])
        return self.queued[-1]

    def push_again(self, plane: Plane, app: str) -> None:
        """What was not answered is taken now, or was received wholly."""
        sent = self.open.pop(app, None)
        if sent is not None:
            status, document = plane.ask("POST", f"/hooks/{app}", sent=sent)
            assert status == 202 or (status, document["error"]["code"]) == (409, "hook_replayed"), document
            self.received += 1

    def set_values(self, plane: Plane) -> None:
        value = f"v{next(self.numbers)}"
        self.open["value"] = value
        plane.ok("PUT", "apps/shop/env", {"values": dict.fromkeys(NAMES, value)})
        self.values.append(value)
        del self.open["value"]

    def approve(self, plane: Plane) -> None:
        id = self.push(plane, "guarded")
        self.open["approval"] = id
        plane.ok("POST", f"deployments/{id}/approve", {})
        self.approved.append(id)
        del self.open["approval"]


def until_killed(plane: Plane, deed: Callable[[Plane], object]) -> int:
    """How often it was done."""
    for times in itertools.count():
        try:
            deed(plane)
        except Killed:
            return times
    raise AssertionError


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    socket = tmp_path_factory.mktemp("e") / "engine.sock"
    with EngineServer(str(socket), EngineCalls) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield socket
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def plane(engine: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plane]:
    made = Plane(tmp_path_factory.mktemp("p") / "h", engine)
    yield made
    made.kill()


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With nothing in it that could be deployed."""
    folder = tmp_path_factory.mktemp("r")
    (folder / "README").write_text("nothing")
    git(folder, "init", "--quiet", "-b", "main")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "one")
    return folder


def prepare(plane: Plane, repository: Path) -> Deeds:
    secrets = {}
    for app in ("shop", "guarded"):
        plane.ok("PUT", f"apps/{app}/source", {"url": str(repository), "branch": "main"})
        secrets[app] = plane.ok("POST", f"apps/{app}/hook", {"reveal": True})["secret"]
    plane.ok("PUT", "apps/guarded/protection", {"protected": True, "approval_s": 3600.0})
    deeds = Deeds(secrets)
    deeds.set_values(plane)
    return deeds


def actions(plane: Plane) -> list[dict[str, Any]]:
    """The entries of the audit log; one that says that a change failed takes away the one it is about."""
    found: list[dict[str, Any]] = []
    before = None
    while True:
        page = plane.ok("GET", "audit?limit=200" + (f"&before={before}" if before else ""))
        found += page["items"]
        before = page["next"]
        if before is None:
            break
    failed = {entry["data"].get("entry") for entry in found if "failed" in entry["data"]}
    return [e for e in found if e["number"] not in failed and "failed" not in e["data"]]


def look(plane: Plane, deeds: Deeds) -> None:
    """After a restart: everything whole, and written down."""
    verified = plane.ok("GET", "audit/verify")
    assert (verified["status"], verified["items"]) == ("ok", [])
    for app in ("shop", "guarded"):
        deeds.push_again(plane, app)
    kept = {item["value"] for item in plane.ok("GET", "apps/shop/env?reveal=true")["items"]}
    last, open_value = deeds.values[-1], deeds.open.pop("value", None)
    assert kept in ({last}, {open_value}), "all three names have the same value"
    if kept == {open_value}:
        deeds.values.append(str(open_value))
    entries = [entry["action"] for entry in actions(plane)]
    assert entries.count("env.set") >= len(deeds.values)
    assert entries.count("hook.push") >= deeds.received
    open_id = deeds.open.pop("approval", None)
    if open_id is not None and state_of(plane, open_id) == "approved":
        deeds.approved.append(open_id)
    assert all(state_of(plane, id) == "approved" for id in deeds.approved[-3:])
    assert entries.count("deployment.approve") >= len(deeds.approved)


def state_of(plane: Plane, id: str) -> str:
    return str(plane.ok("GET", f"deployments/{id}")["approval"]["state"])


def test_all_or_nothing_and_written_down(plane: Plane, repository: Path) -> None:
    chance = random.Random(11)
    plane.start()
    deeds = prepare(plane, repository)
    done = 0
    for _ in range(ROUNDS):
        with ThreadPoolExecutor(3) as pool:
            deed_of = (lambda p: deeds.push(p, "shop"), deeds.set_values, deeds.approve)
            busy = [pool.submit(until_killed, plane, deed) for deed in deed_of]
            time.sleep(chance.uniform(0.05, 0.8))
            plane.kill()
            done += sum(future.result() for future in busy)
        plane.start()
        look(plane, deeds)
    assert done > 0
    for id in deeds.queued:
        await_end(plane, id)
    verified = subprocess.run(
        [sys.executable, "-m", "windlass", "audit", "verify", "--json"],
        env={**os.environ, "WINDLASS_HOME": str(plane.home)},
        capture_output=True,
        check=False,
    )
    assert verified.returncode == 0, verified.stderr.decode()


def await_end(plane: Plane, id: str) -> None:
    """Nothing is under way for ever, but what waits for a person."""
    deadline = time.monotonic() + LIMIT_S
    while True:
        document = plane.ok("GET", f"deployments/{id}")
        waits = (document["approval"] or {}).get("state") == "waiting"
        if document["status"] in FINAL or waits:
            return
        assert time.monotonic() < deadline, document
        time.sleep(0.1)
