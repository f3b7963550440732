"""An app's routes as the edge's own file: names, rules, priorities, and the old generation behind the new one."""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from pydantic import TypeAdapter

from windlass.domain.edgedocument import (
    EdgeFile,
    Errors,
    Failover,
    FailoverErrors,
    ForwardingTimeouts,
    HealthCheck,
    Http,
    LoadBalancer,
    Middleware,
    PassiveHealthCheck,
    Retry,
    Router,
    Server,
    ServersTransport,
    Service,
)
from windlass.domain.edgemiddlewares import (
    Named,
    before_limits,
    body_limit,
    changed_address,
    in_maintenance,
    limits,
    milliseconds,
    sticky_sessions,
)
from windlass.domain.edgerules import place_rule
from windlass.domain.errors import Detail, Refused, WindlassError, refuse
from windlass.domain.routechecks import network, wrong_options
from windlass.domain.routeoptions import PLAIN, ErrorPage, RouteOptions


@dataclass(frozen=True)
class EdgeServer:
    address: str
    port: int


@dataclass(frozen=True)
class EdgeRoute:
    """`hosts` empty: the server's bare address. `fallback` answers only while the servers cannot be reached."""

    hosts: tuple[str, ...]
    path: str
    priority: int
    service: str
    servers: tuple[EdgeServer, ...]
    fallback: tuple[EdgeServer, ...] = ()
    options: RouteOptions = PLAIN
    pages: tuple[EdgePage, ...] = ()


@dataclass(frozen=True)
class EdgePage:
    """Where an error page of a route comes from."""

    page: ErrorPage
    servers: tuple[EdgeServer, ...]


@dataclass(frozen=True)
class Maintenance:
    """Nobody gets through but `allowed`: addresses and networks."""

    allowed: tuple[str, ...] = ()


@dataclass(frozen=True)
class EdgeApp:
    """All routes of an app on one release; `fallback_release` names the generation behind the fallback servers."""

    app: str
    release: int
    routes: tuple[EdgeRoute, ...]
    fallback_release: int | None = None
    maintenance: Maintenance | None = None


# ---- from routes to the document ------------------------------------------------------------------------------------

ENTRY_POINTS = ("web",)
DIAL = "1s"
# Where another server can answer instead, one that is gone must be known soon.
DIAL_WITH_OTHERS = "250ms"
# Until every server had its turn: round robin may give the dead one again. Never by status, so nothing runs twice.
AMONG_REPLICAS = Middleware(retry=Retry(attempts=6, initialInterval="20ms"))
# Until the passive health check has counted enough and the old generation is asked.
INTO_FALLBACK = Middleware(retry=Retry(attempts=5, initialInterval="10ms"))

_APP = re.compile(r"[a-z][a-z0-9@-]{0,63}")
_SERVICE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_CLASS = 20_000_000
_PRIORITY_LIMIT = 4_000

# What the edge itself answers when a server refuses, breaks off or can not be reached.
_NETWORK_FAILURES = ("502", "504")
# Requests whose body can be kept: none, or less than a million bytes. The edge keeps it whole in memory, and would
# refuse a larger one if it were told a limit; so the rule of the route is the limit.
_REPEATABLE = "Method(`GET`) || Method(`HEAD`) || Method(`OPTIONS`) || HeaderRegexp(`Content-Length`, `^[0-9]{1,6}$`)"


# What streams and sockets begin with: keeping the whole of it to count it would stop them.
_READING = "(Method(`GET`) || Method(`HEAD`))"
_WRITING = "!Method(`GET`) && !Method(`HEAD`)"


