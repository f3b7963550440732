"""What the steps before the first change know, and the plan that they end with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from windlass.domain.errors import Detail, Failed
from windlass.domain.fronts import front_of
from windlass.domain.plan import Plan
from windlass.domain.planner import Situation, plan_deployment
from windlass.domain.records import Deployment
from windlass.domain.release import Delivery, Snapshot
from windlass.domain.tasks import Task
from windlass.usecases.binds import Bind
from windlass.usecases.control import CancelRequested
from windlass.usecases.inspection import Inspection
from windlass.usecases.journal import Journal
from windlass.usecases.observation import observe
from windlass.usecases.project import Project
from windlass.usecases.routes import default_host
from windlass.usecases.undertaking import Kept, Undertaking


class Unchanged(Exception):
    """The same as what is live: nothing to do."""

    def __init__(self, live: int) -> None:
        super().__init__(f"unchanged: release {live} is live")
        self.live = live


@dataclass
class Preparation:
    """What the steps know so far."""

    work: Undertaking
    journal: Journal
    deployment: Deployment
    number: int = 0
    project: Project | None = None
    binds: tuple[Bind, ...] = ()
    files: Mapping[str, tuple[Delivery, ...]] = field(default_factory=dict)
    problems: list[Detail] = field(default_factory=list)
    inspection: Inspection | None = None
    snapshot: Snapshot | None = None
    plan: Plan | None = None

    def kept(self) -> Kept:
        if self.snapshot is None or self.plan is None:
            raise Failed("the release was not built", code="not_built")
        return Kept(self.snapshot, self.plan)

    def understood(self) -> Project:
        if self.project is None:
            raise Failed("the project was not read", code="not_read")
        return self.project


def cancelled(prep: Preparation) -> Callable[[], bool]:
    def ask() -> bool:
        try:
            prep.work.control.check()
        except CancelRequested:
            return True
        return False

    return ask


def finish_plan(prep: Preparation, snapshot: Snapshot, again: bool) -> None:
    outside, deployment = prep.work.outside, prep.deployment
    old = live_snapshot(prep)
    if not again and old is not None and not deployment.options.get("force"):
        live = outside.store.releases.get(deployment.app, old.number)
        app = outside.store.apps.get(deployment.app)
        if live.fingerprint == snapshot.fingerprint and app.running:
            raise Unchanged(live.number)
    seen = observe(outside, deployment.app, snapshot, old)
    prep.snapshot = snapshot
    warm = again and outside.store.apps.get(deployment.app).warm == snapshot.number
    front = front_of(snapshot.routes, default_host(snapshot.app, outside.domain), outside.http_port)
    situation = Situation(snapshot, old, seen, again, warm, front=front)
    prep.plan = plan_deployment(_left_out(situation, deployment.options))
    tasks = describe_tasks(p.task for p in snapshot.parts.values() if p.task)
    downtime = list(prep.plan.downtime)
    prep.journal.note("plan", {"services": _printed(snapshot), "tasks": tasks, "downtime": downtime})


def _left_out(situation: Situation, options: Mapping[str, Any]) -> Situation:
    return replace(
        situation,
        skip_tests=bool(options.get("skip_tests")),
        skip_verify=bool(options.get("skip_verify")),
        skipped=frozenset(str(name) for name in options.get("skip_checks") or ()),
    )


def _printed(snapshot: Snapshot) -> list[dict[str, str]]:
    return [
        {"service": p.name, "strategy": p.strategy.value, "role": p.role.value, "reason": p.reason}
        for p in snapshot.services()
    ]


def describe_tasks(tasks: Iterable[Task]) -> list[dict[str, Any]]:
    """The commands of windlass.yaml as the plan shows them."""
    return [
        {
            "name": t.name,
            "phase": t.phase.value,
            "title": t.title,
            "command": list(t.command),
            "service": t.service,
            "image": t.image,
            "within": t.within_s,
        }
        for t in tasks
    ]


def live_snapshot(prep: Preparation) -> Snapshot | None:
    live = prep.work.outside.store.apps.get(prep.deployment.app).live
    return prep.work.snapshot(live) if live is not None else None
