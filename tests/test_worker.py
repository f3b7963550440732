"""The worker: how jobs end, how they are told to, what happens when leases, clocks, the database or the code fail."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from windlass.adapters.store.store import SqlStore, open_store
from windlass.domain.errors import OutOfReach
from windlass.domain.records import Job
from windlass.ports.store import Jobs, LeaseLost
from windlass.usecases.control import CancelRequested, Control
from windlass.worker import Run, Worker, WorkerOptions

FAST = WorkerOptions(threads=3, retry_s=0.01)


class SteppedClock:
    """The real one, that can be set forward."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def now(self) -> float:
        return time.time() + self.ahead

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


@dataclass
class Bench:
    """A store, a clock, and workers that are stopped at the end."""

    store: SqlStore
    clock: SteppedClock = field(default_factory=SteppedClock)
    workers: list[Worker] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def enqueue(self, lock: str = "a", kind: str = "test") -> str:
        id = f"j{next(self.numbers)}"
        now = self.clock.now()
        self.store.jobs.enqueue(Job(id, kind, lock, {}, "queued", now, now))
        return id

    def start(self, run: Run, options: WorkerOptions = FAST, jobs: Jobs | None = None, on_error: Any = None) -> Worker:
        worker = Worker(jobs or self.store.jobs, self.clock, "boot:1:1", run, options, on_error)
        self.workers.append(worker)
        worker.start()
        return worker

    def state(self, id: str) -> str:
        job = self.store.jobs.get(id)
        assert job is not None
        return job.state

    def until(self, condition: Callable[[], bool]) -> None:
        """Fails by the time limit of the test."""
        while not condition():
            time.sleep(0.005)

    def until_ended(self, id: str) -> str:
        self.until(lambda: self.state(id) not in ("queued", "running"))
        return self.state(id)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    store = open_store(f"sqlite:///{tmp_path}/windlass.db", tmp_path / "master.key")
    made = Bench(store)
    yield made
    for worker in made.workers:
        worker.stop()
    assert all(worker.join(30.0) for worker in made.workers)
    store.close()


def wait_in_steps(control: Control) -> str:
    while True:
        control.check()
        time.sleep(0.002)


def raising(error: BaseException) -> Run:
    def run(_job: Job, _control: Control) -> str:
        raise error

    return run


ENDS: list[tuple[str, Run, str]] = [
    ("done", lambda _j, _c: "done", "done"),
    ("failed", lambda _j, _c: "failed", "failed"),
    ("cancelled", raising(CancelRequested()), "cancelled"),
    ("unexpected error", raising(KeyError("x")), "failed"),
    ("exit", raising(SystemExit(3)), "failed"),
    ("no such state", lambda _j, _c: "nonsense", "failed"),
]


@pytest.mark.parametrize(("run", "state"), [end[1:] for end in ENDS], ids=[end[0] for end in ENDS])
def test_how_a_job_ends(bench: Bench, run: Run, state: str) -> None:
    bench.start(run)
    assert bench.until_ended(bench.enqueue()) == state
    assert bench.until_ended(bench.enqueue()) == state, "the thread goes on"


def test_an_unexpected_error_is_reported(bench: Bench) -> None:
    told: list[tuple[str, str]] = []

    def on_error(job: Job, error: BaseException) -> None:
        told.append((job.id, repr(error)))
        raise RuntimeError("this one is not lost either")

    bench.start(raising(KeyError("x")), on_error=on_error)
    id = bench.enqueue()
    assert bench.until_ended(id) == "failed"
    assert told == [(id, "KeyError('x')")]


def test_jobs_of_one_lock_run_in_order_and_of_others_beside(bench: Bench) -> None:
    journal: list[str] = []
    meet = threading.Barrier(2, timeout=60)

    def run(job: Job, _control: Control) -> str:
        journal.append(f"{job.lock_key} {job.id} begins")
        if job.kind == "meet":
            meet.wait()
        journal.append(f"{job.lock_key} {job.id} ends")
        return "done"

    ids = [bench.enqueue(lock, kind) for lock in "ab" for kind in ("meet", "test", "test")]
    bench.start(run)
    for id in ids:
        assert bench.until_ended(id) == "done"
    for lock, own in (("a", ids[:3]), ("b", ids[3:])):
        expected = [f"{lock} {id} {what}" for id in own for what in ("begins", "ends")]
        assert [line for line in journal if line.startswith(lock)] == expected


def test_a_cancel_reaches_the_running_code_at_once(bench: Bench) -> None:
    bench.start(lambda _j, c: wait_in_steps(c), WorkerOptions(lease_s=3600.0))
    id = bench.enqueue()
    bench.until(lambda: bench.state(id) == "running")
    bench.store.jobs.request_cancel(id)
    assert bench.until_ended(id) == "cancelled"


def test_what_takes_back_is_not_cancelled(bench: Bench) -> None:
    steps: list[str] = []

    def run(_job: Job, control: Control) -> str:
        try:
            wait_in_steps(control)
        except CancelRequested:
            for n in range(3):
                control.check_lease()
                steps.append(f"undo {n}")
        return "cancelled"

    bench.start(run)
    id = bench.enqueue()
    bench.until(lambda: bench.state(id) == "running")
    bench.store.jobs.request_cancel(id)
    assert bench.until_ended(id) == "cancelled"
    assert steps == ["undo 0", "undo 1", "undo 2"]


def test_a_cancel_from_before_a_crash_is_still_known(bench: Bench) -> None:
    id = bench.enqueue()
    bench.store.jobs.claim("boot:0:0", bench.clock.now(), 15.0)
    bench.store.jobs.request_cancel(id)
    bench.store.jobs.release_owner(lambda _owner: False)
    bench.start(lambda _j, c: wait_in_steps(c))
    assert bench.until_ended(id) == "cancelled"


