"""Plain HTTP for the tests: one request on a connection of its own, to a port or to a unix socket."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Answer:
    """`status` 0: no answer at all, and `text` says why."""

    status: int
    text: str
    headers: dict[str, str]

    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def version(self) -> str:
        return self.headers.get("x-version", "")


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("windlass", timeout=timeout)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self.path))


def ask(connection: http.client.HTTPConnection, path: str, body: bytes | None, headers: dict[str, str]) -> Answer:
    """GET, or POST when there is a body. A connection that fails is an answer with status 0."""
    try:
        connection.request("GET" if body is None else "POST", path, body, headers)
        answer = connection.getresponse()
        text = answer.read().decode("utf-8", "replace")
    except (OSError, http.client.HTTPException) as error:
        return Answer(0, f"{type(error).__name__}: {error}", {})
    finally:
        connection.close()
    return Answer(answer.status, text, {name.lower(): value for name, value in answer.getheaders()})


def read_events(path: Path, url: str, timeout: float) -> Iterator[tuple[str, Any]]:
    """Server-sent events: (event, data), until the stream or the server ends."""
    connection = UnixConnection(path, timeout)
    try:
        connection.request("GET", url, headers={"Accept": "text/event-stream"})
        answer = connection.getresponse()
        kind, data = "", ""
        for raw in answer:
            line = raw.decode().rstrip("\r\n")
            name, _, value = line.partition(":")
            if name == "event":
                kind = value.strip()
            elif name == "data":
                data += value.removeprefix(" ")
            elif not line and data:
                yield kind, json.loads(data)
                kind, data = "", ""
    except (OSError, http.client.HTTPException):
        return
    finally:
        connection.close()
