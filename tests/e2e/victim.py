"""A guestbook whose windlass is killed in the midst of its work, and what must be true afterwards."""

from __future__ import annotations

from typing import Any

from tests.e2e.projects import PASSWORD, guestbook
from tests.e2e.station import Station, eventually
from tests.e2e.truth import assert_true_and_tidy

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
