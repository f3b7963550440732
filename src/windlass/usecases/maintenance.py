"""Closes an app to everybody but some addresses, and opens it again; deployments leave that as it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from windlass.domain.errors import Usage
from windlass.domain.names import docker_name, shown
from windlass.domain.routechecks import network
from windlass.ports.outside import Outside
from windlass.usecases.liveapp import changing, put_routes

MOST_PASSES = 100


def maintenance(outside: Outside, app: str) -> dict[str, Any]:
    """{"app", "closed", "allowed"}. Raises NotFound."""
    known = outside.store.apps.get(docker_name(app))
    return {"app": shown(known.name), "closed": known.closed, "allowed": list(known.passes)}


def close(outside: Outside, app: str, allowed: Sequence[str]) -> dict[str, Any]:
    """Answer 503 to everybody but these addresses and networks, until `open_again`; before the first release, too."""
    if len(allowed) > MOST_PASSES:
        raise Usage(f"at most {MOST_PASSES} networks are let through", code="too_many_networks")
    return _put(outside, app, True, tuple(dict.fromkeys(network(text) for text in allowed)))


def open_again(outside: Outside, app: str) -> dict[str, Any]:
    return _put(outside, app, False, ())


def _put(outside: Outside, app: str, closed: bool, passes: tuple[str, ...]) -> dict[str, Any]:
    name = docker_name(app)
    known = outside.store.apps.get(name)
    if known.live is None:
        outside.store.apps.update(name, closed=closed, passes=passes)
        return maintenance(outside, name)
    with changing(outside, app, "maintenance on" if closed else "maintenance off") as live:
        outside.store.apps.update(name, closed=closed, passes=passes)
        if live.outside.edge.current(name) is not None:
            put_routes(live)
    return maintenance(outside, name)
