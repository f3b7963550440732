"""One question to a real listener: ready, or why not, in a few words."""

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest
from tests.dripping import dripping

from windlass.adapters.probe import NetworkProber
from windlass.domain.release import Check, ProbeKind


@contextlib.contextmanager
def answering(answer: bytes | None, seen: list[bytes] | None = None, hold: bool = False) -> Iterator[int]:
    """A server that reads a request and sends these bytes; None: it says nothing. `hold`: the connection stays open."""
    done = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with contextlib.suppress(OSError):
                connection, _ = server.accept()
                with connection:
                    request = connection.recv(65536)
                    if seen is not None:
                        seen.append(request)
                    if answer is not None:
                        connection.sendall(answer)
                    if answer is None or hold:
                        done.wait(10)

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        done.set()
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


def http(port: int, *, declared: bool = False, path: str = "/", timeout_s: float = 30.0) -> str:
    check = Check(ProbeKind.HTTP, port=port, path=path, declared=declared, timeout_s=timeout_s)
    return NetworkProber().ask(check, "127.0.0.1")


def status(code: int, body: bytes = b"") -> bytes:
    return b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%b" % (code, len(body), body)


@pytest.mark.parametrize(
    ("code", "declared", "undeclared"),
    [
        (200, "", ""),
        (204, "", ""),
        (302, "", ""),
        (399, "", ""),
        (401, "HTTP 401: no", ""),
        (404, "HTTP 404: no", ""),
        (499, "HTTP 499: no", ""),
        (500, "HTTP 500: no", "HTTP 500: no"),
        (503, "HTTP 503: no", "HTTP 503: no"),
    ],
)
def test_which_answers_are_ready(code: int, declared: str, undeclared: str) -> None:
    for wanted, expected in ((True, declared), (False, undeclared)):
        with answering(status(code, b"" if code == 204 else b"no")) as port:
            assert http(port, declared=wanted) == expected


def test_asks_for_the_path_and_closes() -> None:
    seen: list[bytes] = []
    with answering(status(200), seen) as port:
        assert http(port, path="/ready?x=1") == ""
    head = seen[0].decode().split("\r\n")
    assert head[0] == "GET /ready?x=1 HTTP/1.1"
    assert {f"Host: 127.0.0.1:{port}", "Connection: close"} <= set(head)


def test_shows_the_beginning_of_the_reason_in_one_line() -> None:
    body = b'{"reason":\n\t"database\x1b[31m gone"}' + b"x" * 1000
    with answering(status(503, body)) as port:
        reason = http(port)
    assert reason.startswith('HTTP 503: {"reason": "database [31m gone"}xxx')
    assert len(reason) == len("HTTP 503: ") + 200


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n", ""),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf", ""),
        (b"HTTP/1.1 500 X\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nnot\r\n", "HTTP 500: not"),
    ],
)
def test_does_not_wait_for_a_body_without_end(head: bytes, expected: str) -> None:
    with answering(head, hold=True) as port:
        assert http(port, timeout_s=60.0) == expected


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"", "closed without an answer"),
        (b"SSH-2.0-x\r\n", "did not answer with HTTP"),
        (None, "timed out"),
    ],
)
def test_says_what_is_no_answer(answer: bytes | None, expected: str) -> None:
    with answering(answer) as port:
        assert http(port, timeout_s=0.3 if answer is None else 30.0) == expected


def test_an_answer_that_drips_is_over_in_time() -> None:
    with dripping() as port:
        assert http(port, timeout_s=0.3) == "timed out"


def test_a_path_that_is_none_is_told() -> None:
    with answering(status(200)) as port:
        assert "control characters" in http(port, path="/a b")
        assert http(port) == ""


def test_a_closed_port_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert http(port) == "refused"
    assert NetworkProber().ask(Check(ProbeKind.TCP, port=port), "127.0.0.1") == "refused"


def test_an_open_port_is_ready() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        check = Check(ProbeKind.TCP, port=server.getsockname()[1])
        assert NetworkProber().ask(check, "127.0.0.1") == ""


def test_an_impossible_address_is_told() -> None:
    assert NetworkProber().ask(Check(ProbeKind.TCP, port=80, timeout_s=0.5), "255.255.255.255") != ""


@pytest.mark.parametrize("kind", [ProbeKind.EXEC, ProbeKind.UPTIME])
def test_other_checks_are_not_its_work(kind: ProbeKind) -> None:
    with pytest.raises(ValueError, match="not asked over the network"):
        NetworkProber().ask(Check(kind), "127.0.0.1")
