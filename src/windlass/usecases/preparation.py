"""The first four steps: fetch the source, understand it, check that it can work, build it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from windlass.domain.compose import Model
from windlass.domain.contract import Contract
from windlass.domain.derivation import Ingredients, derive
from windlass.domain.errors import Detail, Failed, NotFound, Refused, refuse
from windlass.domain.filebinds import BindKind
from windlass.domain.fingerprint import fingerprint
from windlass.domain.imagehints import ImageHints
from windlass.domain.manifest import Manifest
from windlass.domain.placement import Placing, place
from windlass.domain.plan import Plan
from windlass.domain.planner import Situation, plan_deployment
from windlass.domain.probing import probe_for
from windlass.domain.records import Deployment, Release, ReleaseState, StepRecord
from windlass.domain.release import Delivery, Placement, Probe, Route, Snapshot, image_tag
from windlass.domain.routing import Routing, default_routes, routes_from_manifest, taken_hosts
from windlass.ports.engine import ImageFacts
from windlass.usecases.binds import Bind, kinds, local_binds, questions, resolve_binds
from windlass.usecases.building import BuildOrder, build_images, hints, local_hints
from windlass.usecases.contracts import OPTION, pack_contract
from windlass.usecases.control import CancelRequested
from windlass.usecases.grants import deliveries, secret_files
from windlass.usecases.journal import Journal
from windlass.usecases.observation import observe
from windlass.usecases.preflight import preflight, strangers
from windlass.usecases.project import ENV_FILE, Project, Reading, read_project
from windlass.usecases.routes import default_host
from windlass.usecases.undertaking import Kept, Undertaking, load_kept
from windlass.usecases.variables import PRIVATE, given_values, held_values, hold_more, redactor_of


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


def prepare_step(prep: Preparation, name: str, record: list[StepRecord]) -> None:
    """Carry out one of source, resolve, check, build; for a rollback they look at what is kept."""
    if prep.deployment.kind == "rollback":
        {"source": _nothing, "resolve": _recall, "check": _check_kept, "build": _plan_again}[name](prep, record)
    else:
        {"source": _source, "resolve": _resolve, "check": _check, "build": _build}[name](prep, record)


# --- source ----------------------------------------------------------------------------------------------------------


def _source(prep: Preparation, record: list[StepRecord]) -> None:
    outside, deployment, options = prep.work.outside, prep.deployment, prep.deployment.options
    app = outside.store.apps.get(deployment.app)
    source = str(options.get("url") or "upload")
    release = outside.store.releases.add(app.name, outside.clock.now(), source, str(options.get("ref") or ""))
    prep.number = release.number
    outside.store.deployments.update(deployment.id, release=release.number, previous=app.live)
    prep.deployment = outside.store.deployments.get(deployment.id)
    folder = outside.trees.source(app.name, release.number)
    if options.get("source_kind") == "git":
        url = held_values(outside, deployment.id).get(PRIVATE + "git.url") or str(options["url"])
        commit = outside.git.fetch(url, str(options.get("ref") or ""), folder, cancelled=_cancelled(prep))
        sha = commit.sha
    else:
        outside.trees.unpack(Path(str(options["upload"])), folder)
        outside.trees.discard(Path(str(options["upload"])))
        sha = str(options.get("commit") or "")
    outside.store.releases.update(app.name, release.number, commit=sha)


# --- resolve ---------------------------------------------------------------------------------------------------------


def _resolve(prep: Preparation, record: list[StepRecord]) -> None:
    outside, deployment = prep.work.outside, prep.deployment
    folder = outside.trees.source(deployment.app, prep.number)
    stored = outside.store.variables.all(deployment.app)
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
    prep.journal.redactor = redactor_of(prep.project.values)
    _keep_wishes(prep, prep.project)
    prep.binds = local_binds(outside, prep.project.model, folder)
    prep.problems += prep.project.problems
    try:
        prep.files = deliveries(outside, prep.project.model, prep.project.values)
    except Refused as refused:
        prep.problems += refused.details
    for path in (folder / ENV_FILE, *secret_files(prep.project.model)):
        outside.trees.forget(path)
    outside.store.releases.update(deployment.app, prep.number, tree=outside.trees.digest(folder))


def _keep_contract(prep: Preparation, contract: Contract) -> None:
    options = {**prep.deployment.options, OPTION: pack_contract(contract)}
    prep.deployment = prep.work.outside.store.deployments.update(prep.deployment.id, options=options)


def _keep_wishes(prep: Preparation, project: Project) -> None:
    wishes = [{"item": w.item, "service": w.service, "message": w.message} for w in project.wishes]
    options = {**prep.deployment.options, "wishes": wishes}
    prep.deployment = prep.work.outside.store.deployments.update(prep.deployment.id, options=options)


# --- check -----------------------------------------------------------------------------------------------------------


def _check(prep: Preparation, record: list[StepRecord]) -> None:
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


@dataclass(frozen=True)
class Design:
    """Where every service goes and what leads to it."""

    placing: Placing
    routes: tuple[Route, ...]
    probes: Mapping[str, Probe]
    bind_kinds: Mapping[tuple[str, str], BindKind]
    problems: tuple[Detail, ...]


def design_release(
    work: Undertaking,
    project: Project,
    binds: tuple[Bind, ...],
    known: Mapping[str, ImageHints],
    complete: bool = False,
) -> Design:
    """Place, probe and route. `complete`: every image is known, so what cannot be found out now is a problem."""
    outside, app = work.outside, work.app
    consents = outside.store.consents.all(app)
    overrides = project.manifest.strategies
    first = place(project.model, overrides, known)
    found_kinds = kinds(binds, {p.service: p for p in first.placements}, consents)
    placing = place(project.model, overrides, known, found_kinds)
    placements = {p.service: p for p in placing.placements}
    found_kinds = kinds(binds, placements, consents)
    problems = [*placing.problems, *questions(binds, found_kinds, app)]
    routing = _routing(project, placing, known)
    problems += [p for p in routing.problems if complete or p.code not in ("route_port_unknown", "route_unclear")]
    problems += taken_hosts(app, routing.routes, _owners(work))
    probes, wrong = _probes(project, placements, known, complete)
    return Design(placing, routing.routes, probes, found_kinds, (*problems, *wrong))


def _routing(project: Project, placing: Placing, known: Mapping[str, ImageHints]) -> Routing:
    written = project.manifest.route_list()
    if written is not None:
        return routes_from_manifest(written, project.model, placing.placements, known)
    return default_routes(project.model, placing.placements, known)


def _probes(
    project: Project, placements: Mapping[str, Placement], known: Mapping[str, ImageHints], complete: bool
) -> tuple[dict[str, Probe], list[Detail]]:
    found: dict[str, Probe] = {}
    problems: list[Detail] = []
    for name, service in project.model.services.items():
        try:
            declared = project.manifest.probe(name)
            found[name] = probe_for(service, declared, known.get(name, ImageHints()), placements[name].role)
        except Refused as refused:
            if complete:
                problems += refused.details
    return found, problems


def _owners(work: Undertaking) -> dict[str, str]:
    """Host -> app, of every other live app."""
    owners: dict[str, str] = {}
    for other in work.outside.store.apps.all():
        if other.name != work.app and other.live is not None:
            try:
                routes = load_kept(work.outside, other.name, other.live).snapshot.routes
            except NotFound:
                continue
            own = default_host(other.name, work.outside.domain)
            owners |= {r.host or own: other.name for r in routes}
            owners[own] = other.name
    return owners


# --- build -----------------------------------------------------------------------------------------------------------


def _build(prep: Preparation, record: list[StepRecord]) -> None:
    outside, app, project = prep.work.outside, prep.deployment.app, prep.understood()
    release = outside.store.releases.get(app, prep.number)
    facts = _facts(prep, release)
    order = BuildOrder(
        app=app,
        number=prep.number,
        deployment=prep.deployment.id,
        model=project.model,
        folder=outside.trees.source(app, prep.number),
        facts=facts,
        values=project.values,
        pull=bool(prep.deployment.options.get("pull")),
    )
    with prep.journal.part(record, "images"):
        images = build_images(outside, order, lambda line: prep.journal.line("build", line), _cancelled(prep))
    design = design_release(prep.work, project, prep.binds, {n: hints(f) for n, f in images.items()}, complete=True)
    if design.problems:
        raise refuse(list(dict.fromkeys(design.problems)))
    snapshot = derive(_ingredients(prep, project, design, images, facts))
    snapshot = replace(snapshot, fingerprint=fingerprint(snapshot, release.tree), variables=dict(project.values))
    outside.store.releases.update(
        app, prep.number, state=ReleaseState.READY, fingerprint=snapshot.fingerprint,
        images={n: f.id for n, f in images.items()},
    )  # fmt: skip
    _finish_plan(prep, snapshot, again=False)


def _cancelled(prep: Preparation) -> Callable[[], bool]:
    def ask() -> bool:
        try:
            prep.work.control.check()
        except CancelRequested:
            return True
        return False

    return ask


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
        notes=project.notes,
    )


def _handed(manifest: Manifest, values: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Service -> variables that windlass.yaml sends to it."""
    found: dict[str, dict[str, str]] = {}
    for name, services in manifest.sent_to.items():
        for service in services:
            if name in values:
                found.setdefault(service, {})[name] = values[name]
    return found


