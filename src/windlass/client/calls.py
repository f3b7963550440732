"""Calls of the API: one document in, one out, or a stream of events; sent again only where that is harmless."""

from __future__ import annotations

import http.client
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Any
from urllib.parse import quote, urlencode

from windlass.client.connections import explain, open_connection
from windlass.client.messages import Message, read_messages
from windlass.client.target import Target
from windlass.domain.errors import Conflict, WindlassError
from windlass.wire import (
    API,
    EVENT_ERROR,
    EXIT_HEADER,
    KEY_HEADER,
    PARAMETERS_FIELD,
    RUNNING_CODE,
    SOURCE_FIELD,
    error_from,
)

READ_S = 30.0
WORK_S = 900.0
PAUSE_S = 0.3

Query = Mapping[str, str | int | None]
Write = Callable[[IO[bytes]], None]


@dataclass(frozen=True)
class Request:
    """`key` makes it one that may be sent twice. `write`: a file that is written while it is sent, after `body`."""

    method: str
    url: str
    body: bytes | None = None
    write: Write | None = None
    key: str = ""

    @property
    def is_repeatable(self) -> bool:
        return self.method == "GET" or bool(self.key)


class Calls:
    """Every method raises the WindlassError that the other end raised, or OutOfReach when it does not answer.

    When an answer is lost on its way, a read is sent again, and so is a POST, with the same idempotency key: for
    `patience_s` at the longest, or while windlass says that the first one is being carried out still.
    """

    def __init__(self, target: Target, patience_s: float) -> None:
        self._target = target
        self._patience_s = patience_s
        self._open: set[http.client.HTTPConnection] = set()

    def close(self) -> None:
        """End the streams that are still open."""
        for connection in list(self._open):
            connection.close()
        self._open.clear()

    def document(self, request: Request) -> dict[str, Any]:
        lost_at: float | None = None
        while True:
            try:
                return self._once(request, fresh=lost_at is None)
            except _Lost as lost:
                now = time.monotonic()
                lost_at = now if lost_at is None else lost_at
                if now - lost_at >= self._patience_s or not request.is_repeatable:
                    raise explain(self._target, lost.cause) from lost.cause
            except Conflict as error:
                if error.code != RUNNING_CODE or lost_at is None or time.monotonic() - lost_at > WORK_S:
                    raise
            time.sleep(PAUSE_S)

    def stream(self, url: str, last_id: str) -> Iterator[Message]:
        """Events until the other end closes; raises OutOfReach when the connection breaks."""
        headers = self._headers() | {"Accept": "text/event-stream"}
        if last_id:
            headers["Last-Event-ID"] = last_id
        connection = open_connection(self._target, READ_S)
        self._open.add(connection)
        try:
            connection.request("GET", url, headers=headers)
            response = connection.getresponse()
            if response.status != 200:
                _document(response)
            for message in read_messages(response):
                if message.kind == EVENT_ERROR:
                    raise error_from(message.data, 500, None)
                yield message
        except (OSError, http.client.HTTPException) as error:
            raise explain(self._target, error) from error
        finally:
            connection.close()
            self._open.discard(connection)

    def _once(self, request: Request, fresh: bool) -> dict[str, Any]:
        """Raises _Lost when the answer was lost, and no time was; OutOfReach when it was not sent at first."""
        connection = open_connection(self._target, READ_S if request.method == "GET" else WORK_S)
        sent = False
        try:
            connection.connect()
            sent = True
            return _document(self._send(connection, request))
        except (OSError, http.client.HTTPException) as error:
            if (sent and not isinstance(error, TimeoutError)) or not fresh:
                raise _Lost(error) from error
            raise explain(self._target, error) from error
        finally:
            connection.close()

    def _send(self, connection: http.client.HTTPConnection, request: Request) -> http.client.HTTPResponse:
        headers = self._headers()
        if request.key:
            headers[KEY_HEADER] = request.key
        if request.write is not None:
            return _send_form(connection, request, headers)
        if request.body is not None:
            headers["Content-Type"] = "application/json"
        connection.request(request.method, request.url, request.body, headers)
        return connection.getresponse()

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._target.token}"} if self._target.token else {}


class _Lost(Exception):
    """The answer did not come, and whether the request was carried out is not known."""

    def __init__(self, cause: OSError | http.client.HTTPException) -> None:
        super().__init__(str(cause))
        self.cause = cause


def new_key() -> str:
    """An idempotency key that nobody has used."""
    return os.urandom(16).hex()


def url_of(path: tuple[str, ...], query: Query | None = None) -> str:
    asked = {k: v for k, v in (query or {}).items() if v is not None}
    url = API + "".join("/" + quote(part, safe="", errors="surrogateescape") for part in path)
    return f"{url}?{urlencode(asked)}" if asked else url


def _send_form(
    connection: http.client.HTTPConnection, request: Request, headers: Mapping[str, str]
) -> http.client.HTTPResponse:
    """Two parts: the parameters, and the file as it is written."""
    boundary = os.urandom(16).hex()
    connection.putrequest(request.method, request.url)
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.putheader("Content-Type", f"multipart/form-data; boundary={boundary}")
    connection.putheader("Transfer-Encoding", "chunked")
    connection.endheaders()
    out = _Chunks(connection)
    try:
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{PARAMETERS_FIELD}"\r\n\r\n'
        out.write(head.encode() + (request.body or b""))
        disposition = f'Content-Disposition: form-data; name="{SOURCE_FIELD}"; filename="source.tar.gz"'
        kind = "Content-Type: application/gzip"
        out.write(f"\r\n--{boundary}\r\n{disposition}\r\n{kind}\r\n\r\n".encode())
        if request.write is not None:
            request.write(out)  # type: ignore[arg-type]
        out.write(f"\r\n--{boundary}--\r\n".encode())
        out.end()
    except (BrokenPipeError, ConnectionResetError):
        pass  # answered before it had read everything: the answer says why
    return connection.getresponse()


class _Chunks:
    """A file that sends what is written to it as chunks of the request's body."""

    def __init__(self, connection: http.client.HTTPConnection, size: int = 1 << 16) -> None:
        self._connection = connection
        self._buffer = bytearray()
        self._size = size

    def write(self, data: bytes) -> int:
        self._buffer += data
        if len(self._buffer) >= self._size:
            self.flush()
        return len(data)

    def flush(self) -> None:
        if self._buffer:
            self._connection.send(b"%x\r\n" % len(self._buffer) + bytes(self._buffer) + b"\r\n")
            self._buffer.clear()

    def end(self) -> None:
        self.flush()
        self._connection.send(b"0\r\n\r\n")


def _document(response: http.client.HTTPResponse) -> dict[str, Any]:
    """Raises HTTPException for one that was cut off, also before it said how long it is."""
    if response.length is None and not response.chunked:
        raise http.client.IncompleteRead(b"")
    body = response.read()
    try:
        document = json.loads(body) if body else {}
    except ValueError:
        document = None
    if response.status >= 400:
        code = response.headers.get(EXIT_HEADER, "")
        raise error_from(document, response.status, int(code) if code.isdigit() else None)
    if not isinstance(document, dict):
        raise WindlassError("the answer is not windlass's: is WINDLASS_URL right?", code="bad_answer")
    return document
