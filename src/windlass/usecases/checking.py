"""The step that finds every reason why a release cannot work here, before anything is touched."""

from __future__ import annotations

from windlass.domain.errors import refuse
from windlass.domain.records import StepRecord
from windlass.usecases.building import local_hints
from windlass.usecases.designing import design_release
from windlass.usecases.preflight import preflight, strangers
from windlass.usecases.preparation import Preparation


def check_project(prep: Preparation, record: list[StepRecord]) -> None:
    project = prep.understood()
    outside, app = prep.work.outside, prep.deployment.app
    found = local_hints(outside, project.model)
    design = design_release(prep.work, project, prep.binds, found)
    prep.problems += design.problems
    placements = {p.service: p for p in design.placing.placements}
    prep.problems += preflight(outside, app, project.model, placements, project.manifest.creatable)
    prep.problems += strangers(outside, app, project.model)
    if prep.problems:
        raise refuse(list(dict.fromkeys(prep.problems)))
    for note in project.notes:
        prep.journal.note("note", {"text": note})
