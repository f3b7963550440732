"""windlass.client against a served API, also over a line that loses answers and breaks in the middle."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from windlass.adapters.store.store import SqlStore
from windlass.client import Client, Conflict, NotFound, OutOfReach, Refused, Target, Usage
from windlass.domain.records import Deployment
from windlass.domain.release import DeploymentStatus
from windlass.ports.outside import Outside
from windlass.usecases import lifecycle

GIT = "https://git.example.org/shop.git"


@dataclass
class Line:
    """A wire to the API. `losses`: of the next answers, the bytes that come through before it breaks."""

    socket: Path
    api: Path
    losses: list[int] = field(default_factory=list)
    requests: list[bytes] = field(default_factory=list)

    def run(self, listening: socket.socket) -> None:
        while True:
            try:
                inside, _ = listening.accept()
            except OSError:
                return
            with inside, socket.socket(socket.AF_UNIX) as outside:
                outside.connect(str(self.api))
                self._carry(inside, outside, self.losses.pop(0) if self.losses else None)

    def _carry(self, inside: socket.socket, outside: socket.socket, most: int | None) -> None:
        there = threading.Thread(target=self._pump, args=(inside, outside))
        there.start()
        with contextlib.suppress(OSError):
            while data := outside.recv(1 << 16):
                if most is not None and most < len(data):
                    inside.sendall(data[:most])
                    break
                most = None if most is None else most - len(data)
                inside.sendall(data)
        for end in (inside, outside):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        there.join(30)

    def _pump(self, inside: socket.socket, outside: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := inside.recv(1 << 16):
                self.requests.append(data)
                outside.sendall(data)
            outside.shutdown(socket.SHUT_WR)  # the caller has gone: so the server does not wait for more from it


@pytest.fixture
def line(served: Any, tmp_path: Path) -> Iterator[Line]:
    found = Line(tmp_path / "line.sock", served.socket)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(found.socket))
        listening.listen(16)
        thread = threading.Thread(target=found.run, args=(listening,))
        thread.start()
        yield found
        listening.shutdown(socket.SHUT_RDWR)
        thread.join(30)


@pytest.fixture
def client(line: Line, tmp_path: Path) -> Iterator[Client]:
    with Client.at(Target(tmp_path, line.socket)) as found:
        yield found


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "compose.yaml").write_text("services: {web: {image: nginx}}\n")
    return folder


def all_of(store: SqlStore) -> list[str]:
    return [d.id for d in store.deployments.of_app("shop")]


def test_looking(client: Client, deployment: Deployment) -> None:
    assert [app["app"] for app in client.apps()] == ["shop"]
    assert client.status("shop")["live"] is None
    assert client.releases("shop") == []
    assert client.deployment("d1")["status"] == "running"
    assert client.get("apps", "shop", "events", after=0)["items"] == []


def test_errors_are_windlass_s_own(client: Client) -> None:
    with pytest.raises(NotFound) as found:
        client.status("none")
    assert (found.value.code, found.value.exit_code) == ("app_not_found", 7)
    client.deploy("shop", GIT)
    client.cancel("shop")
    with pytest.raises(Conflict, match="nothing is under way"):
        client.cancel("shop")
    with pytest.raises(Refused):
        client.deploy("shop", "ext::sh")


def test_a_lost_answer_of_a_read_is_asked_for_again(client: Client, line: Line, deployment: Deployment) -> None:
    line.losses += [0, 40]
    assert client.status("shop")["app"] == "shop"
    assert len(line.requests) == 3


@pytest.mark.parametrize("lost", [0, 60], ids=["at once", "in the middle"])
def test_a_lost_answer_of_a_deploy_is_no_second_deployment(
    client: Client, line: Line, store: SqlStore, lost: int
) -> None:
    line.losses.append(lost)
    queued = client.deploy("shop", GIT, ref="main")
    assert all_of(store) == [queued["deployment"]]


def test_nor_is_one_of_a_folder(client: Client, line: Line, store: SqlStore, project: Path, outside: Outside) -> None:
    line.losses += [0, 0]
    queued = client.deploy("shop", project, values={"A": "1"})
    assert all_of(store) == [queued["deployment"]]
    assert len(list(outside.trees.uploads().iterdir())) == 1


def test_what_still_runs_is_waited_for(client: Client, line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer is lost while the first one works; the second one is told to wait, until there is an answer."""
    told, ran = threading.Event(), []

    def restart(_outside: Any, app: str, _service: Any) -> dict[str, Any]:
        ran.append(app)
        assert told.wait(60)
        return {"app": app, "items": []}

    monkeypatch.setattr(lifecycle, "restart", restart)
    found: list[Any] = []
    asking = threading.Thread(
        target=lambda: found.append(client.call("POST", ("apps", "shop", "restart"), {"service": None}))
    )
    line.losses += [0, 0, 0]  # of the answer to the first one, and of two that say that it runs
    asking.start()
    told.set()
    asking.join(60)
    assert (found, ran) == ([{"app": "shop", "items": []}], ["shop"])


