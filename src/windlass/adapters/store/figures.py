"""Counts what is in the database, one query for each question."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, case, func, literal_column, select

from windlass.adapters.store.database import Database
from windlass.adapters.store.tables import apps, deployments, jobs, steps
from windlass.domain.release import DeploymentStatus
from windlass.ports.figures import Spread

_ONE: ColumnElement[int] = literal_column("1")
_NONE: ColumnElement[int] = literal_column("0")
_FINAL = [status.value for status in DeploymentStatus if status.is_final]


class SqlFigures:
    def __init__(self, database: Database) -> None:
        self._database = database

    def deployments(self, bounds_s: Sequence[float]) -> list[Spread]:
        took = deployments.c.ended_at - deployments.c.created_at
        is_wanted = deployments.c.status.in_(_FINAL) & deployments.c.ended_at.is_not(None)
        return self._spreads((deployments.c.kind, deployments.c.status), took, is_wanted, bounds_s)

    def builds(self, bounds_s: Sequence[float]) -> list[Spread]:
        is_wanted = (steps.c.name == "build") & (steps.c.status == "done") & steps.c.ended_at.is_not(None)
        return self._spreads((), steps.c.ended_at - steps.c.started_at, is_wanted, bounds_s)

    def jobs(self) -> dict[tuple[str, str], int]:
        query = select(jobs.c.kind, jobs.c.state, func.count()).where(jobs.c.state.in_(("queued", "running")))
        with self._database.read() as connection:
            rows = connection.execute(query.group_by(jobs.c.kind, jobs.c.state)).all()
        return {(row[0], row[1]): row[2] for row in rows}

    def apps(self) -> int:
        with self._database.read() as connection:
            return int(connection.execute(select(func.count()).select_from(apps)).scalar() or 0)

    def _spreads(
        self,
        labels: tuple[ColumnElement[Any], ...],
        took: ColumnElement[Any],
        is_wanted: ColumnElement[bool],
        bounds_s: Sequence[float],
    ) -> list[Spread]:
        within = [func.coalesce(func.sum(case((took <= bound, _ONE), else_=_NONE)), 0) for bound in bounds_s]
        query = select(*labels, func.count(), func.coalesce(func.sum(took), 0.0), *within).where(is_wanted)
        if labels:
            query = query.group_by(*labels)
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        n = len(labels)
        return [
            Spread(tuple(map(str, row[:n])), tuple(map(int, row[n + 2 :])), int(row[n]), float(row[n + 1]))
            for row in rows
        ]
