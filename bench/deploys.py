"""windlass under load: new versions, bad ones, the way back; and the limit that no tool could beat."""

from __future__ import annotations

import threading
import time
from statistics import median
from typing import Any

from tests.e2e.projects import PASSWORD, edit, guestbook
from tests.e2e.station import Station, station

from bench.figures import Figures, Turn, Way, load_on, served_since, settle
from bench.limit import limit_s


def measure(figures: Figures) -> None:
    with station() as home:
        app = home.app("bench")
        home.ok("env", "set", app, f"POSTGRES_PASSWORD={PASSWORD}")
        for version in ("v2", "v1"):  # both images are built now
            home.deploy(guestbook(home.folder / app, version), app)
        _overhead(figures, home, app)  # before the load, which leaves a virtual machine slower for a while
        _deploys(figures, home, app)
        _rollbacks(figures, home, app)
        _switch_back(figures, home, app)
        _status(figures, home, app)


def _deploys(figures: Figures, home: Station, app: str) -> None:
    way = Way("windlass deploy")
    for turn in range(figures.turns):
        version = "v2" if turn % 2 == 0 else "v1"
        folder = guestbook(home.folder / app, version)
        way.turns.append(_turn(home, app, version, "deploy", folder, "--app", app))
    figures.note_way(way)
    mixed = way.total("mixed")
    figures.note("answers of the old version after the new one's first", mixed, "", "0")
    cuts = [
        cut.time - max((c.time for c in turn.report.version_changes), default=0.0)
        for turn in way.turns
        for cut in turn.report.ws_cuts
    ]
    if cuts:
        figures.note("WebSockets live on after the switch, at least", min(cuts), "s", "until they are retired")


def _turn(home: Station, app: str, version: str, *words: object) -> Turn:
    with load_on(home.engine.address, home.http_port, home.host(app)) as load:
        settle()
        load.expect_switch()
        started = time.time()
        document = home.ok(*words)
        ended = time.time()
        settle()
        report = load.stop()
    live = document["created_at"] + document["live_seconds"] - started
    assert served_since(report, started, version) is not None, report.version_changes
    parts = next(s["parts"] for s in document["steps"] if s["name"] == "switch")
    return Turn(live, ended - started, report, next(p["seconds"] for p in parts if p["name"] == "edge"))


def _overhead(figures: Figures, home: Station, app: str) -> None:
    """Without load, in turns: first the containers by the SDK alone, then the whole command."""
    limits, lives = [], []
    for turn in range(2 * figures.turns):  # a tenth of a second is told apart from the noise
        limits.append(limit_s(home, app))
        folder = guestbook(home.folder / app, "v2" if turn % 2 == 0 else "v1")
        started = time.time()
        document = home.deploy(folder, app, "--force")
        lives.append(document["created_at"] + document["live_seconds"] - started)
    limit = median(limits)
    figures.note("without load: the limit", limit, "s")
    figures.note("without load: windlass deploy, command to live", median(lives), "s")
    figures.note("without load: over the limit", median(lives) - limit, "s", "≤ 1.2 s")


def _rollbacks(figures: Figures, home: Station, app: str) -> None:
    cold, warm = [], []
    for _ in range(max(1, figures.turns // 2)):
        cold.append(_turn(home, app, _other(home, app), "rollback", app))
        for version in ("v1", "v2"):
            home.deploy(guestbook(home.folder / app, version, extra="keep_warm: 10m\n"), app, "--force")
        warm.append(_turn(home, app, "v1", "rollback", app))
        for version in ("v1", "v2"):
            home.deploy(guestbook(home.folder / app, version), app, "--force")
    failed = sum(turn.report.failed for turn in (*cold, *warm))
    figures.note("rollbacks under load, failed requests", failed, "", "0")
    for name, turns, wanted in (("cold", cold, "≤ limit + 1 s"), ("warm", warm, "")):
        figures.note(
            f"rollback under load, {name}, command to live", median(t.live_s or 0.0 for t in turns), "s", wanted
        )
        figures.note(f"rollback under load, {name}, at the edge", median(t.edge_s for t in turns), "s", "≤ 0.5 s")


def _other(home: Station, app: str) -> str:
    return "v2" if home.get(app).version == "v1" else "v1"


def _switch_back(figures: Figures, home: Station, app: str) -> None:
    """From the death of a version that crashes in the bake until the former one answers everybody again."""
    folder = guestbook(home.folder / app, "bad-late-crash", bake="20s")
    edit(folder / "guestbook" / "boot.py", "CRASH_AFTER = 3.0", "CRASH_AFTER = 8.0")
    deaths: list[float] = []
    watcher = threading.Thread(target=_watch_deaths, args=(home, app, deaths), daemon=True)
    watcher.start()
    with load_on(home.engine.address, home.http_port, home.host(app)) as load:
        settle()
        load.expect_switch()
        result = home.run("deploy", folder, "--app", app)
        settle()
        report = load.stop()
    assert result.code == 5, str(result)
    figures.note("switch-back of itself, failed requests", report.failed, "", "0")
    crash = [d for d in deaths if d >= report.started_at]
    seen = report.versions["bad-late-crash"].last + report.started_at
    if crash:
        back = next(c.time for c in report.version_changes if c.old == "bad-late-crash") + report.started_at
        figures.note("switch-back, from the crash at the edge", max(0.0, back - crash[0]), "s", "≤ 0.5 s")
        figures.note("last answer of the bad version after its crash", max(0.0, seen - crash[0]), "s")


def _watch_deaths(home: Station, app: str, deaths: list[float]) -> None:
    filters = {"event": "die", "label": [f"windlass.app={app}", "com.docker.compose.service=web"]}
    event: dict[str, Any]
    for event in home.engine.client.events(decode=True, filters=filters):
        deaths.append(event["timeNano"] / 1e9)


def _status(figures: Figures, home: Station, app: str) -> None:
    times = []
    for _ in range(10):
        started = time.monotonic()
        home.ok("status", app)
        times.append(time.monotonic() - started)
    figures.note("windlass status, wall", 1000 * median(times), "ms", "≤ 250 ms")
