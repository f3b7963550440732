"""Operations that run commands of windlass.yaml: those of the build step, and a single one of `verify`."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from windlass.domain.parts import containers_of
from windlass.domain.plan import (
    CreateServices,
    Operation,
    RemoveContainers,
    RunChecklist,
    RunTask,
    Sequence,
    StepPlan,
)
from windlass.domain.raising import create_parts, own_networks, remove_new
from windlass.domain.release import Part, Snapshot
from windlass.domain.tasks import Phase


def build_step(new: Snapshot, skip_tests: bool, skipped: Collection[str]) -> StepPlan:
    """What is asked of the new images before anything is touched; `skipped` are titles, such as `checklist:licence`."""
    checks = [p for p in new.tasks(Phase.CHECKLIST) if p.task and p.task.title not in skipped]
    tests = [] if skip_tests else list(new.tasks(Phase.TEST))
    chosen = [*checks, *tests]
    if not chosen:
        return StepPlan("build")
    operations: list[Operation] = [Sequence((*own_networks(new), *create_parts(new, chosen)), "create")]
    if checks:
        operations.append(RunChecklist(new.number, tuple(p.name for p in checks)))
    if tests:
        operations.append(Sequence(tuple(RunTask(new.number, p.name) for p in tests), "test"))
    operations.append(RemoveContainers(tuple(c for p in chosen for c in containers_of(new, p))))
    return StepPlan("build", tuple(operations), remove_new(new, images=True))


def task_operations(snapshot: Snapshot, part: Part, app_url: str = "") -> tuple[Operation, ...]:
    """Create it, start it, wait for its end, take it away; one that an earlier attempt left is taken away first.

    `app_url` stands in its command and environment for `$WINDLASS_APP_URL`. The generation's networks must be there.
    """
    gone = RemoveContainers(containers_of(snapshot, part))
    made = [replace(o, app_url=app_url) if isinstance(o, CreateServices) else o for o in create_parts(snapshot, [part])]
    return (gone, *made, RunTask(snapshot.number, part.name), gone)
