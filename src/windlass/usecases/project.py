"""Reads a project folder: windlass.yaml, the Compose model, and everything that speaks against deploying it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from windlass.domain import names
from windlass.domain.blanks import dangerous_blanks
from windlass.domain.compose import Model
from windlass.domain.confinement import confinement_problems
from windlass.domain.contract import Contract
from windlass.domain.contract_scopes import find_places
from windlass.domain.documents import Document, parse_yaml
from windlass.domain.errors import Detail, Refused, WindlassError, refuse
from windlass.domain.manifest import Manifest
from windlass.domain.manifestfile import parse_manifest
from windlass.domain.modelreader import read_model
from windlass.domain.previews import is_preview
from windlass.domain.release import Route
from windlass.domain.screening import Screen, screen_files, screen_model
from windlass.domain.sources import MADE_HERE, generated_compose
from windlass.domain.taskservices import task_problems, tasks_of
from windlass.domain.traefiklabels import labelled_routes
from windlass.domain.wishes import Wish, find_wishes, host_wishes, missing_consents
from windlass.ports.outside import Outside
from windlass.ports.sources import ComposeSource, Resolved
from windlass.usecases.confines import within_caps
from windlass.usecases.contracts import check_values, learn_contract, told, with_contract, with_uses
from windlass.usecases.dialects import Spoken, fill_in, translate_project
from windlass.usecases.spares import Surroundings, with_spares
from windlass.usecases.written import written_project

ENV_FILE = ".env"
MANIFEST = "windlass.yaml"
DOCKERFILE = "Dockerfile"
MADE_NOTE = "there is no Compose file: the project is one service, `app`, made of its Dockerfile or image"
# In Compose's own order: what is screened must be what Compose reads.
COMPOSE_NAMES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
OVERRIDE_NAMES = (
    "compose.override.yml",
    "compose.override.yaml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
)


@dataclass(frozen=True)
class Reading:
    """How to read the folder: what the request says. `first`: no values are kept yet, so `.env` is taken in.

    `learned` is told the contract of the variables, also when the project is refused for it.
    """

    app: str
    folder: Path
    compose: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()
    values: Mapping[str, str] = field(default_factory=dict)
    stored: Mapping[str, str] = field(default_factory=dict)
    first: bool = False
    learned: Callable[[Contract], None] = lambda contract: None


@dataclass(frozen=True)
class Project:
    """The folder, understood. `problems` are refusals, `notes` go into the plan."""

    manifest: Manifest
    model: Model
    source: ComposeSource
    values: Mapping[str, str]
    imported: Mapping[str, str]
    wishes: tuple[Wish, ...]
    problems: tuple[Detail, ...]
    notes: tuple[str, ...]
    warnings: tuple[Detail, ...] = ()
    """What only looks wrong with the variables; the notes tell it too."""
    made: Mapping[str, str] = field(default_factory=dict)
    """Values of another tool's magic variables, made now, to be kept with the app."""
    routes: tuple[Route, ...] = ()
    """That another tool's dialect asks for; windlass.yaml's and labels come first."""
    wider: Model | None = None

    @property
    def everything(self) -> Model:
        """Also with services of other profiles, which are never started, but have commands run in them."""
        return self.wider or self.model


def read_project(outside: Outside, reading: Reading) -> Project:
    """Understand the folder. Raises Refused with every reason that keeps Compose from reading it at all."""
    manifest = _manifest(outside, reading)
    env = _env_file(outside, reading)
    files, made = _files(outside, reading, manifest, env)
    profiles = reading.profiles or manifest.profiles or tuple(_split(env.get("COMPOSE_PROFILES", ""), ","))
    spoken = translate_project(outside, reading.folder, files)
    screen = _screen(outside, reading.folder, files, spoken)
    problems = [*_env_problems(env), *spoken.whole.problems, *screen.problems]
    if problems:
        raise refuse(problems)
    imported, notes = _imported(reading, env)
    given = {**manifest.defaults, **imported, **reading.stored, **reading.values}
    filled = fill_in(outside, reading.app, spoken, given, {} if is_preview(reading.app) else _hosts(manifest))
    values = {**filled.found, **filled.made, **given}
    source = ComposeSource(reading.folder, reading.app, tuple(files), profiles, values)
    leads_outside = _leads_outside(outside, reading.folder)
    contract, without_files, written, source, unfilled = _asked_together(outside, reading, manifest, source)
    early = screen_model(read_model(without_files.document), str(reading.folder), leads_outside)
    if any(detail.code == "path_outside" for detail in early):
        raise refuse(early)
    with_files = _use_env_files(outside, reading, screen)
    resolved = outside.compose.resolve(source) if with_files else without_files
    model = read_model(resolved.document)
    wider = with_spares(outside, Surroundings(source, with_files, leads_outside), model, tasks_of(manifest))
    wishes = _wishes(outside, reading, wider, _wanted_hosts(manifest, model))
    contract = with_uses(contract, wider, values, {*spoken.whole.names, *filled.found})
    contract = replace(contract, places=find_places(written, manifest.env, model))
    reading.learned(contract)
    broken = check_values(contract, values, reading.app)
    wrong = with_contract(unfilled, broken).details if unfilled else broken.problems
    unset, blank_notes = dangerous_blanks(written, set(resolved.unset) - {d.name for d in broken.problems})
    late = (*_wrong_name(reading, env), *screen_model(wider, str(reading.folder), leads_outside))
    found = [*_lacking(model, wider, manifest), *late, *wrong, *unset]
    return Project(
        manifest=manifest,
        model=within_caps(outside, reading.app, model),
        source=source,
        values=values,
        imported=imported,
        wishes=wishes,
        made=filled.made,
        routes=filled.routes,
        wider=within_caps(outside, reading.app, wider),
        problems=(*found, *_forbidden(outside, reading, wider, wishes)),
        warnings=broken.notes,
        notes=(*made, *notes, *filled.notes, *screen.notes, *blank_notes, *told(broken), *_not_yet(manifest)),
    )


