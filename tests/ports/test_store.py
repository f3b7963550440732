"""The job engine under every order of events: one per lock, first come first served, nothing lost, writes fenced."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)
from tests.postgres import empty_database

from windlass.adapters.store.database import open_database
from windlass.adapters.store.store import SqlStore
from windlass.adapters.store.tables import jobs
from windlass.adapters.vault import open_vault
from windlass.domain.errors import Conflict
from windlass.domain.records import Job
from windlass.ports.store import LeaseLost, Store

LEASE_S = 15.0
LIMITS = {"big": 1, "small": 2}


@dataclass(frozen=True)
class Held:
    """What a worker believes that it holds."""

    id: str
    owner: str


class JobEngine(RuleBasedStateMachine):
    """Says beforehand what the store must answer, and compares."""

    held = Bundle("held")
    known = Bundle("known")

    store: Store

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.rows: dict[str, Job] = {}  # in the order of queueing
        self.claims = 0
        self.started: dict[str, list[str]] = {}

    @initialize()
    def begin_empty(self) -> None:
        with self.store._database.write() as connection:  # type: ignore[attr-defined]
            connection.execute(jobs.delete())

    # --- what happens ---

    @rule(
        target=known,
        lock=st.sampled_from("abcd"),
        delay=st.sampled_from([0.0, 0.0, 0.0, 20.0]),
        kind=st.sampled_from(["big", "small", "other"]),
    )
    def enqueue(self, lock: str, delay: float, kind: str) -> str:
        id = f"j{len(self.rows)}"
        self.rows[id] = Job(id, kind, lock, {"n": 1}, "queued", self.now, self.now + delay)
        self.store.jobs.enqueue(self.rows[id])
        return id

    @rule(target=held, lock=st.sampled_from("abc"))
    def occupy(self, lock: str) -> object:
        """A job that is to run at once, or not at all."""
        id = f"j{len(self.rows)}"
        job = Job(id, "other", lock, {}, "running", self.now, self.now, owner=id, lease_until=self.now + LEASE_S)
        if any(row.state == "running" and row.lock_key == lock for row in self.rows.values()):
            with pytest.raises(Conflict):
                self.store.jobs.enqueue(job)
            return multiple()
        self.store.jobs.enqueue(job)
        self.rows[id] = job
        return Held(id, id)

    @rule(target=held)
    def claim(self) -> object:
        self.claims += 1
        owner = f"boot:{self.claims}:1"
        expected = self._expected_claim()
        got = self.store.jobs.claim(owner, self.now, LEASE_S, LIMITS)
        if expected is None:
            assert got is None
            return multiple()
        taken_over = expected.state == "running"
        self.rows[expected.id] = replace(
            expected,
            state="running",
            owner=owner,
            lease_until=self.now + LEASE_S,
            attempt=expected.attempt + taken_over,
        )
        assert got == self.rows[expected.id]
        return Held(expected.id, owner)

    @rule(claim=held)
    def heartbeat(self, claim: Held) -> None:
        lease = self.store.jobs.heartbeat(claim.id, claim.owner, self.now, LEASE_S)
        assert lease.lost is not self._holds(claim)
        assert lease.cancel is self.rows[claim.id].cancel
        assert self.store.jobs.lease(claim.id, claim.owner) == lease
        if not lease.lost:
            self._set(claim.id, lease_until=self.now + LEASE_S)

    @rule(claim=consumes(held), state=st.sampled_from(["done", "failed", "cancelled"]))
    def finish(self, claim: Held, state: str) -> None:
        self._fenced(claim, lambda: self.store.jobs.finish(claim.id, claim.owner, state))
        if self._holds(claim):
            self._set(claim.id, state=state, owner="", lease_until=0.0)

    @rule(claim=held)
    def give_back(self, claim: Held) -> None:
        self._fenced(claim, lambda: self.store.jobs.release(claim.id, claim.owner))
        if self._holds(claim):
            self._set(claim.id, owner="", lease_until=0.0)

    @rule(id=known)
    def cancel(self, id: str) -> None:
        got = self.store.jobs.request_cancel(id)
        row = self.rows[id]
        if row.state in ("queued", "running"):
            self._set(id, cancel=True, state="cancelled" if row.state == "queued" else "running")
        elif row.state == "cancelled":
            self._set(id, cancel=True)
        assert got == self.rows[id]

    @rule(seconds=st.sampled_from([1.0, 5.0, 16.0, 40.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(claim=held)
    def owner_dies(self, claim: Held) -> None:
        """Its own claim is freed, and no other."""
        released = self.store.jobs.release_owner(lambda owner: owner != claim.owner)
        assert released == int(self._holds(claim))
        if released:
            self._set(claim.id, owner="", lease_until=0.0)

    # --- what must hold ---

    def teardown(self) -> None:
        """Nothing is lost, and all is as told."""
        for id, row in self.rows.items():
            assert self.store.jobs.get(id) == row

    @invariant()
    def one_runs_per_lock(self) -> None:
        running = [row.lock_key for row in self.rows.values() if row.state == "running"]
        assert len(running) == len(set(running))

    @invariant()
    def nobody_sleeps_over_work(self) -> None:
        due = self.store.jobs.next_due(LIMITS)
        if self._expected_claim() is not None:
            assert due is not None
            assert due <= self.now
        else:
            assert due is None or due >= self.now, "nobody looks again and again for what cannot be had"

    @invariant()
    def the_limits_hold(self) -> None:
        running = [row.kind for row in self.rows.values() if row.state == "running"]
        assert all(running.count(kind) <= limit for kind, limit in LIMITS.items())

    @rule(id=known)
    def ask_position(self, id: str) -> None:
        asked, rows = self.rows[id], list(self.rows.values())
        before = [row for row in rows[: rows.index(asked)] if row.lock_key == asked.lock_key and row.state == "queued"]
        running = [row for row in rows if row.lock_key == asked.lock_key and row.state == "running"]
        assert self.store.jobs.position(id) == (len(before + running) if asked.state == "queued" else 0)
        standing = self.store.jobs.standing(id, self.now)
        assert standing is not None
        assert standing.job == asked
        kind = [row for row in rows if row.kind == asked.kind]
        assert standing.running == sum(row.state == "running" for row in kind)
        assert standing.ahead == sum(row.state == "queued" for row in kind[: kind.index(asked)])
        if asked.state == "queued":
            assert list(standing.lock) == running + before

    # --- the model ---

    def _expected_claim(self) -> Job | None:
        running = [row for row in self.rows.values() if row.state == "running"]
        busy, kinds = {row.lock_key for row in running}, [row.kind for row in running]
        full = {kind for kind, limit in LIMITS.items() if kinds.count(kind) >= limit}
        for row in self.rows.values():
            is_due = row.run_at <= self.now or row.run_at <= row.created_at
            if row.state == "queued" and is_due and row.lock_key not in busy and row.kind not in full:
                return row
            if row.state == "running" and row.lease_until < self.now:
                return row
        return None

    def _holds(self, claim: Held) -> bool:
        row = self.rows[claim.id]
        return row.state == "running" and row.owner == claim.owner

    def _fenced(self, claim: Held, write: object) -> None:
        assert callable(write)
        if self._holds(claim):
            write()
        else:
            with pytest.raises(LeaseLost):
                write()

    def _set(self, id: str, **changes: object) -> None:
        self.rows[id] = replace(self.rows[id], **changes)  # type: ignore[arg-type]


@contextmanager
def opened_store(server: str = "") -> Iterator[SqlStore]:
    """In SQLite, or in an empty database of this PostgreSQL."""
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        url = stack.enter_context(empty_database(server)) if server else f"sqlite:///{folder}/windlass.db"
        database = open_database(url)
        # What is tested survives no power failure, and need not.
        database.write = functools.partial(database.write, durable=False)  # type: ignore[method-assign]
        store = SqlStore(database, open_vault(Path(folder) / "master.key"), Path(folder) / "audit.head")
        yield store
        store.close()


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.real)])
def test_the_job_engine_in_every_order_of_events(kind: str, request: pytest.FixtureRequest) -> None:
    with opened_store(request.getfixturevalue("postgres") if kind == "postgresql" else "") as store:
        machine = type("OpenedJobEngine", (JobEngine,), {"store": store})
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=40 if kind == "sqlite" else 15,
                stateful_step_count=30,
                deadline=None,
                suppress_health_check=[HealthCheck.too_slow],
            ),
        )
