"""Tells open pages about new and changed entries; Redis carries the news from one process to all."""

import asyncio
from collections.abc import Awaitable, Callable

import redis
import redis.asyncio
from fastapi import WebSocket

from guestbook.stores import CHANNEL

Describe = Callable[[int], Awaitable[str]]


class Live:
    """The pages that are open on this process."""

    def __init__(self) -> None:
        self._sockets: set[WebSocket] = set()

    def join(self, socket: WebSocket) -> None:
        """From now on this page gets news."""
        self._sockets.add(socket)

    def leave(self, socket: WebSocket) -> None:
        """No more news for this page."""
        self._sockets.discard(socket)

    async def follow(self, client: redis.asyncio.Redis, describe: Describe) -> None:
        """Pass on news for ever; when Redis goes away, wait for it."""
        while True:
            try:
                async with client.pubsub() as news:
                    await news.subscribe(CHANNEL)
                    async for message in news.listen():
                        if message["type"] == "message" and self._sockets:
                            await self._tell(await describe(int(message["data"])))
            except (redis.RedisError, OSError):
                await asyncio.sleep(0.5)

    async def _tell(self, text: str) -> None:
        sockets = list(self._sockets)
        sent = await asyncio.gather(*(socket.send_text(text) for socket in sockets), return_exceptions=True)
        for socket, result in zip(sockets, sent, strict=True):
            if isinstance(result, BaseException):
                self.leave(socket)
