"""An open-loop load generator that sees every failed request: they leave on schedule whatever became of others."""

import argparse
import asyncio
import itertools
import json
import resource
import signal
import sys
import threading
from collections.abc import Callable, Coroutine
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import Self

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as ws_connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from windlass.cli.load_http import Answer, Connection, ExchangeError, connect
from windlass.cli.load_report import Counters, LoadReport, Recorder, Sent, describe

_IDLE_KEPT = 64
_OPEN_FILES = 16384
_STREAM_END = b"END"


@dataclass(frozen=True, slots=True)
class LoadProfile:
    """What to send, where. Half of `rate` goes over kept-alive connections, half closes; of each, half are POSTs."""

    address: str
    port: int
    host: str
    rate: float = 200.0
    streams_per_s: float = 2.0
    websockets: int = 2
    get_path: str = "/"
    post_path: str | None = "/"
    stream_path: str = "/stream"
    ws_path: str = "/ws"
    post_body: bytes = b"message=load"
    post_type: str = "application/x-www-form-urlencoded"
    version_header: str = "X-Version"
    timeout_s: float = 12.0
    ws_interval_s: float = 0.1
    ws_reconnect_s: float = 0.2


class Load:
    """One run of a profile, inside a running event loop. `stop` may be called at any time, from that loop."""

    def __init__(self, profile: LoadProfile) -> None:
        self._profile = profile
        self._recorder = Recorder()
        self._stopped = asyncio.Event()
        self._idle: list[Connection] = []
        self._numbers = itertools.count()

    async def run(self, seconds: float | None = None) -> LoadReport:
        """Until `stop`, or for so many seconds; then waits for what is in flight."""
        _allow_many_sockets()
        profile = self._profile
        async with asyncio.TaskGroup() as group:
            for _ in range(profile.websockets):
                group.create_task(self._hold_websocket())
            if profile.rate > 0:
                group.create_task(self._pace(group, profile.rate, self._request))
            if profile.streams_per_s > 0:
                group.create_task(self._pace(group, profile.streams_per_s, self._stream))
            if seconds is not None:
                asyncio.get_running_loop().call_later(seconds, self.stop)
            await self._stopped.wait()
        for connection in self._idle:
            connection.close()
        return self._recorder.report()

    def stop(self) -> None:
        self._stopped.set()

    def counters(self) -> Counters:
        return self._recorder.counters()

    def expect_switch(self) -> None:
        """Call before a rollback: a version that was old may then become the newest again without counting as mixed."""
        self._recorder.watch.expect_switch(self._recorder.now())

    async def _pace(
        self, group: asyncio.TaskGroup, rate: float, send: Callable[[int, float], Coroutine[None, None, None]]
    ) -> None:
        started = self._recorder.now()
        for place in itertools.count():
            due = started + place / rate
            wait = due - self._recorder.now()
            if wait > 0:
                await asyncio.sleep(wait)
            if self._stopped.is_set():
                return
            self._recorder.lag_max = max(self._recorder.lag_max, self._recorder.now() - due)
            group.create_task(send(place, due))

    async def _request(self, place: int, due: float) -> None:
        keep = place % 2 == 0
        post = place // 2 % 2 == 1 and self._profile.post_path is not None
        await self._send("POST" if post else "GET", due, keep)

    async def _stream(self, _place: int, due: float) -> None:
        await self._send("STREAM", due, keep=False)

    async def _send(self, method: str, due: float, keep: bool) -> None:
        profile = self._profile
        connection = self._take_idle() if keep else None
        sent = Sent(next(self._numbers), method, due, self._recorder.now(), reused=connection is not None)
        try:
            async with asyncio.timeout(profile.timeout_s):
                if connection is None:
                    connection = await connect(profile.address, profile.port, profile.version_header)
                answer = await connection.exchange(self._bytes(sent, keep))
        except TimeoutError:
            self._recorder.request_failed(sent, "timeout", f"no complete answer within {profile.timeout_s:g} s")
        except ExchangeError as broken:
            self._recorder.request_failed(sent, broken.kind, broken.detail)
        else:
            self._judge(sent, answer)
            if keep and answer.reusable and len(self._idle) < _IDLE_KEPT:
                self._idle.append(connection)
                return
        if connection is not None:
            connection.close()

    def _judge(self, sent: Sent, answer: Answer) -> None:
        if not 200 <= answer.status < 400:
            detail = f"status {answer.status}: {answer.tail.decode('utf-8', 'replace')}"
            self._recorder.request_failed(sent, "status", detail, answer.status, answer.version)
        elif sent.method == "STREAM" and not answer.tail.rstrip().endswith(_STREAM_END):
            detail = f"the stream does not end with {_STREAM_END.decode()}"
            self._recorder.request_failed(sent, "truncated", detail, answer.status, answer.version)
        else:
            self._recorder.request_done(sent, answer.version)

    def _take_idle(self) -> Connection | None:
        """The connection used last; those the server has closed meanwhile are thrown away, as every client does."""
        while self._idle:
            connection = self._idle.pop()
            if connection.is_usable():
                return connection
            connection.close()
        return None

    def _bytes(self, sent: Sent, keep: bool) -> bytes:
        profile = self._profile
        verb, path, body = {
            "GET": ("GET", profile.get_path, b""),
            "POST": ("POST", profile.post_path, profile.post_body),
            "STREAM": ("GET", profile.stream_path, b""),
        }[sent.method]
        lines = [
            f"{verb} {path} HTTP/1.1",
            f"Host: {profile.host}",
            f"X-Load-Number: {sent.number}",
            f"Connection: {'keep-alive' if keep else 'close'}",
        ]
        if sent.method == "POST":
            lines += [f"Content-Type: {profile.post_type}", f"Content-Length: {len(body)}"]
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + body

    async def _hold_websocket(self) -> None:
        profile = self._profile
        cut: int | None = None
        while not self._stopped.is_set():
            try:
                socket = await ws_connect(
                    f"ws://{profile.host}{profile.ws_path}",
                    host=profile.address,
                    port=profile.port,
                    proxy=None,
                    compression=None,
                    ping_interval=None,
                    open_timeout=profile.timeout_s,
                    close_timeout=1,
                )
            except (OSError, WebSocketException):
                self._recorder.ws_refused += 1
            else:
                cut = await self._echo(socket, cut)
            await asyncio.sleep(profile.ws_reconnect_s)

    async def _echo(self, socket: ClientConnection, cut: int | None) -> int | None:
        """Until the load stops (None), or the connection is cut (the number of the cut)."""
        try:
            for number in itertools.count():
                if self._stopped.is_set():
                    await socket.close()
                    return None
                await socket.send(f"load-{number}")
                async with asyncio.timeout(self._profile.timeout_s):
                    text = str(await socket.recv())
                if not text.endswith(f"load-{number}"):
                    await socket.close()
                    return self._recorder.ws_cut(0, f"not the echo: {text[:60]}")
                self._recorder.ws_messages += 1
                if cut is not None:
                    self._recorder.ws_back(cut)
                    cut = None
                await asyncio.sleep(self._profile.ws_interval_s)
        except TimeoutError:
            await socket.close()
            return self._recorder.ws_cut(0, f"no echo within {self._profile.timeout_s:g} s")
        except ConnectionClosed as closed:
            code, reason = (closed.rcvd.code, closed.rcvd.reason) if closed.rcvd else (1006, "no close frame")
            return self._recorder.ws_cut(code, reason)
        return None


