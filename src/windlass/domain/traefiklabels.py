"""Reads routes from Traefik's labels: routers, services and middlewares of all services of a project."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from windlass.domain.compose import Service
from windlass.domain.errors import Detail, WindlassError
from windlass.domain.labelledplaces import Place, places_of, ranked
from windlass.domain.release import Route
from windlass.domain.routeoptions import ErrorPage, RouteOptions, Sticky
from windlass.domain.traefikmiddlewares import (
    Settings,
    Unprotected,
    is_guard,
    is_redirect_to_tls,
    with_middleware,
)
from windlass.domain.traefikrules import parse_rule

_LABEL = re.compile(r"traefik\.(http|tcp|udp)\.(routers|services|middlewares)\.([^.]+)(?:\.(.+))?", re.IGNORECASE)
# Entry points by the names that people give to ports 80 and 443; another name is another port, perhaps a closed one.
_OPEN = frozenset({"web", "websecure", "web-secure", "web_secure", "http", "https", "insecure", "secure", "default"})
_LONGEST_CHAIN = 10
_SILENT = ("tls", "rule", "entrypoints", "middlewares", "service", "priority", "rulesyntax")
_SERVED = ("loadbalancer.server.port", "loadbalancer.server.scheme", "loadbalancer.passhostheader")


@dataclass(frozen=True)
class Labelled:
    """The routes that labels ask for, what of them is left out, and what must not be left out."""

    routes: tuple[Route, ...] = ()
    notes: tuple[str, ...] = ()
    problems: tuple[Detail, ...] = ()


@dataclass(frozen=True)
class _Part:
    """A router, service or middleware: who has the label, and its settings by key in small letters."""

    owner: str
    values: dict[str, str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)


@dataclass
class _Labels:
    """All parts by kind and name; Traefik knows them by name across containers."""

    routers: dict[str, _Part] = field(default_factory=dict)
    services: dict[str, _Part] = field(default_factory=dict)
    middlewares: dict[str, _Part] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    problems: list[Detail] = field(default_factory=list)

    def note(self, said: str) -> None:
        if said not in self.notes:
            self.notes.append(said)


@dataclass(frozen=True)
class _Target:
    service: str
    port: int
    options: RouteOptions


@dataclass(frozen=True)
class _Routed:
    """A router as it was read; `only_tls`: it does nothing but send people to https."""

    name: str
    places: tuple[Place, ...]
    target: _Target
    weight: int
    explicit: bool
    is_tls: bool
    only_tls: bool


def labelled_routes(services: Sequence[Service]) -> Labelled:
    """Routes of all routers, in the order of the labels; none where no label asks for one."""
    labels = _collect(services)
    routed = [r for name, part in labels.routers.items() if (r := _router(labels, name, part)) is not None]
    return Labelled(tuple(_routes(labels, routed)), tuple(labels.notes), tuple(labels.problems))


def _collect(services: Sequence[Service]) -> _Labels:
    labels = _Labels()
    for service in services:
        if service.labels.get("traefik.enable", "").lower() == "false":
            continue
        for label, value in service.labels.items():
            match = _LABEL.fullmatch(label)
            if match is None:
                continue
            protocol, section, name, key = match.groups()
            if protocol.lower() != "http":
                labels.note(f"{service.name}: {label} is left out: the edge serves HTTP alone")
                continue
            parts: dict[str, _Part] = getattr(labels, section.lower())
            part = parts.setdefault(name.lower(), _Part(service.name))
            part.values[(key or "").lower()] = value
            part.names[(key or "").lower()] = key or ""
    return labels


# --- one router ------------------------------------------------------------------------------------------------------


def _router(labels: _Labels, name: str, part: _Part) -> _Routed | None:
    """None for one that leads nowhere here; why is noted, but for pages of the proxy itself."""
    values = part.values
    if values.get("service", "").endswith("@internal"):
        return None
    rule = values.get("rule", "")
    where = f"{part.owner}: the router {name}"
    entry_points = [e.strip().lower() for e in values.get("entrypoints", "").split(",") if e.strip()]
    if entry_points and not _OPEN.intersection(entry_points):
        labels.note(f"{where} is left out: the edge has no entry point {', '.join(entry_points)}")
        return None
    try:
        places = places_of(parse_rule(rule)) if rule else ()
    except WindlassError as error:
        labels.note(f"{where} is left out: of its rule {rule[:200]!r}, {error.message}")
        return None
    if not places:
        labels.note(f"{where} is left out: it has no rule")
        return None
    target = _target(labels, name, part)
    read = _middlewares(labels, where, part, target.options)
    if read is None:
        return None
    options, to_tls = read
    is_tls = any(k.split(".")[0] == "tls" for k in values) or bool(
        {"websecure", "https", "web-secure", "web_secure", "secure"}.intersection(entry_points)
    )
    _note_rest(labels, where, values)
    given = values.get("priority", "")
    weight = int(given) if given.isdigit() and len(given) < 16 and int(given) else len(rule)
    return _Routed(name, places, replace(target, options=options), weight, weight != len(rule), is_tls, to_tls)


def _note_rest(labels: _Labels, where: str, values: Mapping[str, str]) -> None:
    if any(key.split(".")[0] == "tls" for key in values):
        labels.note("TLS of Traefik's labels (`tls`, `certresolver`) is left out: windlass has its own")
    for key in values:
        if key.split(".")[0] not in _SILENT:
            labels.note(f"{where}: {key} is left out")


def _target(labels: _Labels, name: str, part: _Part) -> _Target:
    """The service of the Compose file, and its port; 0 where nothing says which."""
    own = {n: s for n, s in labels.services.items() if s.owner == part.owner}
    asked = part.values.get("service", "").split("@")[0].lower()
    chosen = asked or (next(iter(own)) if len(own) == 1 else name)
    if not asked and len(own) > 1:
        words = f"linked to the service {name}" if name in own else "led to the container itself"
        labels.note(f"{part.owner}: the router {name} names none of {', '.join(own)}: {words}")
    found = labels.services.get(chosen)
    if found is None:
        found = next(iter(own.values())) if len(own) == 1 else _Part(part.owner)
    for key in found.values:
        if key not in _SERVED and not key.startswith(("loadbalancer.sticky", "loadbalancer.responseforwarding")):
            labels.note(f"{found.owner}: {key} of the service {chosen} is left out")
    return _Target(found.owner, _port(found.values), _served(found.values))


def _port(values: Mapping[str, str]) -> int:
    text = values.get("loadbalancer.server.port", "")
    return int(text) if text.isdigit() and len(text) < 6 else 0


def _served(values: Mapping[str, str]) -> RouteOptions:
    options = RouteOptions()
    scheme = values.get("loadbalancer.server.scheme", "").lower()
    if scheme == "https":
        options = replace(options, protocol="https")
    elif scheme == "h2c":
        options = replace(options, protocol="h2c")
    prefix = "loadbalancer.sticky"
    wished = {k.removeprefix(prefix).removeprefix(".cookie"): v for k, v in values.items() if k.startswith(prefix)}
    if not wished or all(value.lower() == "false" for value in wished.values()):
        return options
    age = wished.get(".maxage", "")
    same = wished.get(".samesite", "").lower()
    return replace(
        options,
        sticky=Sticky(
            cookie=wished.get(".name", ""),
            max_age_s=int(age) if age.isdigit() and len(age) < 12 else 0,
            secure=wished.get(".secure", "").lower() == "true",
            same_site="none" if same == "none" else "lax" if same == "lax" else "strict" if same == "strict" else "",
        ),
    )


# --- its middlewares -------------------------------------------------------------------------------------------------


def _middlewares(labels: _Labels, where: str, part: _Part, options: RouteOptions) -> tuple[RouteOptions, bool] | None:
    """The options with all of them, and whether the first sends people to https; None when the route may not be."""
    named = [n.strip().lower() for n in part.values.get("middlewares", "").split(",") if n.strip()]
    to_tls = False
    for name in _unchained(labels, named, 0):
        found = labels.middlewares.get(name.split("@")[0]) if name.partition("@")[2] in ("", "docker") else None
        if found is None and is_guard(name):
            labels.problems.append(_unprotected(where, name, "it is not defined in the labels of this project"))
            return None
        if found is None:
            labels.note(f"{where}: its middleware {name} is left out, as no label of this project defines it")
            continue
        for settings in _settings(found):
            if is_redirect_to_tls(settings):
                to_tls = True
                continue
            try:
                options = _with(labels, f"{where}: its middleware {name}", options, settings)
            except Unprotected as error:
                labels.problems.append(_unprotected(where, name, str(error)))
                return None
    return options, to_tls


def _with(labels: _Labels, where: str, options: RouteOptions, settings: Settings) -> RouteOptions:
    if settings.kind == "errors":
        return _with_errors(labels, where, options, settings)
    try:
        read = with_middleware(options, settings)
    except WindlassError as error:
        labels.note(f"{where} is left out: {error.message}")
        return options
    for key in read.left:
        labels.note(
            f"{where} ({'.'.join(w for w in (settings.kind, key) if w)}) is left out: windlass has no such thing"
        )
    return read.options


def _with_errors(labels: _Labels, where: str, options: RouteOptions, settings: Settings) -> RouteOptions:
    served = labels.services.get(settings.text("service").split("@")[0].lower())
    if served is None:
        labels.note(f"{where} is left out: no label defines its service {settings.text('service')}")
        return options
    page = ErrorPage(settings.several("status"), served.owner, settings.text("query") or "/", _port(served.values))
    # As for all others: what cannot be taken is left out, and said.
    checked = _checked(labels, where, replace(options, errors=(*options.errors, page)))
    return checked or options


def _checked(labels: _Labels, where: str, options: RouteOptions) -> RouteOptions | None:
    try:
        with_middleware(options, Settings("redirectscheme"))
    except WindlassError as error:
        labels.note(f"{where} is left out: {error.message}")
        return None
    return options


def _unchained(labels: _Labels, named: Sequence[str], depth: int) -> Iterator[str]:
    """A chain stands for its members."""
    for name in named:
        part = labels.middlewares.get(name.split("@")[0])
        members = part.values.get("chain.middlewares", "") if part is not None else ""
        if members and depth < _LONGEST_CHAIN:
            yield from _unchained(labels, [m.strip().lower() for m in members.split(",") if m.strip()], depth + 1)
        else:
            yield name


def _settings(part: _Part) -> Iterator[Settings]:
    kinds = dict.fromkeys(key.split(".")[0] for key in part.values)
    for kind in kinds:
        mine = {k: k[len(kind) + 1 :] for k in part.values if k.split(".")[0] == kind}
        yield Settings(
            kind,
            {short: part.values[k] for k, short in mine.items()},
            {short: part.names[k][len(kind) + 1 :] for k, short in mine.items()},
        )


def _unprotected(where: str, name: str, why: str) -> Detail:
    return Detail(
        "label_unprotected",
        f"labels.{name}",
        f"{where} is kept closed by the middleware {name}, and windlass cannot do that: {why}",
        "write the route in windlass.yaml, with basic_auth or allow if it shall stay closed: docs/routes.md",
    )


# --- all of them -----------------------------------------------------------------------------------------------------


def _routes(labels: _Labels, routed: Sequence[_Routed]) -> Iterator[Route]:
    """Routers that only send people to https, and those for the same place without TLS, give way to the others."""
    best: dict[Place, _Routed] = {}
    for place, one in ((p, r) for r in routed for p in r.places):
        other = best.get(place)
        if other is None or (not one.only_tls, one.is_tls) > (not other.only_tls, other.is_tls):
            best[place] = one
    for one in routed:
        if one.only_tls and any(best[p] is one for p in one.places):
            labels.note(f"the router {one.name} sends people to https, which is left out: it answers over HTTP itself")
    ranks = ranked([(place, one.weight, one.explicit) for place, one in best.items()])
    for (place, one), rank in zip(best.items(), ranks, strict=True):
        options = replace(one.target.options, match=place.match, conditions=place.conditions)
        yield Route(place.host, one.target.service, one.target.port, place.path, rank, options)