@dataclass
class _Draft:
    """The parts of an app's file as they come together."""

    app: EdgeApp
    services: dict[str, Service] = field(default_factory=dict)
    routers: dict[str, Router] = field(default_factory=dict)
    middlewares: dict[str, Middleware] = field(default_factory=dict)
    transports: dict[str, ServersTransport] = field(default_factory=dict)

    @property
    def stem(self) -> str:
        return stem(self.app.app)

    @property
    def dial(self) -> str:
        others = any(len(r.servers) > 1 or (r.fallback and self.app.fallback_release is not None) for r in self.routes)
        return DIAL_WITH_OTHERS if others else DIAL

    @property
    def routes(self) -> tuple[EdgeRoute, ...]:
        return self.app.routes

    def balanced(self, route: EdgeRoute, servers: tuple[EdgeServer, ...], release: int) -> str:
        return self.add(
            service_name(self.app.app, route.service, release),
            Service(loadBalancer=self.balancer(servers, route.options)),
        )

    def balancer(self, servers: tuple[EdgeServer, ...], options: RouteOptions) -> LoadBalancer:
        listed = tuple(Server(url=server_url(server, options.protocol)) for server in servers)
        return LoadBalancer(
            servers=listed, serversTransport=self.transport(options), sticky=sticky_sessions(options.sticky)
        )

    def transport(self, options: RouteOptions) -> str:
        """A container's certificate names no address, and nobody but this machine is between it and the edge."""
        within = milliseconds(options.answer_within_s) if options.answer_within_s else ""
        own = ".".join([*(["tls"] if options.protocol == "https" else ()), *([within] if within else ())])
        name = f"{self.stem}.{own}" if own else self.stem
        timeouts = ForwardingTimeouts(dialTimeout=self.dial, responseHeaderTimeout=within or "0s")
        self.transports[name] = ServersTransport(
            insecureSkipVerify=options.protocol == "https" or None, forwardingTimeouts=timeouts
        )
        return name

    def again(self, kind: str, middleware: Middleware) -> tuple[str, ...]:
        self.middlewares[f"{self.stem}.{kind}"] = middleware
        return (f"{self.stem}.{kind}",)

    def named(self, wanted: Iterable[Named]) -> tuple[str, ...]:
        """The names say release and content: a router that has the name has what is meant by it in force."""
        found = []
        for kind, middleware in wanted:
            told = hashlib.sha256(middleware.model_dump_json(exclude_none=True).encode()).hexdigest()[:12]
            name = f"{self.stem}-r{self.app.release}.{kind}-{told}"
            self.middlewares[name] = middleware
            found.append(name)
        return tuple(found)

    def add(self, name: str, wanted: Service) -> str:
        """The name it got: with a number when another has the name, for a service may answer on several ports."""
        tried, number = name, 1
        while self.services.get(tried, wanted) != wanted:
            number += 1
            tried = f"{name}.{number}"
        self.services[tried] = wanted
        return tried


def edge_file(app: EdgeApp) -> EdgeFile:
    """The document of an app. Raises Refused with every reason when a part of a route could break out of its place."""
    wrong = list(_wrong(app))
    if wrong:
        raise refuse(wrong)
    draft = _Draft(app)
    for number, route in enumerate(app.routes, start=1):
        _add_route(draft, f"{draft.stem}-{number}", route)
    # The same name may stand for another use of it only while it says the same.
    draft.transports.setdefault(
        draft.stem, ServersTransport(forwardingTimeouts=ForwardingTimeouts(dialTimeout=draft.dial))
    )
    return EdgeFile(
        http=Http(
            routers=draft.routers,
            services=draft.services,
            serversTransports=draft.transports,
            middlewares=draft.middlewares or None,
        )
    )


def stem(app: str) -> str:
    """The app's name in names of the edge, where `@` parts a name from its provider."""
    return app.replace("@", "--")


def service_name(app: str, service: str, release: int) -> str:
    """`<app>-<service>-r<release>`; `-` and `.` of the service become `_`, else `a` with `b-c` were `a-b` with `c`."""
    return f"{stem(app)}-{re.sub('[-.]', '_', service)}-r{release}"


def _add_route(draft: _Draft, name: str, route: EdgeRoute) -> None:
    """One router, or two where a limit on bodies must not touch what has none."""
    options = route.options
    closed = in_maintenance(draft.app.maintenance.allowed) if draft.app.maintenance is not None else ()
    before = (*closed[:-1], *before_limits(options, _pages(draft, route)), *closed[-1:], *limits(options))
    after = tuple(changed_address(options))
    limit = tuple(body_limit(options))
    service = draft.balanced(route, route.servers, draft.app.release)
    rule = place_rule(route.hosts, route.path, options)
    plain = Router(rule=rule, priority=_priority(route), service=service, entryPoints=ENTRY_POINTS)
    first = _with(plain, draft.named((*before, *after)))
    if not limit:
        _add_router(draft, name, first, route)
        return
    _add_router(draft, name, _with(first, first.middlewares or (), _READING), route)
    _add_router(draft, f"{name}.body", _with(plain, draft.named((*before, *limit, *after)), _WRITING), route)


def _with(router: Router, middlewares: tuple[str, ...], condition: str = "") -> Router:
    rule = f"{router.rule} && {condition}" if condition else router.rule
    return router.model_copy(update={"rule": rule, "middlewares": middlewares or None})


def _add_router(draft: _Draft, name: str, plain: Router, route: EdgeRoute) -> None:
    own = plain.middlewares or ()
    if not route.fallback or draft.app.fallback_release is None:
        others = draft.again("replicas", AMONG_REPLICAS) if len(route.servers) > 1 else ()
        draft.routers[name] = _with(plain, (*own, *others))
        return
    old = draft.app.fallback_release
    behind = draft.balanced(route, route.fallback, old)
    draft.routers[name] = _repeating(draft, plain, behind, route)
    draft.routers[f"{name}.once"] = _sent_once(draft, plain, behind, route)


def _pages(draft: _Draft, route: EdgeRoute) -> tuple[Errors, ...]:
    found = []
    for one in route.pages:
        listed = tuple(Server(url=server_url(server)) for server in one.servers)
        name = f"{service_name(draft.app.app, one.page.service, draft.app.release)}.page"
        service = draft.add(
            name, Service(loadBalancer=LoadBalancer(servers=listed, serversTransport=draft.transport(PLAIN)))
        )
        found.append(Errors(status=one.page.statuses, service=service, query=one.page.path))
    return tuple(found)