class BackgroundLoad:
    """A load in a thread of its own: `with BackgroundLoad(profile) as load: …; report = load.stop()`."""

    def __init__(self, profile: LoadProfile) -> None:
        self._profile = profile
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()), name="load", daemon=True)
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._load: Load | None = None
        self._report: LoadReport | None = None

    def start(self) -> Self:
        self._thread.start()
        self._ready.wait()
        return self

    def counters(self) -> Counters:
        return self._running()[0].counters()

    def expect_switch(self) -> None:
        load, loop = self._running()
        loop.call_soon_threadsafe(load.expect_switch)

    def stop(self) -> LoadReport:
        """Sends nothing more, waits for what is in flight (at most the profile's limit); may be called again."""
        load, loop = self._running()
        if self._thread.is_alive() and self._report is None:
            loop.call_soon_threadsafe(load.stop)
        self._thread.join()
        if self._report is None:
            raise RuntimeError("the load ended without a report; the reason is on stderr")
        return self._report

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.stop()

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._load = Load(self._profile)
        self._ready.set()
        self._report = await self._load.run()

    def _running(self) -> tuple[Load, asyncio.AbstractEventLoop]:
        if self._load is None or self._loop is None:
            raise RuntimeError("the load has not been started")
        return self._load, self._loop


def _allow_many_sockets() -> None:
    """An app that hangs holds rate x timeout connections at once: more than the usual 1,024 open files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(_OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def main(argv: list[str] | None = None) -> int:
    """Exit code 0 when nothing failed, was cut short or mixed, else 1. SIGINT and SIGTERM end the load."""
    options = _parser().parse_args(argv)
    report = asyncio.run(_run(options))
    print(json.dumps(report.to_dict()) if options.json else describe(report))
    return 0 if report.failed + report.streams_cut + report.mixed == 0 else 1


async def _run(options: argparse.Namespace) -> LoadReport:
    load = Load(_profile(options))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, load.stop)
    if not options.live:
        return await load.run(options.seconds)
    lines = asyncio.create_task(_print_live(load))
    report = await load.run(options.seconds)
    lines.cancel()
    return report


async def _print_live(load: Load) -> None:
    while True:
        await asyncio.sleep(1)
        print(json.dumps(asdict(load.counters())), file=sys.stderr, flush=True)


def _profile(options: argparse.Namespace) -> LoadProfile:
    address, _, port = options.target.rpartition(":")
    return LoadProfile(
        address=address.strip("[]"),
        port=int(port),
        host=options.host or options.target,
        rate=options.rate,
        streams_per_s=options.streams,
        websockets=options.websockets,
        get_path=options.get_path,
        post_path=options.post_path or None,
        stream_path=options.stream_path,
        ws_path=options.ws_path,
        version_header=options.version_header,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m windlass.cli.load", description=__doc__)
    parser.add_argument("--target", required=True, metavar="ADDRESS:PORT")
    parser.add_argument("--host", help="the Host header, by default the target")
    parser.add_argument("--seconds", type=float, help="by default until SIGINT or SIGTERM")
    parser.add_argument("--rate", type=float, default=200.0, help="requests per second")
    parser.add_argument("--streams", type=float, default=2.0, help="streams per second")
    parser.add_argument("--websockets", type=int, default=2)
    parser.add_argument("--get-path", default="/")
    parser.add_argument("--post-path", default="/", help="empty: no POST")
    parser.add_argument("--stream-path", default="/stream")
    parser.add_argument("--ws-path", default="/ws")
    parser.add_argument("--version-header", default="X-Version")
    parser.add_argument("--json", action="store_true", help="print the whole report as one JSON document")
    parser.add_argument("--live", action="store_true", help="print the counters each second on stderr, as JSON lines")
    return parser


if __name__ == "__main__":
    sys.exit(main())
