"""The figures of windlass itself, as plain values: what is counted, what it is called, and in words what it means."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from windlass.ports.figures import Spread
from windlass.ports.outside import Outside

BOUNDS_S = (1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0, 640.0, 1280.0)
KINDS = frozenset({"deployment", "cool", "poll", "status"})
_TAKEN_BACK = "switched_back"


@dataclass(frozen=True)
class Metric:
    """`kind`: counter, gauge or histogram. `values`: labels -> value; `spreads`: of a histogram, by BOUNDS_S."""

    name: str
    kind: str
    help: str
    labels: tuple[str, ...] = ()
    values: Mapping[tuple[str, ...], float] = field(default_factory=dict)
    spreads: tuple[Spread, ...] = ()


def measured(outside: Outside, followers: int) -> Iterator[Metric]:
    """All of them. Counters from the database survive a restart; the others begin with the process."""
    yield from _deployments(outside)
    yield from _queue(outside)
    tally = outside.tally
    yield Metric(
        "windlass_probe_failures",
        "counter",
        "Probes that a container did not pass: while it starts, or while a new version is watched.",
        ("during",),
        {("start",): 0, ("bake",): 0, **tally.of("probe_failures")},
    )
    yield Metric(
        "windlass_edge_switches",
        "counter",
        "Changes of an app's routes for a release that the edge has confirmed.",
        (),
        {(): 0, **tally.of("edge_switches")},
    )
    yield Metric(
        "windlass_api_requests",
        "counter",
        "Requests by method, template of the route and class of the status.",
        ("method", "route", "status"),
        tally.of("api_requests"),
    )
    yield Metric("windlass_sse_followers", "gauge", "Event streams that are being followed.", (), {(): followers})
    yield Metric("windlass_apps", "gauge", "Apps.", (), {(): outside.store.figures.apps()})


def _deployments(outside: Outside) -> Iterator[Metric]:
    """Those that the database knows: the removal of an app takes its own away, which Prometheus takes for a restart."""
    figures = outside.store.figures
    ended = figures.deployments(BOUNDS_S)
    labels = ("kind", "result")
    counts = {s.labels: s.count for s in ended}
    yield Metric("windlass_deployments", "counter", "Deployments that have ended.", labels, counts)
    yield Metric(
        "windlass_deployment_duration_seconds",
        "histogram",
        "From the request to the end of a deployment.",
        labels,
        spreads=tuple(ended),
    )
    back = sum(s.count for s in ended if s.labels[1] == _TAKEN_BACK)
    yield Metric(
        "windlass_releases_taken_back", "counter", "Releases that were live and were taken back.", (), {(): back}
    )
    yield Metric(
        "windlass_build_duration_seconds",
        "histogram",
        "The step `build` of deployments: images, tests and checks.",
        spreads=tuple(figures.builds(BOUNDS_S)),
    )


def _queue(outside: Outside) -> Iterator[Metric]:
    found: dict[str, dict[tuple[str, ...], float]] = {"queued": {}, "running": {}}
    for (kind, state), count in outside.store.figures.jobs().items():
        label = (kind if kind in KINDS else "other",)
        found[state][label] = found[state].get(label, 0) + count
    for state, words in (("queued", "Jobs that wait."), ("running", "Jobs that are being worked on.")):
        values = {("deployment",): 0.0} | found[state]
        yield Metric(f"windlass_jobs_{state}", "gauge", words, ("kind",), values)
