"""One Traefik of this machine, started as windlass starts it, and services of many kinds behind it."""

from __future__ import annotations

import http.client
import http.server
import json
import shutil
import socket
import subprocess
import sysconfig
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from windlass.adapters.edge.api import EdgeApi
from windlass.adapters.edge.container import edge_argv
from windlass.adapters.edge.files import EdgeFiles
from windlass.domain.edgefile import edge_file
from windlass.domain.errors import OutOfReach
from windlass.domain.routeoptions import PLAIN, RouteOptions
from windlass.ports.edge import EdgeApp, EdgeRoute, EdgeServer

LIMIT_S = 30.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Handler(http.server.BaseHTTPRequestHandler):
    """Tells what it was asked, or does what the path says."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path.startswith("/slow"):
            self.server.closing.wait(5)  # type: ignore[attr-defined]
        if self.path.startswith("/events"):
            self._events()
        elif self.path.startswith("/socket"):
            self._socket()
        elif self.path.startswith("/status/"):
            self._answer(int(self.path.rpartition("/")[2]), "text/plain", b"the service's own words")
        elif self.path.startswith("/page/"):
            self._answer(200, "text/html", f"<p>sorry: {self.path}</p>".encode())
        else:
            self._echo(b"")

    def do_POST(self) -> None:
        body = b""
        if self.headers.get("Transfer-Encoding") == "chunked":
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._echo(body)

    do_PUT = do_DELETE = do_POST

    def _echo(self, body: bytes) -> None:
        told = {
            "name": self.server.name,  # type: ignore[attr-defined]
            "method": self.command,
            "path": self.path,
            "headers": {k.lower(): v for k, v in self.headers.items()},
            "length": len(body),
            "filling": "x" * 3000,
        }
        self._answer(200, "application/json", json.dumps(told).encode())

    def _answer(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("X-From-App", "yes")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _events(self) -> None:
        """The second event comes when the first one has been read."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(b"data: one\n\n")
        self.wfile.flush()
        self.server.seen.wait(LIMIT_S)  # type: ignore[attr-defined]
        self.wfile.write(b"data: two\n\n")
        self.close_connection = True

    def _socket(self) -> None:
        """As far as a proxy sees it: an upgrade, and then bytes both ways."""
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.end_headers()
        self.wfile.write(self.rfile.readline().upper())
        self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, name: str) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.name = name
        self.seen = threading.Event()
        self.closing = threading.Event()

    @property
    def at(self) -> EdgeServer:
        return EdgeServer("127.0.0.1", self.server_address[1])

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that the edge gave up."""


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes
    cookies: tuple[str, ...] = ()

    @property
    def told(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


@dataclass
class Stand:
    """The edge, and two equal services behind it."""

    port: int
    api: EdgeApi
    files: EdgeFiles
    server: Server
    other: Server
    release: int = 0

    def route(self, options: RouteOptions = PLAIN, host: str = "a.test", path: str = "/", **more: Any) -> EdgeRoute:
        return EdgeRoute((host,), path, more.pop("priority", 0), "web", (self.server.at,), options=options, **more)

    def serve(self, *routes: EdgeRoute, **more: Any) -> EdgeApp:
        """The routes are in force when this returns."""
        self.release += 1
        app = EdgeApp("a", self.release, routes, **more)
        self.apply(app)
        return app

    def apply(self, app: EdgeApp) -> None:
        wanted = edge_file(app)
        self.files.write_routes(app.app, wanted.text())
        deadline = time.monotonic() + LIMIT_S
        while left := self.api.missing(wanted):
            assert time.monotonic() < deadline, left
            assert not any(one.final for one in left), left
            time.sleep(0.01)

    def ask(
        self, path: str = "/", method: str = "GET", body: Any = None, host: str = "a.test", **headers: str
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT_S)
        named = {k.replace("_", "-"): v for k, v in headers.items()}
        try:
            connection.request(method, path, body, {"Host": host, **named}, encode_chunked=not hasattr(body, "__len__"))
            answer = connection.getresponse()
            found = {k.lower(): v for k, v in answer.getheaders()}
            cookies = tuple(v for k, v in answer.getheaders() if k.lower() == "set-cookie")
            return Answer(answer.status, found, answer.read(), cookies)
        finally:
            connection.close()

    @contextmanager
    def connected(self, request: str) -> Iterator[socket.socket]:
        """A connection on which `request`, a head without its empty line, was sent."""
        with socket.create_connection(("127.0.0.1", self.port), LIMIT_S) as link:
            link.sendall(request.replace("\n", "\r\n").encode() + b"\r\n\r\n")
            yield link


@contextmanager
def stand_of(folder: Path) -> Iterator[Stand]:
    """Everything is gone when this ends."""
    files = EdgeFiles(folder)
    files.prepare()
    servers = [Server("one"), Server("two")]
    threads = [threading.Thread(target=server.serve_forever, args=(0.05,)) for server in servers]
    for thread in threads:
        thread.start()
    try:
        with edge_process(files) as (port, api):
            yield Stand(port, api, files, *servers)
    finally:
        for server in servers:
            server.seen.set()
            server.closing.set()
            server.shutdown()
            server.server_close()
        for thread in threads:
            thread.join(LIMIT_S)


@contextmanager
def edge_process(files: EdgeFiles, more: Sequence[str] = ()) -> Iterator[tuple[int, EdgeApi]]:
    """Its port and its API; `more` arguments. Another port when somebody was quicker to take the one that was free."""
    program = shutil.which("traefik", path=sysconfig.get_path("scripts"))
    assert program is not None
    for _ in range(10):
        port, api_port = free_port(), free_port()
        argv = [word.replace("directory=/dynamic", f"directory={files.dynamic}") for word in edge_argv(port, api_port)]
        edge = subprocess.Popen([program, *argv, *more], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={})
        try:
            if _answers(edge, EdgeApi(api_port)):
                yield port, EdgeApi(api_port)
                return
        finally:
            edge.kill()
            edge.wait(LIMIT_S)
    raise AssertionError("the edge found no port")


def _answers(edge: subprocess.Popen[bytes], api: EdgeApi) -> bool:
    """False when it has ended."""
    deadline = time.monotonic() + LIMIT_S
    while edge.poll() is None:
        try:
            api.version()
            return edge.poll() is None
        except OutOfReach:
            assert time.monotonic() < deadline
            time.sleep(0.02)
    return False