def _repeating(draft: _Draft, plain: Router, behind: str, route: EdgeRoute) -> Router:
    """The requests that may be sent twice: what fails at network level is asked of the old generation at once.

    A route with a time limit answers 504 also for what was carried out, so there that is no reason to ask again.
    """
    failures = _NETWORK_FAILURES[:1] if route.options.answer_within_s else _NETWORK_FAILURES
    errors = FailoverErrors(status=failures, maxRequestBodyBytes=-1)
    name = f"{plain.service}.over-r{draft.app.fallback_release}"
    service = draft.add(name, Service(failover=Failover(service=plain.service, fallback=behind, errors=errors)))
    rule = f"({plain.rule}) && ({_REPEATABLE})"
    return plain.model_copy(update={"rule": rule, "priority": plain.priority + 1, "service": service})


def _sent_once(draft: _Draft, plain: Router, behind: str, route: EdgeRoute) -> Router:
    """Large or endless uploads: tried again only while nothing was sent, and after three failures on the old ones."""
    watched = draft.balancer(route.servers, route.options).model_copy(
        update={"healthCheck": HealthCheck(), "passiveHealthCheck": PassiveHealthCheck()}
    )
    main = draft.add(f"{plain.service}.once", Service(loadBalancer=watched))
    failover = Service(failover=Failover(service=main, fallback=behind))
    service = draft.add(f"{plain.service}.once-over-r{draft.app.fallback_release}", failover)
    into = draft.again("once", INTO_FALLBACK)
    return plain.model_copy(update={"service": service, "middlewares": (*(plain.middlewares or ()), *into)})


def server_url(server: EdgeServer, scheme: str = "http") -> str:
    address = ipaddress.ip_address(server.address)
    host = f"[{address}]" if address.version == 6 else str(address)
    return f"{scheme}://{host}:{server.port}"


def _priority(route: EdgeRoute) -> int:
    """A named host goes before a wildcard, that before the bare address, whoever's they are; then the number given,
    if any; then the longer path, and a path alone before all below it. 1 is the path / of the bare address. Always
    odd: the number above is free."""
    wildcard = any(host.startswith("*.") for host in route.hosts)
    kind = (1 if wildcard else 2) if route.hosts else 0
    given = min(max(route.priority, 0), _PRIORITY_LIMIT)
    length = len(route.path.rstrip("/")) + (1 if route.options.match == "exact" else 0)
    return kind * _CLASS + given * 4_000 + length * 2 + 1


# ---- refusals -------------------------------------------------------------------------------------------------------


def _wrong(app: EdgeApp) -> Iterator[Detail]:
    if not _APP.fullmatch(app.app):
        yield Detail("app_name_invalid", app.app, f"{app.app!r} is not the name of an app")
    if not app.routes:
        yield Detail("route_invalid", app.app, f"{app.app} has no route")
    for text in app.maintenance.allowed if app.maintenance is not None else ():
        try:
            network(text)
        except WindlassError as error:
            yield Detail("route_invalid", app.app, error.message, error.hint)
    for route in app.routes:
        yield from _wrong_route(route)


def _wrong_route(route: EdgeRoute) -> Iterator[Detail]:
    if not _SERVICE.fullmatch(route.service):
        yield Detail("route_invalid", route.service, f"{route.service!r} is not the name of a service")
    for hosts, path in (((), route.path), *(((host,), "/") for host in route.hosts)):
        try:
            place_rule(hosts, path, PLAIN)
        except WindlassError as error:
            yield Detail("route_invalid", route.service, error.message, error.hint)
    for wrong in wrong_options(route.options):
        yield Detail("route_invalid", f"{route.service}.{wrong.name}", wrong.message, wrong.fix)
    if not route.servers or not all(one.servers for one in route.pages):
        yield Detail("route_invalid", route.service, f"{route.service} has no container that could answer")
    for server in (*route.servers, *route.fallback, *(s for one in route.pages for s in one.servers)):
        if not 0 < server.port < 65536 or not _is_address(server.address):
            words = f"{server.address!r} port {server.port} is not an address"
            yield Detail("route_invalid", route.service, words)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return "%" not in text


# ---- what is kept beside the file -----------------------------------------------------------------------------------

_KEPT = TypeAdapter(EdgeApp)


def dump_edge_app(app: EdgeApp) -> str:
    return _KEPT.dump_json(app, indent=1).decode() + "\n"


def read_edge_app(text: str) -> EdgeApp:
    """What `dump_edge_app` wrote. Raises Refused (code edge_file_invalid) for anything else."""
    try:
        return _KEPT.validate_json(text)
    except ValueError as error:
        raise Refused("the kept routes of an app cannot be read", code="edge_file_invalid") from error
