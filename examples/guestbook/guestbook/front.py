"""The page, kept for a moment: a crowd of visitors asks the database twice a second, not once each."""

import asyncio
import time
from collections.abc import Awaitable, Callable

FRESH_S = 0.5


class Front:
    """Renders anew when what it has is older than FRESH_S; meanwhile others take what is there."""

    def __init__(self, render: Callable[[], Awaitable[str]]) -> None:
        self._render = render
        self._html = ""
        self._made_at = 0.0
        self._lock = asyncio.Lock()

    async def html(self) -> str:
        """The page, at most a moment old."""
        if self._html and (self._is_fresh() or self._lock.locked()):
            return self._html
        async with self._lock:
            if not self._is_fresh():
                self._html = await self._render()
                self._made_at = time.monotonic()
            return self._html

    def forget(self) -> None:
        """Something was written: the next visitor sees it."""
        self._made_at = 0.0

    def _is_fresh(self) -> bool:
        return time.monotonic() - self._made_at < FRESH_S
