"""Answers of the engine that come bit by bit: read in a thread each, so that a reader can stop at any time."""

from __future__ import annotations

import queue
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress

import requests

from windlass.adapters.engine.connection import FOREIGN

_HEADER = struct.Struct(">BxxxL")
_STREAMS = {0: "stdout", 1: "stdout", 2: "stderr"}


class Stream:
    """The body of one answer. A plain read would wait for ever on a container that says nothing or has ended."""

    def __init__(self, ask: Callable[[], requests.Response]) -> None:
        self._ask = ask
        self._items: queue.Queue[bytes | Exception | None] = queue.Queue(maxsize=64)
        self._closed = threading.Event()
        self._response: requests.Response | None = None
        threading.Thread(target=self._pump, name="engine-stream", daemon=True).start()

    def read(self, timeout_s: float) -> bytes | None:
        """The next bytes; b"" when none came in time, None at the end. Raises what the engine raised."""
        try:
            item = self._items.get(timeout=timeout_s)
        except queue.Empty:
            return b""
        if isinstance(item, Exception):
            raise item
        return item

    def close(self) -> None:
        self._closed.set()
        response = self._response
        if response is not None:
            # Wakes the thread up, which then closes the rest.
            with suppress(ValueError, RuntimeError, OSError):
                response.raw.shutdown()

    def _pump(self) -> None:
        try:
            with self._ask() as response:
                self._response = response
                while not self._closed.is_set() and (data := response.raw.read1(65536)):
                    self._put(data)
            self._put(None)
        except FOREIGN as error:
            self._put(error)
        except OSError as error:
            self._put(requests.ConnectionError(error))

    def _put(self, item: bytes | Exception | None) -> None:
        while not self._closed.is_set():
            try:
                self._items.put(item, timeout=0.5)
            except queue.Full:
                continue
            return


def until_stopped(stream: Stream, stop: Callable[[], bool], poll_s: float = 0.2) -> Iterator[bytes]:
    """Bytes as they come, b"" each `poll_s` when none do; ends with the stream, or when `stop()` says so."""
    try:
        while not stop():
            data = stream.read(poll_s)
            if data is None:
                return
            yield data
    finally:
        stream.close()


class Frames:
    """Takes apart the engine's mixture of standard output and standard error."""

    def __init__(self, tty: bool) -> None:
        self._tty = tty
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[tuple[str, bytes]]:
        """(stream, bytes) of every frame that is whole by now. A terminal has no frames: all is stdout."""
        if self._tty:
            if data:
                yield "stdout", data
            return
        self._rest += data
        while len(self._rest) >= _HEADER.size:
            kind, length = _HEADER.unpack_from(self._rest)
            end = _HEADER.size + length
            if len(self._rest) < end:
                return
            payload, self._rest = self._rest[_HEADER.size : end], self._rest[end:]
            yield _STREAMS.get(kind, "stdout"), payload
