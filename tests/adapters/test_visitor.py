"""Requests and WebSockets of smoke steps, against small servers; and the way to them from a container's network."""

from __future__ import annotations

import http.server
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from websockets.sync.server import ServerConnection, serve

from windlass.adapters.netns import inside
from windlass.adapters.visitor import EdgeVisitor
from windlass.domain.answers import BODY_LIMIT, Answer
from windlass.domain.errors import Failed
from windlass.domain.smoke import FilePiece, Visit
from windlass.ports.visitor import Patience, Unanswered

QUICK = Patience(10.0)
SEEN: list[tuple[str, str, dict[str, str], bytes]] = []


class Handler(http.server.BaseHTTPRequestHandler):
    """Notes what came; `/status/N`, `/big`, `/redirect`, else 200 with the body that was sent."""

    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        SEEN.append((self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body))
        status = int(self.path.rpartition("/")[2]) if self.path.startswith("/status/") else 200
        if self.path == "/big":
            body = b"x" * (BODY_LIMIT + 100)
        self.send_response(302 if self.path == "/redirect" else status)
        if self.path == "/redirect":
            self.send_header("Location", "http://elsewhere.invalid/")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with suppress(OSError):  # the visitor need not read to the end
            self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer

    def log_message(self, format: str, *args: object) -> None: ...


@pytest.fixture
def edge() -> Iterator[int]:
    SEEN.clear()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


