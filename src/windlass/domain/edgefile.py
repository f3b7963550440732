"""An app's routes as the edge's own file: names, rules, priorities, and the old generation behind the new one."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from pydantic import TypeAdapter

from windlass.domain.edgedocument import (
    EdgeFile,
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
from windlass.domain.errors import Detail, Refused, WindlassError, refuse
from windlass.domain.names import host as valid_host
from windlass.domain.names import wildcard_host


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


@dataclass(frozen=True)
class EdgeApp:
    """All routes of an app on one release; `fallback_release` names the generation behind the fallback servers."""

    app: str
    release: int
    routes: tuple[EdgeRoute, ...]
    fallback_release: int | None = None


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
_PATH = re.compile(r"/[A-Za-z0-9._~!$&'()*+,;=:@%/-]{0,1023}")
_CLASS = 20_000_000
_PRIORITY_LIMIT = 4_000

# What the edge itself answers when a server refuses, breaks off or can not be reached.
_NETWORK_FAILURES = ("502", "504")
# Requests whose body can be kept: none, or less than a million bytes. The edge keeps it whole in memory, and would
# refuse a larger one if it were told a limit; so the rule of the route is the limit.
_REPEATABLE = "Method(`GET`) || Method(`HEAD`) || Method(`OPTIONS`) || HeaderRegexp(`Content-Length`, `^[0-9]{1,6}$`)"


# A server asked by its address, not by a name: somebody's name that is no app's gets no app's page.
_BARE_ADDRESS = r"HostRegexp(`^(localhost|[0-9.]+|\[?[0-9a-f:]+\]?)$`)"


@dataclass
class _Draft:
    """The parts of an app's file as they come together."""

    app: EdgeApp
    services: dict[str, Service] = field(default_factory=dict)
    routers: dict[str, Router] = field(default_factory=dict)
    middlewares: dict[str, Middleware] = field(default_factory=dict)

    @property
    def stem(self) -> str:
        return stem(self.app.app)

    def balanced(self, route: EdgeRoute, servers: tuple[EdgeServer, ...], release: int) -> str:
        return self.add(
            service_name(self.app.app, route.service, release), Service(loadBalancer=self.balancer(servers))
        )

    def balancer(self, servers: tuple[EdgeServer, ...]) -> LoadBalancer:
        listed = tuple(Server(url=server_url(server)) for server in servers)
        return LoadBalancer(servers=listed, serversTransport=self.stem)

    def again(self, kind: str, middleware: Middleware) -> tuple[str, ...]:
        self.middlewares[f"{self.stem}.{kind}"] = middleware
        return (f"{self.stem}.{kind}",)

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
    timeouts = ForwardingTimeouts(dialTimeout=DIAL_WITH_OTHERS if draft.middlewares else DIAL)
    return EdgeFile(
        http=Http(
            routers=draft.routers,
            services=draft.services,
            serversTransports={draft.stem: ServersTransport(forwardingTimeouts=timeouts)},
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
    service = draft.balanced(route, route.servers, draft.app.release)
    plain = Router(rule=_rule(route), priority=_priority(route), service=service, entryPoints=ENTRY_POINTS)
    if not route.fallback or draft.app.fallback_release is None:
        others = draft.again("replicas", AMONG_REPLICAS) if len(route.servers) > 1 else None
        draft.routers[name] = plain.model_copy(update={"middlewares": others})
        return
    old = draft.app.fallback_release
    behind = draft.balanced(route, route.fallback, old)
    draft.routers[name] = _repeating(draft, plain, behind, f"{service}.over-r{old}")
    draft.routers[f"{name}.once"] = _sent_once(draft, plain, behind, route)


def _repeating(draft: _Draft, plain: Router, behind: str, name: str) -> Router:
    """The requests that may be sent twice: what fails at network level is asked of the old generation at once."""
    errors = FailoverErrors(status=_NETWORK_FAILURES, maxRequestBodyBytes=-1)
    service = draft.add(name, Service(failover=Failover(service=plain.service, fallback=behind, errors=errors)))
    rule = f"({plain.rule}) && ({_REPEATABLE})"
    return plain.model_copy(update={"rule": rule, "priority": plain.priority + 1, "service": service})


def _sent_once(draft: _Draft, plain: Router, behind: str, route: EdgeRoute) -> Router:
    """Large or endless uploads: tried again only while nothing was sent, and after three failures on the old ones."""
    watched = draft.balancer(route.servers).model_copy(
        update={"healthCheck": HealthCheck(), "passiveHealthCheck": PassiveHealthCheck()}
    )
    main = draft.add(f"{plain.service}.once", Service(loadBalancer=watched))
    failover = Service(failover=Failover(service=main, fallback=behind))
    service = draft.add(f"{plain.service}.once-over-r{draft.app.fallback_release}", failover)
    return plain.model_copy(update={"service": service, "middlewares": draft.again("once", INTO_FALLBACK)})


def server_url(server: EdgeServer) -> str:
    address = ipaddress.ip_address(server.address)
    return f"http://[{address}]:{server.port}" if address.version == 6 else f"http://{address}:{server.port}"


def _rule(route: EdgeRoute) -> str:
    """`/admin` stands for itself and what is below it, not for `/administrator`."""
    hosts = " || ".join(_host_rule(host) for host in route.hosts) or _BARE_ADDRESS
    whole = route.path.rstrip("/")
    if not whole:
        return f"({hosts})"
    below = f"PathPrefix(`{whole}/`)"
    path = below if route.path.endswith("/") else f"(Path(`{whole}`) || {below})"
    return f"({hosts}) && {path}"


def _host_rule(host: str) -> str:
    if not host.startswith("*."):
        return f"Host(`{valid_host(host)}`)"
    return f"HostRegexp(`^[a-z0-9-]+{re.escape(wildcard_host(host)[1:])}$`)"


def _priority(route: EdgeRoute) -> int:
    """A named host goes before a wildcard, that before the bare address, whoever's they are; then the number given,
    if any; then the longer path. 1 is the path / of the bare address. Always odd: the number above is free."""
    wildcard = any(host.startswith("*.") for host in route.hosts)
    kind = (1 if wildcard else 2) if route.hosts else 0
    given = min(max(route.priority, 0), _PRIORITY_LIMIT)
    return kind * _CLASS + given * 4_000 + len(route.path.rstrip("/")) * 2 + 1


# ---- refusals -------------------------------------------------------------------------------------------------------


def _wrong(app: EdgeApp) -> Iterator[Detail]:
    if not _APP.fullmatch(app.app):
        yield Detail("app_name_invalid", app.app, f"{app.app!r} is not the name of an app")
    if not app.routes:
        yield Detail("route_invalid", app.app, f"{app.app} has no route")
    for route in app.routes:
        yield from _wrong_route(route)


def _wrong_route(route: EdgeRoute) -> Iterator[Detail]:
    if not _SERVICE.fullmatch(route.service):
        yield Detail("route_invalid", route.service, f"{route.service!r} is not the name of a service")
    if not _PATH.fullmatch(route.path):
        fix = "use letters, digits and - . _ ~ after a leading /"
        yield Detail("route_invalid", route.service, f"{route.path!r} is not a path that can be routed", fix)
    for host in route.hosts:
        try:
            _host_rule(host)
        except WindlassError as error:
            yield Detail("route_invalid", route.service, error.message, error.hint)
    if not route.servers:
        yield Detail("route_invalid", route.service, f"{route.service} has no container that could answer")
    for server in (*route.servers, *route.fallback):
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
