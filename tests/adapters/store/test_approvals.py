"""Deployments that wait for a second person: in the queue or not, and nothing between."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from windlass.adapters.store.store import SqlStore
from windlass.domain.errors import NotFound
from windlass.domain.protection import Approval, ApprovalState, Protection
from windlass.domain.records import App, Deployment, Job
from windlass.domain.release import DeploymentStatus

ASKED = Approval("d1", "ann", 10.0, 110.0, "digest")
ERROR = {"code": "approval_rejected"}


def job(id: str, at: float = 10.0, kind: str = "deployment") -> Job:
    return Job(id, kind, "shop" if kind == "deployment" else "approvals", {"deployment": "d1"}, "queued", 10.0, at)


def deployment(id: str, at: float, status: DeploymentStatus = DeploymentStatus.AWAITING) -> Deployment:
    return Deployment(id, "shop", "deploy", status, at, options={"approval": True})


@pytest.fixture
def asked(store: SqlStore) -> SqlStore:
    store.apps.add(App("shop", 1.0))
    store.approvals.ask(deployment("d1", 10.0), ASKED, job("end-d1", 110.0, "approval"), b"held")
    return store


def test_it_comes_back_as_it_went_in(asked: SqlStore) -> None:
    assert asked.approvals.find("d1") == ASKED
    assert asked.approvals.find("d2") is None
    assert [d.id for d in asked.approvals.waiting()] == [d.id for d in asked.approvals.waiting("shop")] == ["d1"]
    assert asked.approvals.waiting("blog") == []
    assert asked.deployments.unfinished() == []
    assert asked.deployments.held("d1") == b"held"
    assert asked.jobs.get("d1") is None
    with pytest.raises(NotFound):
        asked.approvals.ask(replace(deployment("d3", 1.0), app="gone"), ASKED, job("end-d3"), b"")
    assert asked.jobs.get("end-d3") is None, "nothing of it"


def test_approved_it_is_in_the_queue(asked: SqlStore) -> None:
    assert asked.approvals.approve(job("d1"), "bob", 20.0, "well")
    assert asked.approvals.find("d1") == replace(
        ASKED, state=ApprovalState.APPROVED, decided_by="bob", decided_at=20.0, note="well"
    )
    assert [d.status for d in asked.deployments.unfinished("shop")] == [DeploymentStatus.QUEUED]
    claimed = asked.jobs.claim("w", 30.0, 15.0)
    assert claimed is not None
    assert claimed.id == "d1"
    assert not asked.approvals.approve(job("d1"), "eve", 21.0, "")
    assert asked.approvals.end(replace(ASKED, decided_at=22.0), DeploymentStatus.CANCELLED, ERROR) is None


def test_ended_it_is_not(asked: SqlStore) -> None:
    decided = replace(ASKED, state=ApprovalState.REJECTED, decided_by="bob", decided_at=20.0)
    ended = asked.approvals.end(decided, DeploymentStatus.CANCELLED, ERROR)
    assert ended is not None
    assert (ended.status, ended.ended_at, ended.error) == (DeploymentStatus.CANCELLED, 20.0, ERROR)
    assert asked.approvals.find("d1") == decided
    assert asked.deployments.held("d1") == b""
    assert not asked.approvals.approve(job("d1"), "bob", 21.0, "")
    assert asked.jobs.get("d1") is None


def test_one_for_which_a_newer_was_asked_is_not_approved(asked: SqlStore) -> None:
    asked.deployments.add(deployment("d2", 11.0, DeploymentStatus.QUEUED), job("d2", 11.0))
    assert not asked.approvals.approve(job("d1"), "bob", 20.0, "")


def test_many_approve_and_end_it_at_once_and_one_does(asked: SqlStore) -> None:
    done: list[str] = []

    def go(number: int) -> None:
        if number % 2:
            found = asked.approvals.approve(job("d1"), f"u{number}", 20.0, "")
        else:
            decided = replace(ASKED, state=ApprovalState.REJECTED, decided_by=f"u{number}", decided_at=20.0)
            found = asked.approvals.end(decided, DeploymentStatus.CANCELLED, ERROR) is not None
        if found:
            done.append(f"u{number}")

    threads = [threading.Thread(target=go, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    kept = asked.approvals.find("d1")
    assert kept is not None
    assert [kept.decided_by] == done
    assert (asked.jobs.get("d1") is not None) is (kept.state is ApprovalState.APPROVED)


def test_protection_goes_with_its_app(asked: SqlStore) -> None:
    assert asked.approvals.protection("shop") is None
    asked.approvals.protect("shop", Protection(True, 60.0))
    assert asked.approvals.protection("shop") == Protection(True, 60.0)
    asked.approvals.protect("shop", None)
    assert asked.approvals.protection("shop") is None
    with pytest.raises(NotFound):
        asked.approvals.protect("gone", Protection(True))
    asked.approvals.protect("shop", Protection(True))
    asked.apps.remove("shop")
    assert (asked.approvals.protection("shop"), asked.approvals.find("d1")) == (None, None)
