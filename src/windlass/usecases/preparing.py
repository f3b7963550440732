"""The first four steps of a deployment: fetch the source, understand it, check that it can work, build it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from windlass.domain.records import StepRecord
from windlass.usecases.approvals import check_unchanged
from windlass.usecases.checking import build_checked, check_project
from windlass.usecases.preparation import Preparation
from windlass.usecases.recalling import check_kept, note_live, plan_again, recall_release
from windlass.usecases.understanding import fetch_source, resolve_project

Step = Callable[[Preparation, list[StepRecord]], None]

_DEPLOY: Mapping[str, Step] = {
    "source": fetch_source,
    "resolve": resolve_project,
    "check": check_project,
    "build": build_checked,
}
_ROLLBACK: Mapping[str, Step] = {
    "source": note_live,
    "resolve": recall_release,
    "check": check_kept,
    "build": plan_again,
}


def prepare_step(prep: Preparation, name: str, record: list[StepRecord]) -> None:
    """Carry out one of source, resolve, check, build; for a rollback they look at what is kept."""
    if name == "source":
        check_unchanged(prep.work.outside, prep.deployment)
    steps = _ROLLBACK if prep.deployment.kind == "rollback" else _DEPLOY
    steps[name](prep, record)
