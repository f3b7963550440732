"""Traefik's labels, read by windlass and by Traefik's own Docker provider: the same answers to the same requests."""

from __future__ import annotations

import http.client
import json
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass

import docker
import pytest
from tests.adapters.edgestand import LIMIT_S, EdgeFiles, edge_process
from tests.domain.samples import model_of

from windlass.adapters.edge.api import EdgeApi
from windlass.domain.edgefile import edge_file
from windlass.domain.traefiklabels import labelled_routes
from windlass.ports.edge import EdgeApp, EdgePage, EdgeRoute, EdgeServer

pytestmark = pytest.mark.real

URL = "unix:///var/run/docker.sock"
SERVER = """
import http.server, json, threading
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        length = int(self.headers.get("Content-Length") or 0)
        told = {"port": self.server.server_address[1], "path": self.path, "length": len(self.rfile.read(length)),
                "method": self.command, "tenant": self.headers.get("X-Tenant"), "filling": "x" * 3000}
        body = json.dumps(told).encode()
        self.send_response(500 if self.path.startswith("/broken") else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    do_POST = do_GET
    def log_message(self, *words):
        pass
for port in (8000, 9000):
    server = http.server.ThreadingHTTPServer(("", port), Handler)
    threading.Thread(target=server.serve_forever).start()
"""
APR1 = "bob:$apr1$abcdefgh$h9FWgUz3n9YxylKLlR5SQ/"
BASIC = "Basic Ym9iOnNlY3JldA=="

# What the labels say of one router each, at a host of its own; `+` stands for a middleware of that router.
SHAPES: dict[str, dict[str, str]] = {
    "plain": {"rule": "Host(`H`)"},
    "prefix": {"rule": "Host(`H`) && PathPrefix(`/api`)"},
    "exact": {"rule": "Host(`H`) && Path(`/api`)"},
    "either": {"rule": "Host(`H`) && (PathPrefix(`/api`) || Path(`/x`))"},
    "denied": {"rule": "Host(`H`) && !PathPrefix(`/api`)"},
    "method": {"rule": "Host(`H`) && Method(`POST`)"},
    "header": {"rule": "Host(`H`) && Header(`X-Beta`, `yes`)"},
    "query": {"rule": "Host(`H`) && Query(`q`, `1`)"},
    "client": {"rule": "Host(`H`) && !ClientIP(`10.99.0.0/16`)"},
    "any": {"rule": r"HostRegexp(`^[^.]+\.H$`)"},
    "strip": {"rule": "Host(`H`)", "+stripprefix.prefixes": "/api"},
    "add": {"rule": "Host(`H`)", "+addprefix.prefix": "/v1"},
    "tenant": {"rule": "Host(`H`)", "+headers.customrequestheaders.X-Tenant": "blue"},
    "answer": {"rule": "Host(`H`)", "+headers.customresponseheaders.X-Seen": "yes", "+headers.framedeny": "true"},
    "cors": {
        "rule": "Host(`H`)",
        "+headers.accesscontrolalloworiginlist": "https://a.test",
        "+headers.accesscontrolallowmethods": "GET,PUT",
        "+headers.accesscontrolmaxage": "60",
        "+headers.addvaryheader": "true",
    },
    "guarded": {"rule": "Host(`H`)", "+basicauth.users": APR1, "+basicauth.realm": "ours"},
    "closed": {"rule": "Host(`H`)", "+ipallowlist.sourcerange": "10.99.0.0/16"},
    "few": {"rule": "Host(`H`)", "+ratelimit.average": "1", "+ratelimit.period": "1h", "+ratelimit.burst": "4"},
    "small": {"rule": "Host(`H`)", "+buffering.maxRequestBodyBytes": "100"},
    "packed": {"rule": "Host(`H`)", "+compress": "true"},
    "moved": {
        "rule": "Host(`H`)",
        "+redirectregex.regex": "^(https?)://([^/]+)/api(.*)",
        "+redirectregex.replacement": "${1}://${2}/new${3}",
        "+redirectregex.permanent": "true",
    },
    "page": {
        "rule": "Host(`H`)", "+errors.status": "500-599", "+errors.service": "two", "+errors.query": "/sorry/{status}",
    },
    "again": {"rule": "Host(`H`)", "+retry.attempts": "3"},
    "ported": {"rule": "Host(`H`)", "service": "two"},
    # Two for the same host: the longer rule, and a written priority.
    "longer-a": {"rule": "Host(`longer.test`)", "service": "one"},
    "longer-b": {"rule": "Host(`longer.test`) && PathPrefix(`/api`)", "service": "two"},
    "given-a": {"rule": "Host(`given.test`)", "priority": "1000", "service": "one"},
    "given-b": {"rule": "Host(`given.test`) && PathPrefix(`/api`)", "service": "two"},
    "same-a": {"rule": "Host(`same.test`) && Path(`/api`)", "service": "one"},
    "same-b": {"rule": "Host(`same.test`) && PathPrefix(`/api`)", "service": "two"},
}  # fmt: skip
HOSTS = tuple(f"{name}.test" for name in SHAPES if not name.endswith(("-a", "-b", "any"))) + (
    "x.any.test", "x.y.any.test", "any.test", "longer.test", "given.test", "same.test", "nobody.test",
)  # fmt: skip
# Method, path, body, headers.
ASKED: tuple[tuple[str, str, bytes | None, dict[str, str]], ...] = (
    ("GET", "/", None, {}),
    ("GET", "/api", None, {}),
    ("GET", "/api/x?q=1", None, {"X-Beta": "yes", "Accept-Encoding": "gzip"}),
    ("GET", "/apix", None, {"Authorization": BASIC}),
    ("GET", "/x", None, {"Origin": "https://a.test"}),
    ("POST", "/api/x", b"x" * 200, {"X-Beta": "no"}),
    ("OPTIONS", "/", None, {"Origin": "https://a.test", "Access-Control-Request-Method": "PUT"}),
    ("GET", "/broken", None, {}),
)
_OF_THE_MOMENT = frozenset({"date", "server", "connection", "retry-after", "x-retry-in"})


