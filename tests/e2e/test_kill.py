"""kill -9 of windlass in each of the ten steps: taken back before the switch, finished after it, nobody notices."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.e2e.station import eventually, station
from tests.e2e.truth import assert_true_and_tidy
from tests.e2e.victim import FINAL, LIMIT_S, Victim, assert_decided, kill_at

from windlass.cli.load_report import describe
from windlass.domain.release import STEPS

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def victim() -> Iterator[Victim]:
    with station() as home:
        yield Victim(home)


@pytest.mark.parametrize("step", STEPS)
def test_killed_in_a_step(victim: Victim, step: str) -> None:
    before, wanted = victim.station.get(victim.app).version, victim.next_version()
    with victim.station.load(victim.app) as load:
        load.expect_switch()
        deployment = victim.send(wanted)
        kill_at(victim, deployment, step, "running")
        assert victim.station.get(victim.app).status == 200
        victim.station.up()
        document = assert_decided(victim, deployment, before, wanted)
        report = load.stop()
    assert (report.failed, report.streams_cut) == (0, 0), f"{document}\n{describe(report)}"


def test_apps_and_edge_go_on_without_windlass(victim: Victim) -> None:
    with victim.station.load(victim.app, rate=50.0) as load:
        victim.station.kill()
        gone = victim.station.run("status", victim.app)
        assert (gone.code, gone.error["code"]) == (8, "control_plane_down")
        victim.station.up()
        victim.station.up()
        victim.station.down()
        assert victim.station.get(victim.app).status == 200
        victim.station.up()
        report = load.stop()
    assert (report.failed, report.streams_cut, len(report.ws_cuts)) == (0, 0, 0), describe(report)
    assert_true_and_tidy(victim.station, victim.app)


def test_cancelled_in_mid_deploy(victim: Victim) -> None:
    before, wanted = victim.station.get(victim.app).version, victim.next_version()
    deployment = victim.send(wanted)
    for kind, data in victim.station.follow(deployment):
        told = data.get("data", data)
        if kind == "step" and told.get("name") == "start":
            victim.station.ok("cancel", victim.app)
            break
    assert eventually(lambda: victim.document(deployment)["status"] in FINAL, LIMIT_S)
    assert victim.document(deployment)["status"] == "cancelled"
    assert victim.station.get(victim.app).version == before
    assert_true_and_tidy(victim.station, victim.app)


def test_a_newer_deployment_supersedes_one_that_waits(victim: Victim) -> None:
    first, second, third = (victim.send(v) for v in ("v1", "v2", "v1"))
    assert eventually(lambda: victim.document(third)["status"] in FINAL, 2 * LIMIT_S)
    assert victim.document(first)["status"] in ("live", "unchanged")
    assert victim.document(second)["status"] == "superseded"
    assert victim.document(third)["status"] in ("live", "unchanged")
    assert_true_and_tidy(victim.station, victim.app)
