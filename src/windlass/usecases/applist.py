"""The list of apps: asked for in as many questions for a thousand apps as for one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from windlass.domain import names
from windlass.domain.records import AppLine
from windlass.domain.release import DeploymentStatus
from windlass.ports.outside import Outside
from windlass.usecases.liveplaces import Place, live_places
from windlass.usecases.routes import default_host


def app_items(outside: Outside, apps: Sequence[AppLine]) -> list[dict[str, Any]]:
    """What the list shows of each."""
    places = live_places(outside, apps)
    at_work: dict[str, DeploymentStatus] = {}
    for name, status in outside.store.deployments.under_way() if apps else ():
        if at_work.get(name) is not DeploymentStatus.RUNNING:  # one that runs before those that wait
            at_work[name] = status
    return [
        _item(outside, app, _front(outside, app.name, places.get(app.name, ())), at_work.get(app.name)) for app in apps
    ]


def _item(outside: Outside, app: AppLine, front: Place, at_work: DeploymentStatus | None) -> dict[str, Any]:
    return {
        "app": names.shown(app.name),
        "live": app.live,
        "running": app.running,
        "url": _url(outside, front) if front[0] else "",
        "deployment": at_work.value if at_work else None,
        "created_at": app.created_at,
    }


def _url(outside: Outside, front: Place) -> str:
    suffix = "" if outside.http_port == 80 else f":{outside.http_port}"
    return f"http://{front[0]}{suffix}{front[1] if front[1] != '/' else ''}"


def _front(outside: Outside, app: str, places: Sequence[Place]) -> Place:
    """The one with the default host, else the first; "" as host when there is none."""
    default = default_host(app, outside.domain)
    named = [(host or default, path) for host, path in places]
    return min(named, key=lambda place: place[0] != default, default=("", ""))