def labels(mark: str) -> dict[str, str]:
    found = {
        "traefik.enable": "true",
        "wlt.mark": mark,
        "traefik.http.services.one.loadbalancer.server.port": "8000",
        "traefik.http.services.two.loadbalancer.server.port": "9000",
    }
    for name, said in SHAPES.items():
        router = {"service": "one", **said}
        own = {key.removeprefix("+"): value for key, value in said.items() if key.startswith("+")}
        if own:
            router["middlewares"] = f"m-{name}"
        for key, value in router.items():
            if not key.startswith("+"):
                found[f"traefik.http.routers.{name}.{key}"] = value.replace("H`", f"{name}.test`").replace(
                    r"\.H$", rf"\.{name}\.test$"
                )
        found |= {f"traefik.http.middlewares.m-{name}.{key}": value for key, value in own.items()}
    return found


@dataclass(frozen=True)
class Both:
    """Ports of the two edges."""

    docker: int
    windlass: int


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    mark = secrets.token_hex(4)
    engine = docker.APIClient(URL, version="auto")
    folder = tmp_path_factory.mktemp("edges")
    made = engine.create_container(
        "python:3.11-slim", ["python", "-c", SERVER], name=f"wlt-labels-{mark}", labels=labels(mark)
    )["Id"]
    try:
        engine.start(made)
        address = engine.inspect_container(made)["NetworkSettings"]["Networks"]["bridge"]["IPAddress"]
        _wait_served(address)
        own = EdgeFiles(folder / "own")
        own.prepare()
        theirs = [
            "--providers.docker=true",
            f"--providers.docker.endpoint={URL}",
            "--providers.docker.exposedByDefault=false",
            f"--providers.docker.constraints=Label(`wlt.mark`,`{mark}`)",
        ]
        empty = EdgeFiles(folder / "theirs")
        empty.prepare()
        with edge_process(own) as (port, api), edge_process(empty, theirs) as (their_port, _):
            _apply(own, api, address)
            _wait_routed(their_port)
            yield Both(their_port, port)
    finally:
        engine.remove_container(made, force=True, v=True)
        engine.close()


def _wait_served(address: str) -> None:
    deadline = time.monotonic() + LIMIT_S
    for port in (8000, 9000):
        while _ask(address, port, "x.test", ASKED[0])[0] == 0:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def _apply(files: EdgeFiles, api: EdgeApi, address: str) -> None:
    """As a deployment does it: the labels as Compose prints them, and the container's address."""
    written = {key: value.replace("$", "$$") for key, value in labels("").items()}
    read = labelled_routes(tuple(model_of({"app": {"image": "x", "labels": written}}).services.values()))
    assert (read.notes, read.problems) == ((), ())
    routes = tuple(
        EdgeRoute(
            (route.host,), route.path, route.priority, "app", (EdgeServer(address, route.port),), (), route.options,
            tuple(EdgePage(page, (EdgeServer(address, page.port),)) for page in route.options.errors),
        )
        for route in read.routes
    )  # fmt: skip
    wanted = edge_file(EdgeApp("labels", 1, routes))
    files.write_routes("labels", wanted.text())
    deadline = time.monotonic() + LIMIT_S
    while left := api.missing(wanted):
        assert time.monotonic() < deadline, left
        time.sleep(0.02)


def _wait_routed(port: int) -> None:
    """All labels come at once: the last of them is enough."""
    deadline = time.monotonic() + LIMIT_S
    while _ask("127.0.0.1", port, "same.test", ASKED[1])[0] != 200:
        assert time.monotonic() < deadline
        time.sleep(0.05)


Asked = tuple[str, str, bytes | None, dict[str, str]]


def _ask(address: str, port: int, host: str, asked: Asked) -> tuple[int, dict[str, str], object]:
    """Status 0: not reached."""
    method, path, body, headers = asked
    connection = http.client.HTTPConnection(address, port, timeout=LIMIT_S)
    try:
        connection.request(method, path, body, {"Host": host, **headers})
        answer = connection.getresponse()
        text = answer.read()
        told = {k.lower(): v for k, v in answer.getheaders() if k.lower() not in _OF_THE_MOMENT}
        return answer.status, told, json.loads(text) if text.startswith(b"{") else text
    except OSError:
        return 0, {}, b""
    finally:
        connection.close()


@pytest.mark.parametrize("host", HOSTS)
def test_the_same_answers(both: Both, host: str) -> None:
    for asked in ASKED:
        theirs = _ask("127.0.0.1", both.docker, host, asked)
        assert _ask("127.0.0.1", both.windlass, host, asked) == theirs, asked


def test_they_do_answer(both: Both) -> None:
    hosts = ("plain.test", "denied.test", "guarded.test", "closed.test", "moved.test", "x.any.test", "nobody.test")
    found = [_ask("127.0.0.1", both.windlass, host, ASKED[1])[0] for host in hosts]
    assert found == [200, 404, 401, 403, 301, 200, 404]
