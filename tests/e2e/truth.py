"""What must hold of an app whenever nothing is under way: nothing orphaned, and the lists say what is true."""

from __future__ import annotations

import re

from tests.e2e.station import Station

from windlass.cli.load_report import LoadReport, describe

_GENERATION = re.compile(r"-g(\d+)(?:-|_|$)")


def assert_true_and_tidy(station: Station, app: str, path: str = "/") -> None:
    """One live release, which serves; of others at most one stopped generation; no other container, network or file."""
    status = station.status(app)
    releases = station.releases(app)
    live = [r["release"] for r in releases if r["live"]]
    assert live == ([] if status["live"] is None else [status["live"]]), releases
    assert status["deployment"] is None
    usable = {r["release"] for r in releases if r["state"] in ("live", "retired")}
    assert_containers(station, app, status["live"], usable)
    generations = {_number(c.name) for c in station.containers(app)} - {None}
    networks = {_number(name) for name in station.leftovers(app)["networks"]} - {None}
    assert networks <= generations | {status["live"]}, (networks, generations)
    assert_files(station, app, {r["release"] for r in releases})
    if status["live"] is not None:
        answer = station.wait_served(app, path)
        host = answer.headers.get("x-host", "")
        assert not host or host in {c.short_id[:12] for c in station.containers(app)} | _hostnames(station, app)


def assert_containers(station: Station, app: str, live: int | None, usable: set[int]) -> None:
    """Running: the base and the live generation. Stopped: at most one more generation, that was once live."""
    running: set[int | None] = set()
    stopped: set[int | None] = set()
    for container in station.containers(app):
        policy = container.attrs["HostConfig"]["RestartPolicy"]["Name"]
        number = _number(container.name)
        if container.status == "running":
            running.add(number)
        elif number not in (None, live):
            stopped.add(number)
            assert policy in ("", "no"), f"{container.name} is retired and would start again: {policy}"
    assert running - {None} <= {live}, (live, running)
    assert len(stopped) <= 1, stopped
    assert stopped <= usable, (stopped, usable)


def assert_files(station: Station, app: str, releases: set[int]) -> None:
    """Nothing of releases that are not listed, no half upload, one edge file for each app at most."""
    folder = station.home / "apps" / app / "releases"
    kept = {int(p.name) for p in folder.iterdir() if p.name.isdigit()} if folder.exists() else set()
    assert kept <= releases, (kept, releases)
    odd = [p.name for p in folder.iterdir() if not p.name.isdigit()] if folder.exists() else []
    assert not odd
    uploads = station.home / "uploads"
    assert not list(uploads.iterdir()), list(uploads.iterdir())


def _number(name: str) -> int | None:
    found = _GENERATION.search(name)
    return int(found[1]) if found else None


def _hostnames(station: Station, app: str) -> set[str]:
    return {c.attrs["Config"]["Hostname"] for c in station.containers(app)}


def assert_untouched(station: Station, app: str) -> None:
    left = station.leftovers(app)
    assert {kind: names for kind, names in left.items() if kind != "files" and names} == {}
    releases = station.run("releases", app).document.get("items", [])
    assert [r for r in releases if r["state"] != "failed"] == []


def assert_nothing_lost(report: LoadReport) -> None:
    """No request failed, no stream was cut, no version came back after a newer one had answered."""
    assert report.requests > 0
    assert (report.failed, report.streams_cut, report.mixed, report.ws_refused) == (0, 0, 0, 0), describe(report)


def assert_sockets_lived_until_retired(report: LoadReport, bake_s: float = 1.0) -> None:
    """No WebSocket was cut before its version had been replaced and the bake was over, and each came back."""
    for cut in report.ws_cuts:
        before = [change.time for change in report.version_changes if change.time <= cut.time - bake_s]
        assert before, describe(report)
        assert cut.back_after is not None, describe(report)