def test_the_job_of_a_dead_owner_is_resumed(bench: Bench) -> None:
    id = bench.enqueue()
    bench.store.jobs.claim("boot:0:0", bench.clock.now(), 3600.0)
    attempts: list[int] = []
    bench.start(lambda job, _c: attempts.append(job.attempt) or "done")
    assert bench.store.jobs.release_owner(lambda owner: owner != "boot:0:0") == 1
    assert bench.until_ended(id) == "done"
    assert attempts == [1]


def test_a_stop_leaves_running_jobs_to_be_resumed(bench: Bench) -> None:
    first = bench.start(lambda _j, c: wait_in_steps(c))
    id = bench.enqueue()
    bench.until(lambda: bench.state(id) == "running")
    assert first.stop() == 1
    assert first.join(60.0)
    left = bench.store.jobs.get(id)
    assert left is not None
    assert (left.state, left.owner, left.cancel) == ("running", "", False)
    attempts: list[int] = []
    bench.start(lambda job, _c: attempts.append(job.attempt) or "done")
    assert bench.until_ended(id) == "done"
    assert attempts == [1]


def test_a_stop_does_not_wait_for_code_that_hangs(bench: Bench) -> None:
    go_on = threading.Event()
    worker = bench.start(lambda _j, _c: "done" if go_on.wait(60) else "failed")
    id = bench.enqueue()
    bench.until(lambda: bench.state(id) == "running")
    assert worker.stop(0.0) == 1
    assert bench.state(id) == "running", "and nobody may claim it while its code still runs"
    assert bench.store.jobs.claim("other", bench.clock.now(), 15.0) is None
    go_on.set()
    assert worker.join(60.0)
    assert bench.state(id) == "done"


def test_a_stop_waits_as_long_as_it_is_asked_to(bench: Bench) -> None:
    begun = threading.Event()

    def run(_job: Job, _control: Control) -> str:
        begun.set()
        time.sleep(0.05)
        return "done"

    worker = bench.start(run)
    id = bench.enqueue()
    assert begun.wait(60)
    assert worker.stop(60.0) == 0
    assert bench.state(id) == "done"


def test_nothing_is_claimed_after_a_stop(bench: Bench) -> None:
    worker = bench.start(lambda _j, _c: "done")
    worker.stop(60.0)
    id = bench.enqueue()
    assert worker.join(60.0)
    assert bench.state(id) == "queued"


def test_who_lost_a_job_writes_nothing(bench: Bench) -> None:
    ended: list[type[BaseException]] = []

    def run(_job: Job, control: Control) -> str:
        try:
            return wait_in_steps(control)
        except BaseException as error:
            ended.append(type(error))
            raise

    bench.start(run)
    id = bench.enqueue()
    bench.until(lambda: bench.state(id) == "running")
    assert bench.store.jobs.claim("thief", bench.clock.now() + 3600.0, 3600.0) is not None
    bench.store.jobs.wake()
    bench.until(lambda: ended == [LeaseLost])
    stolen = bench.store.jobs.get(id)
    assert stolen is not None
    assert (stolen.state, stolen.owner) == ("running", "thief")
    bench.store.jobs.finish(id, "thief", "done")


def test_a_jump_of_the_clock_takes_no_job_from_our_own_threads(bench: Bench) -> None:
    begun: list[str] = []

    def run(job: Job, control: Control) -> str:
        begun.append(job.id)
        return wait_in_steps(control) if job.kind == "long" else "done"

    bench.start(run)
    long = bench.enqueue("a", "long")
    bench.until(lambda: begun == [long])
    for _ in range(5):
        bench.clock.ahead += 3600.0
        assert bench.until_ended(bench.enqueue("b")) == "done"
    running = bench.store.jobs.get(long)
    assert running is not None
    assert (running.state, running.attempt) == ("running", 0)
    assert begun.count(long) == 1


class Failing:
    """The queue, with some of its calls failing the first times."""

    def __init__(self, jobs: Jobs, failures: dict[str, int]) -> None:
        self.jobs = jobs
        self.failures = failures
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        def call(*args: Any) -> Any:
            self.calls.append(name)
            if self.failures.get(name, 0) > 0:
                self.failures[name] -= 1
                raise OutOfReach("the database does not answer")
            return getattr(self.jobs, name)(*args)

        return call


@pytest.mark.parametrize("call", ["claim", "next_due", "heartbeat", "finish", "changes"])
def test_a_database_that_is_away_for_a_while_loses_nothing(bench: Bench, call: str) -> None:
    jobs = Failing(bench.store.jobs, {call: 5})
    go_on = threading.Event()
    options = replace(FAST, lease_s=0.6)
    bench.start(lambda _j, _c: "done" if go_on.wait(60) else "failed", options, jobs=jobs)  # type: ignore[arg-type]
    id = bench.enqueue()
    bench.until(lambda: bench.state(id) == "running")
    bench.until(lambda: bench.store.jobs.wake() or call == "finish" or jobs.failures[call] == 0)
    go_on.set()
    assert bench.until_ended(id) == "done"


def test_an_idle_worker_asks_once_and_sleeps(bench: Bench) -> None:
    jobs = Failing(bench.store.jobs, {})
    bench.start(lambda _j, _c: "done", jobs=jobs)  # type: ignore[arg-type]
    bench.until(lambda: jobs.calls.count("wait") == 2)
    time.sleep(0.5)
    assert jobs.calls.count("wait") == 2, "one looks for all of them, and one keeps the leases"
    assert jobs.calls.count("next_due") == 1
    assert jobs.calls.count("claim") == 0
    assert jobs.calls.count("heartbeat") == 0
