"""The queue: jobs that survive a crash, one at a time per lock, each claimed under a lease that fences its owner."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, case, delete, exists, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from windlass.adapters.store.bell import Bell
from windlass.adapters.store.database import Database
from windlass.adapters.store.rows import to_record, to_row
from windlass.adapters.store.tables import jobs
from windlass.domain.errors import Conflict
from windlass.domain.queueing import Standing
from windlass.domain.records import Job, Lease
from windlass.ports.store import NO_LIMITS, LeaseLost

KEPT_JOBS = 1000
ENDED = ("done", "failed", "cancelled")

_FREED: Mapping[str, Any] = {"owner": "", "lease_until": 0.0, "turn": None}

# A job for at once does not wait for the clock, which may have been set back since.
_AT_ONCE = jobs.c.run_at <= jobs.c.created_at

_running = jobs.alias("running")
_lock_is_free = ~exists().where(_running.c.lock_key == jobs.c.lock_key, _running.c.state == "running")


class SqlJobs:
    def __init__(self, database: Database, work: Bell) -> None:
        self._database = database
        self._work = work

    def enqueue(self, job: Job) -> None:
        """Raises Conflict lock_taken for one that is to run at once while another of its lock runs."""
        try:
            with self._database.write(tells=True) as connection:
                connection.execute(insert(jobs).values(to_row(job)))
        except IntegrityError as error:
            if job.state != "running":
                raise
            raise Conflict(f"a job of {job.lock_key} is running", code="lock_taken") from error
        self._work.ring()

    def claim(self, owner: str, now: float, lease_s: float, limits: Mapping[str, int] = NO_LIMITS) -> Job | None:
        """In the order of queueing. `attempt` counts how often a job was taken over from an owner that was lost."""
        with self._database.write() as connection:
            due = or_(
                and_(jobs.c.state == "queued", _is_due(now), _lock_is_free, _has_place(connection, limits)),
                and_(jobs.c.state == "running", jobs.c.lease_until < now),
            )
            row = connection.execute(select(jobs).where(due).order_by(jobs.c.position).limit(1)).first()
            if row is None:
                return None
            claim = {
                "state": "running",
                "owner": owner,
                "lease_until": now + lease_s,
                "attempt": row.attempt + (row.state == "running"),
            }
            connection.execute(update(jobs).where(jobs.c.position == row.position).values(**claim, turn=None))
        return to_record(Job, row, **claim)

    def heartbeat(self, id: str, owner: str, now: float, lease_s: float) -> Lease:
        """`lost` instead of an error: the caller has to tell the running code first."""
        with self._database.write() as connection:
            held = connection.execute(update(jobs).where(_held(id, owner)).values(lease_until=now + lease_s)).rowcount
            cancel = connection.execute(select(jobs.c.cancel).where(jobs.c.id == id)).scalar()
        return Lease(lost=not held, cancel=bool(cancel))

    def lease(self, id: str, owner: str) -> Lease:
        query = select(jobs.c.state, jobs.c.owner, jobs.c.cancel).where(jobs.c.id == id)
        with self._database.read() as connection:
            row = connection.execute(query).first()
        held = row is not None and (row.state, row.owner) == ("running", owner)
        return Lease(lost=not held, cancel=row is not None and bool(row.cancel))

    def finish(self, id: str, owner: str, state: str) -> None:
        """`state`: done, failed or cancelled. Raises LeaseLost."""
        if state not in ENDED:
            raise ValueError(f"a job cannot end as {state!r}")
        self._end_claim(id, owner, {"state": state, **_FREED})

    def release(self, id: str, owner: str) -> None:
        """Give the job back unfinished: it can be claimed at once, as one whose owner was lost. Raises LeaseLost."""
        self._end_claim(id, owner, _FREED)

    def request_cancel(self, id: str) -> Job | None:
        """A queued job ends at once, a running one is asked to; one that has ended is given back as it is."""
        with self._database.write(tells=True) as connection:
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
        with self._database.write(tells=True) as connection:
            is_gone = and_(jobs.c.state == "running", jobs.c.owner.in_(gone))
            released = connection.execute(update(jobs).where(is_gone).values(_FREED)).rowcount
        self._work.ring()
        return released

    def revive(self, job: Job) -> None:
        """Queue it again, at the end of the row; with what it had done before, when it is still known."""
        with self._database.write(tells=True) as connection:
            known = connection.execute(select(jobs.c.state).where(jobs.c.id == job.id)).scalar()
            if known is not None and known not in ENDED:
                return
            connection.execute(delete(jobs).where(jobs.c.id == job.id))
            connection.execute(insert(jobs).values(to_row(job)))
        self._work.ring()

    def next_due(self, limits: Mapping[str, int] = NO_LIMITS) -> float | None:
        """When `claim` may next have something, unless `wait` ends before; None when nothing is queued or runs."""
        lease = select(func.min(jobs.c.lease_until)).where(jobs.c.state == "running")
        with self._database.read() as connection:
            can_run = and_(jobs.c.state == "queued", _lock_is_free, _has_place(connection, limits))
            run_at = select(func.min(case((_AT_ONCE, 0.0), else_=jobs.c.run_at))).where(can_run)
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

    def standing(self, id: str, now: float) -> Standing | None:
        with self._database.read() as connection:
            row = connection.execute(select(jobs).where(jobs.c.id == id)).first()
            if row is None:
                return None
            job, line = to_record(Job, row), None
            if row.state == "running" and row.turn is not None:
                found = connection.execute(select(jobs).where(_before_in_line(row, now)).order_by(jobs.c.turn))
                line = tuple(to_record(Job, other) for other in found)
            return Standing(
                job=job,
                ahead=_count(connection, jobs.c.kind == row.kind, *_queued_before(row)),
                running=_count(connection, jobs.c.kind == row.kind, jobs.c.state == "running"),
                lock=_lock_before(connection, row),
                line=line,
            )

    def join_line(self, id: str) -> None:
        last = select(func.coalesce(func.max(jobs.c.turn), 0) + 1).scalar_subquery()
        is_new = and_(jobs.c.id == id, jobs.c.state == "running", jobs.c.turn.is_(None))
        with self._database.write() as connection:
            connection.execute(update(jobs).where(is_new).values(turn=last))

    def in_front(self, id: str, now: float) -> int:
        with self._database.read() as connection:
            row = connection.execute(select(jobs).where(jobs.c.id == id, jobs.c.turn.is_not(None))).first()
            return 0 if row is None else _count(connection, _before_in_line(row, now))

    def leave_line(self, id: str) -> None:
        with self._database.write(tells=True) as connection:
            connection.execute(update(jobs).where(jobs.c.id == id).values(turn=None))
        self._work.ring()

    def changes(self) -> int:
        """A number for `wait`, read before looking for work."""
        self._database.listen(self._work)
        return self._work.rings

    def wait(self, seen: int, timeout_s: float) -> bool:
        """Until something was queued, freed or cancelled since `changes()` gave `seen`."""
        return self._work.wait(seen, timeout_s)

    def wake(self) -> None:
        self._work.ring()

    def _end_claim(self, id: str, owner: str, columns: Mapping[str, Any]) -> None:
        with self._database.write(tells=True) as connection:
            if not connection.execute(update(jobs).where(_held(id, owner)).values(columns)).rowcount:
                raise LeaseLost(id)
            newest = connection.execute(select(func.max(jobs.c.position))).scalar() or 0
            ended = jobs.c.state.in_(ENDED)
            connection.execute(delete(jobs).where(ended, jobs.c.position <= newest - KEPT_JOBS))
        self._work.ring()


def _has_place(connection: Connection, limits: Mapping[str, int]) -> ColumnElement[bool]:
    """Of the kinds of which not so many run already as may."""
    counted = select(jobs.c.kind, func.count()).where(jobs.c.state == "running", jobs.c.kind.in_(list(limits)))
    running = {kind: number for kind, number in connection.execute(counted.group_by(jobs.c.kind))} if limits else {}
    return jobs.c.kind.not_in([kind for kind, limit in limits.items() if running.get(kind, 0) >= limit])


def _queued_before(row: Row[Any]) -> tuple[ColumnElement[bool], ...]:
    return jobs.c.state == "queued", jobs.c.position < row.position


def _lock_before(connection: Connection, row: Row[Any]) -> tuple[Job, ...]:
    """The one that runs first."""
    before = or_(and_(jobs.c.state == "running", jobs.c.id != row.id), and_(*_queued_before(row)))
    found = connection.execute(select(jobs).where(jobs.c.lock_key == row.lock_key, before).order_by(jobs.c.position))
    return tuple(to_record(Job, other) for other in sorted(found, key=lambda other: bool(other.state != "running")))


def _before_in_line(row: Row[Any], now: float) -> ColumnElement[bool]:
    """One whose lease is over builds no more: it does not hold up those behind it until somebody takes it over."""
    return and_(jobs.c.state == "running", jobs.c.turn < row.turn, jobs.c.lease_until >= now)


def _count(connection: Connection, *conditions: ColumnElement[bool]) -> int:
    return connection.execute(select(func.count()).select_from(jobs).where(*conditions)).scalar() or 0


def _is_due(now: float) -> ColumnElement[bool]:
    return or_(_AT_ONCE, jobs.c.run_at <= now)


def _held(id: str, owner: str) -> ColumnElement[bool]:
    return and_(jobs.c.id == id, jobs.c.state == "running", jobs.c.owner == owner)