def _asked_together(
    outside: Outside, reading: Reading, manifest: Manifest, source: ComposeSource
) -> tuple[Contract, Resolved, Mapping[str, Any], ComposeSource, Refused | None]:
    """The contract, what `_resolved` says, and the project with its `${…}` as they are written."""
    with ThreadPoolExecutor(2, "compose") as beside:
        written = beside.submit(written_project, outside, source)
        first = beside.submit(outside.compose.resolve, source, env_files=False)
        contract = learn_contract(outside, reading.folder, manifest, source)
        resolved, stood_in, unfilled = _resolved(outside, reading, source, contract, first)
        return contract, resolved, written.result(), stood_in, unfilled


def _resolved(
    outside: Outside, reading: Reading, source: ComposeSource, contract: Contract, first: Future[Resolved]
) -> tuple[Resolved, ComposeSource, Refused | None]:
    """Without the files of `env_file`; raises Refused with Compose's reasons and the contract's.

    Where only required variables are missing, a stand-in is read in their place, so that everything else that is wrong
    is found as well; their refusal is the third value, and the source with the stand-ins the second.
    """
    try:
        return first.result(), source, None
    except Refused as refused:
        stood_in = _with_stand_ins(source, refused)
        if stood_in is not None:
            with suppress(Refused):
                return outside.compose.resolve(stood_in, env_files=False), stood_in, refused
        reading.learned(contract)
        raise with_contract(refused, check_values(contract, source.values, reading.app)) from refused


def _with_stand_ins(source: ComposeSource, refused: Refused) -> ComposeSource | None:
    """A digit fits most places; None when something else is refused than variables without a value."""
    if any(detail.code != "variable_required" for detail in refused.details):
        return None
    return replace(source, values={**source.values, **{detail.name: "1" for detail in refused.details}})


def _lacking(model: Model, wider: Model, manifest: Manifest) -> list[Detail]:
    """Services that are not there: any at all, and those in which commands are to run."""
    return [*_no_services(model), *task_problems(wider, tasks_of(manifest))]


def _no_services(model: Model) -> list[Detail]:
    if model.services:
        return []
    said = "the project has no service to run: none is written, or all are in profiles that were not asked for"
    return [Detail("no_services", "services", said, "windlass deploy --profile NAME, or add a service")]


def _not_yet(manifest: Manifest) -> tuple[str, ...]:
    """Keys of windlass.yaml that are understood, and that nothing is done about in this version."""
    written = {
        "release[].before": any(rule.before for rule in manifest.release),
        "assets": manifest.assets,
    }
    found = [key for key, value in written.items() if value]
    return (f"not carried out by this version of windlass: {', '.join(found)} in windlass.yaml",) if found else ()


def _use_env_files(outside: Outside, reading: Reading, screen: Screen) -> bool:
    """What Compose prints without reading them does not tell, so the files themselves are asked."""
    return any(b"env_file" in (outside.trees.read(reading.folder / path) or b"") for path in screen.files)


def _manifest(outside: Outside, reading: Reading) -> Manifest:
    text = outside.trees.read(reading.folder / MANIFEST)
    return parse_manifest(text or b"", names.shown(reading.app))


def _hosts(manifest: Manifest) -> dict[str, str]:
    """Service -> the host that windlass.yaml gives it."""
    routes = manifest.route_list() or ()
    return {route.service: route.host for route in routes if route.host and route.options.redirect is None}


def _wishes(outside: Outside, reading: Reading, model: Model, hosts: list[tuple[str, str]]) -> tuple[Wish, ...]:
    foreign = _foreign(outside, reading.app)
    hosts = [] if is_preview(reading.app) else hosts
    return (*find_wishes(model, str(reading.folder), foreign), *host_wishes(hosts))


