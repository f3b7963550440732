"""An app's routes as the edge's own file: names, rules, priorities, and the typed document the file is made of."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from windlass.domain.errors import Detail, Refused, WindlassError, refuse
from windlass.domain.names import host as valid_host
from windlass.domain.names import wildcard_host


@dataclass(frozen=True)
class EdgeServer:
    address: str
    port: int


@dataclass(frozen=True)
class EdgeRoute:
    """`hosts` empty: any host. `fallback` answers only while the servers fail at network level (the bake)."""

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


# ---- the document ---------------------------------------------------------------------------------------------------


class _Typed(BaseModel):
    """Nothing but what is declared gets through: one unknown key would stop the changes of every app."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Server(_Typed):
    url: str


class LoadBalancer(_Typed):
    servers: tuple[Server, ...] = Field(min_length=1)
    serversTransport: str
    passHostHeader: bool = True


class Failover(_Typed):
    service: str
    fallback: str


class Service(_Typed):
    """Either servers, or a service with another one behind it."""

    loadBalancer: LoadBalancer | None = None
    failover: Failover | None = None


class Router(_Typed):
    rule: str
    priority: int
    service: str
    entryPoints: tuple[str, ...]


class ForwardingTimeouts(_Typed):
    dialTimeout: str = "1s"
    responseHeaderTimeout: str = "0s"
    idleConnTimeout: str = "250ms"


class ServersTransport(_Typed):
    """Idle connections end soon, so that a drained server is seen to be drained; 64 of them keep the cost low."""

    maxIdleConnsPerHost: int = 64
    forwardingTimeouts: ForwardingTimeouts = ForwardingTimeouts()


class Http(_Typed):
    routers: Mapping[str, Router]
    services: Mapping[str, Service]
    serversTransports: Mapping[str, ServersTransport]


class EdgeFile(_Typed):
    http: Http

    def text(self) -> str:
        """JSON, as the edge reads it."""
        return self.model_dump_json(exclude_none=True, indent=1) + "\n"


# ---- from routes to the document ------------------------------------------------------------------------------------

ENTRY_POINTS = ("web",)

_APP = re.compile(r"[a-z][a-z0-9@-]{0,63}")
_SERVICE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_PATH = re.compile(r"/[A-Za-z0-9._~!$&'()*+,;=:@%/-]{0,1023}")
_CLASS = 10_000_000
_PRIORITY_LIMIT = 4_000


def edge_file(app: EdgeApp) -> EdgeFile:
    """The document of an app. Raises Refused with every reason when a part of a route could break out of its place."""
    wrong = list(_wrong(app))
    if wrong:
        raise refuse(wrong)
    transport = stem(app.app)
    services: dict[str, Service] = {}
    routers: dict[str, Router] = {}
    for number, route in enumerate(app.routes, start=1):
        name = _add_service(services, app, route, transport)
        routers[f"{stem(app.app)}-{number}"] = Router(
            rule=_rule(route), priority=_priority(route), service=name, entryPoints=ENTRY_POINTS
        )
    return EdgeFile(http=Http(routers=routers, services=services, serversTransports={transport: ServersTransport()}))


def stem(app: str) -> str:
    """The app's name in names of the edge, where `@` parts a name from its provider."""
    return app.replace("@", "--")


def service_name(app: str, service: str, release: int) -> str:
    """`<app>-<service>-r<release>`; `-` and `.` of the service become `_`, else `a` with `b-c` were `a-b` with `c`."""
    return f"{stem(app)}-{re.sub('[-.]', '_', service)}-r{release}"


def _add_service(services: dict[str, Service], app: EdgeApp, route: EdgeRoute, transport: str) -> str:
    """The name of the service that answers the route. Routes to the same servers share one."""
    balanced = _balancer(route.servers, transport)
    name = _free(services, service_name(app.app, route.service, app.release), balanced)
    services[name] = balanced
    return name


def _balancer(servers: tuple[EdgeServer, ...], transport: str) -> Service:
    listed = tuple(Server(url=server_url(server)) for server in servers)
    return Service(loadBalancer=LoadBalancer(servers=listed, serversTransport=transport))


def _free(services: Mapping[str, Service], name: str, wanted: Service) -> str:
    """`name`, or with a number when another service has it: one service of the app may answer on several ports."""
    tried, number = name, 1
    while services.get(tried, wanted) != wanted:
        number += 1
        tried = f"{name}.{number}"
    return tried


def server_url(server: EdgeServer) -> str:
    address = ipaddress.ip_address(server.address)
    return f"http://[{address}]:{server.port}" if address.version == 6 else f"http://{address}:{server.port}"


def _rule(route: EdgeRoute) -> str:
    """`/admin` stands for itself and what is below it, not for `/administrator`."""
    hosts = " || ".join(_host_rule(host) for host in route.hosts)
    whole = route.path.rstrip("/")
    if not whole:
        return f"({hosts})" if hosts else "PathPrefix(`/`)"
    below = f"PathPrefix(`{whole}/`)"
    path = below if route.path.endswith("/") else f"(Path(`{whole}`) || {below})"
    return f"({hosts}) && {path}" if hosts else path


def _host_rule(host: str) -> str:
    if not host.startswith("*."):
        return f"Host(`{valid_host(host)}`)"
    return f"HostRegexp(`^[a-z0-9-]+{re.escape(wildcard_host(host)[1:])}$`)"


def _priority(route: EdgeRoute) -> int:
    """A named host goes before a wildcard, that before any host, whoever's they are; then the number given, if any;
    then the longer path. 1 is the path / of any host."""
    wildcard = any(host.startswith("*.") for host in route.hosts)
    kind = (1 if wildcard else 2) if route.hosts else 0
    given = min(max(route.priority, 0), _PRIORITY_LIMIT)
    return kind * _CLASS + given * 2_000 + len(route.path.rstrip("/")) + 1


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
