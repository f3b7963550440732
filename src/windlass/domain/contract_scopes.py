"""Where a variable is used, at build time or at run time, and whether that is where it may be."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from windlass.domain.compose import Model
from windlass.domain.errors import Detail
from windlass.domain.manifest import EnvRule


class Kind(StrEnum):
    ARGUMENT = "argument"  # of a build: whoever has the image can read it
    BUILD = "build"  # otherwise by a build, also as its secret
    CONTAINER = "container"  # the process in the container has it
    FILE = "file"  # what surrounds the container: image, ports, labels


@dataclass(frozen=True)
class Place:
    """`where`: the path in the resolved Compose file."""

    kind: Kind
    where: str

    @property
    def is_build(self) -> bool:
        return self.kind in (Kind.ARGUMENT, Kind.BUILD)


Places = Mapping[str, tuple[Place, ...]]

PLACES_OF_ONE = 20  # of one variable; more tell nothing new
_USE = re.compile(r"\$(?:\$|([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*))")
_IN_CONTAINER = frozenset(
    {"command", "configs", "entrypoint", "environment", "healthcheck", "post_start", "pre_stop", "secrets"}
)
_Path = tuple[str, ...]


def find_places(document: Mapping[str, Any], rules: Mapping[str, EnvRule], model: Model) -> Places:
    """Variable -> where it is used. `document`: the merged Compose file, its `${…}` as written; `model`: resolved."""
    found: dict[str, list[Place]] = {}
    for name, place in (*_uses(document), *_sent(rules), *_filled(document, model)):
        known = found.setdefault(name, [])
        if place not in known and len(known) < PLACES_OF_ONE:
            known.append(place)
    return {name: tuple(places) for name, places in sorted(found.items())}


def use_of(places: Iterable[Place]) -> str:
    """build, run, both or nothing."""
    kinds = {place.is_build for place in places}
    if not kinds:
        return "nothing"
    return "both" if len(kinds) == 2 else "build" if True in kinds else "run"


def scope_problems(rules: Mapping[str, EnvRule], places: Places) -> Iterator[Detail]:
    """A variable for the one that is given to the other."""
    for name, rule in sorted(rules.items()):
        own = places.get(name, ())
        if rule.scope == "run":
            yield from _at_build(name, [p for p in own if p.is_build])
        elif rule.scope == "build":
            yield from _at_run(name, [p for p in own if p.kind is Kind.CONTAINER])


def _at_build(name: str, places: list[Place]) -> Iterator[Detail]:
    if not places:
        return
    listed = _listed(places)
    if any(place.kind is Kind.ARGUMENT for place in places):
        words = f"{name} is for run time only (scope: run), but {listed} would leave it in the image"
    else:
        words = f"{name} is for run time only (scope: run), but {listed} gives it to the build"
    fix = f"take it out of {listed}, and read it when the container runs; or write scope: build in windlass.yaml"
    yield Detail("scope_build", name, words, fix)


def _at_run(name: str, places: list[Place]) -> Iterator[Detail]:
    if not places:
        return
    listed = _listed(places)
    words = f"{name} is for the build only (scope: build), but {listed} hands it to the container"
    fix = f"take it out of {listed}, or leave scope out in windlass.yaml"
    yield Detail("scope_run", name, words, fix)


def _listed(places: Iterable[Place]) -> str:
    return ", ".join(place.where for place in places)


# --- where they are --------------------------------------------------------------------------------------------------


def _uses(document: Mapping[str, Any]) -> Iterator[tuple[str, Place]]:
    for section, content in document.items():
        if section == "services":
            for service, raw in _items(content):
                yield from _uses_of_service(service, raw, document)
        elif not section.startswith("x-"):
            for path, text in _texts(content, (section,)):
                yield from _named(text, Place(Kind.FILE, ".".join(path)))


def _uses_of_service(service: str, raw: Any, document: Mapping[str, Any]) -> Iterator[tuple[str, Place]]:
    at = ("services", service)
    for key, value in _items(raw):
        if key == "build":
            yield from _uses_of_build((*at, key), value, document)
            continue
        kind = Kind.CONTAINER if key in _IN_CONTAINER else Kind.FILE
        for path, text in _texts(value, (*at, key)):
            yield from _named(text, Place(kind, ".".join(path)))
        if key == "environment":
            yield from _passed(value, (*at, key), kind)
        elif key in ("secrets", "configs"):
            yield from _granted(key, value, (*at, key), kind, document)


def _uses_of_build(at: _Path, build: Any, document: Mapping[str, Any]) -> Iterator[tuple[str, Place]]:
    for key, value in _items(build) if isinstance(build, Mapping) else [("context", build)]:
        kind = Kind.ARGUMENT if key == "args" else Kind.BUILD
        for path, text in _texts(value, (*at, key)):
            yield from _named(text, Place(kind, ".".join(path)))
        if key == "args":
            yield from _passed(value, (*at, key), kind)
        elif key == "secrets":
            yield from _granted(key, value, (*at, key), kind, document)


def _passed(value: Any, at: _Path, kind: Kind) -> Iterator[tuple[str, Place]]:
    """A name without a value takes the variable of that name."""
    if isinstance(value, Mapping):
        names = [str(name) for name, inner in value.items() if inner is None]
    else:
        names = [str(entry) for entry in value or () if "=" not in str(entry)]
    return ((name, Place(kind, ".".join((*at, name)))) for name in names)


def _granted(
    section: str, grants: Any, at: _Path, kind: Kind, document: Mapping[str, Any]
) -> Iterator[tuple[str, Place]]:
    """A secret or config that is taken from a variable."""
    defined = document.get(section) or {}
    for grant in grants or ():
        source = str(grant.get("source") or "") if isinstance(grant, Mapping) else str(grant)
        variable = (defined.get(source) or {}).get("environment")
        if variable:
            yield str(variable), Place(kind, ".".join((*at, source)))


def _sent(rules: Mapping[str, EnvRule]) -> Iterator[tuple[str, Place]]:
    """By `to:` in windlass.yaml."""
    for name, rule in rules.items():
        for service in rule.to:
            yield name, Place(Kind.CONTAINER, f"services.{service}.environment.{name}")


def _filled(document: Mapping[str, Any], model: Model) -> Iterator[tuple[str, Place]]:
    """Build arguments without a value: Compose fills them with the variable of that name, or leaves them out."""
    services = document.get("services") or {}
    for name, service in model.services.items():
        raw = (services.get(name) or {}).get("build")
        written = raw.get("args") if isinstance(raw, Mapping) else None
        for argument in _names((service.build or {}).get("args")) - _names(written):
            yield argument, Place(Kind.ARGUMENT, f"services.{name}.build.args.{argument}")


def _names(values: Any) -> set[str]:
    return {str(entry).partition("=")[0] for entry in values or ()}


def _named(text: str, place: Place) -> Iterator[tuple[str, Place]]:
    for match in _USE.finditer(text):
        name = match[1] or match[2]
        if name:
            yield name, place


def _texts(value: Any, path: _Path) -> Iterator[tuple[_Path, str]]:
    """Every text with a `$`; a list's entries stand under the list's own path, or their `NAME` in `NAME=…`."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _texts(inner, (*path, str(key)))
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner, path)
    elif isinstance(value, str) and "$" in value:
        name, equals, _ = value.partition("=")
        yield ((*path, name) if equals and name.isidentifier() else path), value


def _items(value: Any) -> Iterable[tuple[str, Any]]:
    return ((str(key), inner) for key, inner in value.items()) if isinstance(value, Mapping) else ()