def _finish_plan(prep: Preparation, snapshot: Snapshot, again: bool) -> None:
    outside, deployment = prep.work.outside, prep.deployment
    old = _live_snapshot(prep)
    if not again and old is not None and not deployment.options.get("force"):
        live = outside.store.releases.get(deployment.app, old.number)
        app = outside.store.apps.get(deployment.app)
        if live.fingerprint == snapshot.fingerprint and app.running:
            raise Unchanged(live.number)
    seen = observe(outside, deployment.app, snapshot, old)
    prep.snapshot = snapshot
    warm = again and outside.store.apps.get(deployment.app).warm == snapshot.number
    prep.plan = plan_deployment(Situation(snapshot, old, seen, again, warm))
    prep.journal.note("plan", {"services": _printed(snapshot), "downtime": list(prep.plan.downtime)})


def _printed(snapshot: Snapshot) -> list[dict[str, str]]:
    return [
        {"service": p.name, "strategy": p.strategy.value, "role": p.role.value, "reason": p.reason}
        for p in snapshot.parts.values()
    ]


def _live_snapshot(prep: Preparation) -> Snapshot | None:
    live = prep.work.outside.store.apps.get(prep.deployment.app).live
    return prep.work.snapshot(live) if live is not None else None


# --- rollback --------------------------------------------------------------------------------------------------------


