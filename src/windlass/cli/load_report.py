"""What a load run has seen: counted while it runs, and summed up in a report."""

import math
import time
from collections import Counter
from dataclasses import asdict, dataclass, field, replace
from typing import Any

_FAILURES_KEPT = 200
_WS_CUTS_KEPT = 200
_CHANGES_KEPT = 100
_BUCKETS_PER_E = 100  # latencies are kept in buckets of 1 %


@dataclass(frozen=True, slots=True)
class Sent:
    """One request, as far as it is known when it is sent. Times are seconds since the start of the load."""

    number: int
    method: str
    due: float
    sent: float
    reused: bool


@dataclass(frozen=True, slots=True)
class Failure:
    time: float
    kind: str
    method: str
    reused: bool
    status: int
    version: str
    detail: str
    sent: float
    number: int


@dataclass(frozen=True, slots=True)
class WsCut:
    """An open WebSocket that ended. `back_after` is how long it took until it echoed again, None if it never did."""

    time: float
    code: int
    reason: str
    back_after: float | None = None


@dataclass(slots=True)
class VersionSeen:
    first: float
    last: float
    answers: int = 0
    first_on_new: float | None = None


@dataclass(frozen=True, slots=True)
class VersionChange:
    """From this moment another version answered on new connections."""

    time: float
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Latency:
    """Of the answers that are no failure, counted from the moment the request was due."""

    p50: float
    p99: float
    max: float


@dataclass(frozen=True, slots=True)
class Counters:
    """The counters at one moment, for a line on a terminal."""

    seconds: float
    requests: int
    failed: int
    streams: int
    streams_cut: int
    ws_messages: int
    ws_cuts: int
    mixed: int
    version: str


@dataclass(frozen=True, slots=True)
class LoadReport:
    """Times are seconds since `started_at`. `failed` counts requests only, not cut streams and WebSockets."""

    started_at: float
    seconds: float
    requests: int
    failed: int
    failed_on_reused: int
    failed_by_kind: dict[str, int]
    failures: list[Failure]
    failures_left_out: int
    failures_per_second: dict[int, int]
    streams: int
    streams_cut: int
    ws_messages: int
    ws_refused: int
    ws_cuts: list[WsCut]
    ws_cuts_left_out: int
    mixed: int
    versions: dict[str, VersionSeen]
    version_changes: list[VersionChange]
    latency_ms: Latency
    lag_max_ms: float
    cpu_percent: float

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(slots=True)
class VersionWatch:
    """Tells a clean switch from a mix: a version is old once a newer one has answered on a new connection.

    A request that was sent after that and is answered by the old version counts as mixed; one sent before does not.
    """

    seen: dict[str, VersionSeen] = field(default_factory=dict)
    changes: list[VersionChange] = field(default_factory=list)
    mixed: int = 0
    current: str = ""
    _left_at: dict[str, float] = field(default_factory=dict)
    _last_on_new: str = ""
    _last_change: float = -1.0
    _expected_from: float = -1.0

    def expect_switch(self, now: float) -> None:
        """From now on a version that was old may come back as the newest (a rollback)."""
        self._left_at.clear()
        self._expected_from = now

    def answered(self, version: str, request: Sent, now: float) -> None:
        seen = self.seen.setdefault(version, VersionSeen(now, now))
        seen.last = now
        seen.answers += 1
        if not request.reused:
            seen.first_on_new = now if seen.first_on_new is None else seen.first_on_new
            self._note_change(version, request, now)
        if version == self.current:
            return
        left_at = self._left_at.get(version)
        if left_at is not None:
            self.mixed += request.sent > left_at
        elif not request.reused and request.sent > self._expected_from:
            if self.current:
                self._left_at[self.current] = now
            self.current = version

    def _note_change(self, version: str, request: Sent, now: float) -> None:
        if version == self._last_on_new or request.sent <= self._last_change:
            return
        if self._last_on_new and len(self.changes) < _CHANGES_KEPT:
            self.changes.append(VersionChange(now, self._last_on_new, version))
        self._last_on_new = version
        self._last_change = now