@contextmanager
def raw(serve_one: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server that does this with its only connection."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def run() -> None:
            with suppress(OSError):
                connection, _ = listening.accept()
                with connection:
                    serve_one(connection)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        thread.join(30)


def visit(port: int, request: Visit, patience: Patience = QUICK) -> Answer:
    return EdgeVisitor(port).visit(request, patience)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_a_request_is_sent_as_it_is_meant(edge: int, method: str) -> None:
    body = () if method == "GET" else (b"a", b"bc")
    answer = visit(edge, Visit(method, "/x?y=%20", "shop.localhost:8080", (("X-A", "ü"),), body))
    ((seen_method, path, headers, sent),) = SEEN
    assert (seen_method, path, headers["host"]) == (method, "/x?y=%20", "shop.localhost:8080")
    assert headers["x-a"].encode("latin-1").decode() == "ü"
    assert sent == b"".join(body)
    assert (answer.status, answer.body, answer.whole) == (200, sent, True)


def test_a_post_without_a_body_says_so(edge: int) -> None:
    visit(edge, Visit("POST", "/", "a.test"))
    assert SEEN[0][2]["content-length"] == "0"


def test_a_file_is_sent_from_where_it_lies(edge: int, tmp_path: Path) -> None:
    content = bytes(range(256)) * 2000
    (tmp_path / "clip.bin").write_bytes(content)
    answer = visit(edge, Visit("PUT", "/", "a.test", (), (b"<", FilePiece(f"{tmp_path}/clip.bin"), b">")))
    assert answer.body == b"<" + content + b">"


@pytest.mark.parametrize(("name", "words"), [("none.bin", "none.bin cannot be read"), (".", "is not a file")])
def test_a_file_that_is_none(edge: int, tmp_path: Path, name: str, words: str) -> None:
    with pytest.raises(Unanswered, match=words):
        visit(edge, Visit("PUT", "/", "a.test", (), (FilePiece(f"{tmp_path}/{name}"),)))


def test_redirects_and_errors_are_answers(edge: int) -> None:
    assert visit(edge, Visit("GET", "/redirect", "a.test")).status == 302
    assert visit(edge, Visit("GET", "/status/503", "a.test")).status == 503
    assert len(SEEN) == 2


def test_a_large_answer_is_read_in_part(edge: int) -> None:
    answer = visit(edge, Visit("GET", "/big", "a.test"))
    assert (len(answer.body), answer.whole) == (BODY_LIMIT, False)


def _close(connection: socket.socket) -> None:
    connection.recv(1000)


def _babble(connection: socket.socket) -> None:
    connection.recv(1000)
    connection.sendall(b"220 mail ready\r\n\r\n")


def _drip(connection: socket.socket) -> None:
    """One sign at a time, for longer than anybody waits."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    for _ in range(200):
        connection.sendall(b".")
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("behaviour", "words"), [(_close, "closed without an answer"), (_babble, "not HTTP"), (_drip, "within 0.5 s")]
)
def test_what_is_no_answer(behaviour: Callable[[socket.socket], None], words: str) -> None:
    with raw(behaviour) as port, pytest.raises(Unanswered, match=words):
        visit(port, Visit("GET", "/", "a.test"), Patience(0.5))


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(Unanswered, match="connection refused"):
        visit(port, Visit("GET", "/", "a.test"))


def test_it_ends_when_told() -> None:
    over = threading.Event()
    threading.Timer(0.2, over.set).start()
    with raw(_drip) as port, pytest.raises(Unanswered, match="stopped"):
        visit(port, Visit("GET", "/", "a.test"), Patience(60.0, over.is_set))


def test_a_header_cannot_break_out(edge: int) -> None:
    with pytest.raises(Unanswered, match="cannot be sent"):
        visit(edge, Visit("GET", "/", "a.test", (("X-A", "a\r\nX-B: c"),)))
    assert SEEN == []


# --- WebSockets ------------------------------------------------------------------------------------------------------


def _echo(socket: ServerConnection) -> None:
    SEEN.append(("WS", socket.request.path if socket.request else "", {}, b""))
    if socket.request:
        SEEN[-1][2].update({k.lower(): v for k, v in socket.request.headers.raw_items()})
    socket.send("hello")
    for message in socket:
        socket.send(f"v2: {message!s}")
        if message == "leave":
            return


@pytest.fixture
def sockets() -> Iterator[int]:
    SEEN.clear()
    with serve(_echo, "127.0.0.1", 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.socket.getsockname()[1]
        server.shutdown()


def talk(port: int, message: str | None, enough: Callable[[str], bool] | None, patience: Patience = QUICK) -> None:
    EdgeVisitor(port).converse(
        Visit("WEBSOCKET", "/ws?a=1", "shop.localhost", (("X-A", "b"),)), message, enough, patience
    )


def test_an_echo(sockets: int) -> None:
    talk(sockets, "ping", lambda text: text == "v2: ping")
    _, path, headers, _ = SEEN[0]
    assert path == "/ws?a=1"
    assert (headers["host"], headers["origin"], headers["x-a"]) == ("shop.localhost", "http://shop.localhost", "b")


def test_that_it_opens_can_be_enough(sockets: int) -> None:
    talk(sockets, None, None)


# What is sent, what is said of it.
SILENCE: list[tuple[str, str]] = [
    ("ping", r'got "v2: ping" \(no complete answer within 0.5 s\)'),
    ("leave", r'got "v2: leave" \(the WebSocket was closed'),
]


@pytest.mark.parametrize(("message", "words"), SILENCE)
def test_another_message(sockets: int, message: str, words: str) -> None:
    with pytest.raises(Unanswered, match=words):
        talk(sockets, message, lambda text: text == "never", Patience(0.5))


def test_what_is_no_websocket(edge: int) -> None:
    with pytest.raises(Unanswered, match="wanted a WebSocket, got HTTP 200"):
        talk(edge, "ping", lambda text: True)


def test_a_websocket_that_is_closed_at_once() -> None:
    with raw(_close) as port, pytest.raises(Unanswered):
        talk(port, "ping", lambda text: True)


# --- from a container's network --------------------------------------------------------------------------------------

APART = """
import ctypes, os, sys
assert ctypes.CDLL(None).unshare(0x40000000) == 0
import fcntl, socket, struct
with socket.socket() as s:
    fcntl.ioctl(s, 0x8914, struct.pack("16sh", b"lo", 0x1 | 0x40))
print("ready", flush=True)
input()
"""


@pytest.fixture
def apart() -> Iterator[int]:
    """A process with a network of its own, in which only the loopback is up."""
    with subprocess.Popen(
        [sys.executable, "-c", APART], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline().strip() == "ready"
        yield child.pid
        child.kill()


def answered_inside(pid: int, port: int, address: str = "127.0.0.1") -> bytes:
    with inside(pid, lambda: socket.create_connection((address, port), timeout=60)) as caller:
        caller.sendall(b"POST / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello")
        found = b""
        while data := caller.recv(65536):
            found += data
        return found


@pytest.mark.real
def test_the_edge_is_reached_from_another_network(edge: int, apart: int) -> None:
    with EdgeVisitor(edge).reached(apart):
        assert b"hello" in answered_inside(apart, edge)
        assert b"hello" in answered_inside(apart, edge, "::1")
    with pytest.raises(OSError, match="refused"):
        answered_inside(apart, edge)


@pytest.mark.real
def test_a_network_that_is_gone(edge: int) -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    with pytest.raises(Failed, match="is gone"), EdgeVisitor(edge).reached(child.pid):
        pass
