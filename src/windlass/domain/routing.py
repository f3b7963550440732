"""Which host and path lead to which service: the routes of an app, and the claims it may not make."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from windlass.domain import evidence, names
from windlass.domain.compose import Model, Service
from windlass.domain.errors import Detail, Usage
from windlass.domain.imagehints import NO_HINTS, ImageHints
from windlass.domain.ordering import needed_names
from windlass.domain.release import Placement, Role, Route, Strategy
from windlass.domain.routechecks import wrong_options
from windlass.domain.routeoptions import BasicAuth, Condition, ErrorPage
from windlass.domain.traefiklabels import labelled_routes
from windlass.domain.webports import routing_port

Hints = Mapping[str, ImageHints]

_CHOSEN_NAMES = ("web", "app", "frontend", "nginx")
_WEB_PUBLISHED = ("80", "443")
_ROUTE_VARIABLE = re.compile(r"SERVICE_(?:URL|FQDN)_[A-Z0-9_]*?[A-Z](?:_(\d{2,5}))?")
_PATH = re.compile(r"/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*")


@dataclass(frozen=True)
class Routing:
    """The routes, those of the default host first; and all that is wrong or unclear.

    `labelled`: they were read from Traefik's labels; `notes` say what of those is left out.
    """

    routes: tuple[Route, ...]
    problems: tuple[Detail, ...] = ()
    notes: tuple[str, ...] = ()
    labelled: bool = False


def default_routes(model: Model, placements: Iterable[Placement], hints: Hints, asked: Sequence[Route] = ()) -> Routing:
    """Routes where windlass.yaml gives none: proxy labels, route variables, else the one service people call.

    `asked`: by variables that have their values already.
    """
    lasting = {p.service: p for p in placements if p.strategy is not Strategy.JOB}
    services = [s for name, s in model.services.items() if name in lasting]
    by_name = [route for route in asked if route.service in lasting]
    read = labelled_routes(services)
    if read.routes or read.problems:
        found = checked_routes(read.routes, model, lasting.values(), hints)
        return Routing(found.routes, (*read.problems, *found.problems), read.notes, labelled=True)
    routing = _unlabelled(by_name or _by_variable(services), model, lasting, hints)
    return replace(routing, notes=read.notes)


def _unlabelled(wanted: Sequence[Route], model: Model, lasting: Mapping[str, Placement], hints: Hints) -> Routing:
    if wanted:
        return checked_routes(wanted, model, lasting.values(), hints)
    services = [s for name, s in model.services.items() if name in lasting]
    http = [s for s in services if lasting[s.name].role is Role.HTTP]
    if not http:
        return Routing(())
    chosen = _facing(http, hints)
    if chosen is None:
        return Routing((), (_question(http, hints),))
    return checked_routes([Route("", chosen.name, 0)], model, lasting.values(), hints)


def routes_from_manifest(
    wanted: Sequence[Route], model: Model, placements: Iterable[Placement], hints: Hints
) -> Routing:
    """windlass.yaml's routes; a port that it leaves out (0) is filled in."""
    return checked_routes(wanted, model, placements, hints)


def checked_routes(wanted: Sequence[Route], model: Model, placements: Iterable[Placement], hints: Hints) -> Routing:
    """Every route with a valid host and path, a service that lasts, and a port; no two for the same place."""
    found: list[Route] = []
    problems: list[Detail] = []
    jobs = {p.service for p in placements if p.strategy is Strategy.JOB}
    for index, route in enumerate(wanted):
        service = model.services.get(route.service)
        if service is None or route.service in jobs:
            problems.append(_no_target(index, route, [n for n in model.services if n not in jobs]))
            continue
        port = route.port or routing_port(service, hints.get(route.service, NO_HINTS))
        pages, missing = _pages(index, route, model, hints)
        wrong = [*_wrong_place(index, route), *_wrong_port(index, route, port), *missing, *_wrong_options(index, route)]
        problems += wrong
        if not wrong:
            options = replace(route.options, errors=pages)
            found.append(replace(route, host=_spelled(route.host), port=port, path=route.path, options=options))
    problems += _repeated(found)
    ordered = sorted(dict.fromkeys(found), key=lambda r: r.host != "")
    return Routing(tuple(ordered), tuple(problems))


def by_precedence(routes: Iterable[Route]) -> tuple[Route, ...]:
    """The order in which a request is matched: written priority, then the longest path."""
    return tuple(sorted(routes, key=lambda r: (-r.priority, -len(r.path.rstrip("/")))))


def taken_hosts(app: str, routes: Iterable[Route], owners: Mapping[str, str]) -> tuple[Detail, ...]:
    """Refusals for hosts that belong to another app. `owners`: host -> app, default hosts included."""
    hosts = dict.fromkeys(r.host for r in routes if r.host)
    return tuple(
        Detail(
            "host_taken",
            f"routes.{host}",
            f"{host} already leads to the app {owners[host]}, which goes on serving it",
            f"use another host, or remove the route from {owners[host]} and deploy that first",
        )
        for host in hosts
        if owners.get(host, app) != app
    )


def with_users(routes: Iterable[Route], values: Mapping[str, str]) -> Routing:
    """The users that a variable holds, a line each, beside those in the file. Nothing of a value is repeated."""
    found: list[Route] = []
    problems: list[Detail] = []
    for index, route in enumerate(routes):
        auth = route.options.auth
        if auth is None or not auth.variable:
            found.append(route)
            continue
        users = tuple(line.strip() for line in values.get(auth.variable, "").splitlines() if line.strip())
        if not users:
            words = f"the variable {auth.variable} is to hold the users of {route.host or 'the default host'}"
            fix = f"htpasswd -nB NAME | windlass env set APP {auth.variable} --stdin"
            problems.append(Detail("route_users_missing", f"routes[{index}].basic_auth", f"{words}; it is empty", fix))
        full = BasicAuth((*auth.users, *users), "", auth.realm, auth.hide)
        found.append(replace(route, options=replace(route.options, auth=full)))
    return Routing(tuple(found), tuple(problems))


