"""How often somebody may try: a bucket for each, that fills again with time."""

from __future__ import annotations

from dataclasses import dataclass

_MOST_KNOWN = 4096


@dataclass(frozen=True)
class Pace:
    """`burst` at once, and then `per_minute`."""

    burst: int
    per_minute: float


class Buckets:
    """Who tried how often lately. Not to be used by two threads at once."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._left: dict[str, tuple[float, float]] = {}

    def is_empty(self, name: str, now: float) -> bool:
        return self._level(name, now) < 1

    def take(self, name: str, now: float) -> bool:
        """Whether there was one left; it is taken."""
        level = self._level(name, now)
        if level < 1:
            return False
        if len(self._left) >= _MOST_KNOWN and name not in self._left:
            self._forget(now)
        self._left[name] = (level - 1, now)
        return True

    def _level(self, name: str, now: float) -> float:
        level, at = self._left.get(name, (float(self._pace.burst), now))
        return min(self._pace.burst, level + max(0.0, now - at) * self._pace.per_minute / 60)

    def _forget(self, now: float) -> None:
        """The full ones; when none is, all: a flood of names must not fill the memory."""
        kept = {name: seen for name, seen in self._left.items() if self._level(name, now) < self._pace.burst}
        self._left = kept if len(kept) < _MOST_KNOWN else {}
