"""ports.visitor.Visitor: HTTP and WebSockets to the edge on this machine's loopback, within a time, ended when told."""

from __future__ import annotations

import os
import socket
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from types import TracebackType
from typing import Self

import h11

from windlass.adapters.forwarding import forwarding
from windlass.domain.answers import BODY_LIMIT, Answer, shown
from windlass.domain.routeoptions import OWN_ADDRESS
from windlass.domain.smoke import FilePiece, Visit
from windlass.ports.visitor import Patience, Unanswered

_LOOPBACK = "127.0.0.1"
_POLL_S = 0.1
_PIECE = 1 << 16
_HEAD_LIMIT = 1 << 16


class EdgeVisitor:
    def __init__(self, port: int) -> None:
        self._port = port

    def visit(self, visit: Visit, patience: Patience) -> Answer:
        try:
            with _Line(self._port, patience) as line:
                return _exchange(line, visit)
        except h11.RemoteProtocolError as error:
            raise Unanswered("what came back is not HTTP" if line.heard else "closed without an answer") from error
        except h11.LocalProtocolError as error:
            raise Unanswered(f"it cannot be sent: {error}") from error

    def converse(
        self, visit: Visit, message: str | None, enough: Callable[[str], bool] | None, patience: Patience
    ) -> None:
        with _Line(self._port, patience) as line:
            _talk(line, visit, message, enough)

    def reached(self, pid: int) -> AbstractContextManager[None]:
        return forwarding(pid, self._port)


class _Line:
    """A connection that is watched while it is used: its time, and whether it should end."""

    def __init__(self, port: int, patience: Patience) -> None:
        self._patience = patience
        self._deadline = time.monotonic() + patience.within_s
        self._socket = self._called(port)
        self.heard = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def _called(self, port: int) -> socket.socket:
        try:
            within = max(0.001, self._patience.within_s)
            made = socket.create_connection((_LOOPBACK, port), within, source_address=(OWN_ADDRESS, 0))
        except TimeoutError as error:
            raise Unanswered("the edge did not accept the connection") from error
        except OSError as error:
            raise Unanswered(f"the edge was not reached: {_words(error)}") from error
        made.settimeout(_POLL_S)
        return made

    def send(self, data: bytes) -> bool:
        """False when nobody reads any more: then there may be an answer already."""
        view = memoryview(data)
        while view:
            self._check()
            try:
                view = view[self._socket.send(view) :]
            except TimeoutError:
                continue
            except OSError:
                return False
        return True

    def receive(self) -> bytes:
        """b"" at the end."""
        while True:
            self._check()
            try:
                data = self._socket.recv(_PIECE)
            except TimeoutError:
                continue
            except OSError as error:
                raise Unanswered(f"the connection broke: {_words(error)}") from error
            self.heard = self.heard or bool(data)
            return data

    def _check(self) -> None:
        if self._patience.stop():
            raise Unanswered("stopped")
        if time.monotonic() > self._deadline:
            raise Unanswered(f"no complete answer within {self._patience.within_s:g} s")


def _words(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


# --- HTTP ------------------------------------------------------------------------------------------------------------


def _exchange(line: _Line, visit: Visit) -> Answer:
    protocol = h11.Connection(h11.CLIENT, max_incomplete_event_size=_HEAD_LIMIT)
    if _send_request(line, protocol, visit):
        _send_event(line, protocol, h11.EndOfMessage())
    response: h11.Response | None = None
    body = bytearray()
    while True:
        event = protocol.next_event()
        if event is h11.NEED_DATA:
            protocol.receive_data(line.receive())
        elif isinstance(event, h11.Response):
            response = event
        elif isinstance(event, h11.Data):
            body += event.data
        if response is not None and (isinstance(event, h11.EndOfMessage) or len(body) > BODY_LIMIT):
            headers = tuple((name.decode("latin-1"), text.decode("latin-1")) for name, text in response.headers)
            return Answer(response.status_code, headers, bytes(body[:BODY_LIMIT]), len(body) <= BODY_LIMIT)
        if isinstance(event, h11.ConnectionClosed) or event is h11.PAUSED:
            raise Unanswered("closed without an answer")


def _send_request(line: _Line, protocol: h11.Connection, visit: Visit) -> bool:
    """False when it was not taken whole."""
    pieces = [_opened(piece) for piece in visit.body]
    length = sum(size for size, _ in pieces)
    own = [("Host", visit.host), ("Connection", "close")]
    if pieces or visit.method in ("POST", "PUT", "PATCH"):
        own.append(("Content-Length", str(length)))
    headers = [(name.encode("ascii"), text.encode("utf-8")) for name, text in (*own, *visit.headers)]
    request = h11.Request(method=visit.method, target=visit.target, headers=headers)
    if not _send_event(line, protocol, request):
        return False
    return all(_send_event(line, protocol, h11.Data(data=chunk)) for _, chunks in pieces for chunk in chunks)


def _send_event(line: _Line, protocol: h11.Connection, event: h11.Request | h11.Data | h11.EndOfMessage) -> bool:
    return line.send(protocol.send(event) or b"")


def _opened(piece: bytes | FilePiece) -> tuple[int, Iterator[bytes]]:
    """Its size, and its bytes in pieces."""
    if isinstance(piece, bytes):
        return len(piece), iter((piece,))
    try:
        found = os.stat(piece.path)
    except OSError as error:
        raise Unanswered(f"the file {piece.path.rpartition('/')[2]} cannot be read: {_words(error)}") from error
    if not stat.S_ISREG(found.st_mode):
        raise Unanswered(f"{piece.path.rpartition('/')[2]} is not a file")
    return found.st_size, _read(piece.path)


def _read(path: str) -> Iterator[bytes]:
    with open(path, "rb") as file:
        while chunk := file.read(_PIECE):
            yield chunk


# --- WebSockets ------------------------------------------------------------------------------------------------------


def _talk(line: _Line, visit: Visit, message: str | None, enough: Callable[[str], bool] | None) -> None:
    from windlass.adapters.websocket import Dialogue, Refusal  # rarely needed

    dialogue = Dialogue(visit, BODY_LIMIT)
    line.send(dialogue.opening())
    last: str | None = None
    try:
        while not dialogue.is_open:
            dialogue.feed(line.receive())
        if message is not None:
            line.send(dialogue.text(message))
        while enough is not None:
            for last in dialogue.messages():
                if enough(last):
                    enough = None
                    break
            line.send(dialogue.pending())
            if enough is not None:
                dialogue.feed(line.receive())
        with suppress(Unanswered):
            line.send(dialogue.closing())
    except Refusal as error:
        raise Unanswered(_with_last(str(error), last)) from error
    except Unanswered as error:
        raise Unanswered(_with_last(str(error), last)) from error


def _with_last(words: str, last: str | None) -> str:
    return words if last is None else f"got {shown(last)} ({words})"
