"""The list of apps: asked for in as many questions for a thousand apps as for one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from windlass.domain import names
from windlass.domain.records import AppLine
from windlass.domain.release import DeploymentStatus
from windlass.ports.outside import Outside
from windlass.usecases.routes import default_host
from windlass.usecases.undertaking import routes_in

Front = tuple[str, str]  # host and path of an app's first route; "" as host when it has none


def app_items(outside: Outside, apps: Sequence[AppLine]) -> list[dict[str, Any]]:
    """What the list shows of each."""
    fronts = _fronts(outside, apps)
    at_work: dict[str, DeploymentStatus] = {}
    for name, status in outside.store.deployments.under_way() if apps else ():
        if at_work.get(name) is not DeploymentStatus.RUNNING:  # one that runs before those that wait
            at_work[name] = status
    return [_item(outside, app, fronts.get(app.name, ("", "")), at_work.get(app.name)) for app in apps]


def _item(outside: Outside, app: AppLine, front: Front, at_work: DeploymentStatus | None) -> dict[str, Any]:
    return {
        "app": names.shown(app.name),
        "live": app.live,
        "running": app.running,
        "url": _url(outside, front) if front[0] else "",
        "deployment": at_work.value if at_work else None,
        "created_at": app.created_at,
    }


def _url(outside: Outside, front: Front) -> str:
    suffix = "" if outside.http_port == 80 else f":{outside.http_port}"
    return f"http://{front[0]}{suffix}{front[1] if front[1] != '/' else ''}"


def _fronts(outside: Outside, apps: Sequence[AppLine]) -> dict[str, Front]:
    now = outside.clock.monotonic()
    found: dict[str, Front] = {}
    missing: dict[str, AppLine] = {}
    for app in apps:
        known = outside.fronts.find((app.name, app.created_at, app.live), now) if app.live is not None else ("", "")
        if isinstance(known, tuple):
            found[app.name] = known
        else:
            missing[app.name] = app
    for (name, release), document in outside.store.releases.live_snapshots(missing).items() if missing else ():
        found[name] = _front(outside, name, document)
        outside.fronts.keep((name, missing[name].created_at, release), found[name], now)
    return found


def _front(outside: Outside, app: str, document: bytes) -> Front:
    """The one with the default host, else the first."""
    default = default_host(app, outside.domain)
    routes = [(r.host or default, r.path) for r in routes_in(document)]
    return min(routes, key=lambda route: route[0] != default, default=("", ""))
