"""What happens in the engine, as it happens."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import requests

from windlass.adapters.engine.connection import Speaker
from windlass.adapters.engine.streams import Stream, until_stopped
from windlass.ports.engine import EngineEvent

_KINDS = ("container", "network", "volume", "image")
# Without the commands that are run in containers: probes make many of those, and their words may be secret.
_ACTIONS = [
    "create",
    "start",
    "restart",
    "die",
    "oom",
    "kill",
    "stop",
    "pause",
    "unpause",
    "rename",
    "update",
    "destroy",
    "health_status",
    "connect",
    "disconnect",
    "remove",
    "tag",
    "untag",
    "delete",
    "import",
    "pull",
]
_NANOSECONDS = 1e9


class Events(Speaker):
    def events(self, labels: Mapping[str, str], since: float, stop: Callable[[], bool]) -> Iterator[EngineEvent]:
        """Ends within half a second of `stop()` saying so, never by itself: OutOfReach when the engine goes away."""
        wanted = [f"{key}={value}" if value else key for key, value in labels.items()]
        filters = {"label": wanted, "type": list(_KINDS), "event": _ACTIONS}
        params = {"since": f"{since:.9f}", "filters": json.dumps(filters)}
        with self._connection.call("events") as api:
            stream = Stream(lambda: self._connection.get(api, "/events", params))
            rest = b""
            for data in until_stopped(stream, stop):
                *whole, rest = (rest + data).split(b"\n")
                for line in whole:
                    if line.strip():
                        yield _event(json.loads(line))
            if not stop():
                raise requests.ConnectionError("the engine ended its events")


def _event(found: Mapping[str, Any]) -> EngineEvent:
    actor = found.get("Actor") or {}
    attributes = actor.get("Attributes") or {}
    code = attributes.get("exitCode")
    return EngineEvent(
        kind=found.get("Type", ""),
        action=found.get("Action", ""),
        id=actor.get("ID", ""),
        name=attributes.get("name", ""),
        labels=attributes,
        exit_code=int(code) if code is not None else None,
        at=found.get("timeNano", 0) / _NANOSECONDS,
    )
