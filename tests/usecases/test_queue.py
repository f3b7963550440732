"""Why deployments wait, in which place, and how each of them ends: taken its place, cancelled, mended."""

from __future__ import annotations

import itertools
import threading
import time
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import pytest
from tests.usecases.worlds import World

from windlass.domain.queueing import STARTS, Limits, Standing, waiting
from windlass.domain.records import App, Deployment, Job, StepRecord
from windlass.domain.release import DeploymentStatus
from windlass.usecases.buildline import build_turn
from windlass.usecases.control import CancelRequested
from windlass.usecases.jobs import run_job
from windlass.usecases.mending import mend_queue
from windlass.usecases.requests import DeployRequest, cancel, request_deploy
from windlass.usecases.slots import Unhurried, hold_slot
from windlass.usecases.views import deployment_document, status_document

NUMBERS = itertools.count(1)
ONE = Limits(deploys=1, builds=1)


def limited(world: World, limits: Limits = ONE) -> World:
    world.outside = replace(world.outside, limits=limits)
    return world


def queued(world: World, app: str) -> Deployment:
    if world.store.apps.find(app) is None:
        world.store.apps.add(App(app, 1.0))
    now = world.clock.now()
    id = f"d{next(NUMBERS)}"
    deployment = Deployment(id, app, "deploy", DeploymentStatus.QUEUED, now)
    world.store.deployments.add(deployment, Job(id, "deployment", app, {"deployment": id}, "queued", now, now))
    return deployment


def started(world: World, app: str) -> Deployment:
    made = queued(world, app)
    claimed = world.store.jobs.claim(f"o{made.id}", world.clock.now(), 600.0)
    assert claimed is not None
    assert claimed.id == made.id
    return world.store.deployments.update(made.id, status=DeploymentStatus.RUNNING)


def told(world: World, deployment: Deployment) -> tuple[int, str] | None:
    found: dict[str, Any] | None = deployment_document(world.outside, deployment.id)["waiting"]
    return (found["position"], found["reason"]) if found else None


def test_the_reasons_for_waiting_and_the_places(world: World) -> None:
    limited(world)
    running = started(world, "one")
    same, second, third = queued(world, "one"), queued(world, "two"), queued(world, "three")
    assert told(world, running) is None
    assert told(world, same) == (1, f"behind deployment {running.id} of this app")
    assert told(world, second) == (2, "1 of 1 deployments at once on this server")
    assert told(world, third) == (3, "1 of 1 deployments at once on this server")
    world.store.jobs.finish(running.id, f"o{running.id}", "done")
    world.store.deployments.finish(running.id, DeploymentStatus.LIVE, 1.0, None)
    assert told(world, same) == (1, "is about to start")
    assert told(world, second) == (2, "1 before it are about to start")
    assert told(world, running) is None


def test_a_command_at_work_is_a_reason(world: World) -> None:
    world.store.apps.add(App("one", 1.0))
    with hold_slot(world.outside, "one", "restart"):
        assert told(world, queued(world, "one")) == (1, "another command is at work on this app: restart")


def test_status_tells_it_too(world: World) -> None:
    waits = queued(world, "one")
    document = status_document(world.outside, "one")
    assert document["deployment"]["deployment"] == waits.id
    assert document["deployment"]["waiting"] == {"position": 1, "reason": "is about to start"}


def test_the_reasons_that_are_decided_by_values_alone() -> None:
    job = Job("d", "deployment", "shop", {}, "running", 1.0, 1.0)
    others = tuple(replace(job, id=f"d{n}", lock_key=f"a{n}--staging") for n in range(3))
    assert waiting(Standing(job), Limits(), begun=True) is None
    found = waiting(Standing(job), Limits(), begun=False)
    assert found is not None
    assert found.reason == STARTS
    found = waiting(Standing(job, line=others), Limits(4, 2), begun=True)
    assert found is not None
    assert found.as_dict() == {
        "position": 2,
        "reason": "waits for a build slot: d0 of a0@staging, d1 of a1@staging build",
    }
    found = waiting(Standing(job, line=others[:1]), Limits(4, 1), begun=True)
    assert found is not None
    assert (found.position, found.reason) == (1, "waits for a build slot: d0 of a0@staging builds")
    assert waiting(Standing(job, line=others[:1]), Limits(4, 2), begun=True) is None
    assert waiting(Standing(replace(job, state="done")), Limits(), begun=False) is None
    cooling = replace(job, id="c", kind="cool")
    found = waiting(Standing(replace(job, state="queued"), lock=(cooling,)), Limits(), begun=False)
    assert found is not None
    assert found.reason == "the app's former release is being stopped"


def test_a_limit_counts_all_and_a_free_place_is_taken_by_the_oldest(world: World) -> None:
    limits = {"deployment": 2}
    first, second, third = (queued(world, app) for app in ("one", "two", "three"))
    claim = world.store.jobs.claim
    claimed = [claim(f"o{n}", 1.0, 1e12, limits) for n in range(3)]
    assert [job.id if job else None for job in claimed] == [first.id, second.id, None]
    due = world.store.jobs.next_due(limits)
    assert due is not None
    assert due > 1e11, "only a lease could end"
    world.store.jobs.enqueue(Job("p", "poll", "polls", {}, "queued", 1.0, 1.0))
    other = claim("o4", 1.0, 1e12, limits)
    assert other is not None
    assert other.id == "p", "another kind is not held up"
    world.store.jobs.finish(first.id, "o0", "done")
    last = claim("o5", 1.0, 1e12, limits)
    assert last is not None
    assert last.id == third.id