def _nothing(prep: Preparation, record: list[StepRecord]) -> None:
    outside = prep.work.outside
    live = outside.store.apps.get(prep.deployment.app).live
    prep.deployment = outside.store.deployments.update(prep.deployment.id, previous=live)


def _recall(prep: Preparation, record: list[StepRecord]) -> None:
    prep.number = int(prep.deployment.options["to"])
    prep.snapshot = load_kept(prep.work.outside, prep.deployment.app, prep.number).snapshot
    if prep.deployment.previous == prep.number:
        raise Unchanged(prep.number)


def _check_kept(prep: Preparation, record: list[StepRecord]) -> None:
    snapshot = prep.snapshot
    if snapshot is None:
        raise Failed("the release was not found", code="release_not_found")
    missing = [
        Detail("image_gone", p.name, f"the image of {p.name} in release {prep.number} is gone", "deploy it anew")
        for p in snapshot.parts.values()
        if prep.work.outside.engine.image(image_tag(snapshot.app, p.name, snapshot.number)) is None
    ]
    if missing:
        raise refuse(missing)


def _plan_again(prep: Preparation, record: list[StepRecord]) -> None:
    if prep.snapshot is None:
        raise Failed("the release was not found", code="release_not_found")
    _finish_plan(prep, prep.snapshot, again=True)
