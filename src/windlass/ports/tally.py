"""What this process has done since it began, counted in memory: for /metrics."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

_ROOM = 2000
OTHER = "other"


class Tally:
    """Counters and levels by name and labels. Labels are words of our own or route templates, never what people send.

    Should they grow beyond a bound all the same, the rest is counted as `other`.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._counts: dict[tuple[str, tuple[str, ...]], int] = {}

    def add(self, name: str, *labels: str, count: int = 1) -> None:
        with self._lock:
            key = (name, labels)
            if key not in self._counts and len(self._counts) >= _ROOM:
                key = (name, (OTHER,) * len(labels))
            self._counts[key] = self._counts.get(key, 0) + count

    @contextmanager
    def during(self, name: str) -> Iterator[None]:
        """A level: how many are inside."""
        self.add(name)
        try:
            yield
        finally:
            self.add(name, count=-1)

    def of(self, name: str) -> dict[tuple[str, ...], int]:
        """Labels -> count."""
        with self._lock:
            return {labels: count for (known, labels), count in self._counts.items() if known == name}
