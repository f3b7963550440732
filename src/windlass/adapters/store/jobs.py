"""The queue: jobs that survive a crash, one at a time per lock, each claimed under a lease that fences its owner."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, exists, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from windlass.adapters.store.bell import Bell
from windlass.adapters.store.database import Database
from windlass.adapters.store.rows import to_record, to_row
from windlass.adapters.store.tables import jobs
from windlass.domain.errors import Conflict
from windlass.domain.records import Job, Lease
from windlass.ports.store import LeaseLost

KEPT_JOBS = 1000

_running = jobs.alias("running")
_lock_is_free = ~exists().where(_running.c.lock_key == jobs.c.lock_key, _running.c.state == "running")


class SqlJobs:
    def __init__(self, database: Database, work: Bell) -> None:
        self._database = database
        self._work = work

    def enqueue(self, job: Job) -> None:
        """Raises Conflict lock_taken for one that is to run at once while another of its lock runs."""
        try:
            with self._database.write() as connection:
                connection.execute(insert(jobs).values(to_row(job)))
        except IntegrityError as error:
            if job.state != "running":
                raise
            raise Conflict(f"a job of {job.lock_key} is running", code="lock_taken") from error
        self._work.ring()

    def claim(self, owner: str, now: float, lease_s: float) -> Job | None:
        """In the order of queueing. `attempt` counts how often a job was taken over from an owner that was lost."""
        due = or_(
            and_(jobs.c.state == "queued", _is_due(now), _lock_is_free),
            and_(jobs.c.state == "running", jobs.c.lease_until < now),
        )
        with self._database.write() as connection:
            row = connection.execute(select(jobs).where(due).order_by(jobs.c.position).limit(1)).first()
            if row is None:
                return None
            claim = {
                "state": "running",
                "owner": owner,
                "lease_until": now + lease_s,
                "attempt": row.attempt + (row.state == "running"),
            }
            connection.execute(update(jobs).where(jobs.c.position == row.position).values(claim))
        return to_record(Job, row, **claim)

    def heartbeat(self, id: str, owner: str, now: float, lease_s: float) -> Lease:
        """`lost` instead of an error: the caller has to tell the running code first."""
        with self._database.write() as connection:
            held = connection.execute(update(jobs).where(_held(id, owner)).values(lease_until=now + lease_s)).rowcount
            cancel = connection.execute(select(jobs.c.cancel).where(jobs.c.id == id)).scalar()
        return Lease(lost=not held, cancel=bool(cancel))

    def finish(self, id: str, owner: str, state: str) -> None:
        """`state`: done, failed or cancelled. Raises LeaseLost."""
        if state not in ("done", "failed", "cancelled"):
            raise ValueError(f"a job cannot end as {state!r}")
        self._end_claim(id, owner, {"state": state, "owner": "", "lease_until": 0.0})

    def release(self, id: str, owner: str) -> None:
        """Give the job back unfinished: it can be claimed at once, as one whose owner was lost. Raises LeaseLost."""
        self._end_claim(id, owner, {"owner": "", "lease_until": 0.0})

    def request_cancel(self, id: str) -> Job | None:
        """A queued job ends at once, a running one is asked to; one that has ended is given back as it is."""
        with self._database.write() as connection:
            is_queued = and_(jobs.c.id == id, jobs.c.state == "queued")
            connection.execute(update(jobs).where(is_queued).values(state="cancelled"))
            connection.execute(
                update(jobs).where(jobs.c.id == id, jobs.c.state.in_(("running", "cancelled"))).values(cancel=True)
            )
            row = connection.execute(select(jobs).where(jobs.c.id == id)).first()
        self._work.ring()
        return None if row is None else to_record(Job, row)

    def get(self, id: str) -> Job | None:
        with self._database.read() as connection:
            row = connection.execute(select(jobs).where(jobs.c.id == id)).first()
        return None if row is None else to_record(Job, row)

    def release_owner(self, alive: Callable[[str], bool]) -> int:
        is_held = and_(jobs.c.state == "running", jobs.c.owner != "")
        with self._database.read() as connection:
            owners = list(connection.execute(select(jobs.c.owner).where(is_held).distinct()).scalars())
        gone = [owner for owner in owners if not alive(owner)]
        with self._database.write() as connection:
            released = connection.execute(
                update(jobs).where(jobs.c.state == "running", jobs.c.owner.in_(gone)).values(owner="", lease_until=0.0)
            ).rowcount
        self._work.ring()
        return released

    def next_due(self) -> float | None:
        """When `claim` may next have something, unless `wait` ends before; None when nothing is queued or runs."""
        run_at = select(func.min(jobs.c.run_at)).where(jobs.c.state == "queued", _lock_is_free)
        lease = select(func.min(jobs.c.lease_until)).where(jobs.c.state == "running")
        with self._database.read() as connection:
            times = [connection.execute(query).scalar() for query in (run_at, lease)]
        return min((t for t in times if t is not None), default=None)

    def position(self, id: str) -> int:
        """How many jobs of the same lock have to end before this one starts; 0 for one that is not queued."""
        with self._database.read() as connection:
            row = connection.execute(select(jobs).where(jobs.c.id == id, jobs.c.state == "queued")).first()
            if row is None:
                return 0
            before = and_(
                jobs.c.lock_key == row.lock_key,
                or_(jobs.c.state == "running", and_(jobs.c.state == "queued", jobs.c.position < row.position)),
            )
            return connection.execute(select(func.count()).select_from(jobs).where(before)).scalar() or 0

    def changes(self) -> int:
        """A number for `wait`, read before looking for work."""
        return self._work.rings

    def wait(self, seen: int, timeout_s: float) -> bool:
        """Until something was queued, freed or cancelled in this process since `changes()` gave `seen`."""
        return self._work.wait(seen, timeout_s)

    def wake(self) -> None:
        self._work.ring()

    def _end_claim(self, id: str, owner: str, columns: dict[str, Any]) -> None:
        with self._database.write() as connection:
            if not connection.execute(update(jobs).where(_held(id, owner)).values(columns)).rowcount:
                raise LeaseLost(id)
            newest = connection.execute(select(func.max(jobs.c.position))).scalar() or 0
            ended = jobs.c.state.not_in(("queued", "running"))
            connection.execute(delete(jobs).where(ended, jobs.c.position <= newest - KEPT_JOBS))
        self._work.ring()


def _is_due(now: float) -> ColumnElement[bool]:
    """A job for at once does not wait for the clock, which may have been set back since."""
    return or_(jobs.c.run_at <= jobs.c.created_at, jobs.c.run_at <= now)


def _held(id: str, owner: str) -> ColumnElement[bool]:
    return and_(jobs.c.id == id, jobs.c.state == "running", jobs.c.owner == owner)
