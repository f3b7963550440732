"""Whether a new version answers with errors more often than the old one did: from the edge's counts to a verdict."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from windlass.domain.edgefile import service_name

# One error, or two, may be anybody's; and a burst in one moment may be the start of a pool of connections.
LEAST_ERRORS = 3
LEAST_LOOKS = 2
# Below that nobody is taken back, however certain it is.
LEAST_RATE = 0.02
WORSE_BY = 1.5
CHANCE = 1e-3
# What is taken for granted of the old version: nothing of 100 requests failed, and no version is without fault.
_PRIOR = (0.5, 100.0)
_FLOOR = 0.005
_SPREAD = 2.0
# So many requests of the old version just before the switch say more than all that it has ever answered.
ENOUGH = 50

Counts = Mapping[str, Mapping[int, int]]
"""Service of the edge -> HTTP status -> requests answered since the edge was started."""


@dataclass(frozen=True)
class Tally:
    """Requests, and how many of them each 5xx status answered."""

    requests: int = 0
    codes: Mapping[int, int] = field(default_factory=dict)

    @property
    def errors(self) -> int:
        return sum(self.codes.values())

    @property
    def rate(self) -> float:
        return self.errors / self.requests if self.requests else 0.0

    def since(self, before: Tally) -> Tally:
        """What came after; all of it when the edge began to count anew."""
        if self.requests < before.requests:
            return self
        codes = {code: number - before.codes.get(code, 0) for code, number in self.codes.items()}
        return Tally(self.requests - before.requests, {code: n for code, n in codes.items() if n > 0})


def tally(counts: Counts, app: str, service: str, release: int) -> Tally:
    """Of one service in one release, over all the names that the edge has for it."""
    name = service_name(app, service, release)
    found = [by for key, by in counts.items() if key == name or key.startswith(f"{name}.")]
    codes: dict[int, int] = {}
    for status, number in (pair for by in found for pair in by.items()):
        if 500 <= status < 600:
            codes[status] = codes.get(status, 0) + number
    return Tally(sum(sum(by.values()) for by in found), codes)


def reference(ever: Tally, lately: Tally) -> Tally:
    """What the old version is measured by: what it answered just before the switch when that was enough."""
    return lately if lately.requests >= ENOUGH else ever


@dataclass(frozen=True)
class Verdict:
    """A service whose new version is worse. `looks`: in how many of them errors were seen."""

    service: str
    new: Tally
    old: Tally

    @property
    def message(self) -> str:
        """With both rates, for a person."""
        seen = ", ".join(f"{number}× {code}" for code, number in sorted(self.new.codes.items()))
        before = (
            f"before it {self.old.errors} of {self.old.requests} ({self.old.rate:.1%})"
            if self.old.requests
            else "nothing was asked of it before"
        )
        return (
            f"{self.service} answered {self.new.errors} of {self.new.requests} requests with errors "
            f"({self.new.rate:.1%}: {seen}); {before}"
        )

    def as_dict(self) -> dict[str, object]:
        """For the report."""
        return {
            "service": self.service,
            "requests": self.new.requests,
            "errors": self.new.errors,
            "rate": round(self.new.rate, 4),
            "codes": {str(code): number for code, number in sorted(self.new.codes.items())},
            "old_requests": self.old.requests,
            "old_errors": self.old.errors,
            "old_rate": round(self.old.rate, 4),
        }


def is_worse(new: Tally, old: Tally, looks: int) -> bool:
    """Whether so many errors could hardly come from a version as good as the old one.

    `looks`: in how many of the looks so far the number of errors had grown.
    """
    if new.errors < LEAST_ERRORS or looks < LEAST_LOOKS:
        return False
    if new.rate < max(LEAST_RATE, WORSE_BY * old.rate):
        return False
    return _tail(new.requests, new.errors, _likely_rate(old)) < CHANCE


def _likely_rate(old: Tally) -> float:
    """An upper bound of the old version's true rate: the less was asked of it, the further from what was seen."""
    errors, requests = old.errors + _PRIOR[0], old.requests + _PRIOR[1]
    mean = errors / requests
    return min(1.0, max(_FLOOR, mean + _SPREAD * math.sqrt(mean * (1 - mean) / requests)))


def _tail(tries: int, hits: int, rate: float) -> float:
    """The probability of at least so many hits, each with this rate; by Poisson, which is never too sure."""
    expected = tries * rate
    if hits <= expected:
        return 1.0
    term = math.exp(hits * math.log(expected) - expected - math.lgamma(hits + 1))
    total, number = 0.0, hits
    while term > total * 1e-9 and number < hits + 10_000:
        total += term
        number += 1
        term *= expected / number
    return min(1.0, total)


@dataclass
class ErrorWatch:
    """Looks at the counts again and again; `old` by service, of those that the old version had."""

    app: str
    release: int
    old: Mapping[str, Tally]
    begun: dict[str, Tally] = field(default_factory=dict)
    seen: dict[str, int] = field(default_factory=dict)
    looks: dict[str, int] = field(default_factory=dict)

    def look(self, counts: Counts) -> Verdict | None:
        """The first look is what the later ones are measured from."""
        for service, old in self.old.items():
            now = tally(counts, self.app, service, self.release)
            before = self.begun.setdefault(service, now)
            if now.requests < before.requests:
                before = self.begun[service] = Tally()  # the edge was started anew
            new = now.since(before)
            if new.errors > self.seen.get(service, 0):
                self.looks[service] = self.looks.get(service, 0) + 1
            self.seen[service] = new.errors
            if is_worse(new, old, self.looks.get(service, 0)):
                return Verdict(service, new, old)
        return None


def old_tallies(counts: Counts, earlier: Counts, app: str, services: Iterable[str], release: int) -> dict[str, Tally]:
    """What each service is measured by; `earlier`: the counts at some time before the switch, {} when not known."""
    found = {}
    for service in services:
        ever = tally(counts, app, service, release)
        lately = ever.since(tally(earlier, app, service, release)) if earlier else Tally()
        found[service] = reference(ever, lately)
    return found