def _forbidden(outside: Outside, reading: Reading, model: Model, wishes: tuple[Wish, ...]) -> tuple[Detail, ...]:
    """What was not consented to; a preview gets no consent at all. `model`: before it is brought within its share."""
    if is_preview(reading.app):
        return confinement_problems(model, wishes)
    return missing_consents(wishes, outside.store.consents.all(reading.app), names.shown(reading.app))


def _wanted_hosts(manifest: Manifest, model: Model) -> list[tuple[str, str]]:
    """Service and host of every route that is written down."""
    routes = manifest.route_list()
    if routes is not None:
        return [(route.service, route.host) for route in routes]
    return [(route.service, route.host) for route in labelled_routes(tuple(model.services.values())).routes]


def _env_file(outside: Outside, reading: Reading) -> dict[str, str]:
    text = outside.trees.read(reading.folder / ENV_FILE)
    return outside.compose.read_env(text.decode("utf-8", "replace")) if text is not None else {}


def _wrong_name(reading: Reading, env: Mapping[str, str]) -> list[Detail]:
    project = env.get("COMPOSE_PROJECT_NAME", reading.app)
    if project == reading.app:
        return []
    return [
        Detail(
            "project_name_differs",
            ".env: COMPOSE_PROJECT_NAME",
            f".env names the project {project!r}, but it is deployed as {reading.app!r}",
            f"windlass deploy --app {reading.app} after removing the line, or --app with that name",
        )
    ]


def _env_problems(env: Mapping[str, str]) -> list[Detail]:
    """What of `.env` Compose must not follow."""
    found = []
    for profile in _split(env.get("COMPOSE_PROFILES", ""), ","):
        try:
            names.profile_name(profile)
        except WindlassError as error:
            found.append(Detail(error.code, ".env: COMPOSE_PROFILES", error.message, "name profiles of the file"))
    for path in _split(env.get("COMPOSE_FILE", "")):
        try:
            names.compose_path(path)
        except WindlassError as error:
            found.append(Detail("path_outside", ".env: COMPOSE_FILE", error.message, "name files inside the project"))
    return found


def _split(text: str, separator: str = ":") -> tuple[str, ...]:
    return tuple(t.strip() for t in text.split(separator) if t.strip())


def _screen(outside: Outside, folder: Path, files: Iterable[str], spoken: Spoken) -> Screen:
    def read(path: str) -> Document | None:
        if path in spoken.untouched:
            return spoken.untouched[path]
        text = outside.trees.read(folder / path)
        return None if text is None else spoken.as_written(parse_yaml(text, path))

    return screen_files(tuple(files), read, _leads_outside(outside, folder))


def _leads_outside(outside: Outside, folder: Path) -> Callable[[str], bool]:
    return lambda name: outside.trees.leads_outside(folder, name)


def _files(
    outside: Outside, reading: Reading, manifest: Manifest, env: Mapping[str, str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The Compose files, and a note when the only one was made here."""
    named = reading.compose or manifest.compose or _split(env.get("COMPOSE_FILE", ""))
    files = named or _discovered(outside, reading.folder)
    is_made = (outside.trees.read(reading.folder / files[0]) or b"").startswith(MADE_HERE)
    return files, (MADE_NOTE,) if is_made else ()


def _discovered(outside: Outside, folder: Path) -> tuple[str, ...]:
    first = next((n for n in COMPOSE_NAMES if outside.trees.look(folder / n).exists), "")
    if not first and outside.trees.look(folder / DOCKERFILE).is_file:
        outside.trees.put(folder, COMPOSE_NAMES[0], generated_compose(), is_executable=False)
        return COMPOSE_NAMES[:1]
    if not first:
        raise Refused(
            "no Compose file in the folder, and no Dockerfile: looked for " + ", ".join(COMPOSE_NAMES),
            code="compose_missing",
            hint="windlass deploy --compose PATH",
        )
    return (first, *[o for o in OVERRIDE_NAMES if outside.trees.look(folder / o).exists][:1])


def _imported(reading: Reading, env: Mapping[str, str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """`.env` is taken in once, at the first deploy; later what differs is only told, by name."""
    own = {n: v for n, v in env.items() if not n.startswith("COMPOSE_") and not names.is_reserved(n)}
    if reading.first:
        taken = {n: v for n, v in own.items() if n not in reading.stored}
        note = (f"taken from .env: {', '.join(sorted(taken))}",) if taken else ()
        return taken, note
    differing = sorted(n for n, v in own.items() if reading.stored.get(n) != v and n not in reading.values)
    if not differing:
        return {}, ()
    return {}, (f".env differs from the values kept by windlass, which are used: {', '.join(differing)}",)


def _foreign(outside: Outside, app: str) -> dict[str, str]:
    """Names of networks and volumes that belong to other apps here."""
    others = {line.name for line in outside.store.apps.lines()} - {app}
    return {r.name: r.app for r in outside.store.resources.of_kinds("network", "volume") if r.app in others}
