"""Which app a host belongs to: the one that had it first; asked when a release is designed or recalled."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from windlass.domain.errors import Detail, NotFound
from windlass.domain.release import Route
from windlass.domain.routing import taken_hosts
from windlass.ports.outside import Outside
from windlass.usecases.routes import default_host
from windlass.usecases.undertaking import load_kept


def taken(outside: Outside, app: str, routes: Iterable[Route]) -> tuple[Detail, ...]:
    """Refusals for hosts of other live apps; routes without a host lead to the app's default one."""
    own = default_host(app, outside.domain)
    placed = [replace(route, host=route.host or own) for route in routes]
    return taken_hosts(app, placed, _owners(outside, app))


def _owners(outside: Outside, app: str) -> dict[str, str]:
    """Host -> app, of every other live app."""
    owners: dict[str, str] = {outside.hooks_host: "windlass itself"} if outside.hooks_host else {}
    for other in outside.store.apps.all():
        if other.name != app and other.live is not None:
            try:
                routes = load_kept(outside, other.name, other.live).snapshot.routes
            except NotFound:
                continue
            own = default_host(other.name, outside.domain)
            owners |= {r.host or own: other.name for r in routes}
            owners[own] = other.name
    return owners