def test_a_lost_answer_of_a_change_without_a_key_is_told(client: Client, line: Line, deployment: Deployment) -> None:
    line.losses.append(0)
    with pytest.raises(OutOfReach):
        client.set_variables("shop", {"A": "1"})
    assert len([r for r in line.requests if r.startswith(b"PUT")]) == 1


def test_nobody_there_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(OutOfReach) as found:
        Client(home=tmp_path).apps()
    assert found.value.code == "control_plane_down"


def test_patience_ends(client: Client, line: Line, tmp_path: Path) -> None:
    line.losses += [0] * 100
    with pytest.raises(OutOfReach):
        Client.at(Target(tmp_path, line.socket), patience_s=0).apps()
    assert len(line.requests) == 1


def test_events_come_once_over_a_line_that_breaks(
    client: Client, line: Line, store: SqlStore, deployment: Deployment
) -> None:
    ids = [str(store.events.add(time.time(), "shop", "d1", "line", {"text": "x" * 300}).id) for _ in range(100)]
    store.deployments.finish("d1", DeploymentStatus.LIVE, time.time(), None)
    line.losses += [0, 5000, 7001, 9002]
    found = list(client.events("d1"))
    assert [m.id for m in found if m.id] == ids
    assert (found[-1].kind, found[-1].data["status"]) == ("end", "live")
    assert line.losses == []
    assert [m.id for m in client.events("d1", after=ids[97]) if m.id] == ids[98:]


def test_wait_gives_the_deployment_as_it_ended(client: Client, store: SqlStore, deployment: Deployment) -> None:
    store.deployments.finish("d1", DeploymentStatus.FAILED, time.time(), {"code": "build_failed"})
    assert client.wait("d1")["error"] == {"code": "build_failed"}


def test_its_end_closes_its_streams(client: Client, line: Line, store: SqlStore, deployment: Deployment) -> None:
    store.events.add(time.time(), "shop", "d1", "line", {})
    with client:
        stream = client.stream(("deployments", "d1", "events"))
        assert next(stream).kind == "line"
    with pytest.raises((OutOfReach, StopIteration)):
        next(stream)


def test_where_it_looks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from windlass.client.target import found_target

    monkeypatch.setenv("WINDLASS_URL", "https://deploy.example.org")
    monkeypatch.setenv("WINDLASS_TOKEN", "wl_1")
    monkeypatch.setenv("WINDLASS_HOME", str(tmp_path))
    here = (tmp_path, tmp_path / "run" / "api.sock")
    assert found_target() == Target(*here, "https://deploy.example.org", "wl_1")
    assert found_target("https://other.example.org", "wl_2") == Target(*here, "https://other.example.org", "wl_2")
    assert found_target("https://other.example.org").token == ""
    assert found_target(home="/x") == Target(Path("/x"), Path("/x/run/api.sock"))
    with pytest.raises(Usage, match="in clear"):
        Client("http://deploy.example.org", "wl_1").apps()
