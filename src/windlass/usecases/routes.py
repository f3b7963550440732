"""Puts an app's routes on a release: from its snapshot and the addresses of its containers to the edge."""

from __future__ import annotations

from dataclasses import replace

from windlass.domain.errors import Failed, NotFound
from windlass.domain.names import shown
from windlass.domain.parts import containers_of
from windlass.domain.plan import Drain, SwitchRoutes
from windlass.domain.previews import is_preview
from windlass.domain.release import Route, Snapshot
from windlass.domain.routeoptions import Condition, RouteOptions
from windlass.ports.edge import EdgeApp, EdgePage, EdgeRoute, EdgeServer, Maintenance
from windlass.ports.outside import Outside
from windlass.usecases.gates import address_of
from windlass.usecases.liveplaces import live_places
from windlass.usecases.undertaking import Undertaking

DRAIN_PAUSE_S = 0.05


def switch_routes(work: Undertaking, wanted: SwitchRoutes) -> None:
    """Write the app's routes and return when the edge has them in force."""
    snapshot = work.snapshot(wanted.release)
    fallback = work.snapshot(wanted.fallback) if wanted.fallback is not None else None
    with work.outside.routes_lock:
        config = edge_app(work, snapshot, fallback)
        _check_free(work, config)
        if config.routes:
            work.outside.edge.apply(config)
            work.outside.tally.add("edge_switches")
        elif work.outside.edge.current(work.app) is not None:
            work.outside.edge.withdraw(work.app)
        share_default_route(work)


def _check_free(work: Undertaking, config: EdgeApp) -> None:
    """Two apps that want the same host may have been let through at the same moment; the first one has it.

    What is taken back leads where it led. Raises Failed host_taken.
    """
    outside, current = work.outside, work.outside.edge.current(config.app)
    new = _hosts(config) - (_hosts(current) if current is not None else set())
    if not new or not _is_forward(work, config.release):
        return
    for other in outside.store.apps.lines():
        found = outside.edge.current(other.name) if other.name != config.app else None
        both = sorted(new & _hosts(found)) if found is not None else []
        if both:
            said = f"{', '.join(both)} leads to the app {shown(other.name)} by now, which goes on serving it"
            raise Failed(said, code="host_taken", hint="use another host")


def _hosts(config: EdgeApp) -> set[str]:
    return {host for route in config.routes for host in route.hosts}


def _is_forward(work: Undertaking, release: int) -> bool:
    try:
        return work.outside.store.deployments.get(work.deployment).release == release
    except NotFound:
        return False


def refresh_routes(work: Undertaking, down: frozenset[str]) -> None:
    """Same releases as now, present addresses; containers in `down` are left out."""
    edge = work.outside.edge
    with work.outside.routes_lock:
        current = edge.current(work.app)
        if current is None:
            return
        fallback = work.snapshot(current.fallback_release) if current.fallback_release is not None else None
        config = edge_app(work, work.snapshot(current.release), fallback, down)
        if config != current:
            edge.apply(config)


def edge_app(
    work: Undertaking, snapshot: Snapshot, fallback: Snapshot | None, down: frozenset[str] = frozenset()
) -> EdgeApp:
    """The routes of a release; containers named in `down` are left out unless none would remain.

    A service of which nothing runs keeps the servers it had: its address answers 502, and its host cannot fall to
    another app. Containers that do not run have no address to be listed by.
    """
    routes = []
    had = _in_force(work)
    for route in snapshot.routes:
        part = snapshot.parts[route.service]
        servers = _servers(work, snapshot, route.service, route.port, down)
        behind: tuple[EdgeServer, ...] = ()
        if fallback is not None and not part.in_base and _answers(fallback, route.service):
            old_port = next((r.port for r in fallback.routes if r.service == route.service), route.port)
            behind = _servers(work, fallback, route.service, old_port, frozenset())
        hosts = (route.host,) if route.host else default_hosts(work.outside, snapshot.app)
        servers = servers or had.get(_place(hosts, route.path, route.options), ())
        if not servers:
            continue
        found = EdgeRoute(hosts, route.path, route.priority, route.service, servers, behind, route.options)
        found = replace(found, pages=_pages(work, snapshot, route, down))
        routes.append(found)
        if not route.host and is_only_hostless(work.outside, snapshot.app):
            routes.append(replace(found, hosts=()))
    old = fallback.number if fallback else None
    return EdgeApp(snapshot.app, snapshot.number, tuple(routes), old, _maintenance(work.outside, snapshot.app))


