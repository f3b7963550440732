"""Calls to other people's services: made once, followed nowhere, and told when they were refused."""

from __future__ import annotations

import http.server
import socket
import threading
from collections.abc import Iterator

import pytest
from tests.dripping import dripping

from windlass.adapters.caller import HttpCaller
from windlass.domain.commitstatus import Call
from windlass.domain.errors import Failed, OutOfReach


class _Recorder(http.server.BaseHTTPRequestHandler):
    seen: list[tuple[str, str, bytes]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.seen.append((self.path, self.headers["Authorization"], body))
        status = int(self.path.strip("/") or 200)
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "/201")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[tuple[str, list[tuple[str, str, bytes]]]]:
    seen: list[tuple[str, str, bytes]] = []
    handler = type("Recorder", (_Recorder,), {"seen": seen})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as found:
        thread = threading.Thread(target=found.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{found.server_port}", seen
        found.shutdown()
        thread.join()


def call(url: str) -> Call:
    return Call(url, {"Authorization": "token t", "Content-Type": "application/json"}, b"{}")


def test_a_call_is_made(server: tuple[str, list[tuple[str, str, bytes]]]) -> None:
    url, seen = server
    HttpCaller().post(call(f"{url}/201"))
    assert seen == [("/201", "token t", b"{}")]


@pytest.mark.parametrize("status", [302, 401, 404, 500])
def test_any_other_answer_is_told(server: tuple[str, list[tuple[str, str, bytes]]], status: int) -> None:
    url, seen = server
    with pytest.raises(Failed, match=f"HTTP {status}"):
        HttpCaller().post(call(f"{url}/{status}"))
    assert len(seen) == 1


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(OutOfReach):
        HttpCaller().post(call(f"http://127.0.0.1:{port}/"))


def test_an_answer_that_drips_is_not_waited_for() -> None:
    with dripping() as port, pytest.raises(OutOfReach) as told:
        HttpCaller(whole_s=0.2).post(call(f"http://127.0.0.1:{port}"))
    assert "has not answered within 0.2 s" in told.value.message
