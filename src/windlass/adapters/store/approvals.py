"""Protected apps, and the deployments that wait for a second person, in the database."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, and_, delete, insert, select, update

from windlass.adapters.store.apps import no_such_app
from windlass.adapters.store.bell import Bell
from windlass.adapters.store.database import Database
from windlass.adapters.store.deployments import SqlDeployments, end_deployment, load_deployments
from windlass.adapters.store.rows import plain, to_record, to_row
from windlass.adapters.store.tables import approvals, apps, deployments, jobs, protections
from windlass.domain.protection import Approval, ApprovalState, Protection
from windlass.domain.records import Deployment, Job
from windlass.domain.release import DeploymentStatus

_AWAITING = deployments.c.status == DeploymentStatus.AWAITING.value


class SqlApprovals:
    def __init__(self, database: Database, work: Bell, kept: SqlDeployments) -> None:
        self._database = database
        self._work = work
        self._kept = kept

    def protection(self, app: str) -> Protection | None:
        query = select(protections.c.approval_s).where(protections.c.app == app)
        with self._database.read() as connection:
            found = connection.execute(query).scalar()
        return None if found is None else Protection(True, found)

    def protect(self, app: str, protection: Protection | None) -> None:
        with self._database.write() as connection:
            if connection.execute(select(apps.c.name).where(apps.c.name == app)).scalar() is None:
                raise no_such_app(app)
            connection.execute(delete(protections).where(protections.c.app == app))
            if protection is not None and protection.protected:
                connection.execute(insert(protections).values(app=app, approval_s=protection.approval_s))

    def ask(self, deployment: Deployment, approval: Approval, end: Job, held: bytes) -> None:
        with self._database.write() as connection:
            self._kept.put(connection, deployment, held)
            connection.execute(insert(approvals).values(to_row(approval)))
            connection.execute(insert(jobs).values(to_row(end)))
        self._work.ring()

    def find(self, deployment: str) -> Approval | None:
        query = select(approvals).where(approvals.c.deployment == deployment)
        with self._database.read() as connection:
            row = connection.execute(query).first()
        return None if row is None else to_record(Approval, row, state=ApprovalState(row.state))

    def waiting(self, app: str = "") -> list[Deployment]:
        condition = and_(_AWAITING, deployments.c.app == app) if app else _AWAITING
        with self._database.read() as connection:
            return load_deployments(connection, condition)

    def approve(self, job: Job, by: str, at: float, note: str) -> bool:
        """Its status and its job are written together: a process that is killed leaves both or none."""
        is_it = and_(deployments.c.id == job.id, _AWAITING)
        decided = {"state": ApprovalState.APPROVED.value, "decided_by": by, "decided_at": at, "note": note}
        with self._database.write(tells=True) as connection:
            asked_at = connection.execute(select(deployments.c.created_at).where(is_it)).scalar()
            if asked_at is None or _has_newer(connection, job.lock_key, asked_at):
                return False
            connection.execute(update(deployments).where(is_it).values(status=DeploymentStatus.QUEUED.value))
            connection.execute(update(approvals).where(approvals.c.deployment == job.id).values(decided))
            connection.execute(insert(jobs).values(to_row(job)))
        self._work.ring()
        return True

    def end(self, decided: Approval, status: DeploymentStatus, error: Mapping[str, Any]) -> Deployment | None:
        is_it = and_(deployments.c.id == decided.deployment, _AWAITING)
        with self._database.write() as connection:
            if connection.execute(select(deployments.c.id).where(is_it)).first() is None:
                return None
            columns = {k: plain(getattr(decided, k)) for k in ("state", "decided_by", "decided_at", "note")}
            own = approvals.c.deployment == decided.deployment
            connection.execute(update(approvals).where(own).values(columns))
            end = {"status": status, "ended_at": decided.decided_at, "error": error}
            return end_deployment(connection, decided.deployment, end)


def _has_newer(connection: Connection, app: str, than: float) -> bool:
    is_newer = and_(deployments.c.app == app, deployments.c.created_at > than)
    return connection.execute(select(deployments.c.id).where(is_newer).limit(1)).first() is not None
