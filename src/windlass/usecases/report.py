"""The screen for the operator at night: what failed, how, what changed, what still serves, what to do next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from windlass.domain.changes import changes
from windlass.domain.errors import NotFound, WindlassError
from windlass.domain.names import shown
from windlass.domain.records import Deployment
from windlass.usecases.undertaking import Undertaking


def failure_report(work: Undertaking, deployment: Deployment, found: Mapping[str, Any]) -> dict[str, Any]:
    """The report of a failed deployment; `found` is what is known of the container that failed, if one did."""
    app = shown(deployment.app)
    service = str(found.get("service", ""))
    return {
        "service": service,
        "command": found.get("command", ""),
        "container": found.get("container", ""),
        "exit_code": found.get("exit_code"),
        "oom": bool(found.get("oom", False)),
        "log": list(found.get("log", ())),
        "probe": found.get("probe", ""),
        "smoke": found.get("smoke"),
        "errors": found.get("errors"),
        "changed": list(_changed(work, deployment)),
        "serving": deployment.previous,
        "next": _next(app, service, bool(found.get("command"))),
    }


def build_report(error: WindlassError) -> dict[str, Any]:
    """What a failed build says: the service and its last lines."""
    lines = [d for d in error.details if d.code == "build_line"]
    return {"service": lines[-1].name, "log": [d.message for d in lines][-10:]} if lines else {}


def _changed(work: Undertaking, deployment: Deployment) -> tuple[str, ...]:
    if deployment.release is None or deployment.release not in work.snapshots:
        return ()
    old = None
    if deployment.previous is not None:
        try:
            old = work.snapshot(deployment.previous)
        except NotFound:
            return ()
    return changes(old, work.snapshots[deployment.release])


def _next(app: str, service: str, ended: bool) -> list[str]:
    """`ended`: a command that is taken away with its release; what it said is among the events."""
    logs = [] if ended else [f"windlass logs {app} {service}".strip()]
    return [f"windlass events {app}", *logs, f"windlass status {app}"]