class Recorder:
    """Takes down what happens; its numbers may be read from another thread while it runs."""

    def __init__(self) -> None:
        self.started_at = time.time()
        self._started = time.monotonic()
        self._cpu_started = time.thread_time()
        self.watch = VersionWatch()
        self.requests = 0
        self.failed = 0
        self.streams = 0
        self.streams_cut = 0
        self.ws_messages = 0
        self.ws_refused = 0
        self.lag_max = 0.0
        self._failed_on_reused = 0
        self._kinds: Counter[str] = Counter()
        self._per_second: Counter[int] = Counter()
        self._failures: list[Failure] = []
        self._ws_cuts: list[WsCut] = []
        self._ws_cut_count = 0
        self._latencies: Counter[int] = Counter()
        self._latency_max = 0.0

    def now(self) -> float:
        return time.monotonic() - self._started

    def request_done(self, request: Sent, version: str) -> None:
        self._count(request)
        latency = self.now() - request.due
        if request.method != "STREAM":
            self._latency_max = max(self._latency_max, latency)
            self._latencies[_bucket(latency)] += 1
        if version:
            self.watch.answered(version, request, self.now())

    def request_failed(self, request: Sent, kind: str, detail: str, status: int = 0, version: str = "") -> None:
        now = self.now()
        self._count(request)
        if request.method == "STREAM":
            self.streams_cut += 1
        else:
            self.failed += 1
            self._kinds[kind] += 1
            self._failed_on_reused += request.reused
        self._per_second[int(now)] += 1
        if version:
            self.watch.answered(version, request, now)
        if len(self._failures) < _FAILURES_KEPT:
            failure = Failure(
                now, kind, request.method, request.reused, status, version, detail, request.sent, request.number
            )
            self._failures.append(failure)

    def ws_cut(self, code: int, reason: str) -> int:
        """Returns the number of the cut, for `ws_back`."""
        self._ws_cut_count += 1
        if len(self._ws_cuts) < _WS_CUTS_KEPT:
            self._ws_cuts.append(WsCut(self.now(), code, reason))
        return self._ws_cut_count - 1

    def ws_back(self, number: int) -> None:
        """The WebSocket of that cut echoes again."""
        if number < len(self._ws_cuts):
            cut = self._ws_cuts[number]
            self._ws_cuts[number] = replace(cut, back_after=self.now() - cut.time)

    def counters(self) -> Counters:
        return Counters(
            seconds=self.now(),
            requests=self.requests,
            failed=self.failed,
            streams=self.streams,
            streams_cut=self.streams_cut,
            ws_messages=self.ws_messages,
            ws_cuts=self._ws_cut_count,
            mixed=self.watch.mixed,
            version=self.watch.current,
        )

    def report(self) -> LoadReport:
        """To be called in the thread that ran the load, whose CPU time it counts."""
        seconds = self.now()
        return LoadReport(
            started_at=self.started_at,
            seconds=seconds,
            requests=self.requests,
            failed=self.failed,
            failed_on_reused=self._failed_on_reused,
            failed_by_kind=dict(self._kinds),
            failures=self._failures,
            failures_left_out=self.failed + self.streams_cut - len(self._failures),
            failures_per_second=dict(self._per_second),
            streams=self.streams,
            streams_cut=self.streams_cut,
            ws_messages=self.ws_messages,
            ws_refused=self.ws_refused,
            ws_cuts=self._ws_cuts,
            ws_cuts_left_out=self._ws_cut_count - len(self._ws_cuts),
            mixed=self.watch.mixed,
            versions=self.watch.seen,
            version_changes=self.watch.changes,
            latency_ms=self._latency(),
            lag_max_ms=1000 * self.lag_max,
            cpu_percent=100 * (time.thread_time() - self._cpu_started) / max(seconds, 1e-9),
        )

    def _count(self, request: Sent) -> None:
        if request.method == "STREAM":
            self.streams += 1
        else:
            self.requests += 1

    def _latency(self) -> Latency:
        return Latency(
            p50=_percentile(self._latencies, 0.50),
            p99=_percentile(self._latencies, 0.99),
            max=1000 * self._latency_max,
        )


def describe(report: LoadReport) -> str:
    latency = report.latency_ms
    lines = [
        f"{report.requests} requests in {report.seconds:.1f} s, {report.failed} failed, {report.mixed} mixed",
        f"{report.streams} streams, {report.streams_cut} cut",
        f"{report.ws_messages} WebSocket messages, {len(report.ws_cuts) + report.ws_cuts_left_out} cuts",
        f"latency p50 {latency.p50:.1f} ms, p99 {latency.p99:.1f} ms, max {latency.max:.1f} ms",
    ]
    for version, seen in report.versions.items():
        lines.append(f"version {version}: {seen.answers} answers, {seen.first:.2f} s to {seen.last:.2f} s")
    for failure in report.failures[:10]:
        connection = "reused" if failure.reused else "new"
        lines.append(
            f"{failure.time:.3f} s {failure.method} ({connection} connection) {failure.kind}: {failure.detail}"
        )
    return "\n".join(lines)


def _bucket(seconds: float) -> int:
    return round(math.log(max(seconds, 1e-6)) * _BUCKETS_PER_E)


def _percentile(buckets: Counter[int], share: float) -> float:
    """The middle, in milliseconds, of the bucket below which that share of the entries lies."""
    wanted = math.ceil(share * buckets.total())
    below = 0
    for bucket in sorted(buckets):
        below += buckets[bucket]
        if below >= wanted:
            return 1000 * math.exp(bucket / _BUCKETS_PER_E)
    return 0.0
