"""The figures as the page docs/bench.md."""

from __future__ import annotations

from bench.figures import Figures, Way

HEAD = """# Figures

Written by `make bench`, all in one run, on the guestbook (`examples/guestbook`: web, worker, a migration job,
PostgreSQL, Redis). Load: 200 requests a second, half over kept connections, half over new ones, half of them POST; two
streams of 3 seconds begin each second, and two WebSockets are held. Every version's image is in the build cache.

"""


def write_report(figures: Figures) -> str:
    lines = [HEAD.rstrip("\n"), ""]
    lines += [f"- {name}: {value}" for name, value in figures.machine.items()]
    lines += ["", f"Runs of each way: {figures.turns}{' (--quick)' if figures.quick else ''}.", ""]
    if figures.ways:
        lines += [
            "| way | failed requests | streams cut | worst latency | live after | command ended after |",
            "|---|---|---|---|---|---|",
            *(_row(way) for way in figures.ways),
            "",
        ]
    lines += ["| figure | measured | wanted |", "|---|---|---|"]
    lines += [f"| {name} | {value} | {wanted} |" for name, (value, wanted) in figures.values.items()]
    return "\n".join(lines) + "\n" + TAIL


TAIL = """
- *Live after*: from the command until the new version answers on new connections, median. *The limit*: network,
  migration job, web until it is ready, worker, created, started and probed by the SDK alone, in dependency order.
- `docker compose up -d` has a published port and no proxy. *Scale up, scale down*: twice as many containers, wait until
  Docker calls the new ones healthy (interval set to 1 s; as it is written it would take half a minute), stop the old
  ones; behind Traefik with its Docker provider.
- A version that crashes ends the streams that it had begun itself; those are not counted.
"""


def _row(way: Way) -> str:
    live = f"{way.live_s:.2f} s" if way.live_s is not None else "never"
    failed = f"{way.total('failed')} of {way.total('requests')}"
    streams = f"{way.total('streams_cut')} of {way.total('streams')}"
    return f"| {way.name} | {failed} | {streams} | {way.worst_ms:.0f} ms | {live} | {way.whole_s:.2f} s |"
