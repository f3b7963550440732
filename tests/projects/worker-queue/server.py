"""A tiny HTTP server for the test projects. Each project has a copy of this file; see ../README.md.

Knows /health, /ready, /echo and /stream by itself; on SIGTERM it finishes what is in flight, within 8 seconds.
"""

import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

VERSION = os.environ.get("VERSION", "v1")
HOST = socket.gethostname()
READY_AT = time.monotonic() + float(os.environ.get("BOOT_SECONDS", "0"))

# Takes path and body; answers text, something to send as JSON, or pieces for a chunked answer.
Route = Callable[[str, bytes], Any]


class Unavailable(Exception):
    """Raised by a route that cannot serve now: answered with 503 and the message."""


def health(_path: str, _body: bytes) -> Any:
    """Alive and ready, as soon as BOOT_SECONDS are over."""
    return {"status": "healthy", "version": VERSION, "host": HOST}


def echo(_path: str, body: bytes) -> Any:
    """How long the body was."""
    return {"version": VERSION, "length": len(body)}


def stream(_path: str, _body: bytes) -> Iterator[str]:
    """A slow answer."""
    for number in range(30):
        yield f"{VERSION} {number}\n"
        time.sleep(0.1)
    yield "END"


class Handler(BaseHTTPRequestHandler):
    """Finds the route by the path's first part, and counts what is in flight."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: "Server"

    def do_GET(self) -> None:
        with self.server.in_flight:
            self.answer()

    do_POST = do_GET

    def answer(self) -> None:
        """Read the body, ask the route, send what it says."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        route = self.server.routes.get("/" + self.path.split("?")[0].split("/")[1])
        if time.monotonic() < READY_AT:
            self.send(503, "still starting")
        elif route is None:
            self.send(404, "no such page")
        else:
            try:
                self.send(200, route(self.path, body))
            except Unavailable as error:
                self.send(503, str(error))

    def send(self, status: int, content: Any) -> None:
        """Text, JSON or chunks."""
        chunked = isinstance(content, Iterator)
        data = content if isinstance(content, str) or chunked else json.dumps(content)
        self.send_response(status)
        self.send_header("X-Version", VERSION)
        self.send_header("X-Host", HOST)
        self.send_header("Content-Type", "text/plain; charset=utf-8" if data is content else "application/json")
        if self.server.stopping:
            self.send_header("Connection", "close")
        if not chunked:
            self.send_header("Content-Length", str(len(data.encode())))
            self.end_headers()
            self.wfile.write(data.encode())
        else:
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for piece in data:
                self.wfile.write(f"{len(piece.encode()):x}\r\n{piece}\r\n".encode())
                self.wfile.flush()
            self.wfile.write(b"0\r\n\r\n")
        self.wfile.flush()

    def log_message(self, *_: Any) -> None:
        """No line for each request."""


class InFlight:
    """Counts requests from their first line to their last byte."""

    def __init__(self) -> None:
        self._count = 0
        self._changed = threading.Condition()

    def __enter__(self) -> None:
        with self._changed:
            self._count += 1

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._count -= 1
            self._changed.notify_all()

    def wait_for_none(self, seconds: float) -> None:
        """Return when nothing is in flight, or when the time is over."""
        with self._changed:
            self._changed.wait_for(lambda: self._count == 0, seconds)


class Server(ThreadingHTTPServer):
    """One thread for each connection."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 512

    def __init__(self, port: int, routes: dict[str, Route]) -> None:
        super().__init__(("0.0.0.0", port), Handler)
        self.routes: dict[str, Route] = {"/health": health, "/ready": health, "/echo": echo, "/stream": stream} | routes
        self.in_flight = InFlight()
        self.stopping = False

    def stop(self) -> None:
        """Take no more connections; serve() goes on from there."""
        self.stopping = True
        self.shutdown()


def serve(routes: dict[str, Route], port: int = 8000) -> None:
    """Serve until SIGTERM."""
    server = Server(port, routes)
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.stop).start())
    print(f"{VERSION} listens on {port}", flush=True)
    server.serve_forever(poll_interval=0.05)
    server.server_close()
    server.in_flight.wait_for_none(8)
    print(f"{VERSION} ends", flush=True)