def _maintenance(outside: Outside, app: str) -> Maintenance | None:
    known = outside.store.apps.find(app)
    return Maintenance(known.passes) if known is not None and known.closed else None


_Place = tuple[tuple[str, ...], str, str, tuple[Condition, ...]]


def _in_force(work: Undertaking) -> dict[_Place, tuple[EdgeServer, ...]]:
    current = work.outside.edge.current(work.app)
    return {_place(r.hosts, r.path, r.options): r.servers for r in current.routes} if current is not None else {}


def _place(hosts: tuple[str, ...], path: str, options: RouteOptions) -> _Place:
    return hosts, path, options.match, options.conditions


def _pages(work: Undertaking, snapshot: Snapshot, route: Route, down: frozenset[str]) -> tuple[EdgePage, ...]:
    """Error pages whose service runs; the others are the edge's own."""
    found = []
    for page in route.options.errors:
        servers = _servers(work, snapshot, page.service, page.port, down) if page.service in snapshot.parts else ()
        if servers:
            found.append(EdgePage(page, servers))
    return tuple(found)


def _answers(snapshot: Snapshot, service: str) -> bool:
    return service in snapshot.parts and not snapshot.parts[service].in_base


def _servers(
    work: Undertaking, snapshot: Snapshot, service: str, port: int, down: frozenset[str]
) -> tuple[EdgeServer, ...]:
    all_, up = [], []
    for name in containers_of(snapshot, snapshot.parts[service]):
        container = work.find(name)
        if container is None or container.state not in ("running", "paused"):
            continue
        server = EdgeServer(address_of(work, container), port)
        all_.append(server)
        if name not in down:
            up.append(server)
    return tuple(up or all_)


def default_hosts(outside: Outside, app: str) -> tuple[str, ...]:
    return (default_host(app, outside.domain),)


def default_host(app: str, domain: str) -> str:
    """`shop` → shop.localhost, `shop@staging` → staging.shop.localhost."""
    name, _, environment = app.partition("--")
    return f"{environment}.{name}.{domain}" if environment else f"{name}.{domain}"


def is_only_hostless(outside: Outside, app: str) -> bool:
    """Whether the server's bare address may lead to this app: no other live app lacks a host of its own.

    Previews are led to by their own hosts alone, and do not count.
    """
    if is_preview(app):
        return False
    others = [line for line in outside.store.apps.lines() if line.name != app and not is_preview(line.name)]
    return all(host for places in live_places(outside, others).values() for host, _ in places)


def share_default_route(work: Undertaking) -> None:
    """Another app that had the bare address alone gives it up when this one has no host of its own either."""
    edge = work.outside.edge
    if is_preview(work.app):
        return
    for other in work.outside.store.apps.lines():
        if other.name == work.app or other.live is None:
            continue
        config = edge.current(other.name)
        if config is None or not any(not r.hosts for r in config.routes):
            continue
        if not is_only_hostless(work.outside, other.name) or _has_hostless(work):
            kept = tuple(r for r in config.routes if r.hosts)
            edge.apply(replace(config, routes=kept))


def _has_hostless(work: Undertaking) -> bool:
    config = work.outside.edge.current(work.app)
    return config is not None and any(default_host(work.app, work.outside.domain) in r.hosts for r in config.routes)


def drain(work: Undertaking, wanted: Drain) -> None:
    """Wait until the edge holds no connection to the old containers, at most `limit_s`."""
    servers = []
    for name, port in wanted.targets:
        container = work.find(name)
        if container is not None and container.state == "running":
            servers.append(EdgeServer(address_of(work, container), port))
    clock = work.outside.clock
    deadline = clock.monotonic() + wanted.limit_s
    while servers and work.outside.edge.in_flight(servers) > 0 and clock.monotonic() < deadline:
        work.control.check()
        clock.sleep(DRAIN_PAUSE_S)
