"""A control plane that answers from a table, on a real unix socket; and a way to type commands at it."""

import json
import socketserver
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from windlass.cli.app import run
from windlass.cli.session import Target, UpOptions
from windlass.domain.errors import WindlassError
from windlass.wire import error_document


@dataclass
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


Answer = dict[str, Any] | WindlassError | list[str] | Callable[[Request], Any]


@dataclass
class Api:
    """`answers`: "METHOD path" → a document, an error, or the lines of an event stream; the last of several stays."""

    socket: Path
    answers: dict[str, list[Answer]] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)

    def on(self, call: str, *answers: Answer) -> None:
        self.answers[call] = list(answers)

    def answer(self, request: Request) -> Answer:
        self.requests.append(request)
        known = self.answers[f"{request.method} {request.path.partition('?')[0]}"]
        found = known[0] if len(known) == 1 else known.pop(0)
        result: Answer = found(request) if callable(found) else found
        return result


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    api: Api


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def handle_one_request(self) -> None:
        self.raw_requestline = self.rfile.readline(65537)
        if not self.raw_requestline or not self.parse_request():
            self.close_connection = True
            return
        server: Any = self.server
        request = Request(self.command, self.path, dict(self.headers), self._body())
        found = server.api.answer(request)
        if isinstance(found, list):
            self._stream(found)
        elif isinstance(found, WindlassError):
            self._send(found.http_status, error_document(found), {"windlass-exit-code": str(found.exit_code)})
        else:
            self._send(200, found, {})

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            parts = []
            while size := int(self.rfile.readline(), 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _send(self, status: int, document: Any, headers: dict[str, str]) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _stream(self, lines: list[str]) -> None:
        self.send_response(200)
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write("".join(line + "\n" for line in lines).encode())
        self.close_connection = True

    def address_string(self) -> str:
        return "test"

    def log_message(self, format: str, *args: Any) -> None: ...


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    found = Api(tmp_path / "api.sock")
    with _Server(str(found.socket), _Handler) as server:
        server.api = found
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield found
        server.shutdown()
        thread.join()


@dataclass
class Typed:
    """What a command line came to."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class NoLauncher:
    """Keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    def up(self, options: UpOptions, say: Callable[[str], None]) -> dict[str, Any]:
        self.asked.append(options)
        say("preparing")
        return {"version": "1", "home": "/h", "edge": {"http_port": 80}, "token": None}

    def down(self, home: Path | None, edge: bool, say: Callable[[str], None]) -> dict[str, Any]:
        self.asked.append((home, edge))
        return {"was_running": True}

    def serve(self, home: Path | None) -> None:
        self.asked.append(home)


@pytest.fixture
def launcher() -> NoLauncher:
    return NoLauncher()


@pytest.fixture
def windlass(
    api: Api, launcher: NoLauncher, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Callable[..., Typed]:
    """Types a command line; `windlass("status", "shop")`."""

    def type_in(*words: str) -> Typed:
        capsys.readouterr()
        code = run(words, Target(tmp_path, api.socket), launcher)
        return Typed(code, *capsys.readouterr())

    return type_in
