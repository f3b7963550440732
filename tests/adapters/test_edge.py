"""The edge for real: Traefik in a container in front of containers."""

from __future__ import annotations

import http.client
import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker
import pytest

from windlass.adapters.edge.container import Address
from windlass.adapters.edge.edge import TraefikEdge
from windlass.adapters.engine import open_engine
from windlass.domain.errors import Failed, Refused
from windlass.ports.edge import EdgeApp, EdgeRoute, EdgeServer
from windlass.ports.machine import PortHolder

pytestmark = pytest.mark.real

URL = "unix:///var/run/docker.sock"
IMAGE = "python:3.11-slim"
PORT = 8000
SERVER = """
import http.server, json, os, time
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        if self.path == "/slow":
            time.sleep(2)
        told = {"version": os.environ["VERSION"], "path": self.path, "headers": [k.lower() for k in self.headers]}
        body = json.dumps(told).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *words):
        pass
http.server.ThreadingHTTPServer(("", 8000), Handler).serve_forever()
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("", 0))
        return int(probe.getsockname()[1])


def eventually(check: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not check():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.02)


@dataclass
class Stand:
    """An engine, edges and containers of one test."""

    folder: Path
    name: str = field(default_factory=lambda: f"wlt-{secrets.token_hex(4)}")
    edges: list[TraefikEdge] = field(default_factory=list)
    made: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.engine = open_engine(URL)

    def edge(
        self, suffix: str = "a", port: int = 0, holder: Callable[[int], PortHolder | None] = lambda port: None
    ) -> Front:
        address = Address(f"{self.name}-{suffix}", port or free_port())
        edge = TraefikEdge(self.engine, self.folder / suffix, address, holder)
        self.edges.append(edge)
        return Front(edge, address.http_port, f"windlass-edge-{address.instance}", self.folder / suffix)

    def server(self, version: str) -> EdgeServer:
        """A container that answers, when this returns."""
        api = docker.APIClient(URL, version="auto")
        made = api.create_container(IMAGE, ["python", "-c", SERVER], environment={"VERSION": version})["Id"]
        api.close()
        self.made.append(made)
        self.engine.start(made)
        address = self.engine.container(made).addresses["bridge"]
        eventually(lambda: answers(address))
        return EdgeServer(address, PORT)

    def clear(self) -> None:
        for ref in self.made:
            self.engine.remove(ref)
        for edge in self.edges:
            edge.stop()


def answers(address: str) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((address, PORT)) == 0


@dataclass
class Front:
    edge: TraefikEdge
    port: int
    container: str
    folder: Path

    def get(self, host: str = "a.test", path: str = "/", **headers: str) -> tuple[int, dict[str, Any]]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request("GET", path, headers={"Host": host, **{k: v for k, v in headers.items()}})
            answer = connection.getresponse()
            body = answer.read()
            return answer.status, json.loads(body) if answer.status == 200 else {}
        finally:
            connection.close()

    def version(self, host: str = "a.test", path: str = "/") -> str:
        try:
            return str(self.get(host, path)[1].get("version", ""))
        except (OSError, http.client.HTTPException):
            return ""


def app(release: int, *servers: EdgeServer, name: str = "a", host: str = "a.test") -> EdgeApp:
    return EdgeApp(name, release, (EdgeRoute((host,), "/", 0, "web", servers),))


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    made = Stand(tmp_path)
    yield made
    made.clear()


class Load:
    """Requests one after the other, on new and on kept connections, until told to stop."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._over = threading.Event()
        self.versions: list[str] = []
        self.failed: list[str] = []
        self._threads = [threading.Thread(target=self._ask, args=(kept,)) for kept in (True, True, False, False)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *unused: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def seen(self, version: str, since: int) -> bool:
        return version in self.versions[since:]

    def _ask(self, kept: bool) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        while not self._over.is_set():
            try:
                connection.request("GET", "/", headers={"Host": "a.test"})
                answer = connection.getresponse()
                body = answer.read()
                if answer.status == 200:
                    self.versions.append(json.loads(body)["version"])
                else:
                    self.failed.append(f"status {answer.status}")
            except (OSError, http.client.HTTPException) as error:
                self.failed.append(repr(error))
                connection.close()
            if not kept:
                connection.close()
            self._over.wait(0.01)
        connection.close()


def test_switches_under_load_fail_no_request(stand: Stand) -> None:
    front, servers = stand.edge(), [stand.server("v0"), stand.server("v1")]
    front.edge.ensure()
    front.edge.apply(app(1, servers[0]))
    with Load(front.port) as load:
        for release in range(2, 10):
            new, old = servers[(release + 1) % 2], servers[release % 2]
            before = len(load.versions)
            front.edge.apply(app(release, new))
            eventually(lambda old=old: front.edge.in_flight([old]) == 0)  # type: ignore[misc]
            wanted = f"v{(release + 1) % 2}"
            eventually(lambda wanted=wanted, before=before: load.seen(wanted, before))  # type: ignore[misc]
            drained = len(load.versions)
            eventually(lambda drained=drained: len(load.versions) > drained + 20)  # type: ignore[misc]
            assert set(load.versions[drained + 4 :]) == {wanted}
    assert load.failed == []


def test_the_old_generation_answers_when_the_new_one_dies_in_the_bake(stand: Stand) -> None:
    front, old, new = stand.edge(), stand.server("v1"), stand.server("v2")
    front.edge.ensure()
    front.edge.apply(app(1, old))
    route = EdgeRoute(("a.test",), "/", 0, "web", (new,), (old,))
    with Load(front.port) as load:
        front.edge.apply(EdgeApp("a", 2, (route,), 1))
        eventually(lambda: load.seen("v2", 0))
        before = len(load.versions)
        stand.engine.kill(stand.made[1])
        eventually(lambda: len(load.versions) > before + 40)
        assert load.seen("v1", before)
        counts = front.edge.answered()
        front.edge.apply(app(1, old))
    assert load.failed == []
    assert counts["a-web-r2"][200] > 0
    assert counts["a-web-r2"].keys() & {502, 504}  # nobody saw them: the old generation answered instead
    assert counts["a-web-r1"].keys() == {200}
    assert front.edge.current("a") == app(1, old)


def test_up_twice_changes_nothing_and_another_port_makes_it_anew(stand: Stand) -> None:
    front = stand.edge()
    first = front.edge.ensure()
    assert (first.running, first.http_port, front.edge.status()) == (True, front.port, first)
    before = stand.engine.container(front.container)
    assert before.labels["windlass.role"] == "edge"
    assert front.edge.ensure() == first
    again = stand.engine.container(front.container)
    assert (again.id, again.started_at) == (before.id, before.started_at)
    server = stand.server("v1")
    front.edge.apply(app(1, server))
    moved = stand.edge(port=free_port())
    moved.edge.ensure()
    assert moved.version() == "v1"
    assert stand.engine.container(front.container).id != before.id


@pytest.mark.parametrize("how", ["removed", "stopped"])
def test_an_edge_that_is_gone_comes_back_with_its_routes(stand: Stand, how: str) -> None:
    front, server = stand.edge(), stand.server("v1")
    front.edge.ensure()
    front.edge.apply(app(1, server))
    if how == "removed":
        stand.engine.remove(front.container)
    else:
        stand.engine.stop(front.container, 5)
    assert not front.edge.status().running
    front.edge.ensure()
    assert front.version() == "v1"


def test_a_killed_edge_comes_back_by_itself_with_its_routes(stand: Stand) -> None:
    front, server = stand.edge(), stand.server("v1")
    front.edge.ensure()
    front.edge.apply(app(1, server))
    before = stand.engine.container(front.container)
    os.kill(before.pid, 9)
    eventually(lambda: stand.engine.container(front.container).pid not in (0, before.pid))
    eventually(lambda: front.version() == "v1")
    assert stand.engine.container(front.container).id == before.id


def test_a_held_port_is_refused_with_its_holder(stand: Stand) -> None:
    with socket.socket() as held:
        held.bind(("", 0))
        held.listen()
        port = held.getsockname()[1]
        told = stand.edge("told", port, lambda asked: PortHolder(asked, 4711, "nginx"))
        with pytest.raises(Refused, match=rf"port {port}.*nginx.*4711") as refused:
            told.edge.ensure()
        assert refused.value.code == "port_taken"
        found_out = stand.edge("found-out", port)
        with pytest.raises(Refused) as refused:
            found_out.edge.ensure()
        assert refused.value.code == "port_taken"
        assert stand.engine.containers({"windlass.instance": f"{stand.name}-found-out"}) == []


def test_two_instances_on_one_engine(stand: Stand) -> None:
    one, other = stand.edge("one"), stand.edge("other")
    one.edge.ensure()
    other.edge.ensure()
    one.edge.apply(app(1, stand.server("v1")))
    other.edge.apply(app(1, stand.server("v2")))
    assert (one.version(), other.version()) == ("v1", "v2")
    other.edge.stop()
    assert one.version() == "v1"


def test_a_malformed_route_is_refused_before_anything_is_written(stand: Stand) -> None:
    front, server = stand.edge(), stand.server("v1")
    front.edge.ensure()
    front.edge.apply(app(1, server))
    before = (front.folder / "dynamic" / "a.yml").read_bytes()
    with pytest.raises(Refused):
        front.edge.apply(app(2, server, host="a.test`) || PathPrefix(`/"))
    assert (front.folder / "dynamic" / "a.yml").read_bytes() == before
    assert front.edge.current("a") == app(1, server)


def test_a_change_that_is_not_confirmed_is_taken_back(stand: Stand) -> None:
    front, old, new = stand.edge(), stand.server("v1"), stand.server("v2")
    front.edge.ensure()
    front.edge.apply(app(1, old))
    spoiler = front.folder / "dynamic" / "spoiler.yml"
    spoiler.write_text('{"http": {"nonsense": 1}}')
    with pytest.raises(Failed, match="former routes are in force again") as failed:
        front.edge.apply(app(2, new), timeout_s=1)
    assert failed.value.code == "edge_not_confirmed"
    assert any("nonsense" in detail.message for detail in failed.value.details)
    with pytest.raises(Failed):
        front.edge.apply(app(1, new, name="b", host="b.test"), timeout_s=1)
    assert front.edge.current("b") is None
    spoiler.unlink()
    assert (front.edge.current("a"), front.version()) == (app(1, old), "v1")
    front.edge.apply(app(2, new))
    assert (front.edge.current("a"), front.version()) == (app(2, new), "v2")


def test_servers_of_the_same_release_can_change(stand: Stand) -> None:
    front, one, two = stand.edge(), stand.server("v1"), stand.server("v2")
    front.edge.ensure()
    for servers, versions in (((one, two), {"v1", "v2"}), ((two,), {"v2"}), ((one,), {"v1"})):
        front.edge.apply(app(1, *servers))
        assert {front.version() for _ in range(6)} == versions


def test_routes_by_host_and_path_and_their_withdrawal(stand: Stand) -> None:
    front, web, admin, other = stand.edge(), stand.server("web"), stand.server("admin"), stand.server("other")
    front.edge.ensure()
    front.edge.apply(
        EdgeApp(
            "a",
            1,
            (
                EdgeRoute(("a.test",), "/", 0, "web", (web,)),
                EdgeRoute(("a.test",), "/admin", 0, "admin", (admin,)),
                EdgeRoute((), "/", 0, "web", (web,)),
            ),
        )
    )
    front.edge.apply(EdgeApp("b", 1, (EdgeRoute(("*.b.test",), "/", 0, "other", (other,)),)))
    found = {
        (host, path): front.version(host, path)
        for host, path in [
            ("a.test", "/x"),
            ("A.TEST", "/admin"),
            ("a.test", "/admin/x?y=1"),
            ("a.test", "/administrator"),
            ("127.0.0.1", "/"),
            ("x.b.test", "/"),
        ]
    }
    assert list(found.values()) == ["web", "admin", "admin", "web", "web", "other"]
    assert front.get("x.y.b.test")[0] == 404
    front.edge.apply(app(2, web))
    assert front.get("127.0.0.1")[0] == 404
    front.edge.withdraw("a")
    front.edge.withdraw("a")
    assert (front.get()[0], front.edge.current("a"), front.version("x.b.test")) == (404, None, "other")


def test_a_header_in_disguise_does_not_reach_the_app(stand: Stand) -> None:
    front, server = stand.edge(), stand.server("v1")
    front.edge.ensure()
    front.edge.apply(app(1, server))
    seen = front.get(**{"X_Forwarded_For": "1.2.3.4", "X-Plain": "y"})[1]["headers"]
    assert "x-plain" in seen
    assert "x_forwarded_for" not in seen


def test_requests_in_flight_are_counted_until_they_end(stand: Stand) -> None:
    front, server = stand.edge(), stand.server("v1")
    front.edge.ensure()
    front.edge.apply(app(1, server))
    assert front.version() == "v1"
    eventually(lambda: front.edge.in_flight([server]) == 0)
    asking = threading.Thread(target=front.version, args=("a.test", "/slow"))
    asking.start()
    eventually(lambda: front.edge.in_flight([server]) == 1)
    asking.join()
    eventually(lambda: front.edge.in_flight([server]) == 0)


def test_a_crash_within_a_change_is_seen(stand: Stand) -> None:
    front, server = stand.edge(), stand.server("v1")
    front.edge.ensure()
    front.edge.apply(app(1, server))
    kept = (front.folder / "apps" / "a.json").read_text()
    front.edge.apply(app(2, server))
    (front.folder / "apps" / "a.json").write_text(kept)
    assert front.edge.current("a") is None
    front.edge.apply(app(2, server))
    assert front.edge.current("a") == app(2, server)


def test_many_threads_at_once(stand: Stand) -> None:
    front, server = stand.edge(), stand.server("v1")
    front.edge.ensure()
    wanted = [app(1, server, name=f"app{n}", host=f"app{n}.test") for n in range(8)]
    threads = [threading.Thread(target=front.edge.apply, args=(one,)) for one in (*wanted, *wanted)]
    threads += [threading.Thread(target=front.edge.ensure) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [front.edge.current(one.app) for one in wanted] == wanted
    assert {front.version(f"app{n}.test") for n in range(8)} == {"v1"}
    assert list((front.folder / "new").iterdir()) == []
