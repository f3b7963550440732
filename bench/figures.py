"""What was measured."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field
from statistics import median

from windlass.cli.load import BackgroundLoad, LoadProfile
from windlass.cli.load_report import LoadReport


@dataclass(frozen=True)
class Turn:
    """One new version under load. `live_s`: from the command until it serves; `whole_s`: until the command ended.

    `edge_s`: from the decision to switch until the edge has confirmed it, where that is known.
    """

    live_s: float | None
    whole_s: float
    report: LoadReport
    edge_s: float = 0.0


@dataclass
class Way:
    """One way to deploy, over several turns."""

    name: str
    turns: list[Turn] = field(default_factory=list)

    def total(self, what: str) -> int:
        return sum(int(getattr(turn.report, what)) for turn in self.turns)

    @property
    def worst_ms(self) -> float:
        return max(turn.report.latency_ms.max for turn in self.turns)

    @property
    def live_s(self) -> float | None:
        known = [turn.live_s for turn in self.turns if turn.live_s is not None]
        return median(known) if known else None

    @property
    def whole_s(self) -> float:
        return median(turn.whole_s for turn in self.turns)


@dataclass
class Figures:
    """Filled part by part. `values`: name of the figure -> (value with its unit, what it should be or "")."""

    quick: bool
    machine: dict[str, str]
    ways: list[Way] = field(default_factory=list)
    values: dict[str, tuple[str, str]] = field(default_factory=dict)
    numbers: dict[str, float] = field(default_factory=dict)

    @property
    def turns(self) -> int:
        return 2 if self.quick else 5

    def say(self, words: str) -> None:
        print(words, file=sys.stderr, flush=True)

    def note(self, name: str, value: float, unit: str, wanted: str = "") -> None:
        self.numbers[name] = value
        self.values[name] = (f"{value:.4g} {unit}", wanted)
        self.say(f"  {name}: {value:.4g} {unit}")

    def note_way(self, way: Way) -> None:
        self.ways.append(way)
        self.say(f"  {way.name}: {way.total('failed')} of {way.total('requests')} failed, live after {way.live_s} s")


def load_on(address: str, port: int, host: str, get_path: str = "/health") -> BackgroundLoad:
    """200 requests a second, half kept alive, half new, half POST; two 3-second streams a second; two WebSockets."""
    return BackgroundLoad(LoadProfile(address, port, host, get_path=get_path, post_path="/echo"))


def served_since(report: LoadReport, started: float, version: str) -> float | None:
    """Seconds from `started` (wall clock) until that version answered on a new connection, for good."""
    changes = [c.time for c in report.version_changes if c.new == version]
    return report.started_at + changes[-1] - started if changes else None


def settle() -> None:
    """A moment of load before and after what is measured."""
    time.sleep(1.5)
