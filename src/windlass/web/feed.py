"""Wakes the event streams: one thread waits for the store, however many streams there are."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from starlette.concurrency import run_in_threadpool

from windlass.ports.store import Events

WAIT_S = 1.0

SeenT = TypeVar("SeenT")


class Feed:
    """Ends with `close`; streams that wait are woken then, and see `closed`."""

    def __init__(self, events: Events) -> None:
        self.closed = False
        self.followers = 0  # touched by the event loop alone
        self._events = events
        self._lock = threading.Lock()
        self._waiting: dict[asyncio.Future[None], asyncio.AbstractEventLoop] = {}
        self._seen = 0
        self._looks: dict[Hashable, asyncio.Future[Any]] = {}  # touched by the event loop alone
        self._thread: threading.Thread | None = None

    @property
    def position(self) -> int:
        """To be taken before the store is asked, and given to `wait`: what comes between is not missed."""
        return self._seen

    async def shared(self, key: Hashable, look: Callable[[], SeenT]) -> SeenT:
        """What `look` gives, in a thread; who asks with the same key meanwhile is given the same.

        A key with a `position` in it misses nothing: what comes while somebody looks moves the position.
        """
        looking = self._looks.get(key)
        if looking is None:
            looking = asyncio.ensure_future(run_in_threadpool(look))
            looking.add_done_callback(lambda _: self._looks.pop(key, None))
            self._looks[key] = looking
        found: SeenT = await asyncio.shield(looking)
        return found

    async def wait(self, position: int, last: int, timeout_s: float) -> None:
        """Until an event of any app is added after `position` was taken, or time is over; `last` is known already."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        with self._lock:
            if self.closed or self._seen > position:
                return
            self._seen = max(self._seen, last)
            self._waiting[future] = loop
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="event-feed", daemon=True)
                self._thread.start()
        try:
            await asyncio.wait_for(future, timeout_s)
        except TimeoutError:
            pass
        finally:
            with self._lock:
                self._waiting.pop(future, None)

    @contextmanager
    def following(self) -> Iterator[None]:
        """Around a stream, for as long as somebody follows it."""
        self.followers += 1
        try:
            yield
        finally:
            self.followers -= 1

    def close(self) -> None:
        """End all streams; may be called from any thread."""
        with self._lock:
            self.closed = True
        self._wake()

    def _run(self) -> None:
        """Goes on while someone waits; the next to come starts it again."""
        while self._wanted():
            if self._events.wait(self._seen, WAIT_S):
                for event in self._events.after(self._seen):
                    self._seen = max(self._seen, event.id)
                self._wake()

    def _wanted(self) -> bool:
        with self._lock:
            if self._waiting and not self.closed:
                return True
            self._thread = None
            return False

    def _wake(self) -> None:
        with self._lock:
            waiting = list(self._waiting.items())
            self._waiting.clear()
        for future, loop in waiting:
            if not loop.is_closed():
                loop.call_soon_threadsafe(_finish, future)


def _finish(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
