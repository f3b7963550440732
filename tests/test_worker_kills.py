"""A worker that is killed again and again: every step of every job happens, in order, one job at a time per lock."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import random
import signal
import time
from pathlib import Path

import pytest

from windlass.adapters.clock import SystemClock
from windlass.adapters.owner import owner_alive, owner_name
from windlass.adapters.store.store import SqlStore, open_store
from windlass.domain.records import App, Deployment, Job, StepRecord
from windlass.domain.release import DeploymentStatus
from windlass.usecases.control import Control
from windlass.worker import Worker, WorkerOptions

KILLS = 18
STEPS = ("source", "build", "start", "switch")
LOCKS = ("a", "b", "c")


def opened(home: Path) -> SqlStore:
    return open_store(f"sqlite:///{home}/windlass.db", home / "master.key")


def note(home: Path, line: str) -> None:
    """What happens to the outside world, in one write that is either there or not."""
    file = os.open(home / "world", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, f"{line}\n".encode())
    os.close(file)


def run_steps(home: Path, store: SqlStore, job: Job, control: Control) -> str:
    done = {step.name for step in store.deployments.get(job.id).steps if step.status == "done"}
    for name in STEPS:
        if name in done:
            continue
        control.check()
        store.deployments.save_step(job.id, StepRecord(name, "running", time.time()))
        note(home, f"{job.lock_key} {job.id} {name} begins")
        time.sleep(random.uniform(0.0, 0.01))
        note(home, f"{job.lock_key} {job.id} {name} ends")
        store.deployments.save_step(job.id, StepRecord(name, "done", time.time(), time.time()))
    store.deployments.finish(job.id, DeploymentStatus.LIVE, time.time(), None)
    return "done"


def live(home: Path) -> None:
    """One life of the control plane: until all is done, or until it is killed."""
    store = opened(home)
    store.jobs.release_owner(owner_alive)
    worker = Worker(
        store.jobs,
        SystemClock(),
        owner_name(),
        lambda job, control: run_steps(home, store, job, control),
        WorkerOptions(threads=len(LOCKS)),
    )
    worker.start()
    while store.deployments.unfinished():
        time.sleep(0.005)
    worker.stop(30.0)
    store.close()


def enqueue(home: Path, numbers: itertools.count[int], jobs_per_lock: int) -> None:
    store = opened(home)
    for _, lock in itertools.product(range(jobs_per_lock), LOCKS):
        id, now = f"j{next(numbers):03}", time.time()
        job = Job(id, "test", lock, {}, "queued", now, now)
        store.deployments.add(Deployment(id, lock, "deploy", DeploymentStatus.QUEUED, now), job)
    store.close()


def live_and_die(home: Path, seed: int) -> None:
    """Lives that end by SIGKILL at a random moment, from the opening of the database on; the last one may end."""
    chance = random.Random(seed)
    numbers = itertools.count(1)
    store = opened(home)
    for lock in LOCKS:
        store.apps.add(App(lock, 1.0))
    store.close()
    kills = 0
    while kills < KILLS:
        enqueue(home, numbers, jobs_per_lock=2)
        pid = begin_life(home)
        time.sleep(chance.uniform(0.005, 0.2))
        ended, _ = os.waitpid(pid, os.WNOHANG)
        if not ended:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            kills += 1
    _, status = os.waitpid(begin_life(home), 0)
    raise SystemExit(os.waitstatus_to_exitcode(status))


def begin_life(home: Path) -> int:
    pid = os.fork()
    if pid:
        return pid
    try:
        live(home)
        os._exit(0)
    finally:
        os._exit(1)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The remains of all those lives."""
    folder = tmp_path_factory.mktemp("home")
    # The lives are forked from a process of their own, which has read the modules and runs no thread.
    process = multiprocessing.get_context("spawn").Process(target=live_and_die, args=(folder, 20))
    process.start()
    process.join()
    assert process.exitcode == 0
    return folder


@pytest.fixture(scope="module")
def world(home: Path) -> list[tuple[str, ...]]:
    """(lock, job, step, begins or ends), in the order in which it happened."""
    return [tuple(line.split()) for line in (home / "world").read_text().splitlines()]


def test_every_step_of_every_job_happened(home: Path, world: list[tuple[str, ...]]) -> None:
    store = opened(home)
    ids = [deployment.id for lock in LOCKS for deployment in store.deployments.of_app(lock, limit=1000)]
    assert len(ids) >= KILLS * len(LOCKS)
    ended = {(job, step) for _, job, step, what in world if what == "ends"}
    assert ended == set(itertools.product(ids, STEPS))
    for id in ids:
        deployment, job = store.deployments.get(id), store.jobs.get(id)
        assert [(step.name, step.status) for step in deployment.steps] == [(name, "done") for name in STEPS]
        assert deployment.status is DeploymentStatus.LIVE
        assert job is not None
        assert job.state == "done"
    assert not store.deployments.unfinished()
    store.close()


def test_steps_are_in_order_and_none_is_taken_again_once_a_later_one_began(world: list[tuple[str, ...]]) -> None:
    begun: dict[str, list[str]] = {}
    for _, job, step, what in world:
        if what == "begins":
            begun.setdefault(job, []).append(step)
    for steps in begun.values():
        assert steps == sorted(steps, key=STEPS.index)


def test_jobs_of_one_lock_ran_one_after_the_other_in_their_order(world: list[tuple[str, ...]]) -> None:
    for lock in LOCKS:
        order = [job for job, _ in itertools.groupby(job for of, job, _, _ in world if of == lock)]
        assert order == sorted(set(order)), "each in one run, and in the order of queueing"


def test_the_kills_hit_something(world: list[tuple[str, ...]]) -> None:
    begun = [line for line in world if line[3] == "begins"]
    assert len(begun) > len(set(begun)), "some step was cut off and begun again"
