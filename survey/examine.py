"""Plans one project as `windlass plan` does, as far as that is not about the machine, and says what came of it."""

from __future__ import annotations

import traceback
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from survey.collect import Item
from survey.stage import Stage, lay_out, placeholders
from windlass.domain import names
from windlass.domain.errors import Detail, Failed, Refused, WindlassError
from windlass.domain.release import Role, Strategy
from windlass.ports.outside import Outside
from windlass.ports.sources import ComposeSource
from windlass.usecases.binds import local_binds
from windlass.usecases.designing import Design, design_release
from windlass.usecases.grants import deliveries
from windlass.usecases.project import Project, Reading, read_project
from windlass.usecases.reconcile import Always
from windlass.usecases.undertaking import Undertaking

_APP = "survey"


class Ending(StrEnum):
    """`PLANNED` and `ASKS` are complete plans."""

    PLANNED = "planned, nothing in the way"
    ASKS = "planned, waits for the operator"
    REFUSED = "refused without a plan"
    FAILED = "failed"


@dataclass(frozen=True)
class Outcome:
    """`rejected`: why Compose itself does not accept the file, "" when it does. `reasons`: codes, one of each."""

    collection: str
    name: str
    rejected: str
    ending: Ending
    reasons: tuple[str, ...] = ()
    said: tuple[str, ...] = ()
    services: int = 0
    strategies: dict[str, int] = field(default_factory=dict)
    open_routes: int = 0
    is_template: bool = False
    stubs: int = 0

    @property
    def is_complete(self) -> bool:
        return self.ending in (Ending.PLANNED, Ending.ASKS)


def examine(outside: Outside, home: Path, item: Item) -> Outcome:
    """Lay the project out, ask Compose, plan, and clear away."""
    folder = outside.trees.uploads() / "project"
    outcome = Outcome(item.collection, item.name, "", Ending.FAILED, is_template=item.lone)
    try:
        stage = lay_out(item, folder)
        outcome = replace(outcome, rejected=_asked(outside, stage), stubs=len(stage.stubs))
        return _planned(outside, stage, outcome)
    except WindlassError as error:
        return replace(outcome, reasons=(error.code,), said=(error.message,))
    except Exception:  # noqa: BLE001 - an unexpected end is what the survey looks for
        return replace(outcome, reasons=("exception",), said=(traceback.format_exc(limit=-3),))
    finally:
        outside.trees.discard(folder)


def _asked(outside: Outside, stage: Stage) -> str:
    """What Compose says against the project, with the values that it asks for, else with one for each variable."""
    known: dict[str, str] = {}
    own = outside.trees.read(stage.folder / ".env")
    said = ""
    for every in (False, True):
        try:
            known = known or (outside.compose.read_env(own.decode("utf-8", "replace")) if own else {})
            known = {n: v for n, v in known.items() if not names.is_reserved(n)}
            source = ComposeSource(stage.folder, _APP, stage.files, (), {**known, **stage.values})
            made = placeholders(outside.compose, source, every)
            stage.values |= {n: v for n, v in made.items() if not names.is_reserved(n)}
            outside.compose.resolve(replace(source, values={**known, **stage.values}))
            return ""
        except (Refused, Failed) as refused:
            said = said or refused.code
    return said


def _planned(outside: Outside, stage: Stage, outcome: Outcome) -> Outcome:
    reading = Reading(app=_APP, folder=stage.folder, compose=stage.files, values=stage.values, first=True)
    try:
        project = read_project(outside, reading)
    except Refused as refused:
        wrong = _unfounded(refused.details)
        ending = Ending.FAILED if wrong else Ending.REFUSED
        return replace(outcome, ending=ending, reasons=_codes(refused.details), said=_said(wrong or refused.details))
    binds = local_binds(outside, project.model, stage.folder)
    work = Undertaking(outside, _APP, "", Always(lambda: False), lambda kind, data: None)
    design = design_release(work, project, binds, {})
    problems = [*project.problems, *design.problems]
    try:
        deliveries(outside, project.model, project.values)
    except Refused as refused:
        problems += refused.details
    return _judged(project, design, problems, outcome)


def _judged(project: Project, design: Design, problems: list[Detail], outcome: Outcome) -> Outcome:
    counts: dict[str, int] = {}
    for placement in design.placing.placements:
        counts[placement.strategy.value] = counts.get(placement.strategy.value, 0) + 1
    missing = [f"{p.service} has no reason" for p in design.placing.placements if not p.reason]
    unplaced = set(project.model.services) - {p.service for p in design.placing.placements}
    missing += [f"{name} is not placed" for name in sorted(unplaced)]
    missing += [f"the route to {r.service} has no port" for r in design.routes if not r.port]
    if not (design.routes or design.open or problems) and any(
        p.role is Role.HTTP and p.strategy is not Strategy.JOB for p in design.placing.placements
    ):
        missing.append("nothing says what leads to the services that speak HTTP")
    missing += list(_said(_unfounded(problems)))
    ending = Ending.FAILED if missing else Ending.ASKS if problems else Ending.PLANNED
    return replace(
        outcome,
        ending=ending,
        reasons=("incomplete",) if missing else _codes(problems),
        said=tuple(missing) or _said(problems),
        services=len(project.model.services),
        strategies=counts,
        open_routes=len(design.open),
    )


def _unfounded(details: Iterable[Detail]) -> list[Detail]:
    """Refusals that name no place, or no way out."""
    return [d for d in details if not d.name or not d.fix]


def _codes(details: Iterable[Detail]) -> tuple[str, ...]:
    return tuple(sorted({d.code for d in details}))


def _said(details: Iterable[Detail]) -> tuple[str, ...]:
    return tuple(f"{d.code} {d.name}: {d.message}" for d in details)
