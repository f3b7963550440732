"""A clock that stands still, but for what a test adds to it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class SetClock:
    """ports.machine.Clock; a sleep is over at once, and its time has passed."""

    at: float = 1_800_000_000.0

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += seconds
