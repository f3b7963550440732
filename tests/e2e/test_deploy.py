"""Deploying the guestbook under load: new versions, bad ones, and the way back, with no failed request."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.projects import PASSWORD, edit, guestbook
from tests.e2e.station import Station
from tests.e2e.truth import assert_nothing_lost, assert_sockets_lived_until_retired

from windlass.cli.load_report import describe

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]

STEPS = ["source", "resolve", "check", "build", "base", "release", "start", "switch", "verify", "retire"]


@pytest.fixture(scope="module")
def book(shared: Station) -> Iterator[str]:
    """The app, live as v1."""
    app = shared.app("book")
    shared.ok("env", "set", app, f"POSTGRES_PASSWORD={PASSWORD}")
    shared.deploy(guestbook(shared.folder / app, "v1"), app)
    yield app
    shared.run("remove", app, "--data", "--yes")


def deploy(station: Station, app: str, version: str, *words: object, bake: str = "1s") -> Any:
    return station.run("deploy", guestbook(station.folder / app, version, bake), "--app", app, *words)


def test_versions_replace_each_other_under_load(shared: Station, book: str) -> None:
    with shared.load(book) as load:
        for version in ("v2", "v1", "v2"):
            load.expect_switch()
            result = deploy(shared, book, version)
            assert result.code == 0, str(result)
            document = result.document
            assert document["status"] == "live"
            assert [s["name"] for s in document["steps"]] == STEPS
            assert 0 < document["live_seconds"] <= document["seconds"]
            assert shared.get(book).version == version
        report = load.stop()
    assert_nothing_lost(report)
    assert len(report.version_changes) == 3, describe(report)
    assert_sockets_lived_until_retired(report)


def test_same_again_changes_nothing_unless_forced(shared: Station, book: str) -> None:
    assert deploy(shared, book, "v1").code == 0
    before = {c.id for c in shared.containers(book)}
    live = shared.status(book)["live"]
    result = deploy(shared, book, "v1")
    assert result.code == 0, str(result)
    assert result.document["status"] == "unchanged"
    assert result.document["release"] == live
    assert {c.id for c in shared.containers(book)} == before
    forced = deploy(shared, book, "v1", "--force")
    assert (forced.code, forced.document["status"]) == (0, "live"), str(forced)
    assert forced.document["release"] > live


BAD = {
    "bad-crash": {"code": 4, "status": "failed", "bake": "1s", "exit_code": 1},
    "bad-unready": {"code": 4, "status": "failed", "bake": "1s", "exit_code": None, "probe": "503"},
    "bad-late-crash": {"code": 5, "status": "switched_back", "bake": "30s", "exit_code": 3},
}


@pytest.mark.parametrize("version", BAD)
def test_a_bad_version_is_taken_back(shared: Station, book: str, version: str) -> None:
    good = deploy(shared, book, "v1")
    assert good.code == 0, str(good)
    live = shared.status(book)["live"]
    expected = BAD[version]
    folder = guestbook(shared.folder / book, version, str(expected["bake"]), within="10s")
    if version == "bad-late-crash":  # late enough for a busy machine to have switched before
        edit(folder / "guestbook" / "boot.py", "CRASH_AFTER = 3.0", "CRASH_AFTER = 10.0")
    with shared.load(book) as load:
        load.expect_switch()
        result = shared.run("deploy", folder, "--app", book)
        load.expect_switch()
        report = load.stop()
    assert result.code == expected["code"], str(result)
    assert result.document["status"] == expected["status"]
    told = result.document["report"]
    assert told["service"] == "web"
    assert told["changed"], told
    assert told["serving"] == live
    assert told["exit_code"] == expected["exit_code"]
    assert str(expected.get("probe", "")) in told["probe"]
    assert 0 < len(told["log"]) <= 10
    assert result.error["message"]
    assert result.error["hint"]
    assert report.failed == 0, describe(report)
    if expected["status"] == "failed":  # else the streams that it had begun ended with it
        assert report.streams_cut == 0, describe(report)
    assert shared.status(book)["live"] == live
    assert shared.get(book).version == "v1"
    generation = f"{book}-g{result.document['release']}"
    assert not [c.name for c in shared.containers(book) if c.name.startswith(generation)]


def test_the_screen_of_a_bad_version_says_it_all(shared: Station, book: str) -> None:
    folder = guestbook(shared.folder / book, "bad-crash")
    ended = shared.begin("deploy", folder, "--app", book).wait()
    screen = ended.out + ended.err
    assert ended.code == 4
    for words in ("web", "exit code 1", "windlass logs", "serving", "changed", "GUESTBOOK_OWNER"):
        assert words in screen, screen
    report = screen[screen.index(" failed after ") :]
    assert len(report.splitlines()) <= 24, report


@pytest.fixture(scope="module")
def two(shared: Station, book: str) -> tuple[int, int]:
    """v1 with one password-like variable, then v2 with another."""
    first = shared.ok("deploy", marked(shared, book, "v1"), "--app", book, "--set", "MARK=one", "--force")
    second = shared.ok("deploy", marked(shared, book, "v2"), "--app", book, "--set", "MARK=two")
    return first["release"], second["release"]


def marked(station: Station, app: str, version: str, extra: str = "") -> Path:
    folder = guestbook(station.folder / app, version, extra=extra)
    compose = folder / "compose.yaml"
    text = compose.read_text().replace(
        "    PGHOST: db\n", f"    PGHOST: db\n    MARK: ${{MARK:-}}\n    OF: {version}\n"
    )
    compose.write_text(text)
    return folder


def environment(station: Station, app: str) -> dict[str, str]:
    done = station.run("exec", app, "web", "--", "env")
    assert done.code == 0, str(done)
    text = done.document.get("output") or done.document.get("stdout") or done.out
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


def test_rollback_to_stopped_containers(shared: Station, book: str, two: tuple[int, int]) -> None:
    first, second = two
    images = {r["release"]: r["images"] for r in shared.releases(book)}
    with shared.load(book) as load:
        load.expect_switch()
        back = shared.ok("rollback", book)
        report = load.stop()
    assert_nothing_lost(report)
    assert (back["status"], back["release"]) == ("live", first)
    assert shared.get(book).version == "v1"
    found = environment(shared, book)
    assert (found["MARK"], found["OF"]) == ("one", "v1")
    running = {c.labels["windlass.service"]: c.image.id for c in shared.containers(book) if c.status == "running"}
    assert running["web"] == images[first]["web"]
    listed = {r["release"]: r for r in shared.releases(book)}
    assert listed[first]["live"]
    assert not listed[second]["live"]
    forward = shared.ok("rollback", book, "--to", second)
    assert forward["release"] == second
    assert environment(shared, book)["MARK"] == "two"


def test_rollback_from_kept_images_alone(shared: Station, book: str, two: tuple[int, int]) -> None:
    first, second = two
    assert shared.status(book)["live"] == second
    for container in shared.containers(book):
        if f"-g{first}-" in container.name and container.status != "running":
            container.remove(force=True)
    back = shared.ok("rollback", book)
    assert (back["status"], back["release"]) == ("live", first)
    assert shared.get(book).version == "v1"
    assert environment(shared, book)["MARK"] == "one"


def test_rollback_to_a_warm_generation(shared: Station, book: str) -> None:
    keep = "keep_warm: 5m\n"
    shared.ok("deploy", marked(shared, book, "v1", keep), "--app", book, "--set", "MARK=warm1", "--force")
    second = shared.ok("deploy", marked(shared, book, "v2", keep), "--app", book, "--set", "MARK=warm2")
    old = {c.id for c in shared.containers(book) if f"-g{second['previous']}-" in c.name}
    assert old
    with shared.load(book) as load:
        load.expect_switch()
        back = shared.ok("rollback", book)
        report = load.stop()
    assert_nothing_lost(report)
    assert back["release"] == second["previous"]
    assert old <= {c.id for c in shared.containers(book)}, "a warm generation is used as it is"
    assert environment(shared, book)["MARK"] == "warm1"


def test_rollback_to_what_is_not_there(shared: Station, book: str) -> None:
    result = shared.run("rollback", book, "--to", 9999)
    assert (result.code, result.error["code"]) == (7, "release_not_found")
