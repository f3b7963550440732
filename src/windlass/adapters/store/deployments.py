"""Deployments in the database, with the journal of their steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, delete, func, insert, select, update

from windlass.adapters.store.apps import no_such_app
from windlass.adapters.store.bell import Bell
from windlass.adapters.store.database import Database
from windlass.adapters.store.rows import changed, plain, to_record, to_row
from windlass.adapters.store.sealed import held_label
from windlass.adapters.store.tables import apps, deployments, jobs, steps
from windlass.adapters.store.tables import held as secrets
from windlass.adapters.vault import Vault
from windlass.domain.errors import NotFound
from windlass.domain.queueing import DEPLOYMENT
from windlass.domain.records import Deployment, Job, StepRecord
from windlass.domain.release import DeploymentStatus

_UNFINISHED = [status.value for status in DeploymentStatus if status.is_in_line]


class SqlDeployments:
    def __init__(self, database: Database, vault: Vault, work: Bell) -> None:
        self._database = database
        self._vault = vault
        self._work = work

    def add(
        self, deployment: Deployment, job: Job, held: bytes = b"", instead: Mapping[str, Any] | None = None
    ) -> list[Deployment]:
        """Raises NotFound when there is no such app."""
        with self._database.write(tells=True) as connection:
            self.put(connection, deployment, held)
            replaced = [] if instead is None else _supersede(connection, deployment, instead)
            connection.execute(insert(jobs).values(to_row(job)))
        self._work.ring()
        return replaced

    def end_waiting(self, id: str, status: DeploymentStatus, at: float, error: Mapping[str, Any]) -> Deployment | None:
        with self._database.write(tells=True) as connection:
            ended = _end_waiting(connection, id, {"status": status, "ended_at": at, "error": error})
        self._work.ring()
        return ended

    def put(self, connection: Connection, deployment: Deployment, held: bytes) -> None:
        """As part of somebody's transaction. Raises NotFound when there is no such app."""
        if connection.execute(select(apps.c.name).where(apps.c.name == deployment.app)).scalar() is None:
            raise no_such_app(deployment.app)
        connection.execute(insert(deployments).values(to_row(deployment, without=("steps",))))
        for step in deployment.steps:
            _save_step(connection, deployment.id, step)
        if held:
            self._hold(connection, deployment.id, held)

    def held(self, id: str) -> bytes:
        with self._database.read() as connection:
            sealed = connection.execute(select(secrets.c.sealed).where(secrets.c.deployment == id)).scalar()
        return b"" if sealed is None else self._vault.open(sealed, held_label(id))

    def hold(self, id: str, held: bytes) -> None:
        """In place of what was held before. Raises NotFound."""
        with self._database.write() as connection:
            _check_there(connection, id)
            self._hold(connection, id, held)

    def drop_held(self, id: str) -> None:
        with self._database.write() as connection:
            connection.execute(delete(secrets).where(secrets.c.deployment == id))

    def get(self, id: str) -> Deployment:
        """Raises NotFound."""
        with self._database.read() as connection:
            return _get(connection, id)

    def of_app(self, app: str, limit: int = 50, before: str = "") -> list[Deployment]:
        """Newest first; only those before the one with the id `before`."""
        when, id = deployments.c.created_at, deployments.c.id
        query = select(deployments).where(deployments.c.app == app).order_by(when.desc(), id.desc()).limit(limit)
        if before:
            at = select(when).where(id == before).scalar_subquery()
            query = query.where((when < at) | ((when == at) & (id < before)))
        with self._database.read() as connection:
            return _load(connection, query)

    def unfinished(self, app: str | None = None) -> list[Deployment]:
        """Oldest first; of every app when none is named."""
        condition: ColumnElement[bool] = deployments.c.status.in_(_UNFINISHED)
        if app is not None:
            condition = and_(condition, deployments.c.app == app)
        with self._database.read() as connection:
            return load_deployments(connection, condition)

    def under_way(self) -> list[tuple[str, DeploymentStatus]]:
        d = deployments.c
        query = select(d.app, d.status).where(d.status.in_(_UNFINISHED)).order_by(d.created_at, d.id)
        with self._database.read() as connection:
            return [(row[0], DeploymentStatus(row[1])) for row in connection.execute(query)]

    def update(self, id: str, **changes: Any) -> Deployment:
        """Anything but its steps, which have `save_step`."""
        with self._database.write() as connection:
            return _change(connection, _get(connection, id), changes)

    def finish(self, id: str, status: DeploymentStatus, at: float, error: Mapping[str, Any] | None) -> Deployment:
        """With what it held. The first end counts: one that has ended already is given back as it is."""
        with self._database.write() as connection:
            return end_deployment(connection, id, {"status": status, "ended_at": at, "error": error})

    def step(self, id: str, name: str) -> StepRecord | None:
        with self._database.read() as connection:
            row = connection.execute(select(steps).where(_step_is(id, name))).first()
        return None if row is None else _step_from_row(row)

    def save_step(self, id: str, step: StepRecord) -> None:
        """A step keeps its place in the order in which they were first saved. Raises NotFound."""
        with self._database.write() as connection:
            _check_there(connection, id)
            _save_step(connection, id, step)

    def _hold(self, connection: Connection, id: str, held: bytes) -> None:
        connection.execute(delete(secrets).where(secrets.c.deployment == id))
        connection.execute(insert(secrets).values(deployment=id, sealed=self._vault.seal(held, held_label(id))))