def in_build(world: World, deployment: Deployment) -> None:
    world.store.deployments.save_step(deployment.id, StepRecord("build", "running", 1.0))


def test_builds_come_one_after_another_and_tell_why_they_wait(world: World) -> None:
    limited(world, Limits(deploys=4, builds=1))
    first, second = started(world, "one"), started(world, "two")
    in_build(world, second)
    entered, waited = threading.Event(), []

    class Part:
        def __enter__(self) -> None:
            waited.append("began")

        def __exit__(self, *_: object) -> None:
            waited.append("ended")

    def build() -> None:
        with build_turn(world.outside, second.id, lambda: False, Part()):  # type: ignore[arg-type]
            entered.set()

    with build_turn(world.outside, first.id, lambda: False, nullcontext()):
        thread = threading.Thread(target=build)
        thread.start()
        reason = (1, f"waits for a build slot: {first.id} of one builds")
        until(lambda: told(world, second) == reason)
        assert waited == ["began"]
        assert not entered.is_set()
    thread.join(60)
    assert entered.is_set()
    assert waited == ["began", "ended"]
    assert told(world, second) is None
    assert world.store.jobs.in_front(second.id, world.clock.now()) == 0


def until(holds: Any) -> None:
    """Fails by the time limit of the test."""
    while not holds():
        time.sleep(0.01)


def test_a_build_is_cancelled_while_it_waits_for_its_turn(world: World) -> None:
    limited(world)
    first, second = started(world, "one"), started(world, "two")
    with build_turn(world.outside, first.id, lambda: False, nullcontext()):
        turn = build_turn(world.outside, second.id, lambda: True, nullcontext())
        with pytest.raises(CancelRequested), turn:
            raise AssertionError("it was not its turn")
        third = started(world, "three")
        world.store.jobs.join_line(third.id)
        assert world.store.jobs.in_front(third.id, world.clock.now()) == 1, "the cancelled one has left the line"


def test_who_is_lost_holds_up_no_build(world: World) -> None:
    lost, next_one = started(world, "one"), started(world, "two")
    jobs = world.store.jobs
    for deployment in (lost, next_one):
        jobs.join_line(deployment.id)
        jobs.join_line(deployment.id)
    now = world.clock.now()
    assert (jobs.in_front(lost.id, now), jobs.in_front(next_one.id, now)) == (0, 1)
    assert jobs.release_owner(lambda owner: owner != f"o{lost.id}") == 1
    assert jobs.in_front(next_one.id, now) == 0
    taken = jobs.claim("again", now, 600.0)
    assert taken is not None
    assert taken.id == lost.id
    assert jobs.in_front(lost.id, now) == 0, "it has no place any more"
    assert jobs.in_front("nobody", now) == 0


def test_a_newer_request_takes_the_place_of_what_waits(world: World) -> None:
    first = request_deploy(world.outside, DeployRequest("shop", "image", url="nginx:1"))
    second = request_deploy(world.outside, DeployRequest("shop", "image", url="nginx:2"))
    ended = world.store.deployments.get(first.id)
    assert ended.status is DeploymentStatus.SUPERSEDED
    assert ended.error is not None
    assert ended.error["code"] == "superseded"
    job = world.store.jobs.get(first.id)
    assert job is not None
    assert job.state == "cancelled"
    assert [d.id for d in world.store.deployments.unfinished("shop")] == [second.id]
    claimed = world.store.jobs.claim("o", world.clock.now(), 60.0)
    assert claimed is not None
    assert claimed.id == second.id
    third = request_deploy(world.outside, DeployRequest("shop", "image", url="nginx:3"))
    assert [d.id for d in world.store.deployments.unfinished("shop")] == [second.id, third.id], "what runs goes on"


def test_many_at_once_leave_one_that_waits(world: World) -> None:
    def ask() -> None:
        request_deploy(world.outside, DeployRequest("shop", "image", url="nginx:1"))

    ask()
    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(world.store.deployments.unfinished("shop")) == 1


class Cancelled(Unhurried):
    def check(self) -> None:
        raise CancelRequested


def test_one_that_waits_for_the_engine_can_be_cancelled(world: World) -> None:
    waits = queued(world, "one")
    job = world.store.jobs.claim("o", world.clock.now(), 60.0)
    assert job is not None
    assert told(world, waits) == (1, STARTS)
    world.engine.away = True
    cancel(world.outside, "one")
    asked = world.store.jobs.lease(job.id, "o")
    assert (asked.lost, asked.cancel) == (False, True)
    assert run_job(world.outside, job, Cancelled()) == "done"
    assert world.store.deployments.get(waits.id).status is DeploymentStatus.CANCELLED


def test_what_lost_its_job_is_ended_or_taken_up(world: World) -> None:
    jobs, kept = world.store.jobs, [queued(world, app) for app in ("one", "two", "three", "four")]
    jobs.request_cancel(kept[0].id)  # and killed before its end was written
    running = jobs.claim("o", world.clock.now(), 60.0)
    assert running is not None
    assert running.id == kept[1].id
    jobs.finish(running.id, "o", "failed")
    world.store.deployments.update(running.id, status=DeploymentStatus.RUNNING)
    assert mend_queue(world.outside) == [kept[0].id, kept[1].id]
    assert world.store.deployments.get(kept[0].id).status is DeploymentStatus.CANCELLED
    again = jobs.get(kept[1].id)
    assert again is not None
    assert again.state == "queued"
    assert mend_queue(world.outside) == []
    claimed = [jobs.claim(f"o{n}", world.clock.now(), 60.0) for n in range(3)]
    assert [job.id for job in claimed if job] == [kept[2].id, kept[3].id, kept[1].id]