# --- defaults --------------------------------------------------------------------------------------------------------


def _by_variable(services: Sequence[Service]) -> list[Route]:
    """`SERVICE_URL_X_3000` in a service's environment: a route to it, on port 3000; the value may add a path."""
    found = []
    for service in services:
        for name, value in service.environment.items():
            match = _ROUTE_VARIABLE.fullmatch(name)
            if match and (not value or value.startswith("/")):
                found.append(Route("", service.name, int(match.group(1) or 0), value or "/"))
    return list({(r.host, r.path): r for r in reversed(found)}.values())[::-1]


def _facing(http: Sequence[Service], hints: Hints) -> Service | None:
    """The only one; else the only one with `ports:`; else, among those, the one by name, port or dependency."""
    known = [s for s in http if routing_port(s, hints.get(s.name, NO_HINTS))]
    with_ports = [s for s in known if any(p.target in evidence.web_ports(s) for p in s.ports)]
    for group in (http, known, with_ports):
        if len(group) == 1:
            return group[0]
    return _outermost(with_ports or known or http)


def _outermost(group: Sequence[Service]) -> Service | None:
    exact = {s.name: s for s in group}
    named = next((exact[name] for name in _CHOSEN_NAMES if name in exact), None)
    if named is not None:
        return named
    needed = {name for s in group for name in needed_names(s)}
    for chosen in (
        [s for s in group if any(p.published in _WEB_PUBLISHED for p in s.ports)],
        [s for s in group if s.name not in needed and needed.intersection(other.name for other in group)],
        *([s for s in group if name in evidence.words_of(s.name)] for name in _CHOSEN_NAMES),
    ):
        if len(chosen) == 1:
            return chosen[0]
    return None


def _question(http: Sequence[Service], hints: Hints) -> Detail:
    known = {s.name: routing_port(s, hints.get(s.name, NO_HINTS)) for s in http}
    listed = ", ".join(f"{name} (port {port})" if port else name for name, port in known.items())
    first, port = next(iter(known.items()))
    example = f"routes: [{{service: {first}, port: {port or 8080}}}]"
    return Detail(
        "route_unclear",
        "routes",
        f"several services speak HTTP, and nothing tells which one people call: {listed}",
        f"write it in windlass.yaml: {example}",
    )


# --- what is wrong ---------------------------------------------------------------------------------------------------


def _no_target(index: int, route: Route, known: Sequence[str]) -> Detail:
    close = difflib.get_close_matches(route.service, known, n=1)
    return Detail(
        "route_service_unknown",
        f"routes[{index}].service",
        f"the route {route.host}{route.path} leads to {route.service}, which is no lasting service of the Compose file",
        f"did you mean {close[0]}?" if close else f"services are: {', '.join(known)}",
    )


def _wrong_place(index: int, route: Route) -> list[Detail]:
    found = []
    try:
        _spelled(route.host)
    except Usage as wrong:
        found.append(Detail(wrong.code, f"routes[{index}].host", wrong.message, wrong.hint))
    if not _PATH.fullmatch(route.path):
        message = f"{route.path!r} is not a path such as /api: it begins with / and has no spaces, backticks or quotes"
        found.append(Detail("path_invalid", f"routes[{index}].path", message, "correct it in windlass.yaml"))
    return found


def _wrong_port(index: int, route: Route, port: int) -> list[Detail]:
    if 0 < port < 65536:
        return []
    message = f"nothing tells on which port {route.service} serves HTTP"
    fix = f"write it in windlass.yaml: routes: [{{service: {route.service}, port: 8080}}]"
    return [Detail("route_port_unknown", f"routes[{index}].port", message, fix)]


def _pages(index: int, route: Route, model: Model, hints: Hints) -> tuple[tuple[ErrorPage, ...], list[Detail]]:
    """The error pages with their ports; and what is wrong with where they come from."""
    found: list[ErrorPage] = []
    problems: list[Detail] = []
    for page in route.options.errors:
        service = model.services.get(page.service)
        port = page.port or (routing_port(service, hints.get(page.service, NO_HINTS)) if service is not None else 0)
        place = f"routes[{index}].errors"
        if service is None:
            words = f"the error pages of {route.host}{route.path} come from {page.service}, which is no service"
            problems.append(Detail("route_service_unknown", place, words, f"services are: {', '.join(model.services)}"))
        elif not port:
            words = f"nothing tells on which port {page.service} serves the error pages"
            problems.append(Detail("route_port_unknown", place, words, "write `port` beside `service`"))
        found.append(replace(page, port=port))
    return tuple(found), problems


def _wrong_options(index: int, route: Route) -> list[Detail]:
    return [replace(wrong, name=f"routes[{index}].{wrong.name}") for wrong in wrong_options(route.options)]


def _repeated(routes: Sequence[Route]) -> list[Detail]:
    first: dict[tuple[str, str, str, tuple[Condition, ...]], Route] = {}
    found = []
    for route in routes:
        options = route.options
        other = first.setdefault((route.host, route.path, options.match, options.conditions), route)
        if (other.service, other.port, other.options) != (route.service, route.port, options):
            place = f"{route.host or 'the default host'}{route.path}"
            message = f"two routes for {place}: {other.service}:{other.port} and {route.service}:{route.port}"
            found.append(Detail("route_repeated", f"routes.{place}", message, "leave one of them out"))
    return found


def _spelled(host: str) -> str:
    if not host:
        return ""
    return names.wildcard_host(host) if host.startswith("*.") else names.host(host)
