"""The first four steps of a rollback: they look at what is kept."""

from __future__ import annotations

from windlass.domain.errors import Detail, Failed, refuse
from windlass.domain.records import StepRecord
from windlass.domain.release import image_tag
from windlass.usecases.hostowners import taken
from windlass.usecases.preparation import Preparation, Unchanged, finish_plan
from windlass.usecases.undertaking import load_kept


def note_live(prep: Preparation, record: list[StepRecord]) -> None:
    outside = prep.work.outside
    live = outside.store.apps.get(prep.deployment.app).live
    prep.deployment = outside.store.deployments.update(prep.deployment.id, previous=live)


def recall_release(prep: Preparation, record: list[StepRecord]) -> None:
    prep.number = int(prep.deployment.options["to"])
    prep.snapshot = load_kept(prep.work.outside, prep.deployment.app, prep.number).snapshot
    if prep.deployment.previous == prep.number:
        raise Unchanged(prep.number)


def check_kept(prep: Preparation, record: list[StepRecord]) -> None:
    snapshot = prep.snapshot
    if snapshot is None:
        raise Failed("the release was not found", code="release_not_found")
    missing = [
        Detail("image_gone", p.name, f"the image of {p.name} in release {prep.number} is gone", "deploy it anew")
        for p in snapshot.parts.values()
        if prep.work.outside.engine.image(image_tag(snapshot.app, p.name, snapshot.number)) is None
    ]
    missing += taken(prep.work.outside, snapshot.app, snapshot.routes)
    if missing:
        raise refuse(missing)


def plan_again(prep: Preparation, record: list[StepRecord]) -> None:
    if prep.snapshot is None:
        raise Failed("the release was not found", code="release_not_found")
    finish_plan(prep, prep.snapshot, again=True)
