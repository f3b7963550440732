"""The step that builds or pulls the images and makes the release out of them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime

from windlass.domain.compose import Model
from windlass.domain.derivation import Ingredients, derive
from windlass.domain.errors import refuse
from windlass.domain.fingerprint import fingerprint
from windlass.domain.manifest import Manifest
from windlass.domain.records import Release, ReleaseState, StepRecord
from windlass.domain.smokeplan import smoke_steps
from windlass.domain.tasks import Task
from windlass.domain.taskservices import add_tasks, tasks_of, with_images
from windlass.ports.engine import ImageFacts
from windlass.usecases.binds import resolve_binds
from windlass.usecases.building import BuildOrder, build_images, hints
from windlass.usecases.buildline import build_turn
from windlass.usecases.confines import within_caps
from windlass.usecases.designing import Design, design_release
from windlass.usecases.preparation import Preparation, cancelled, finish_plan
from windlass.usecases.project import Project
from windlass.usecases.reusing import live_images, with_tasks


def build_release(prep: Preparation, record: list[StepRecord]) -> None:
    outside, app, project = prep.work.outside, prep.deployment.app, prep.understood()
    release = outside.store.releases.get(app, prep.number)
    facts = _facts(prep, release)
    tasks = tasks_of(project.manifest)
    order = BuildOrder(
        app=app,
        number=prep.number,
        deployment=prep.deployment.id,
        model=with_images(project.model, tasks, project.everything),
        folder=outside.trees.source(app, prep.number),
        facts=facts,
        values=project.values,
        pull=bool(prep.deployment.options.get("pull")),
        reuse=_reused(prep, project, tasks),
    )
    with _turn(prep, order, record), prep.journal.part(record, "images"):
        images = build_images(outside, order, lambda line: prep.journal.line("build", line), cancelled(prep))
    known = {n: hints(f) for n, f in images.items() if n in project.model.services}
    design = design_release(prep.work, project, prep.binds, known, complete=True)
    if design.problems:
        raise refuse(list(dict.fromkeys(design.problems)))
    given = add_tasks(_ingredients(prep, project, design, images, facts), tasks, project.everything)
    snapshot = derive(replace(given, model=within_caps(outside, app, given.model)))
    snapshot = replace(
        snapshot,
        fingerprint=fingerprint(snapshot, release.tree),
        variables=dict(project.values),
        smoke=smoke_steps(project.manifest.verify),
    )
    outside.store.releases.update(
        app, prep.number, state=ReleaseState.READY, fingerprint=snapshot.fingerprint,
        images={n: f.id for n, f in images.items()},
    )  # fmt: skip
    finish_plan(prep, snapshot, again=False)


def _turn(prep: Preparation, order: BuildOrder, record: list[StepRecord]) -> AbstractContextManager[None]:
    """A place in the line of builds; what only pulls needs none."""
    if not order.builds:
        return nullcontext()
    return build_turn(prep.work.outside, prep.deployment.id, cancelled(prep), prep.journal.part(record, "wait"))


def _reused(prep: Preparation, project: Project, tasks: tuple[Task, ...]) -> dict[str, str]:
    if not prep.deployment.options.get("skip_build"):
        return {}
    return with_tasks(live_images(prep.work.outside, prep.deployment.app, project.model), tasks)


def _facts(prep: Preparation, release: Release) -> dict[str, str]:
    """The same source says the same again, so that a build of unchanged source stays unchanged."""
    outside = prep.work.outside
    same = release
    if prep.deployment.previous is not None:
        live = outside.store.releases.get(release.app, prep.deployment.previous)
        if live.tree == release.tree and live.commit == release.commit:
            same = live
    when = datetime.fromtimestamp(same.created_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "WINDLASS_COMMIT": release.commit,
        "WINDLASS_VERSION": release.commit[:12] or release.tree[:12],
        "WINDLASS_BUILD_DATE": when,
        "WINDLASS_RELEASE": str(same.number),
    }


def _ingredients(
    prep: Preparation, project: Project, design: Design, images: Mapping[str, ImageFacts], facts: Mapping[str, str]
) -> Ingredients:
    outside, app, manifest = prep.work.outside, prep.deployment.app, project.manifest
    placements = {p.service: p for p in design.placing.placements}
    base = frozenset(n for n, p in placements.items() if p.in_base)
    model: Model = project.model
    return Ingredients(
        app=app,
        number=prep.number,
        model=model,
        placements=placements,
        probes=design.probes,
        images={n: f.id for n, f in images.items()},
        image_volumes={n: f.volumes for n, f in images.items()},
        routes=design.routes,
        binds=resolve_binds(outside, app, prep.binds, design.bind_kinds, base),
        deliveries=prep.files,
        creatable=manifest.creatable,
        to=_handed(manifest, project.values),
        extra_environment={**facts, "WINDLASS_RELEASE": str(prep.number)},
        drains=manifest.drains,
        scale=outside.store.apps.get(app).scale,
        bake_s=manifest.verify.bake,
        keep_warm_s=manifest.keep_warm,
        notes=(*project.notes, *design.notes),
        labelled=design.labelled,
    )


def _handed(manifest: Manifest, values: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Service -> variables that windlass.yaml sends to it."""
    found: dict[str, dict[str, str]] = {}
    for name, services in manifest.sent_to.items():
        for service in services:
            if name in values:
                found.setdefault(service, {})[name] = values[name]
    return found
