"""kill -9 of windlass in each of the ten steps: taken back before the switch, finished after it, nobody notices."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.e2e.projects import PASSWORD, guestbook
from tests.e2e.station import Station, eventually, station
from tests.e2e.truth import assert_true_and_tidy

from windlass.cli.load_report import describe
from windlass.domain.release import STEPS

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]

FINAL = {"live", "unchanged", "failed", "switched_back", "cancelled", "refused", "superseded"}
LIMIT_S = 60.0


class Victim:
    """A guestbook whose windlass is killed again and again."""

    def __init__(self, home: Station) -> None:
        self.station = home
        self.app = home.app("kill")
        home.ok("env", "set", self.app, f"POSTGRES_PASSWORD={PASSWORD}")
        self.versions = ["v1", "v2"]
        self.send("v1")
        self.finish()

    def send(self, version: str) -> str:
        """Begin to deploy it; the deployment's id."""
        folder = guestbook(self.station.folder / self.app, version)
        file = folder / "windlass.yaml"
        file.write_text(file.read_text().replace("port: 8000}\nverify", "port: 8000}\n    drain: 4s\nverify"))
        assert "drain" in file.read_text()
        document = self.station.ok("deploy", folder, "--app", self.app, "--detach")
        return str(document["deployment"])

    def finish(self) -> None:
        """Until nothing is under way."""
        assert eventually(lambda: self.station.status(self.app)["deployment"] is None, LIMIT_S)

    def document(self, deployment: str) -> dict[str, Any]:
        answer = self.station.api(f"/api/v1/deployments/{deployment}")
        assert answer.status == 200, answer
        found: dict[str, Any] = answer.json()
        return found

    def next_version(self) -> str:
        """The one that does not serve now."""
        return "v2" if self.station.get(self.app).version == "v1" else "v1"


@pytest.fixture(scope="module")
def victim() -> Iterator[Victim]:
    with station() as home:
        yield Victim(home)


def kill_at(victim: Victim, deployment: str, step: str, moment: str) -> None:
    """When the journal says that the step is at that moment: running (it begins) or done."""
    for kind, data in victim.station.follow(deployment):
        told = data.get("data", data)
        if kind == "step" and told.get("name") == step and told.get("status") == moment:
            break
    assert victim.station.kill() > 0


def assert_decided(victim: Victim, deployment: str, before: str, wanted: str) -> dict[str, Any]:
    """Taken back or finished, as the switch was done or not; and what serves is what the lists say."""
    assert eventually(lambda: victim.document(deployment)["status"] in FINAL, LIMIT_S), victim.document(deployment)
    document = victim.document(deployment)
    steps = {s["name"]: s["status"] for s in document["steps"]}
    serves = victim.station.wait_served(victim.app).version
    if {"verify", "retire"} & set(steps):
        assert document["status"] == "live", document
    if "switch" not in steps:
        assert document["status"] == "failed", document
        assert document["error"]["code"] == "interrupted"
    assert serves == (wanted if document["status"] == "live" else before), document
    assert_true_and_tidy(victim.station, victim.app)
    return document


@pytest.mark.parametrize("step", STEPS)
def test_killed_in_a_step(victim: Victim, step: str) -> None:
    before, wanted = victim.station.get(victim.app).version, victim.next_version()
    with victim.station.load(victim.app, rate=100.0) as load:
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
