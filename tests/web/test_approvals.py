"""A second person's approval: who may give it, what exactly it is for, and every way in which waiting ends."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import httpx2
import pytest
from fastapi import FastAPI
from tests.fakes.clock import SetClock
from tests.web.people import Town

from windlass.adapters.trees import FolderTrees
from windlass.domain.errors import Refused
from windlass.domain.people import User
from windlass.domain.records import App, ReleaseState
from windlass.domain.release import DeploymentStatus
from windlass.domain.rights import DEFAULT_PROJECT, Role
from windlass.ports.outside import Outside
from windlass.usecases import approvals
from windlass.usecases.jobs import run_job
from windlass.usecases.reconcile import Reconciler
from windlass.usecases.requests import DeployRequest, request_deploy
from windlass.usecases.slots import Unhurried, refuse_unfinished

GIT = {"source_kind": "git", "url": "https://h.example/x", "ref": "main"}
FIRST, SECOND = "1" * 40, "2" * 40
DAY_S = 86400.0


@dataclass
class Git:
    """A server whose branches all point to `tip`."""

    tip: str = FIRST
    asked: list[tuple[str, str]] = field(default_factory=list)

    def resolve(self, url: str, ref: str, **_: Any) -> str:
        self.asked.append((url, ref))
        return self.tip


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def git() -> Git:
    return Git()


@pytest.fixture
def outside(outside: Outside, clock: SetClock, git: Git, tmp_path: Path) -> Outside:
    return replace(outside, clock=clock, git=cast(Any, git), trees=FolderTrees(tmp_path))


@pytest.fixture
def town(app: FastAPI, outside: Outside) -> Town:
    """`shop` is protected, with approval; there are two maintainers."""
    made = Town(app, outside).settle()
    outside.store.users.add(User("second", 1.0))
    outside.store.users.set_role("second", DEFAULT_PROJECT, Role.MAINTAINER)
    made.tokens["second"] = made.token("second")
    outside.store.apps.add(App("shop", 1.0))
    protect(made)
    return made


def protect(town: Town, who: str = "owner", **changes: Any) -> httpx2.Response:
    body = {"protected": True, "approval_s": DAY_S, **changes}
    return town.ask("PUT", "/api/v1/apps/shop/protection", who, json=body)


def ask(town: Town, who: str = "maintainer", app: str = "shop", **body: Any) -> dict[str, Any]:
    answer = town.ask("POST", f"/api/v1/apps/{app}/deployments", who, json={**GIT, **body})
    assert answer.status_code == 202, answer.text
    return dict(answer.json())


def decide(town: Town, id: str, who: str, word: str = "approve", note: str = "") -> httpx2.Response:
    return town.ask("POST", f"/api/v1/deployments/{id}/{word}", who, json={"note": note})


def code(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, str(answer.json()["error"]["code"])


def status(town: Town, id: str) -> DeploymentStatus:
    return town.outside.store.deployments.get(id).status


def queued(town: Town, id: str) -> bool:
    return town.outside.store.jobs.get(id) is not None


# ---- who ------------------------------------------------------------------------------------------------------------


def test_it_waits_for_somebody_else_and_nothing_is_begun(town: Town) -> None:
    asked = ask(town)
    id = asked["deployment"]
    assert (asked["status"], asked["approval"]["state"]) == ("queued", "waiting")
    assert (asked["approval"]["asked_by"], asked["approval"]["request"]["pinned"]) == ("maintainer", FIRST)
    assert not queued(town, id)
    assert town.outside.store.jobs.claim("w", town.outside.clock.now(), 15.0) is None
    assert town.ask("GET", "/api/v1/apps/shop", "viewer").json()["deployment"]["deployment"] == id
    assert code(decide(town, id, "maintainer")) == (403, "approval_own")
    for who in ("viewer", "deployer", "foreign", "nobody"):
        assert decide(town, id, who).status_code == 403, who
        assert decide(town, id, who, "reject").status_code == 403, who
    assert not queued(town, id)
    given = decide(town, id, "second", note="looks well")
    assert (given.status_code, given.json()["status"], given.json()["approval"]["state"]) == (202, "queued", "approved")
    assert (given.json()["approval"]["decided_by"], given.json()["approval"]["note"]) == ("second", "looks well")
    claimed = town.outside.store.jobs.claim("w", town.outside.clock.now(), 15.0)
    assert claimed is not None
    assert (claimed.id, claimed.kind) == (id, "deployment")
    written = [(a, e, d.get("id"), d.get("failed")) for a, e, d in town.audited() if e == "deployment.approve"]
    assert written[:2] == [
        ("maintainer (token t)", "deployment.approve", id, None),
        ("maintainer (token t)", "deployment.approve", None, "approval_own"),
    ]
    assert written[-1] == ("second (token t)", "deployment.approve", id, None)
    apps = {e.app for e in town.outside.store.audit.entries(limit=1000) if e.action == "deployment.approve"}
    assert apps == {"shop"}
    assert code(decide(town, id, "owner")) == (409, "approval_over")


def test_a_token_is_its_user_and_may_no_more_than_its_scope(town: Town) -> None:
    town.tokens["ci"] = town.token("maintainer", "maintainer", app="shop")
    town.tokens["narrow"] = town.token("second", "deployer")
    id = ask(town, "ci")["deployment"]
    assert code(decide(town, id, "maintainer")) == (403, "approval_own")
    assert code(decide(town, id, "ci")) == (403, "approval_own")
    assert code(decide(town, id, "narrow"))[0] == 403
    assert decide(town, id, "second").status_code == 202


def test_the_owner_of_the_socket_is_somebody_too(town: Town) -> None:
    own = town.own("POST", "/api/v1/apps/shop/deployments", json=GIT).json()["deployment"]
    path = f"/api/v1/deployments/{own}/approve"
    assert code(town.own("POST", path, json={})) == (403, "approval_own")
    town.tokens["root"] = town.token("")
    assert code(decide(town, own, "root")) == (403, "approval_own")
    assert decide(town, own, "maintainer").status_code == 202


def test_what_nobody_asked_for_is_approved_by_any_maintainer(town: Town) -> None:
    made = request_deploy(town.outside, DeployRequest("shop", "git", url=GIT["url"], trigger="hook", by="hook:gitea"))
    assert status(town, made.id) is DeploymentStatus.AWAITING
    assert code(decide(town, made.id, "deployer"))[0] == 403
    assert decide(town, made.id, "maintainer").status_code == 202


def test_only_an_owner_protects(town: Town) -> None:
    for who in ("viewer", "deployer", "maintainer", "foreign"):
        assert protect(town, who, protected=False).status_code == 403
    assert protect(town, approval_s=1.0).status_code == 400
    assert town.ask("GET", "/api/v1/apps/shop/protection", "viewer").json() == {
        "app": "shop", "protected": True, "approval_s": DAY_S, "own": True, "waiting": []
    }  # fmt: skip
    assert protect(town, approval_s=0.0).json()["approval_s"] == 0.0
    assert queued(town, ask(town)["deployment"]), "maintainers alone"
    assert town.ask("POST", "/api/v1/apps/shop/deployments", "deployer", json=GIT).status_code == 403
    protect(town, protected=False)
    assert queued(town, ask(town, "deployer")["deployment"])


def test_the_project_protects_an_environment_with_approval(town: Town) -> None:
    protect(town, protected=False)
    body = {"environments": ["production"], "approval_s": 3600.0}
    assert town.ask("PUT", "/api/v1/projects/default/protected", "owner", json=body).json()["approval_s"] == 3600.0
    waits, free = ask(town)["deployment"], ask(town, app="shop@staging")["deployment"]
    assert (queued(town, waits), queued(town, free)) == (False, True)
    assert town.ask("GET", "/api/v1/apps/shop/protection", "viewer").json() == {
        "app": "shop", "protected": True, "approval_s": 3600.0, "own": False, "waiting": [waits]
    }  # fmt: skip
    assert ask(town, app="new")["approval"]["state"] == "waiting", "also an app that is not there yet"


# ---- for what -------------------------------------------------------------------------------------------------------


def test_it_is_for_the_commit_that_the_branch_had(town: Town, git: Git) -> None:
    id = ask(town)["deployment"]
    git.tip = SECOND
    assert decide(town, id, "second").status_code == 202
    options = town.outside.store.deployments.get(id).options
    assert (options["pinned"], options["commit"], options["ref"]) == (FIRST, FIRST, "main")
    assert git.asked == [(GIT["url"], "main")]


def test_values_are_told_by_name_only(town: Town) -> None:
    asked = ask(town, values={"PASSWORD": "hunter2-hunter2"}, url="https://me:hunter2@h.example/x")
    assert asked["approval"]["request"]["given"] == ["PASSWORD"]
    assert "hunter2" not in json.dumps(asked)


def upload(town: Town, who: str = "maintainer") -> str:
    parameters = json.dumps({"source_kind": "upload"})
    files = {"source": ("source.tar", b"the folder as it was", "application/x-tar")}
    path = "/api/v1/apps/shop/deployments"
    answer = town.ask("POST", path, who, data={"parameters": parameters}, files=files)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["deployment"])


def kept_upload(town: Town, id: str) -> Path:
    return Path(str(town.outside.store.deployments.get(id).options["upload"]))


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("what", ["upload", "options", "values"])
def test_nothing_is_exchanged(town: Town, what: str, when: str) -> None:
    """Before the approval, or between it and the first step."""
    store = town.outside.store
    id = upload(town)
    if when == "after":
        assert decide(town, id, "second").status_code == 202
    if what == "upload":
        kept_upload(town, id).write_bytes(b"another folder")
    elif what == "options":
        options = store.deployments.get(id).options
        store.deployments.update(id, options={**options, "force": True})
    else:
        store.deployments.hold(id, b'{"A":"other"}')
    if when == "before":
        assert code(decide(town, id, "second")) == (422, "request_changed")
        assert not queued(town, id)
    else:
        with pytest.raises(Refused, match="not what is there now"):
            approvals.check_unchanged(town.outside, store.deployments.get(id))


def test_what_was_approved_is_as_it_was(town: Town) -> None:
    id = upload(town)
    Reconciler(town.outside)._sweep()
    assert kept_upload(town, id).read_bytes() == b"the folder as it was"
    assert decide(town, id, "second").status_code == 202
    approvals.check_unchanged(town.outside, town.outside.store.deployments.get(id))


# ---- how it ends ----------------------------------------------------------------------------------------------------


def ended(town: Town, id: str) -> tuple[str, str]:
    document = town.ask("GET", f"/api/v1/deployments/{id}", "viewer").json()
    assert not queued(town, id)
    return document["status"], document["error"]["code"]


def test_it_is_rejected_with_a_reason(town: Town) -> None:
    id = upload(town)
    kept = kept_upload(town, id)
    answer = decide(town, id, "second", "reject", note="not on a friday")
    assert (answer.status_code, answer.json()["status"]) == (202, "cancelled")
    assert ended(town, id) == ("cancelled", "approval_rejected")
    assert "second rejected it: not on a friday" in answer.json()["error"]["message"]
    assert not kept.exists()
    assert code(decide(town, id, "owner")) == (409, "approval_over")


def test_its_time_ends(town: Town, clock: SetClock) -> None:
    id = ask(town)["deployment"]
    clock.at += DAY_S + 1
    assert code(decide(town, id, "second")) == (409, "approval_over")
    job = town.outside.store.jobs.claim("w", clock.at, 15.0)
    assert job is not None
    assert run_job(town.outside, job, Unhurried()) == "done"
    assert ended(town, id) == ("cancelled", "approval_expired")
    assert ("", "deployment.expire", {"id": id}) in town.audited()
    assert run_job(town.outside, job, Unhurried()) == "done", "again, after a crash"


def test_an_approved_one_does_not_expire(town: Town, clock: SetClock) -> None:
    id = ask(town)["deployment"]
    decide(town, id, "second")
    clock.at += DAY_S + 1
    job = town.outside.store.jobs.get(f"approval-{id}")
    assert job is not None
    run_job(town.outside, job, Unhurried())
    assert status(town, id) is DeploymentStatus.QUEUED


def test_a_newer_one_takes_its_place(town: Town, clock: SetClock) -> None:
    first = ask(town)["deployment"]
    clock.at += 1
    second = ask(town)["deployment"]
    assert ended(town, first) == ("superseded", "superseded")
    assert code(decide(town, first, "second")) == (409, "approval_over")
    assert decide(town, second, "second").status_code == 202


def test_it_is_cancelled(town: Town) -> None:
    id = ask(town)["deployment"]
    assert town.ask("POST", "/api/v1/apps/shop/cancel", "maintainer").status_code == 202
    assert ended(town, id) == ("cancelled", "cancelled")


def test_the_app_is_not_held_up_and_may_be_removed(town: Town) -> None:
    id = ask(town)["deployment"]
    refuse_unfinished(town.outside, "shop")
    assert town.outside.store.deployments.unfinished() == []
    from windlass.usecases.removal import _end_deployments

    _end_deployments(town.outside, "shop")
    assert ended(town, id) == ("cancelled", "cancelled")


@pytest.mark.parametrize("words", [("approve", "approve"), ("approve", "reject"), ("approve", "cancel")])
def test_of_two_at_the_same_moment_one_counts(town: Town, words: tuple[str, str]) -> None:
    id, seen = ask(town)["deployment"], []

    def go(word: str, who: str) -> None:
        if word == "cancel":
            seen.append(town.ask("POST", "/api/v1/apps/shop/cancel", who).status_code)
        else:
            seen.append(decide(town, id, who, word).status_code)

    threads = [threading.Thread(target=go, args=pair) for pair in zip(words, ("second", "owner"), strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    job = town.outside.store.jobs.get(id)
    is_queued = status(town, id) is DeploymentStatus.QUEUED
    assert (job is not None and job.state == "queued") is is_queued
    if words[1] != "cancel":
        assert sorted(seen) == [202, 409]


# ---- rollback -------------------------------------------------------------------------------------------------------


@pytest.fixture
def released(town: Town) -> Town:
    """Release 2 is live, 1 was."""
    store = town.outside.store
    for number, state in ((1, ReleaseState.RETIRED), (2, ReleaseState.LIVE)):
        store.releases.add("shop", float(number), "upload", "")
        store.releases.update("shop", number, state=state, live_at=float(number))
    store.apps.update("shop", live=2)
    return town


def roll_back(town: Town, who: str, **body: Any) -> httpx2.Response:
    return town.ask("POST", "/api/v1/apps/shop/rollback", who, json=body)


def test_a_rollback_waits_too(released: Town) -> None:
    document = roll_back(released, "maintainer").json()
    assert (document["approval"]["state"], document["approval"]["request"]["to"]) == ("waiting", 1)
    assert decide(released, document["deployment"], "second").status_code == 202


def test_in_an_emergency_an_owner_rolls_back_without_approval(released: Town) -> None:
    for who in ("deployer", "maintainer"):
        assert roll_back(released, who, without_approval=True).status_code == 403
    document = roll_back(released, "owner", without_approval=True).json()
    assert (document["status"], document["approval"]) == ("queued", None)
    assert queued(released, document["deployment"])
    assert ("owner (token t)", "app.rollback", {"without_approval": True}) in released.audited()
