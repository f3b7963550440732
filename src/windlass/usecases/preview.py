"""What a deploy would do and why, without starting anything of the app."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from windlass.domain import names
from windlass.domain.checks import skip_names
from windlass.domain.errors import Detail, Refused
from windlass.domain.names import shown
from windlass.domain.release import Placement, Probe, ProbeKind, Route, Strategy
from windlass.domain.smokeplan import describe_steps
from windlass.domain.taskservices import labelled_tasks, tasks_of
from windlass.ports.outside import Outside
from windlass.usecases.binds import local_binds
from windlass.usecases.confines import kept_values
from windlass.usecases.contracts import line_of_note
from windlass.usecases.designing import Design
from windlass.usecases.fetching import Wanted, obtain
from windlass.usecases.flags import dirty_problems, is_skipped, told_flags
from windlass.usecases.grants import deliveries
from windlass.usecases.inspection import begin_inspection, refuse_by, refuse_unread
from windlass.usecases.preparation import describe_tasks
from windlass.usecases.project import Project, Reading, read_project
from windlass.usecases.reconcile import Always
from windlass.usecases.requests import DeployRequest, check_origin, completed
from windlass.usecases.reusing import reuse_problems
from windlass.usecases.routes import default_host
from windlass.usecases.scene import Wishes, look_around
from windlass.usecases.undertaking import Undertaking


def plan(outside: Outside, request: DeployRequest) -> dict[str, Any]:
    """{"app", "items": one per service, "tasks", "routes", "notes", "downtime", "checks"}.

    Raises Refused with every reason, and with "checks" beside it.
    """
    app = names.docker_name(names.app_name(request.app))
    request = completed(outside, request)
    check_origin(request)
    folder = outside.trees.uploads() / f"plan-{secrets.token_hex(6)}"
    try:
        wanted = Wanted(app, request.source_kind, request.url, request.ref, request.upload, own=request.own)
        obtain(outside, wanted, folder)
        return _describe(outside, app, request, folder)
    except Refused as error:
        raise error if error.beside else refuse_unread(error, request.skip_checks) from None
    finally:
        outside.trees.discard(folder)
        if request.upload is not None:
            outside.trees.discard(request.upload)


def _describe(outside: Outside, app: str, request: DeployRequest, folder: Path) -> dict[str, Any]:
    known = outside.store.apps.find(app)
    reading = Reading(
        app=app,
        folder=folder,
        compose=request.compose,
        profiles=request.profiles,
        values=request.values,
        stored=kept_values(outside, app) if known else {},
        first=known is None or known.live is None,
    )
    project = read_project(outside, reading)
    work = Undertaking(outside, app, "", Always(lambda: False), lambda kind, data: None)
    binds = local_binds(outside, project.everything, folder)
    wishes = Wishes(request.pull, not request.skip_build, skip_names(request.skip_checks))
    scene = look_around(work, project, binds, wishes)
    design, placements = scene.design, scene.placements
    problems = [*project.problems, *dirty_problems(project.manifest, asdict(request))]
    if request.skip_build:
        problems += reuse_problems(outside, app, project.model)
    try:
        deliveries(outside, project.everything, project.values)
    except Refused as refused:
        problems += refused.details
    findings = begin_inspection(scene, problems, _open(design)).findings()
    if error := refuse_by(findings):
        raise error
    told = {line_of_note(detail) for detail in project.warnings}
    return {
        "app": shown(app),
        "live": known.live if known else None,
        "items": [_item(project, design, p, known is not None and known.live is not None) for p in placements.values()],
        "tasks": _tasks(project, asdict(request)),
        "verify": _verify(project, request),
        "routes": [_route(outside, app, r) for r in design.routes],
        "notes": [*(n for n in project.notes if n not in told), *design.notes, *told_flags(asdict(request))],
        "downtime": _downtime(placements, known is not None and known.live is not None),
        "checks": [finding.as_dict() for finding in findings],
    }


def _tasks(project: Project, options: Mapping[str, Any]) -> list[dict[str, Any]]:
    tasks = (*tasks_of(project.manifest), *labelled_tasks(project.model))
    told = zip(tasks, describe_tasks(tasks), strict=True)
    return [document | {"skipped": is_skipped(task, options)} for task, document in told]


def _verify(project: Project, request: DeployRequest) -> dict[str, Any]:
    verify = project.manifest.verify
    return {"bake": verify.bake, "skipped": request.skip_verify, "steps": describe_steps(verify)}


def _open(design: Design) -> list[Detail]:
    return [replace(d, message=f"unless the image tells: {d.message}") for d in design.open]


def _item(project: Project, design: Design, placement: Placement, live: bool) -> dict[str, Any]:
    service = project.model.services[placement.service]
    probe = design.probes.get(placement.service)
    return {
        "service": placement.service,
        "role": placement.role.value,
        "strategy": placement.strategy.value,
        "reason": placement.reason,
        "place": "base" if placement.in_base else "generation",
        "image": service.image if service.build is None else "built here",
        "replicas": service.replicas,
        "action": _action(placement, live),
        "probe": _probe(probe),
    }


def _action(placement: Placement, live: bool) -> str:
    if placement.strategy is Strategy.JOB:
        return "run to exit 0"
    if placement.in_base:
        return "touched only if it changed" if live else "create"
    if placement.strategy is Strategy.RECREATE:
        return "swap at the switch" if live else "create"
    return "start beside the old one, then switch" if live else "create"


def _probe(probe: Probe | None) -> str:
    if probe is None or not probe.checks:
        return ""
    words = {
        ProbeKind.HTTP: "GET {0.path} on port {0.port}",
        ProbeKind.TCP: "port {0.port} accepts",
        ProbeKind.EXEC: "the healthcheck's command",
        ProbeKind.UPTIME: "{0.seconds:g} s up",
    }
    return ", then ".join(words[c.kind].format(c) for c in probe.checks) + f", within {probe.within_s:g} s"


def _route(outside: Outside, app: str, route: Route) -> dict[str, Any]:
    host = route.host or default_host(app, outside.domain)
    return {"host": host, "path": route.path, "service": route.service, "port": route.port}


def _downtime(placements: Mapping[str, Placement], live: bool) -> list[str]:
    if not live:
        return []
    swapped = [p for p in placements.values() if p.strategy is Strategy.RECREATE]
    return [f"{p.service}: {p.reason}" for p in swapped]
