"""Outposts in memory: what a table says of each server. They pass the same tests as the real ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.fakes.engine import FakeEngine

from windlass.domain.outposts import Depth, Reply, Step, Target
from windlass.ports.outposts import Closed, Post

IMAGE = "windlass/edge:fake"


@dataclass
class FakeOutposts:
    """`replies`: host -> what came of asking; `closed`: why nobody can be asked; `asked`: every visit, in order."""

    engine: FakeEngine
    replies: dict[str, Reply] = field(default_factory=dict)
    closed: str = ""
    knows_before: bool = True  # that it is closed
    hangs: bool = False
    asked: list[tuple[int, tuple[Target, ...], float]] = field(default_factory=list)

    def post(self) -> Post:
        self.engine.add_image(IMAGE)
        return Post(IMAGE, ("--idle",))

    def why_closed(self, pid: int, container: str) -> str:
        return self.closed if pid or self.knows_before else ""

    def ask(self, pid: int, targets: Sequence[Target], limit_s: float) -> list[Reply]:
        self.asked.append((pid, tuple(targets), limit_s))
        if self.hangs:
            raise TimeoutError("python did not end within 8 s")
        if self.closed:
            raise Closed(self.closed)
        return [self._reply(target) for target in targets]

    def _reply(self, target: Target) -> Reply:
        host = target.servers[0][0]
        if host.endswith(".invalid"):
            return Reply(Step.NAME, "unknown")
        return self.replies.get(host, Reply(depth=Depth.LOGIN if target.knows_login else Depth.CONNECTION))
