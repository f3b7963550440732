"""The load generator must see every failure: each is caused on purpose by a server that misbehaves."""

import asyncio
import json
import socket
import struct
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

import pytest
from websockets.asyncio.server import ServerConnection, serve

from windlass.cli.load import BackgroundLoad, Load, LoadProfile, main
from windlass.cli.load_report import LoadReport, Sent, VersionWatch

Reader = asyncio.StreamReader
Writer = asyncio.StreamWriter
Script = Callable[[Writer, str], Coroutine[None, None, bool]]  # True: the connection goes on

OK = b"HTTP/1.1 200 OK\r\nX-Version: v1\r\nContent-Length: 2\r\n\r\nok"
STREAM_HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


class Server:
    """A tiny HTTP server that plays `script` for every request, in a thread of its own."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.connections = 0
        self.requests: list[bytes] = []
        self.port = 0
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopped = asyncio.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(30)
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join(30)

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stopped.wait()
        server.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        await asyncio.sleep(0.02)  # lets the transports close their sockets

    async def _serve(self, reader: Reader, writer: Writer) -> None:
        self.connections += 1
        try:
            while head := await _head(reader):
                self.requests.append(head)
                if b"Content-Length: " in head:
                    await reader.readexactly(int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0]))
                if not await self.script(writer, head.split(b" ")[1].decode()) or b"Connection: close" in head:
                    break
        except ConnectionError:
            pass
        finally:
            writer.close()


async def _head(reader: Reader) -> bytes:
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return b""


def answers(data: bytes, go_on: bool = True) -> Script:
    async def script(writer: Writer, _path: str) -> bool:
        writer.write(data)
        await writer.drain()
        return go_on

    return script


def resets(before: bytes = b"") -> Script:
    async def script(writer: Writer, _path: str) -> bool:
        writer.write(before)
        await writer.drain()
        await asyncio.sleep(0.05)
        peer: socket.socket = writer.get_extra_info("socket")
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
        return False

    return script


async def hangs(_writer: Writer, _path: str) -> bool:
    await asyncio.sleep(60)
    return False


def profile(port: int, **changes: Any) -> LoadProfile:
    plain = LoadProfile("127.0.0.1", port, "app.localhost", rate=80, streams_per_s=0, websockets=0, timeout_s=1)
    return replace(plain, **changes)


def run(script: Script, seconds: float = 0.25, **changes: Any) -> LoadReport:
    with Server(script) as server:
        return asyncio.run(_load(profile(server.port, **changes), seconds))


async def _load(wanted: LoadProfile, seconds: float) -> LoadReport:
    return await Load(wanted).run(seconds)


def test_a_sound_server_gives_no_failure() -> None:
    report = run(answers(OK), seconds=1)
    assert (report.failed, report.mixed, report.failures) == (0, 0, [])
    assert report.requests == pytest.approx(80, abs=3)
    assert report.versions["v1"].answers == report.requests
    assert 0 < report.latency_ms.p50 <= report.latency_ms.p99 <= report.latency_ms.max * 1.01


@pytest.mark.parametrize(
    ("script", "kind", "status"),
    [
        pytest.param(answers(b"HTTP/1.1 503 No\r\nContent-Length: 4\r\n\r\nbusy"), "status", 503, id="503"),
        pytest.param(answers(b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"), "status", 404, id="404"),
        pytest.param(resets(), "reset", 0, id="reset before the answer"),
        pytest.param(resets(OK[:-1]), "reset", 0, id="reset inside the answer"),
        pytest.param(answers(b"", go_on=False), "eof", 0, id="closed without an answer"),
        pytest.param(answers(OK[:-1], go_on=False), "truncated", 0, id="body one byte short"),
        pytest.param(answers(OK[:20], go_on=False), "truncated", 0, id="head cut"),
        pytest.param(answers(STREAM_HEAD + b"3\r\nabc\r\n", go_on=False), "truncated", 0, id="no last chunk"),
        pytest.param(answers(b"220 smtp ready\r\n\r\n"), "malformed", 0, id="not HTTP"),
        pytest.param(answers(STREAM_HEAD + b"zz\r\n\r\n"), "malformed", 0, id="bad chunk size"),
        pytest.param(hangs, "timeout", 0, id="no answer in time"),
        pytest.param(answers(OK[:-1]), "timeout", 0, id="stalls inside the body"),
    ],
)
def test_every_request_to_a_bad_server_counts_as_failed(script: Script, kind: str, status: int) -> None:
    stalls = kind == "timeout"
    report = run(_keeping_open(script), timeout_s=0.3) if stalls else run(script)
    assert report.requests >= 18
    assert report.failed == report.requests
    assert report.failed_by_kind == {kind: report.requests}
    assert {(failure.kind, failure.status) for failure in report.failures} == {(kind, status)}
    assert {failure.method for failure in report.failures} == {"GET", "POST"}
    assert sum(report.failures_per_second.values()) == report.failed


def _keeping_open(script: Script) -> Script:
    async def stalled(writer: Writer, path: str) -> bool:
        await script(writer, path)
        await asyncio.sleep(60)
        return False

    return stalled


def test_a_refused_connection_is_a_failure() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        report = asyncio.run(_load(profile(taken.getsockname()[1]), 0.25))
    assert report.failed_by_kind == {"refused": report.requests}
    assert report.requests >= 18


def test_a_single_failure_among_many_is_seen_with_its_details() -> None:
    calls = 0

    async def once(writer: Writer, _path: str) -> bool:
        nonlocal calls
        calls += 1
        writer.write(OK.replace(b"200 OK", b"502 Bad Gateway") if calls == 21 else OK)
        return True

    report = run(once, seconds=1)
    (failure,) = report.failures
    assert (report.failed, failure.kind, failure.status, failure.version) == (1, "status", 502, "v1")
    assert 0.2 < failure.time < 0.9
    assert report.failures_per_second == {0: 1}


def test_a_failure_on_a_reused_connection_says_so() -> None:
    served: set[Writer] = set()

    async def once_per_connection(writer: Writer, _path: str) -> bool:
        if writer in served:
            return False
        served.add(writer)
        writer.write(OK)
        return True

    report = run(once_per_connection)
    assert report.failed_by_kind == {"eof": report.failed}
    assert report.failed == report.failed_on_reused
    assert report.failed >= 4
    assert all(failure.reused for failure in report.failures)


def test_connections_closed_while_idle_are_thrown_away() -> None:
    report = run(answers(OK, go_on=False))
    assert report.failed == 0


def test_failed_requests_are_never_sent_again() -> None:
    with Server(answers(b"", go_on=False)) as server:
        report = asyncio.run(_load(profile(server.port), 0.25))
        assert len(server.requests) == report.requests


def test_half_is_kept_alive_and_half_are_posts_in_each_half() -> None:
    with Server(answers(OK)) as server:
        report = asyncio.run(_load(profile(server.port), 1))
        kinds = [(head.startswith(b"POST"), b"Connection: close" in head) for head in server.requests]
        for kind in ((False, False), (False, True), (True, False), (True, True)):
            assert kinds.count(kind) == pytest.approx(report.requests / 4, abs=1)
        assert server.connections < report.requests * 0.75


def test_requests_leave_on_schedule_although_the_server_hangs() -> None:
    report = run(hangs, seconds=1, rate=100, timeout_s=0.6)
    assert report.requests == pytest.approx(100, abs=5)


def test_failures_are_bounded_but_all_counted() -> None:
    report = run(answers(b"", go_on=False), seconds=1, rate=300)
    assert len(report.failures) == 200
    assert report.failures_left_out == report.failed - 200 > 50


async def _stream(writer: Writer, path: str) -> bool:
    if path != "/stream":
        writer.write(OK)
        return True
    writer.write(STREAM_HEAD)
    for _ in range(3):
        writer.write(b"4\r\npart\r\n")
        await asyncio.sleep(0.05)
    writer.write(b"4\r\nEND\n\r\n0\r\n\r\n")
    return True


def test_whole_streams_are_not_cut() -> None:
    report = run(_stream, streams_per_s=20)
    assert (report.failed, report.streams_cut) == (0, 0)
    assert report.streams >= 4


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(answers(STREAM_HEAD + b"4\r\npart\r\n0\r\n\r\n"), id="without END"),
        pytest.param(answers(STREAM_HEAD + b"4\r\npart\r\n", go_on=False), id="closed in between"),
        pytest.param(resets(STREAM_HEAD + b"4\r\npart\r\n"), id="reset in between"),
    ],
)
def test_cut_streams_are_counted(script: Script) -> None:
    report = run(script, streams_per_s=20, rate=0)
    assert report.streams_cut == report.streams >= 4
    assert report.failed == 0
    assert {failure.method for failure in report.failures} == {"STREAM"}


def test_websocket_cuts_are_recorded_with_code_and_return() -> None:
    report = asyncio.run(_websockets())
    assert report.ws_messages >= 8
    assert report.ws_refused == 0
    assert {(cut.code, cut.reason) for cut in report.ws_cuts} == {(1012, "restart")}
    assert report.ws_cuts[0].back_after is not None
    assert 0.05 <= report.ws_cuts[0].back_after < 0.5


async def _websockets() -> LoadReport:
    async def echo_some(connection: ServerConnection) -> None:
        for _ in range(3):
            await connection.send(f"v1:{await connection.recv()!s}")
        await connection.recv()
        await connection.close(1012, "restart")

    async with serve(echo_some, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        wanted = profile(port, rate=0, websockets=2, ws_interval_s=0.05, ws_reconnect_s=0.05)
        return await _load(wanted, 1)


def test_refused_websockets_are_counted() -> None:
    report = run(answers(b"HTTP/1.1 502 No\r\nContent-Length: 0\r\n\r\n"), rate=0, websockets=1, ws_reconnect_s=0.05)
    assert report.ws_refused >= 3


@contextmanager
def running(port: int) -> Iterator[BackgroundLoad]:
    with BackgroundLoad(profile(port, rate=100)) as load:
        yield load


def test_a_load_in_the_background_shows_its_counters_and_stops() -> None:
    with Server(answers(OK)) as server, running(server.port) as load:
        _wait_until(lambda: load.counters().requests > 20)
        assert load.counters().version == "v1"
        server.script = answers(b"", go_on=False)
        _wait_until(lambda: load.counters().failed > 5)
        report = load.stop()
        assert report.failed_by_kind == {"eof": report.failed}
        assert load.stop() is report


def _wait_until(condition: Callable[[], bool]) -> None:
    for _ in range(500):
        if condition():
            return
        threading.Event().wait(0.01)
    raise AssertionError("did not become true within 5 s")


def test_mixed_answers_of_a_real_server_are_counted() -> None:
    calls = 0

    async def mixes(writer: Writer, _path: str) -> bool:
        nonlocal calls
        calls += 1
        writer.write(OK.replace(b"v1", b"v2") if calls > 10 and calls % 3 == 0 else OK)
        return True

    report = run(mixes, seconds=1)
    assert report.failed == 0
    assert report.mixed >= 10
    assert report.versions["v1"].last > report.versions["v2"].first


def _sent(at: float, reused: bool = False) -> Sent:
    return Sent(0, "GET", at, at, reused)


def _watch(*seen: tuple[str, float, float, bool]) -> VersionWatch:
    watch = VersionWatch()
    for version, sent, answered, reused in seen:
        watch.answered(version, _sent(sent, reused), answered)
    return watch


def test_a_clean_switch_is_not_mixed() -> None:
    watch = _watch(("v1", 1, 1.1, False), ("v2", 2, 2.1, False), ("v2", 3, 3.1, True))
    assert (watch.mixed, watch.current) == (0, "v2")
    assert [(change.old, change.new) for change in watch.changes] == [("v1", "v2")]


def test_an_old_answer_to_a_request_sent_before_the_switch_is_not_mixed() -> None:
    assert _watch(("v1", 1, 1.1, False), ("v2", 2, 2.1, False), ("v1", 2.05, 3, False)).mixed == 0


@pytest.mark.parametrize("reused", [True, False])
def test_an_old_answer_to_a_request_sent_after_the_switch_is_mixed(reused: bool) -> None:
    assert _watch(("v1", 1, 1.1, False), ("v2", 2, 2.1, False), ("v1", 2.2, 2.3, reused)).mixed == 1


def test_a_new_answer_on_an_old_connection_does_not_make_the_other_version_old() -> None:
    assert _watch(("v1", 1, 1.1, False), ("v2", 2, 2.1, True), ("v1", 2.2, 2.3, False)).mixed == 0


def test_an_expected_rollback_is_not_mixed() -> None:
    watch = _watch(("v1", 1, 1.1, False), ("v2", 2, 2.1, False))
    watch.expect_switch(3)
    watch.answered("v1", _sent(3.1), 3.2)
    watch.answered("v2", _sent(3.15), 3.3)
    assert (watch.mixed, watch.current) == (0, "v1")
    watch.answered("v2", _sent(3.4), 3.5)
    assert watch.mixed == 1


def test_the_command_prints_a_report_and_fails_when_something_failed(capsys: pytest.CaptureFixture[str]) -> None:
    async def post_fails(writer: Writer, path: str) -> bool:
        writer.write(OK if path == "/good" else OK.replace(b"200 OK", b"500 Oh no"))
        return True

    argv = ["--seconds", "0.3", "--json", "--streams", "0", "--websockets", "0", "--get-path", "/good"]
    with Server(post_fails) as server:
        target = ["--target", f"127.0.0.1:{server.port}", "--host", "guestbook.localhost"]
        assert main([*argv, *target, "--post-path", "/bad"]) == 1
        report = json.loads(capsys.readouterr().out)
        assert report["failed_by_kind"] == {"status": report["failed"]}
        assert {failure["method"] for failure in report["failures"]} == {"POST"}
        assert main([*argv, *target, "--post-path", ""]) == 0
        assert b"\r\nHost: guestbook.localhost\r\n" in server.requests[0]
