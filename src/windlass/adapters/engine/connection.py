"""One connection to a Docker Engine, and the one table that turns its errors into windlass's own."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import requests
import urllib3
from docker.api.client import APIClient
from docker.errors import APIError, DockerException

from windlass.domain.errors import Conflict, Failed, NotFound, OutOfReach, Usage
from windlass.ports.engine import AddressTaken

REF = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
LONG_ID = re.compile(r"\b([0-9a-f]{12})[0-9a-f]{52}\b")
IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/@-]*")

# What the engine or the library under it may raise; everything else is a mistake of ours and passes as it is.
FOREIGN = (DockerException, requests.RequestException, urllib3.exceptions.HTTPError)

# First match wins: words of the engine's message, else the HTTP status.
_TABLE: tuple[tuple[re.Pattern[str] | int, Callable[[str], Exception]], ...] = (
    (
        re.compile(r"no space left on device", re.I),
        lambda words: Failed(words, code="disk_full", hint="make room on the engine's disk, then try again"),
    ),
    (
        re.compile(r"port is already allocated|failed to bind|(bind|listen).*address already in use", re.I),
        lambda words: Failed(words, code="port_taken", hint="stop what listens there, or publish another port"),
    ),
    (
        re.compile(
            r"pool overlaps|overlaps with other one|overlapping ipv4|conflicts with network"
            r"|invalid pool request|non-overlapping|fully subnetted",
            re.I,
        ),
        AddressTaken,
    ),
    (
        re.compile(r"address already in use", re.I),
        lambda words: Conflict(words, code="address_in_use"),
    ),
    (
        re.compile(r"has active endpoints", re.I),
        lambda words: Conflict(words, code="in_use"),
    ),
    (
        re.compile(r"is not running|is restarting|is paused", re.I),
        lambda words: Conflict(words, code="not_running"),
    ),
    (404, NotFound),
    (409, Conflict),
)


def words_of(error: Exception) -> str:
    """What the engine itself said, "" when it said nothing."""
    explanation = error.explanation if isinstance(error, APIError) else None
    return str(explanation or "")


def translate(error: Exception, thing: str, url: str) -> Exception:
    """windlass's error for a foreign one that came up about `thing`."""
    if not isinstance(error, APIError):
        return OutOfReach(
            f"the Docker Engine at {url} does not answer", code="engine_unreachable", hint="windlass doctor"
        )
    said = words_of(error)
    message = LONG_ID.sub(r"\1", f"{thing}: {said or error}")
    for sign, make in _TABLE:
        if error.status_code == sign if isinstance(sign, int) else sign.search(said):
            return make(message)
    return Failed(message, code="engine_error", hint="windlass doctor")


def checked(ref: str, pattern: re.Pattern[str] = REF) -> str:
    """`ref` itself when it can be a name or an ID; it becomes part of a path, so nothing else passes."""
    if not pattern.fullmatch(ref) or ".." in ref:
        raise Usage(f"{ref!r} is not a name in a Docker Engine", code="invalid_name")
    return ref


class Connection:
    """Opened at the first call. Its pool of sockets is shared by all threads."""

    def __init__(self, url: str, timeout_s: float) -> None:
        self.url = url
        self.timeout_s = timeout_s
        self._api: APIClient | None = None
        self._opening = threading.Lock()

    @contextmanager
    def call(self, thing: str) -> Iterator[APIClient]:
        """The API, for calls about `thing`: what goes wrong within is raised as windlass's own error."""
        try:
            yield self._opened()
        except FOREIGN as error:
            raise translate(error, thing, self.url) from error

    def get(self, api: APIClient, path: str, params: dict[str, Any]) -> requests.Response:
        """A GET whose body is read as it comes, without a limit of time, on a socket of its own."""
        return self._streamed(api.get(self.address(api, path), params=params, **_STREAMED))

    def post(self, api: APIClient, path: str, body: dict[str, Any]) -> requests.Response:
        """A POST whose answer is read as it comes, without a limit of time, on a socket of its own."""
        return self._streamed(api.post(self.address(api, path), json=body, **_STREAMED))

    def _opened(self) -> APIClient:
        with self._opening:
            if self._api is None:
                api = APIClient(self.url, version="auto", timeout=self.timeout_s, max_pool_size=32)  # type: ignore[arg-type]
                api.trust_env = False
                self._api = api
            return self._api

    @staticmethod
    def address(api: APIClient, path: str) -> str:
        return f"{api.base_url}/v{api.api_version}{path}"

    @staticmethod
    def _streamed(response: requests.Response) -> requests.Response:
        if response.status_code >= 400:
            words = response.text
            response.close()
            with suppress(ValueError, KeyError):
                words = str(response.json()["message"])
            raise APIError(words, response=response, explanation=words)
        return response


# Closed after use, so that shutting it down from another thread can not meet a later request on the same socket.
_STREAMED: dict[str, Any] = {"stream": True, "timeout": None, "headers": {"Connection": "close"}}


class Speaker:
    """What every part of the engine's adapter begins with."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
