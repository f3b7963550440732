"""The first two steps: fetch the source, and understand it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from windlass.domain.contract import Contract
from windlass.domain.errors import Refused
from windlass.domain.records import StepRecord
from windlass.domain.sources import IMAGE_PREFIX
from windlass.usecases.binds import local_binds
from windlass.usecases.concern import commit_facts, keep_commit, leave_out_skipped, leave_out_unconcerned
from windlass.usecases.confines import kept_values
from windlass.usecases.contracts import OPTION, pack_contract
from windlass.usecases.fetching import Wanted, obtain
from windlass.usecases.flags import dirty_problems, told_flags
from windlass.usecases.grants import deliveries, secret_files
from windlass.usecases.preparation import Preparation, cancelled
from windlass.usecases.project import ENV_FILE, Project, Reading, read_project
from windlass.usecases.reusing import reuse_problems
from windlass.usecases.variables import (
    PRIVATE,
    given_values,
    held_values,
    hold_more,
    keep_made,
    own_secrets,
    redactor_of,
)


def fetch_source(prep: Preparation, record: list[StepRecord]) -> None:
    outside, deployment, options = prep.work.outside, prep.deployment, prep.deployment.options
    app = outside.store.apps.get(deployment.app)
    source = _named(options)
    release = outside.store.releases.add(app.name, outside.clock.now(), source, str(options.get("ref") or ""))
    prep.number = release.number
    outside.store.deployments.update(deployment.id, release=release.number, previous=app.live)
    prep.deployment = outside.store.deployments.get(deployment.id)
    folder = outside.trees.source(app.name, release.number)
    wanted = Wanted(
        app=app.name,
        kind=str(options.get("source_kind") or "upload"),
        url=held_values(outside, deployment.id).get(PRIVATE + "git.url") or str(options.get("url") or ""),
        ref=str(options.get("pinned") or options.get("ref") or ""),
        upload=Path(str(options["upload"])) if options.get("upload") else None,
        commit=str(options.get("commit") or ""),
        own=bool(options.get("own")),
    )
    commit = obtain(outside, wanted, folder, cancelled(prep))
    if wanted.upload is not None:
        outside.trees.discard(wanted.upload)
    outside.store.releases.update(app.name, release.number, **commit_facts(commit))
    keep_commit(prep, wanted, commit)
    leave_out_skipped(prep, commit)


def _named(options: Mapping[str, Any]) -> str:
    """The source in the list of releases."""
    prefix = IMAGE_PREFIX if options.get("source_kind") == "image" else ""
    return prefix + str(options["url"]) if options.get("url") else "upload"


def resolve_project(prep: Preparation, record: list[StepRecord]) -> None:
    outside, deployment = prep.work.outside, prep.deployment
    folder = outside.trees.source(deployment.app, prep.number)
    stored = kept_values(outside, deployment.app)
    reading = Reading(
        app=deployment.app,
        folder=folder,
        compose=tuple(deployment.options.get("compose") or ()),
        profiles=tuple(deployment.options.get("profiles") or ()),
        values=given_values(outside, deployment.id),
        stored=stored,
        first=outside.store.apps.get(deployment.app).live is None,
        learned=lambda contract: _keep_contract(prep, contract),
    )
    prep.project = read_project(outside, reading)
    hold_more(outside, deployment.id, prep.project.imported)
    keep_made(outside, deployment.app, prep.project.made)
    prep.journal.redactor = redactor_of({**prep.project.values, **own_secrets(outside, deployment.app)})
    leave_out_unconcerned(prep, folder, prep.project.manifest.watch)
    _keep_wishes(prep, prep.project)
    prep.binds = local_binds(outside, prep.project.everything, folder)
    prep.problems += [*prep.project.problems, *dirty_problems(prep.project.manifest, deployment.options)]
    if deployment.options.get("skip_build"):
        prep.problems += reuse_problems(outside, deployment.app, prep.project.model)
    for words in told_flags(deployment.options):
        prep.journal.note("note", {"text": words})
    try:
        prep.files = deliveries(outside, prep.project.everything, prep.project.values)
    except Refused as refused:
        prep.problems += refused.details
    for path in (folder / ENV_FILE, *secret_files(prep.project.everything)):
        outside.trees.forget(path)
    outside.store.releases.update(deployment.app, prep.number, tree=outside.trees.digest(folder))


def _keep_contract(prep: Preparation, contract: Contract) -> None:
    options = {**prep.deployment.options, OPTION: pack_contract(contract)}
    prep.deployment = prep.work.outside.store.deployments.update(prep.deployment.id, options=options)


def _keep_wishes(prep: Preparation, project: Project) -> None:
    wishes = [{"item": w.item, "service": w.service, "message": w.message} for w in project.wishes]
    options = {**prep.deployment.options, "wishes": wishes}
    prep.deployment = prep.work.outside.store.deployments.update(prep.deployment.id, options=options)
