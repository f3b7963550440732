"""One HTTP/1.1 exchange at a time on a raw connection, with every way it can break told apart; never a retry."""

import asyncio
import errno
import select
from dataclasses import dataclass
from typing import Literal, cast

Kind = Literal["status", "reset", "eof", "refused", "unreachable", "truncated", "timeout", "malformed", "client"]

_TAIL = 64
_MAX_HEAD = 65536


class ExchangeError(Exception):
    """The exchange has no complete answer; `kind` says why."""

    def __init__(self, kind: Kind, detail: str) -> None:
        super().__init__(detail)
        self.kind: Kind = kind
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete response; of the body only its end is kept."""

    status: int
    version: str
    tail: bytes
    reusable: bool


class AnswerParser:
    """Bytes of one response in, an `Answer` out as soon as the last byte of it is there."""

    def __init__(self, version_header: str) -> None:
        self._wanted = version_header.lower().encode()
        self._buffer = bytearray()
        self._status = 0
        self._version = ""
        self._length: int | None = None
        self._chunked = False
        self._close = False
        self._in_trailer = False
        self._tail = b""
        self.started = False

    def feed(self, data: bytes) -> Answer | None:
        self.started = True
        self._buffer += data
        if not self._status and not self._read_head():
            return None
        if self._chunked:
            return self._read_chunks()
        if self._length is None:
            self._keep(self._buffer)
            self._buffer.clear()
            return None
        taken = min(self._length, len(self._buffer))
        self._keep(self._buffer[:taken])
        del self._buffer[:taken]
        self._length -= taken
        return None if self._length else self._answer()

    def end(self) -> Answer:
        """The peer has closed: either that was the end of the body, or the answer is broken."""
        if self._status and self._length is None and not self._chunked:
            self._close = True
            return self._answer()
        if self.started:
            raise ExchangeError("truncated", f"closed inside the answer (status {self._status or 'not yet read'})")
        raise ExchangeError("eof", "closed without an answer")

    def _read_head(self) -> bool:
        while True:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                if len(self._buffer) > _MAX_HEAD:
                    raise ExchangeError("malformed", "the head of the answer is over 64 KiB")
                return False
            lines = bytes(self._buffer[:end]).split(b"\r\n")
            del self._buffer[: end + 4]
            status = _status(lines[0])
            if status >= 200 or status == 101:
                self._status = status
                self._read_fields(lines[1:], lines[0].startswith(b"HTTP/1.0"))
                return True

    def _read_fields(self, lines: list[bytes], close: bool) -> None:
        self._close = close
        for line in lines:
            name, _, value = line.partition(b":")
            name, value = name.lower(), value.strip()
            if name == b"content-length":
                self._length = _number(value, 10)
            elif name == b"transfer-encoding":
                self._chunked = value.lower().endswith(b"chunked")
            elif name == b"connection":
                self._close = b"close" in value.lower()
            if name == self._wanted:
                self._version = value.decode("latin-1")
        if self._status in (204, 304):
            self._length, self._chunked = 0, False

    def _read_chunks(self) -> Answer | None:
        while (end := self._buffer.find(b"\r\n")) >= 0:
            if self._in_trailer:
                del self._buffer[: end + 2]
                if end == 0:
                    return self._answer()
                continue
            size = _number(bytes(self._buffer[:end]).partition(b";")[0].strip(), 16)
            if size == 0:
                self._in_trailer = True
                del self._buffer[: end + 2]
                continue
            if len(self._buffer) < end + 2 + size + 2:
                return None
            self._keep(self._buffer[end + 2 : end + 2 + size])
            del self._buffer[: end + 2 + size + 2]
        return None

    def _keep(self, data: bytearray) -> None:
        self._tail = (self._tail + bytes(data[-_TAIL:]))[-_TAIL:]

    def _answer(self) -> Answer:
        return Answer(self._status, self._version, self._tail, reusable=not self._close and not self._buffer)


class Connection(asyncio.Protocol):
    """A client connection that carries one exchange after another."""

    def __init__(self, version_header: str) -> None:
        self._version_header = version_header
        self._transport: asyncio.Transport | None = None
        self._parser = AnswerParser(version_header)
        self._waiting: asyncio.Future[Answer] | None = None
        self._closed = False

    async def exchange(self, request: bytes) -> Answer:
        if self._closed or self._transport is None:
            raise ExchangeError("eof", "closed before the request was sent")
        self._parser = AnswerParser(self._version_header)
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        try:
            return await self._waiting
        finally:
            self._waiting = None

    def is_usable(self) -> bool:
        """False when the peer has closed or sent what nobody asked for, even before the event loop has noticed."""
        if self._closed or self._transport is None or self._transport.is_closing():
            return False
        poll = select.poll()
        poll.register(self._transport.get_extra_info("socket").fileno(), select.POLLIN | select.POLLHUP)
        return not poll.poll(0)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self._waiting is None or self._waiting.done():
            self._closed = True
            self.close()
            return
        try:
            answer = self._parser.feed(data)
        except ExchangeError as broken:
            self._waiting.set_exception(broken)
            return
        if answer is not None:
            self._waiting.set_result(answer)

    def eof_received(self) -> None:
        self._end(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(exc)

    def _end(self, exc: Exception | None) -> None:
        self._closed = True
        if self._waiting is None or self._waiting.done():
            return
        if exc is not None:
            when = "inside the answer" if self._parser.started else "before an answer"
            self._waiting.set_exception(ExchangeError("reset", f"{type(exc).__name__} {when}"))
            return
        try:
            self._waiting.set_result(self._parser.end())
        except ExchangeError as broken:
            self._waiting.set_exception(broken)


async def connect(address: str, port: int, version_header: str) -> Connection:
    loop = asyncio.get_running_loop()
    try:
        _, connection = await loop.create_connection(lambda: Connection(version_header), address, port)
    except OSError as error:
        raise ExchangeError(_connect_kind(error), str(error)) from error
    return connection


def _connect_kind(error: OSError) -> Kind:
    if isinstance(error, ConnectionRefusedError):
        return "refused"
    if isinstance(error, ConnectionResetError):
        return "reset"
    if error.errno in (errno.EMFILE, errno.ENFILE, errno.EADDRNOTAVAIL, errno.ENOBUFS):
        return "client"
    return "unreachable"


def _status(line: bytes) -> int:
    parts = line.split(b" ", 2)
    if len(parts) < 2 or not parts[0].startswith(b"HTTP/1."):
        raise ExchangeError("malformed", f"not a status line: {line[:60]!r}")
    return _number(parts[1], 10)


def _number(text: bytes, radix: int) -> int:
    try:
        number = int(text, radix)
    except ValueError as error:
        raise ExchangeError("malformed", f"not a number: {text[:60]!r}") from error
    if number < 0:
        raise ExchangeError("malformed", f"below zero: {text[:60]!r}")
    return number
