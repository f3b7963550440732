"""Says whether two releases are the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from windlass.domain.release import Part, Route, Snapshot
from windlass.domain.routeoptions import PLAIN


def fingerprint(snapshot: Snapshot, tree: str) -> str:
    """What makes two releases the same: source tree, models, variables and image IDs, without the release's number."""
    text = json.dumps(
        [
            tree,
            _unnumbered(snapshot.base_model, snapshot),
            _unnumbered(snapshot.generation_model, snapshot),
            {
                n: (p.image_id, p.restart, p.replicas, str(p.probe), str(p.deliveries), *_task(p))
                for n, p in snapshot.parts.items()
            },
            [_route(r) for r in snapshot.routes],
            snapshot.bake_s,
            snapshot.keep_warm_s,
        ],
        sort_keys=True,
        default=str,
    )
    return hashlib.sha256(text.encode()).hexdigest()


def _route(route: Route) -> str:
    """As it was written before routes had options, where one has none."""
    plain = (
        f"Route(host={route.host!r}, service={route.service!r}, port={route.port!r}, path={route.path!r}, "
        f"priority={route.priority!r})"
    )
    return plain if route.options == PLAIN else f"{plain} {route.options}"


def _task(part: Part) -> tuple[str, ...]:
    """Nothing for what is none, so that releases from before there were tasks stay the same."""
    return (str(part.task),) if part.task else ()


def _unnumbered(model: Mapping[str, Any], snapshot: Snapshot) -> Any:
    app, n = snapshot.app, snapshot.number
    text = json.dumps(model, sort_keys=True, default=str)
    for numbered, plain in ((f"{app}-g{n}", f"{app}-g"), (f':r{n}"', ':r"'), (f"/releases/{n}/", "/releases/")):
        text = text.replace(numbered, plain)
    document = json.loads(text)
    for service in document.get("services", {}).values():
        service.get("labels", {}).pop("windlass.release", None)
        for name in ("WINDLASS_RELEASE", "WINDLASS_BUILD_DATE", "WINDLASS_COMMIT", "WINDLASS_VERSION"):
            (service.get("environment") or {}).pop(name, None)
    return document
