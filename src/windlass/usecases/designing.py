"""Where every service of a project goes, how it is asked whether it is ready, and what leads to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from windlass.domain.errors import Detail, Refused
from windlass.domain.filebinds import BindKind
from windlass.domain.fronts import front_of
from windlass.domain.imagehints import ImageHints
from windlass.domain.placement import Placing, late_release_jobs, place
from windlass.domain.probing import probe_for
from windlass.domain.release import Placement, Probe, Route
from windlass.domain.routing import Routing, default_routes, routes_from_manifest, with_users
from windlass.domain.smokeplan import smoke_problems, smoke_steps
from windlass.usecases.binds import Bind, kinds, questions
from windlass.usecases.confines import consents_of, own_routing
from windlass.usecases.hostowners import taken
from windlass.usecases.project import Project
from windlass.usecases.routes import default_host
from windlass.usecases.undertaking import Undertaking

_ANSWERED_BY_IMAGES = ("route_port_unknown", "route_unclear")


@dataclass(frozen=True)
class Design:
    """Where every service goes and what leads to it. `open`: what the images, not here yet, may answer.

    `labelled`: Traefik's labels were read for the routes; `notes` say what of them is left out.
    """

    placing: Placing
    routes: tuple[Route, ...]
    probes: Mapping[str, Probe]
    bind_kinds: Mapping[tuple[str, str], BindKind]
    problems: tuple[Detail, ...]
    open: tuple[Detail, ...] = ()
    notes: tuple[str, ...] = ()
    labelled: bool = False


def design_release(
    work: Undertaking,
    project: Project,
    binds: tuple[Bind, ...],
    known: Mapping[str, ImageHints],
    complete: bool = False,
) -> Design:
    """Place, probe and route. `complete`: every image is known, so what cannot be found out now is a problem."""
    outside, app = work.outside, work.app
    consents = consents_of(outside, app)
    overrides = project.manifest.strategies
    asked = project.routes if project.manifest.route_list() is None else ()
    ports = {route.service: route.port for route in reversed(asked)}
    first = place(project.model, overrides, known, routed=ports)
    found_kinds = kinds(binds, {p.service: p for p in first.placements}, consents)
    placing = place(project.model, overrides, known, found_kinds, ports)
    placements = {p.service: p for p in placing.placements}
    found_kinds = kinds(binds, placements, consents)
    problems = [*placing.problems, *late_release_jobs(placing, project.model), *questions(binds, found_kinds, app)]
    routing = own_routing(outside, app, _routing(project, placing, known))
    left = tuple(p for p in routing.problems if not complete and p.code in _ANSWERED_BY_IMAGES)
    problems += [p for p in routing.problems if p not in left]
    problems += taken(outside, app, routing.routes)
    problems += [] if left else _smoke_problems(work, project, routing.routes)
    probes, wrong = _probes(project, placements, known, complete, ports)
    return Design(
        placing, routing.routes, probes, found_kinds, (*problems, *wrong), left, routing.notes, routing.labelled
    )


def _routing(project: Project, placing: Placing, known: Mapping[str, ImageHints]) -> Routing:
    written = project.manifest.route_list()
    if written is not None:
        full = with_users(written, project.values)
        routing = routes_from_manifest(full.routes, project.model, placing.placements, known)
        return replace(routing, problems=(*full.problems, *routing.problems))
    return default_routes(project.model, placing.placements, known, project.routes)


def _smoke_problems(work: Undertaking, project: Project, routes: Iterable[Route]) -> list[Detail]:
    """Steps after the switch that could only fail: nothing leads there, or there is no such file."""
    outside, folder = work.outside, project.source.directory
    front = front_of(routes, default_host(work.app, outside.domain), outside.http_port)
    found = smoke_problems(smoke_steps(project.manifest.verify), front)
    for index, step in enumerate(project.manifest.verify.steps):
        path = step.file.path if step.file else ""
        place = f"verify.steps[{index}].file"
        if path and outside.trees.leads_outside(folder, path):
            said = f"{path} leads outside the project's folder"
            found.append(Detail("path_outside", place, said, "name a file inside the project (windlass.yaml)"))
        elif path and not outside.trees.look(folder / path).is_file:
            said = f"{path} is no file of the source"
            found.append(Detail("smoke_file_missing", place, said, "add it, or correct the path (windlass.yaml)"))
    return found


def _probes(
    project: Project,
    placements: Mapping[str, Placement],
    known: Mapping[str, ImageHints],
    complete: bool,
    ports: Mapping[str, int],
) -> tuple[dict[str, Probe], list[Detail]]:
    """`ports`: service -> port of a route that a dialect asks for."""
    found: dict[str, Probe] = {}
    problems: list[Detail] = []
    for name, service in project.model.services.items():
        try:
            declared = project.manifest.probe(name)
            hints, role = known.get(name, ImageHints()), placements[name].role
            found[name] = probe_for(service, declared, hints, role, ports.get(name, 0))
        except Refused as refused:
            if complete:
                problems += refused.details
    return found, problems
