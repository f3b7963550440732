"""Carries out a POST with an idempotency key once, and answers it again when it is sent again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Coroutine
from email.message import Message
from typing import Any

from fastapi import Request, Response
from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from windlass.domain.errors import Refused, Usage
from windlass.domain.rights import Caller
from windlass.ports.outside import Outside
from windlass.usecases import repetition
from windlass.usecases.repetition import Answer
from windlass.web.failures import answer_of
from windlass.wire import KEY_HEADER

REPLAYED_HEADER = "idempotency-replayed"
BODY_LIMIT = 8 << 20

# Told again, too: they follow from what was there, or something may have been done. Whoever is refused for what the
# request itself lacks, or for a time, may send it again with the same key.
_KEPT = frozenset({404, 409, 422, 500})

CarryOut = Callable[[Request], Coroutine[Any, Any, Response]]


def wanted_once(request: Request) -> bool:
    """Whether the caller gave a key. A form of our own pages is no such request."""
    form = request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
    return request.method == "POST" and KEY_HEADER in request.headers and not form


async def once(request: Request, caller: Caller, carry_out: CarryOut) -> Response:
    """Raises Usage, Conflict and Refused as usecases.repetition says, and whatever `carry_out` does."""
    outside: Outside = request.app.state.outside
    id = repetition.repetition_id(caller, request.headers[KEY_HEADER])
    incoming = _incoming(request)
    if isinstance(incoming, _Plain):
        await incoming.read()  # wholly, before anything is done: the caller may go away at any moment
    kept = await run_in_threadpool(repetition.begin, outside, id)
    if kept is not None:
        await incoming.read()
        return _again(await run_in_threadpool(repetition.answer_of, kept, incoming.fingerprint))
    try:
        response = await carry_out(Request(request.scope, incoming.receive))
    except BaseException as error:
        if isinstance(error, Exception):  # one that is cancelled goes on in its thread, and how it ends is not known
            await run_in_threadpool(_remember, outside, id, incoming.fingerprint, answer_of(error))
        raise
    await run_in_threadpool(_remember, outside, id, incoming.fingerprint, response)
    return response


def _remember(outside: Outside, id: str, fingerprint: str, response: Response) -> None:
    if response.status_code < 400 or response.status_code in _KEPT:
        headers = tuple((n, v) for n, v in response.headers.items() if n != "content-length")
        repetition.keep(outside, id, fingerprint, Answer(response.status_code, headers, bytes(response.body)))
    else:
        repetition.drop(outside, id)


def _again(answer: Answer) -> Response:
    headers = {**dict(answer.headers), REPLAYED_HEADER: "true"}
    return Response(answer.body, answer.status, headers)


class _Incoming:
    """The body as it comes in. `fingerprint` tells this request from others, once the body is read."""

    def __init__(self, request: Request, kind: str) -> None:
        self.whole = False
        self._receive = request.receive
        self._hash = hashlib.sha256()
        for word in (request.method, request.url.path, request.url.query, kind):
            self._hash.update(f"{len(word)}:{word}".encode())

    @property
    def fingerprint(self) -> str:
        return self._hash.hexdigest()

    async def read(self) -> None:
        """To the end. Raises ClientDisconnect's translation for a body that was cut off."""
        while not self.whole:
            if (await self.receive())["type"] != "http.request":
                raise Usage("the body was cut off", code="body_incomplete") from ClientDisconnect()

    async def receive(self) -> Any:
        message = await self._receive()
        if message["type"] == "http.request":
            self._take(message.get("body", b""))
            self.whole = not message.get("more_body", False)
        return message

    def _take(self, data: bytes) -> None:
        raise NotImplementedError


class _Plain(_Incoming):
    """A body that is kept in memory, and given on when it is wanted."""

    def __init__(self, request: Request, kind: str) -> None:
        super().__init__(request, kind)
        self._body = bytearray()
        self._given = False

    async def receive(self) -> Any:
        if not self.whole or self._given:
            return await super().receive()
        self._given = True
        return {"type": "http.request", "body": bytes(self._body), "more_body": False}

    def _take(self, data: bytes) -> None:
        self._hash.update(data)
        self._body += data
        if len(self._body) > BODY_LIMIT:
            raise BodyTooLarge(f"the body is larger than {BODY_LIMIT} bytes; nothing was touched")


class BodyTooLarge(Refused):
    http_status, default_code = 413, "body_too_large"


class _Form(_Incoming):
    """A form of any size: its parts count, and not the boundary, which is another one each time."""

    def __init__(self, request: Request, kind: str, boundary: bytes) -> None:
        super().__init__(request, kind)
        self._sound = True
        update = self._update
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": lambda: self._hash.update(b"\0part"),
                "on_header_field": update,
                "on_header_value": update,
                "on_headers_finished": lambda: self._hash.update(b"\0data"),
                "on_part_data": update,
            },
        )

    def _take(self, data: bytes) -> None:
        try:
            if self._sound:
                self._parser.write(data)
        except FormParserError:
            self._sound = False  # whoever reads it says so

    def _update(self, data: bytes, start: int, end: int) -> None:
        self._hash.update(data[start:end])


def _incoming(request: Request) -> _Incoming:
    message = Message()
    message["content-type"] = request.headers.get("content-type", "")
    boundary = message.get_param("boundary", "")
    kind = message.get_content_type()
    if kind == "multipart/form-data" and isinstance(boundary, str) and boundary:
        return _Form(request, kind, boundary.encode())
    return _Plain(request, kind)
