"""Puts a project that was written for another tool into Compose's words, in windlass's own copy of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from windlass.domain.dialects.addresses import Places, find_places, find_routes, with_port
from windlass.domain.dialects.coolify import declared_volumes, is_coolify, translate_coolify
from windlass.domain.dialects.dokploy import HOST, TEMPLATE, filled, hosts_in, translate_dokploy
from windlass.domain.dialects.magic import read_secret
from windlass.domain.dialects.oldkeys import translate_old_keys
from windlass.domain.dialects.translation import NewFile, Translation, joined
from windlass.domain.documents import Document, parse_yaml
from windlass.domain.documents import Path as YamlPath
from windlass.domain.errors import Refused
from windlass.domain.insidepaths import folder_of, inside
from windlass.domain.release import Route
from windlass.domain.rewriting import rewrite
from windlass.ports.outside import Outside
from windlass.usecases.magicvalues import make_secrets
from windlass.usecases.routes import default_host

Marks = Mapping[YamlPath, tuple[int, int]]


@dataclass(frozen=True)
class Spoken:
    """`whole`: what was found in all files. `marks`: file -> the places in it as the user wrote it.

    `untouched`: file -> what was read of it, where nothing had to be changed.
    """

    whole: Translation = Translation()
    marks: Mapping[str, Marks] = field(default_factory=dict)
    untouched: Mapping[str, Document] = field(default_factory=dict)

    def as_written(self, document: Document) -> Document:
        """The file as Compose reads it, with the places that the user knows."""
        return replace(document, marks=self.marks.get(document.name, document.marks))


@dataclass(frozen=True)
class Filled:
    """`found` follows from files and routes and is not kept; `made` is made once and kept with the app.

    `notes`: all that was translated or made, for the plan.
    """

    found: Mapping[str, str]
    made: Mapping[str, str]
    routes: tuple[Route, ...]
    notes: tuple[str, ...]


def translate_project(outside: Outside, folder: Path, files: Sequence[str]) -> Spoken:
    """Rewrite the Compose files that speak a dialect, and write the files that they bring along.

    A file that cannot be read is left to the screen, which says why.
    """
    read = _read(outside, folder, files)
    declared = frozenset(name for document, _ in read.values() for name in declared_volumes(document))
    theirs = any(is_coolify(document, text) for document, text in read.values())
    start = folder_of(files[0]) if files else "."
    template = _template(outside, folder, start)
    of_template = translate_dokploy(template, start, {n: d for n, (d, _) in read.items()}) if template else {}
    found, untouched = [], {}
    for name, (document, text) in read.items():
        parts = [translate_old_keys(document), of_template.get(name, Translation())]
        parts += [translate_coolify(document, text, start, declared)] if theirs else []
        found.append(translation := joined(parts))
        if translation.edits:
            content = rewrite(text.encode(), name, translation.edits)
            outside.trees.put(folder, name, content, is_executable=False)
        else:
            untouched[name] = document
    whole = joined(found)
    for file in whole.files:
        _bring(outside, folder, file)
    return Spoken(whole, {name: document.marks for name, (document, _) in read.items()}, untouched)


def fill_in(outside: Outside, app: str, spoken: Spoken, given: Mapping[str, str], hosts: Mapping[str, str]) -> Filled:
    """Values for the magic variables. `given`: those that somebody set. `hosts`: service -> host, by windlass.yaml."""
    whole = spoken.whole
    own = {f"SERVICE_FQDN_{r.id}": hosts[r.service] for r in whole.routes if hosts.get(r.service)}
    host = default_host(app, outside.domain)
    places = find_places(whole.routes, whole.magic, {**own, **given}, host, whole.port_hint)
    asked = [*filter(None, map(read_secret, sorted(whole.magic))), *whole.secrets]
    made = make_secrets(asked, given, outside.clock.now())
    addresses = with_port(places.values, outside.http_port)
    notes = (*whole.notes, *_told(addresses, made, given))
    own_hosts = _hosts_of_template(whole, places, host)
    template = _of_template(whole.texts, {**made, **given, **own_hosts})
    further = {route.id: filled(route.host, own_hosts) for route in whole.routes if route.host}
    routes = find_routes(whole.routes, replace(places, hosts={**places.hosts, **further}), whole.port_hint)
    return Filled({**whole.defaults, **template, **addresses}, made, routes, notes)


def _of_template(texts: Mapping[str, str], values: Mapping[str, str]) -> dict[str, str]:
    hosts = {name: value for name, value in values.items() if name.startswith(HOST)}
    return hosts | {name: filled(text, values) for name, text in texts.items()}


def _hosts_of_template(whole: Translation, places: Places, default: str) -> dict[str, str]:
    """A host for each domain of the template: its route's, else the app's own."""
    texts = (*whole.texts.values(), *(r.host for r in whole.routes), *(str(edit.value) for edit in whole.edits))
    named = {name for text in texts for name in hosts_in(text)}
    return {name: places.hosts.get(name.removeprefix(HOST), "") or default for name in sorted(named)}


def _told(addresses: Mapping[str, str], made: Mapping[str, str], given: Mapping[str, str]) -> Iterator[str]:
    if made:
        yield f"made once and kept as variables of the app: {', '.join(sorted(made))}"
    listed = ", ".join(f"{name}={value}" for name, value in sorted(addresses.items()) if name not in given)
    if listed:
        yield f"Coolify's dialect: by the routes: {listed}"


def _read(outside: Outside, folder: Path, files: Sequence[str]) -> dict[str, tuple[Document, str]]:
    found = {}
    for name in files:
        place = inside(".", name)
        if place is None or outside.trees.leads_outside(folder, place):
            continue
        content = outside.trees.read(folder / place)
        if content is None:
            continue
        try:
            found[place] = parse_yaml(content, place), content.decode()
        except Refused:
            continue
    return found


def _template(outside: Outside, folder: Path, start: str) -> bytes | None:
    place = inside(start, TEMPLATE)
    if place is None or outside.trees.leads_outside(folder, place):
        return None
    return outside.trees.read(folder / place)


def _bring(outside: Outside, folder: Path, file: NewFile) -> None:
    """What the project has under that path already is its own."""
    if outside.trees.leads_outside(folder, file.path) or not outside.trees.look(folder / file.path).exists:
        outside.trees.put(folder, file.path, file.content, is_executable=file.is_executable)
