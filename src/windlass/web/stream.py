"""Event streams: a deployment until its end, and the lines of an app's containers."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import Any

from sse_starlette.event import ServerSentEvent
from sse_starlette.sse import EventSourceResponse
from starlette.types import Receive, Scope, Send

from windlass.domain.errors import WindlassError
from windlass.ports.outside import Outside
from windlass.usecases import views
from windlass.web.feed import Feed
from windlass.wire import EVENT_END, EVENT_ERROR, EVENT_WAITING, error_document

Messages = AsyncGenerator[ServerSentEvent, None]

PING_S = 10
PAGE = 500
_QUEUE = 1000


def respond(messages: Messages, feed: Feed) -> EventSourceResponse:
    return _Stream(messages, feed)


class _Stream(EventSourceResponse):
    """Ends its messages with itself, however the caller goes away: who reads for them is not left behind."""

    def __init__(self, messages: Messages, feed: Feed) -> None:
        super().__init__(messages, ping=PING_S, sep="\n")
        self._messages = messages
        self._feed = feed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._feed.following():
            async with aclosing(self._messages):
                await super().__call__(scope, receive, send)


async def deployment_messages(outside: Outside, feed: Feed, deployment: str, last: int) -> Messages:
    """Its events after `last`; when it is final, its document as the last message. Ends early when the feed closes.

    In between, without an id, what it waits for whenever that changes.
    """
    told: dict[str, Any] | None = None
    while not feed.closed:
        position = feed.position
        seen = await feed.shared((deployment, last, position), partial(_look, outside, deployment, last))
        for message in seen.messages:
            yield message
        last = seen.last
        if len(seen.messages) == PAGE:
            continue
        if seen.waiting != told:
            told = seen.waiting
            yield _message(EVENT_WAITING, {"waiting": told})
        if seen.end is not None:
            yield seen.end
            return
        await feed.wait(position, last, 1.0)


async def line_messages(lines: Callable[[Callable[[], bool]], Iterator[dict[str, Any]]], feed: Feed) -> Messages:
    """What a blocking source of lines gives, read by a thread of its own that ends with the stream."""
    reader = _Reader(lines, feed)
    reader.start()
    try:
        while (item := await reader.next()) is not None:
            yield _message("line", item)
        if reader.error is not None:
            yield _message(EVENT_ERROR, error_document(reader.error))
        elif not feed.closed:
            yield _message(EVENT_END, {})
    finally:
        reader.stop()


class _Reader:
    """Moves lines from a thread into the event loop; a full queue makes the thread wait."""

    def __init__(self, lines: Callable[[Callable[[], bool]], Iterator[dict[str, Any]]], feed: Feed) -> None:
        self.error: WindlassError | None = None
        self._lines = lines
        self._feed = feed
        self._stopped = threading.Event()
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        self._room = threading.Semaphore(_QUEUE)

    def start(self) -> None:
        threading.Thread(target=self._run, name="line-stream", daemon=True).start()

    async def next(self) -> dict[str, Any] | None:
        """The next line; None at the end or when the server goes away."""
        while not self._feed.closed:
            try:
                item = await asyncio.wait_for(self._queue.get(), 0.5)
            except TimeoutError:
                continue
            self._room.release()
            return item
        return None

    def stop(self) -> None:
        self._stopped.set()

    def _run(self) -> None:
        try:
            for item in self._lines(self._is_over):
                if not self._put(item):
                    return
        except WindlassError as error:
            self.error = error
        finally:
            self._put(None)

    def _put(self, item: dict[str, Any] | None) -> bool:
        while not self._room.acquire(timeout=0.5):
            if self._is_over():
                return False
        if self._loop.is_closed():
            return False
        self._loop.call_soon_threadsafe(self._queue.put_nowait, item)
        return True

    def _is_over(self) -> bool:
        return self._stopped.is_set() or self._feed.closed


@dataclass(frozen=True)
class _Seen:
    """A deployment at one moment, made once for all that follow it. `last`: the newest event among the messages."""

    messages: list[ServerSentEvent]
    last: int
    waiting: dict[str, Any] | None
    end: ServerSentEvent | None


def _look(outside: Outside, deployment: str, last: int) -> _Seen:
    """Whether it is final is read before its events: a final one gets no more of them."""
    found = outside.store.deployments.get(deployment)
    waiting = views.waiting_document(outside, found)
    page = outside.store.events.after(last, deployment=deployment, limit=PAGE)
    messages = [_message(event.kind, views.event_document(event), event.id) for event in page]
    is_over = found.status.is_final and len(page) < PAGE
    end = _message(EVENT_END, views.deployment_document(outside, deployment)) if is_over else None
    return _Seen(messages, page[-1].id if page else last, waiting, end)


def _message(kind: str, data: dict[str, Any], id: int | None = None) -> ServerSentEvent:
    return ServerSentEvent(
        json.dumps(data, ensure_ascii=False), event=kind, id=None if id is None else str(id), sep="\n"
    )
