"""Calls of windlass's own API: one document in, one document out, or a stream of events."""

from __future__ import annotations

import http.client
import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Any
from urllib.parse import quote, urlencode

from windlass.cli.connections import explain, open_connection
from windlass.cli.session import Target
from windlass.domain.errors import OutOfReach, WindlassError
from windlass.wire import API, EVENT_ERROR, EXIT_HEADER, PARAMETERS_FIELD, SOURCE_FIELD, error_from

READ_S = 30.0
WORK_S = 900.0


@dataclass(frozen=True)
class Message:
    """One server-sent event; `id` "" when it had none."""

    id: str
    kind: str
    data: Any


class Client:
    """Every method raises the WindlassError that the other end raised, or OutOfReach when it does not answer."""

    def __init__(self, target: Target) -> None:
        self._target = target

    def get(self, *path: str, **query: str | int | None) -> dict[str, Any]:
        return self.call("GET", path, query=query)

    def call(
        self,
        method: str,
        path: tuple[str, ...],
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str | int | None] | None = None,
    ) -> dict[str, Any]:
        payload = None if body is None else json.dumps(body).encode()
        headers = self._headers()
        if payload is not None:
            headers["Content-Type"] = "application/json"
        connection = open_connection(self._target, READ_S if method == "GET" else WORK_S)
        try:
            connection.request(method, url_of(path, query), payload, headers)
            return self._document(connection.getresponse())
        except (OSError, http.client.HTTPException) as error:
            raise explain(self._target, error) from error
        finally:
            connection.close()

    def upload(
        self, path: tuple[str, ...], parameters: Mapping[str, Any], write: Callable[[IO[bytes]], None]
    ) -> dict[str, Any]:
        """Send parameters and a file, which `write` writes while it is sent."""
        boundary = os.urandom(16).hex()
        connection = open_connection(self._target, WORK_S)
        try:
            connection.putrequest("POST", url_of(path))
            for name, value in self._headers().items():
                connection.putheader(name, value)
            connection.putheader("Content-Type", f"multipart/form-data; boundary={boundary}")
            connection.putheader("Transfer-Encoding", "chunked")
            connection.endheaders()
            return self._document(self._send_parts(connection, boundary, parameters, write))
        except (OSError, http.client.HTTPException) as error:
            raise explain(self._target, error) from error
        finally:
            connection.close()

    def stream(
        self, path: tuple[str, ...], query: Mapping[str, str | int | None] | None = None, last_id: str = ""
    ) -> Iterator[Message]:
        """Events until the other end closes; raises OutOfReach when the connection breaks."""
        headers = self._headers() | {"Accept": "text/event-stream"}
        if last_id:
            headers["Last-Event-ID"] = last_id
        connection = open_connection(self._target, READ_S)
        try:
            connection.request("GET", url_of(path, query), headers=headers)
            response = connection.getresponse()
            if response.status != 200:
                self._document(response)
            for message in read_messages(response):
                if message.kind == EVENT_ERROR:
                    raise error_from(message.data, 500, None)
                yield message
        except (OSError, http.client.HTTPException) as error:
            raise explain(self._target, error) from error
        finally:
            connection.close()

    def _send_parts(
        self,
        connection: http.client.HTTPConnection,
        boundary: str,
        parameters: Mapping[str, Any],
        write: Callable[[IO[bytes]], None],
    ) -> http.client.HTTPResponse:
        out = _Chunks(connection)
        try:
            head = f'--{boundary}\r\nContent-Disposition: form-data; name="{PARAMETERS_FIELD}"\r\n\r\n'
            out.write(head.encode() + json.dumps(parameters).encode())
            disposition = f'Content-Disposition: form-data; name="{SOURCE_FIELD}"; filename="source.tar.gz"'
            kind = "Content-Type: application/gzip"
            out.write(f"\r\n--{boundary}\r\n{disposition}\r\n{kind}\r\n\r\n".encode())
            write(out)  # type: ignore[arg-type]
            out.write(f"\r\n--{boundary}--\r\n".encode())
            out.end()
        except (BrokenPipeError, ConnectionResetError):
            pass  # answered before it had read everything: the answer says why
        return connection.getresponse()

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._target.token}"} if self._target.token else {}

    def _document(self, response: http.client.HTTPResponse) -> dict[str, Any]:
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


def url_of(path: tuple[str, ...], query: Mapping[str, str | int | None] | None = None) -> str:
    asked = {k: v for k, v in (query or {}).items() if v is not None}
    url = API + "".join("/" + quote(part, safe="", errors="surrogateescape") for part in path)
    return f"{url}?{urlencode(asked)}" if asked else url


def read_messages(response: IO[bytes]) -> Iterator[Message]:
    """Parse server-sent events; comments (pings) are passed over."""
    fields: dict[str, str] = {}
    while line := response.readline():
        text = line.decode("utf-8", "replace").rstrip("\r\n")
        if text:
            name, _, value = text.partition(":")
            value = value.removeprefix(" ")
            fields[name] = f"{fields['data']}\n{value}" if name == "data" and "data" in fields else value
        elif fields.get("data"):
            yield Message(fields.get("id", ""), fields.get("event", "message"), _load(fields["data"]))
            fields = {}
        else:
            fields = {}


def _load(data: str) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        raise OutOfReach("the event stream broke off in the middle of a message") from None
