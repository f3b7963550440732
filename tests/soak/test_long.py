"""The long forms of the acceptance tests: twenty deploys, a hundred kills, sixty apps, ten idle ones."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

import pytest
from bench import idle
from bench.figures import Figures
from tests.e2e.projects import PASSWORD, guestbook, write
from tests.e2e.station import Station, station
from tests.e2e.truth import assert_nothing_lost, assert_sockets_lived_until_retired, assert_true_and_tidy
from tests.e2e.victim import Victim, assert_decided, kill_at
from tests.soak.journal import Journal

from windlass.cli.load_report import describe
from windlass.domain.release import STEPS

pytestmark = [pytest.mark.real, pytest.mark.soak]

DEPLOYS = 20
KILLS = 100
APPS = 60
RATE = 200.0
LONGEST_S = 14.0  # a little more than a deployment takes


@pytest.fixture(scope="module")
def victim() -> Iterator[Victim]:
    with station() as home:
        yield Victim(home)


@pytest.mark.timeout(7200)
def test_twenty_deploys_in_a_row() -> None:
    with station() as home:
        app = home.app("row")
        home.ok("env", "set", app, f"POSTGRES_PASSWORD={PASSWORD}")
        home.deploy(guestbook(home.folder / app, "v1"), app)
        with home.load(app, rate=RATE) as load:
            for turn in range(DEPLOYS):
                version = "v2" if turn % 2 == 0 else "v1"
                load.expect_switch()
                home.deploy(guestbook(home.folder / app, version), app)
                assert home.get(app).version == version
            report = load.stop()
        assert_nothing_lost(report)
        assert_sockets_lived_until_retired(report)
        assert len(report.version_changes) == DEPLOYS
        assert_true_and_tidy(home, app)


@pytest.mark.timeout(6 * 3600)
def test_a_hundred_kills(victim: Victim) -> None:
    """First at the beginning and the end of each step, then at any moment. Passed turns are not done again."""
    journal = Journal("kills")
    moments = [(step, moment) for step in STEPS for moment in ("running", "done")]
    for turn in journal.left(KILLS):
        before, wanted = victim.station.get(victim.app).version, victim.next_version()
        with victim.station.load(victim.app) as load:
            load.expect_switch()
            deployment = victim.send(wanted)
            place = kill_somewhere(victim, deployment, moments, turn)
            victim.station.up()
            document = assert_decided(victim, deployment, before, wanted)
            report = load.stop()
        assert (report.failed, report.streams_cut) == (0, 0), f"{place}: {document}\n{describe(report)}"
        journal.note(turn, place=place, status=document["status"], requests=report.requests)


def kill_somewhere(victim: Victim, deployment: str, moments: list[tuple[str, str]], turn: int) -> str:
    if turn < len(moments):
        kill_at(victim, deployment, *moments[turn])
        return " ".join(moments[turn])
    seconds = random.Random(turn).uniform(0.0, LONGEST_S)
    time.sleep(seconds)
    assert victim.station.kill() > 0
    return f"{seconds:.3f} s"


@pytest.mark.timeout(3600)
def test_sixty_apps_fit() -> None:
    """Their networks come from one pool; each answers, and all of them after the last one came."""
    compose = "services:\n  web: {image: 'nginx:alpine', expose: ['80']}\n  store: {image: 'redis:7-alpine'}\n"
    files = {"compose.yaml": compose, "windlass.yaml": "verify: {bake: 1s}\n"}
    with station() as home:
        apps = [home.app("many") for _ in range(APPS)]
        for app in apps:
            home.deploy(write(home.folder / app, files), app)
        assert {home.get(app).status for app in apps} == {200}
        home.deploy(home.folder / apps[0], apps[0], "--force")
        for app in apps:
            home.ok("remove", app, "--data", "--yes")
        left = home.leftovers()
        assert not left["networks"] + left["volumes"]


@pytest.mark.timeout(1200)
def test_idle_with_ten_apps() -> None:
    figures = Figures(quick=False, machine={})
    idle.measure(figures)
    assert figures.numbers[f"idle with {idle.APPS} apps, memory of windlass (PSS)"] <= 110
    assert figures.numbers[f"idle with {idle.APPS} apps, CPU of windlass"] <= 1.0


@pytest.mark.timeout(3600)
def test_bad_versions_again_and_again(victim: Victim) -> None:
    """Nothing piles up: networks, containers, images and files are those of the kept releases."""
    home: Station = victim.station
    for _ in range(10):
        with home.load(victim.app, rate=RATE) as load:
            folder = guestbook(home.folder / victim.app, "bad-crash")
            assert home.run("deploy", folder, "--app", victim.app).code == 4
            report = load.stop()
        assert_nothing_lost(report)
    assert_true_and_tidy(home, victim.app)
