"""Runs queued jobs in threads: claims them, keeps their leases, tells them to end, and records how they ended."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import structlog

from windlass.domain.records import Job, Lease
from windlass.ports.machine import Clock
from windlass.ports.store import Jobs, LeaseLost
from windlass.usecases.control import CancelRequested, Control

Run = Callable[[Job, Control], str]
OnError = Callable[[Job, BaseException], None]

ENDS = ("done", "failed", "cancelled")

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class WorkerOptions:
    """`idle_s`: the longest sleep of an idle thread; it is woken when a job is queued. `retry_s`: after an error.

    `limits`: kind of job -> how many of it may run at once, those of other processes counted too.
    """

    threads: int = 4
    limits: Mapping[str, int] = field(default_factory=dict)
    lease_s: float = 15.0
    idle_s: float = 30.0
    retry_s: float = 1.0


class JobControl:
    """The flags of one running job; implements Control."""

    def __init__(self, job: str, *, cancel: bool = False) -> None:
        self._job = job
        self.cancel = cancel
        self.left = False

    def check(self) -> None:
        self.check_lease()
        if self.cancel:
            raise CancelRequested(self._job)

    def check_lease(self) -> None:
        if self.left:
            raise LeaseLost(self._job)


@dataclass
class _Claim:
    job: Job
    owner: str
    lease_until: float
    control: JobControl
    ending: bool = field(default=False)


class Worker:
    """`run` gives the state in which the job ended: done, failed or cancelled.

    `owner` names this process; each claim adds a number to it, so that a job which one of our own threads lost
    cannot be written by that thread any more. `on_error` is told of an error that `run` did not expect.
    """

    def __init__(
        self,
        jobs: Jobs,
        clock: Clock,
        owner: str,
        run: Run,
        options: WorkerOptions | None = None,
        on_error: OnError | None = None,
    ) -> None:
        self._jobs = jobs
        self._clock = clock
        self._owner = owner
        self._run = run
        self._options = options or WorkerOptions()
        self._on_error = on_error
        self._numbers = itertools.count(1)
        self._claims: dict[str, _Claim] = {}
        self._looking = threading.Lock()
        self._claiming = threading.Lock()
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        self._begin("leases", self._keep_leases)
        self._begin("job-1", self._work)

    def _begin(self, name: str, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _reinforce(self) -> None:
        """One more thread, when all have a job and there may be more: those that were never needed cost nothing."""
        with self._claiming:
            number = len(self._threads)  # with the one of the leases, so that it is the next one's number
            if len(self._claims) >= number - 1 and number <= self._options.threads and not self._stopping.is_set():
                self._begin(f"job-{number}", self._work)

    def stop(self, wait_s: float = 0.0) -> int:
        """Claim nothing more, give running jobs `wait_s` to end, and leave the rest; gives their number.

        What is left is told to stop without touching anything, and is resumed by the next claim. Code that does not
        ask its Control in time is ended with the process, whose death frees the job at the next start.
        """
        self._stopping.set()
        self._jobs.wake()
        self._join(wait_s)
        left = list(self._claims.values())
        for claim in left:
            claim.control.left = True
        if left:
            _log.info("jobs are left for the next start", jobs=[claim.job.id for claim in left])
        return len(left)

    def join(self, wait_s: float) -> bool:
        """After `stop`: whether every thread ended in time."""
        self._join(wait_s)
        return not any(thread.is_alive() for thread in self._threads)

    def _join(self, wait_s: float) -> None:
        deadline = self._clock.monotonic() + wait_s
        for thread in self._threads:
            thread.join(max(0.0, deadline - self._clock.monotonic()))

    def _work(self) -> None:
        while not self._stopping.is_set():
            with self._looking:  # one thread at a time, so that a change of the queue wakes one and not all
                claim = self._look()
            if claim is not None:
                self._reinforce()
                self._carry_out(claim)

    def _look(self) -> _Claim | None:
        """The next job; None after a sleep without one. To ask whether there is one holds up nobody; a claim does."""
        try:
            seen = self._jobs.changes()
            pause_s = self._pause_s()
            claim = self._claim() if pause_s <= 0.0 else None
            if claim is None and not self._stopping.is_set():
                self._jobs.wait(seen, max(0.05, pause_s))
            return claim
        except Exception:
            _log.exception("the queue cannot be read")
            self._stopping.wait(self._options.retry_s)
            return None

    def _claim(self) -> _Claim | None:
        with self._claiming:
            if self._stopping.is_set():
                return None
            now = self._clock.now()
            # After a sleep of the machine or a jump of its clock our own leases look over, and are not.
            self._prolong([claim for claim in self._claims.values() if claim.lease_until <= now])
            owner = f"{self._owner}:{next(self._numbers)}"
            job = self._jobs.claim(owner, now, self._options.lease_s, self._options.limits)
            if job is None:
                return None
            claim = _Claim(job, owner, job.lease_until, JobControl(job.id, cancel=job.cancel))
            self._claims[owner] = claim
        _log.info("job started", job=job.id, kind=job.kind, lock=job.lock_key, attempt=job.attempt)
        return claim

    def _pause_s(self) -> float:
        due = self._jobs.next_due(self._options.limits)
        if due is None:
            return self._options.idle_s
        return min(self._options.idle_s, due - self._clock.now())

    def _carry_out(self, claim: _Claim) -> None:
        try:
            state = self._outcome(claim)
            while not self._record(claim, state) and not self._stopping.wait(self._options.retry_s):
                pass
        finally:
            self._claims.pop(claim.owner, None)
            self._jobs.wake()  # for the thread of the leases, which may be waiting to end

    def _outcome(self, claim: _Claim) -> str:
        """How it ended, "" when it has to be left as it is."""
        try:
            state = self._run(claim.job, claim.control)
            if state not in ENDS:
                raise ValueError(f"a job cannot end as {state!r}")
            return state
        except CancelRequested:
            return "cancelled"
        except LeaseLost:
            return ""
        except BaseException as error:
            _log.exception("job failed by an unexpected error", job=claim.job.id, kind=claim.job.kind)
            self._report(claim.job, error)
            return "failed"

    def _report(self, job: Job, error: BaseException) -> None:
        if self._on_error is None:
            return
        try:
            self._on_error(job, error)
        except Exception:
            _log.exception("the error of a job could not be recorded", job=job.id)

    def _record(self, claim: _Claim, state: str) -> bool:
        """Whether it is recorded; a job whose end never is will be run again, and finds its work done."""
        claim.ending = True
        try:
            if state:
                self._jobs.finish(claim.job.id, claim.owner, state)
            else:
                self._jobs.release(claim.job.id, claim.owner)
            _log.info("job ended", job=claim.job.id, state=state or "left")
        except LeaseLost:
            _log.warning("job was taken over", job=claim.job.id)
        except Exception:
            _log.exception("the end of a job could not be recorded", job=claim.job.id)
            claim.ending = False
            return False
        return True

    def _keep_leases(self) -> None:
        due = self._clock.monotonic()
        while self._claims or not self._stopping.is_set():
            try:
                seen = self._jobs.changes()
                claims, now = list(self._claims.values()), self._clock.monotonic()
                if now >= due:
                    self._prolong(claims)
                    due = now + self._options.lease_s / 3
                else:  # woken by a change of the queue: a cancel is to arrive at once
                    for claim in claims:
                        self._heed(claim, self._jobs.lease(claim.job.id, claim.owner))
                self._jobs.wait(seen, max(0.0, due - self._clock.monotonic()))
            except Exception:
                _log.exception("leases cannot be kept")
                self._clock.sleep(self._options.retry_s)

    def _prolong(self, claims: list[_Claim]) -> None:
        for claim in claims:
            try:
                now = self._clock.now()
                lease = self._jobs.heartbeat(claim.job.id, claim.owner, now, self._options.lease_s)
            except Exception:
                _log.exception("a lease could not be prolonged", job=claim.job.id)
                continue
            claim.lease_until = now + self._options.lease_s
            self._heed(claim, lease)

    def _heed(self, claim: _Claim, lease: Lease) -> None:
        claim.control.cancel = claim.control.cancel or lease.cancel
        if lease.lost and not claim.ending and not claim.control.left:
            _log.warning("a lease was lost", job=claim.job.id)
            claim.control.left = True