def _supersede(connection: Connection, newer: Deployment, error: Mapping[str, Any]) -> list[Deployment]:
    """Those of its app that wait; in one transaction with the newer one, so that at most one ever waits."""
    waiting = select(jobs.c.id).where(jobs.c.lock_key == newer.app, jobs.c.state == "queued", jobs.c.kind == DEPLOYMENT)
    end = {"status": DeploymentStatus.SUPERSEDED, "ended_at": newer.created_at, "error": error}
    found = [_end_waiting(connection, id, end) for id in connection.execute(waiting).scalars().all()]
    return [ended for ended in found if ended is not None]


def _end_waiting(connection: Connection, id: str, end: Mapping[str, Any]) -> Deployment | None:
    """With its job; None when that does not wait any more."""
    waits = and_(jobs.c.id == id, jobs.c.state == "queued")
    if not connection.execute(update(jobs).where(waits).values(state="cancelled", cancel=True)).rowcount:
        return None
    return end_deployment(connection, id, end)


def end_deployment(connection: Connection, id: str, end: Mapping[str, Any]) -> Deployment:
    """As part of somebody's transaction; one that has ended already is given back as it is."""
    before = _get(connection, id)
    if before.status.is_final:
        return before
    connection.execute(delete(secrets).where(secrets.c.deployment == id))
    return _change(connection, before, end)


def load_deployments(connection: Connection, condition: Any) -> list[Deployment]:
    """Those for which it is true, oldest first."""
    query = select(deployments).where(condition)
    return _load(connection, query.order_by(deployments.c.created_at, deployments.c.id))


def _check_there(connection: Connection, id: str) -> None:
    if connection.execute(select(deployments.c.id).where(deployments.c.id == id)).scalar() is None:
        raise _no_such_deployment(id)


def _get(connection: Connection, id: str) -> Deployment:
    found = _load(connection, select(deployments).where(deployments.c.id == id))
    if not found:
        raise _no_such_deployment(id)
    return found[0]


def _no_such_deployment(id: str) -> NotFound:
    return NotFound(f"there is no deployment {id}", code="deployment_not_found", hint="windlass apps")


def _load(connection: Connection, query: Select[Any]) -> list[Deployment]:
    rows = connection.execute(query).all()
    journal = _journal(connection, [row.id for row in rows])
    return [
        to_record(Deployment, row, status=DeploymentStatus(row.status), steps=tuple(journal.get(row.id, ())))
        for row in rows
    ]


def _journal(connection: Connection, ids: Sequence[str]) -> dict[str, list[StepRecord]]:
    found: dict[str, list[StepRecord]] = {}
    query = select(steps).where(steps.c.deployment.in_(ids)).order_by(steps.c.position)
    for row in connection.execute(query) if ids else ():
        found.setdefault(row.deployment, []).append(_step_from_row(row))
    return found


def _change(connection: Connection, before: Deployment, changes: Mapping[str, Any]) -> Deployment:
    after = replace(before, **changes)
    columns = changed(before, after)
    if "steps" in columns:
        raise TypeError("steps are saved one by one, by save_step")
    if columns:
        connection.execute(update(deployments).where(deployments.c.id == before.id).values(columns))
    return after


def _save_step(connection: Connection, id: str, step: StepRecord) -> None:
    columns = to_row(step)
    if connection.execute(update(steps).where(_step_is(id, step.name)).values(columns)).rowcount:
        return
    position = select(func.count()).select_from(steps).where(steps.c.deployment == id).scalar_subquery()
    connection.execute(insert(steps).values(deployment=id, position=position, **columns))


def _step_is(id: str, name: str) -> Any:
    return (steps.c.deployment == id) & (steps.c.name == name)


def _step_from_row(row: Any) -> StepRecord:
    return to_record(StepRecord, row, parts=tuple(plain(row.parts)))
