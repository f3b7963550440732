"""What containers wrote, line by line."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any

from windlass.adapters.engine.connection import Speaker, checked
from windlass.adapters.engine.streams import Frames, Stream, until_stopped
from windlass.domain.errors import NotFound
from windlass.ports.engine import LogLine

_LINE_LIMIT = 1 << 20
_IDLE_BEFORE_ASKING = 5
_REMEMBERED = 10_000


class Logs(Speaker):
    def logs(self, ref: str, tail: int | None = None, since: float | None = None) -> list[LogLine]:
        with self._connection.call(f"log of container {ref}") as api:
            tty = bool(api.inspect_container(checked(ref))["Config"]["Tty"])
            params = _params(since) | {"tail": "all" if tail is None else str(tail)}
            frames, lines = Frames(tty), Lines(tty)
            with self._connection.get(api, f"/containers/{ref}/logs", params) as response:
                found = [
                    line
                    for data in response.iter_content(65536)
                    for stream, payload in frames.feed(data)
                    for line in lines.feed(stream, payload)
                ]
            return found + lines.rest()

    def follow(self, ref: str, since: float | None, stop: Callable[[], bool]) -> Iterator[LogLine]:
        """Lines as they are written; ends with the container, or within half a second of `stop()` saying so."""
        with self._connection.call(f"log of container {ref}") as api:
            tty = bool(api.inspect_container(checked(ref))["Config"]["Tty"])
            params = _params(since) | {"follow": "1"}
            stream = Stream(lambda: self._connection.get(api, f"/containers/{ref}/logs", params))
            seen: deque[LogLine] = deque(maxlen=_REMEMBERED)
            for line in self._live(ref, until_stopped(stream, stop), tty):
                seen.append(line)
                yield line
        if not stop():
            yield from self._missed(ref, seen, since)

    def _live(self, ref: str, chunks: Iterator[bytes], tty: bool) -> Iterator[LogLine]:
        frames, lines, idle = Frames(tty), Lines(tty), 0
        for data in chunks:
            idle = 0 if data else idle + 1
            # The engine sometimes keeps the log of a container open that has ended.
            if idle and idle % _IDLE_BEFORE_ASKING == 0 and self._has_ended(ref):
                break
            for name, payload in frames.feed(data):
                yield from lines.feed(name, payload)
        yield from lines.rest()

    def _missed(self, ref: str, seen: Sequence[LogLine], since: float | None) -> list[LogLine]:
        """The last lines of a container that ended: the engine often closes a followed log before it has sent them."""
        try:
            last = datetime.fromisoformat(seen[-1].at[:19] + "+00:00").timestamp() if seen else since
            known = set(seen)
            return [line for line in self.logs(ref, since=last) if line not in known]
        except NotFound:
            return []

    def _has_ended(self, ref: str) -> bool:
        with self._connection.call(f"container {ref}") as api:
            try:
                return api.inspect_container(ref)["State"]["Status"] in ("exited", "dead", "created")
            except NotFound:
                return True


def _params(since: float | None) -> dict[str, Any]:
    params = {"stdout": "1", "stderr": "1", "timestamps": "1"}
    return params | {"since": f"{since:.9f}"} if since is not None else params


class Lines:
    """Lines with their times, from frames that may hold a part of a line."""

    def __init__(self, tty: bool) -> None:
        self._tty = tty
        self._pending: dict[str, bytes] = {}

    def feed(self, stream: str, payload: bytes) -> Iterator[LogLine]:
        pending = self._pending.pop(stream, b"")
        if pending and not self._tty:
            # A long line comes in several frames, each with a time of its own.
            payload = payload.partition(b" ")[2]
        *whole, rest = (pending + payload).split(b"\n")
        for line in whole:
            yield _line(stream, line)
        if len(rest) > _LINE_LIMIT:
            yield _line(stream, rest)
        elif rest:
            self._pending[stream] = rest

    def rest(self) -> list[LogLine]:
        """Lines that were never ended."""
        found = [_line(stream, line) for stream, line in self._pending.items()]
        self._pending.clear()
        return found


def _line(stream: str, line: bytes) -> LogLine:
    at, _, text = line.decode(errors="replace").partition(" ")
    return LogLine(at=at, stream=stream, text=text.removesuffix("\r"))
