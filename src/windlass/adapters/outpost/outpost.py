"""ports.outposts.Outposts: a child of windlass's own interpreter that enters the container's network."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from windlass.adapters import netns
from windlass.adapters.edge.image import ensure_image, tag
from windlass.adapters.process import Command, run, surroundings
from windlass.domain.outposts import Depth, Reply, Step, Target
from windlass.ports.engine import Engine
from windlass.ports.outposts import Closed, Post

_CHILD = (sys.executable, "-P", "-X", "no_debug_ranges", "-m", "windlass.adapters.outpost.child")
# Where it finds itself and the machine's authorities, and whose windlass it is.
_SURROUNDINGS = ("PYTHONPATH", "SSL_CERT_FILE", "SSL_CERT_DIR", "WINDLASS_HOME")
_RESOLVER = "timeout:1 attempts:2"
_START_S = 3.0  # on a busy machine, until the child has begun
_ANSWERS_LIMIT = 1 << 20

# The edge's program, serving nothing: of all images this one is here whatever app it is.
_IDLE = (
    "--entryPoints.idle.address=127.0.0.1:60009",
    "--global.checkNewVersion=false",
    "--global.sendAnonymousUsage=false",
    "--log.level=ERROR",
)


class ChildOutposts:
    """May be used by many threads at once."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def post(self) -> Post:
        ensure_image(self._engine)
        return Post(tag(), _IDLE)

    def why_closed(self, pid: int, container: str) -> str:
        return netns.why_closed(pid, container)

    def ask(self, pid: int, targets: Sequence[Target], limit_s: float) -> list[Reply]:
        asked = {"pid": pid, "limit_s": limit_s, "targets": [asdict(target) for target in targets]}
        done = run(
            Command(
                _CHILD,
                environment={**surroundings(*_SURROUNDINGS), "RES_OPTIONS": _RESOLVER, "HOME": "/nonexistent"},
                stdin=json.dumps(asked).encode(),
                timeout_s=limit_s + _START_S,
                stdout_limit=_ANSWERS_LIMIT,
            )
        )
        try:
            answer = json.loads(done.text)
        except ValueError as error:
            said = done.errors[-1] if done.errors else f"it ended with {done.code}"
            raise Closed(f"the process that asks failed: {said}") from error
        if "closed" in answer:
            raise Closed(str(answer["closed"]))
        return [_reply(document) for document in answer["replies"]]


def _reply(document: dict[str, Any]) -> Reply:
    return Reply(
        Step(document["step"]),
        document["why"],
        document["code"],
        Depth(document["depth"]),
        document["seconds"],
    )
