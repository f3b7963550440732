"""Where the live release of each app is reached: read once for a release, as releases do not change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from windlass.domain.records import AppLine
from windlass.ports.outside import Outside
from windlass.usecases.undertaking import routes_in

Place = tuple[str, str]  # host and path of a route; "": the app's default host


def live_places(outside: Outside, apps: Iterable[AppLine]) -> Mapping[str, tuple[Place, ...]]:
    """App -> the places of its routes, in their order; without those that are not live, or whose release is lost."""
    now = outside.clock.monotonic()
    found: dict[str, tuple[Place, ...]] = {}
    missing: dict[str, AppLine] = {}
    for app in apps:
        if app.live is None:
            continue
        known = outside.places.find((app.name, app.created_at, app.live), now)
        if isinstance(known, tuple):
            found[app.name] = known
        else:
            missing[app.name] = app
    for (name, release), document in outside.store.releases.live_snapshots(missing).items() if missing else ():
        found[name] = tuple((route.host, route.path) for route in routes_in(document))
        outside.places.keep((name, missing[name].created_at, release), found[name], now)
    return found
