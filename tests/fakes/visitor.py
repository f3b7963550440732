"""A visitor in memory: answers as it was told, and remembers what was asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from windlass.domain.answers import Answer
from windlass.domain.smoke import Visit
from windlass.ports.visitor import Patience, Unanswered


@dataclass
class FakeVisitor:
    """`answer`: to a request, or Unanswered in its place. `messages`: what a WebSocket says after the first message.

    `reaching`: the processes whose networks reach the edge now; `asked`: every request and WebSocket, in order.
    """

    answer: Callable[[Visit, Patience], Answer] = lambda visit, patience: Answer(200)
    messages: Callable[[str | None], list[str]] = lambda message: [message or ""]
    asked: list[Visit] = field(default_factory=list)
    reaching: list[int] = field(default_factory=list)
    reached_before: list[int] = field(default_factory=list)

    def visit(self, visit: Visit, patience: Patience) -> Answer:
        self.asked.append(visit)
        return self.answer(visit, patience)

    def converse(
        self, visit: Visit, message: str | None, enough: Callable[[str], bool] | None, patience: Patience
    ) -> None:
        self.asked.append(visit)
        said = self.messages(message)
        if enough is not None and not any(enough(text) for text in said):
            raise Unanswered(f'got "{said[-1]}" (the WebSocket was closed)' if said else "the WebSocket was closed")

    @contextmanager
    def reached(self, pid: int) -> Iterator[None]:
        self.reaching.append(pid)
        self.reached_before.append(pid)
        yield
        self.reaching.remove(pid)
