"""Event streams: a deployment until its end, and the lines of an app's containers."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from sse_starlette.event import ServerSentEvent
from sse_starlette.sse import EventSourceResponse
from starlette.concurrency import run_in_threadpool

from windlass.domain.errors import WindlassError
from windlass.domain.records import Event
from windlass.ports.outside import Outside
from windlass.usecases import views
from windlass.web.feed import Feed
from windlass.wire import EVENT_END, EVENT_ERROR, EVENT_WAITING, error_document

PING_S = 10
PAGE = 500
_QUEUE = 1000


def respond(messages: AsyncIterator[ServerSentEvent], feed: Feed) -> EventSourceResponse:
    return EventSourceResponse(_counted(messages, feed), ping=PING_S, sep="\n")


async def _counted(messages: AsyncIterator[ServerSentEvent], feed: Feed) -> AsyncIterator[ServerSentEvent]:
    with feed.following():
        async for message in messages:
            yield message


async def deployment_messages(
    outside: Outside, feed: Feed, deployment: str, last: int
) -> AsyncIterator[ServerSentEvent]:
    """Its events after `last`; when it is final, its document as the last message. Ends early when the feed closes.

    In between, without an id, what it waits for whenever that changes.
    """
    told: dict[str, Any] | None = None
    while not feed.closed:
        position = feed.position
        final, waiting = await run_in_threadpool(_look, outside, deployment)
        page = await run_in_threadpool(_page, outside, deployment, last)
        for event in page:
            last = event.id
            yield _message(event.kind, views.event_document(event), event.id)
        if len(page) == PAGE:
            continue
        if waiting != told:
            told = waiting
            yield _message(EVENT_WAITING, {"waiting": waiting})
        if final:
            document = await run_in_threadpool(views.deployment_document, outside, deployment)
            yield _message(EVENT_END, document)
            return
        await feed.wait(position, last, 1.0)


async def line_messages(
    lines: Callable[[Callable[[], bool]], Iterator[dict[str, Any]]], feed: Feed
) -> AsyncIterator[ServerSentEvent]:
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


def _look(outside: Outside, deployment: str) -> tuple[bool, dict[str, Any] | None]:
    """Whether it is final, and what it waits for."""
    found = outside.store.deployments.get(deployment)
    return found.status.is_final, views.waiting_document(outside, found)


def _page(outside: Outside, deployment: str, last: int) -> list[Event]:
    return outside.store.events.after(last, deployment=deployment, limit=PAGE)


def _message(kind: str, data: dict[str, Any], id: int | None = None) -> ServerSentEvent:
    return ServerSentEvent(
        json.dumps(data, ensure_ascii=False), event=kind, id=None if id is None else str(id), sep="\n"
    )
