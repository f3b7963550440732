"""Which app a host belongs to: the one that had it first; asked when a release is designed or recalled."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from windlass.domain.errors import Detail
from windlass.domain.release import Route
from windlass.domain.routing import taken_hosts
from windlass.ports.outside import Outside
from windlass.usecases.liveplaces import live_places
from windlass.usecases.routes import default_host


def taken(outside: Outside, app: str, routes: Iterable[Route]) -> tuple[Detail, ...]:
    """Refusals for hosts of other live apps; routes without a host lead to the app's default one."""
    own = default_host(app, outside.domain)
    placed = [replace(route, host=route.host or own) for route in routes]
    return taken_hosts(app, placed, _owners(outside, app))


def _owners(outside: Outside, app: str) -> dict[str, str]:
    """Host -> app, of every other live app."""
    owners: dict[str, str] = {outside.hooks_host: "windlass itself"} if outside.hooks_host else {}
    others = [line for line in outside.store.apps.lines() if line.name != app]
    for other, places in live_places(outside, others).items():
        owners |= dict.fromkeys([*(host for host, _ in places if host), default_host(other, outside.domain)], other)
    return owners
