"""Goes through the edge as a visitor does, and lets a container do so."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from windlass.domain.answers import Answer
from windlass.domain.smoke import Visit


class Unanswered(Exception):
    """Nothing that could be judged came back; the words say what happened instead."""


@dataclass(frozen=True)
class Patience:
    """For all of it together, `within_s`; and no longer than until `stop`, asked ten times a second, says so."""

    within_s: float
    stop: Callable[[], bool] = lambda: False


class Visitor(Protocol):
    """On this machine, at the edge's own port, under whatever host."""

    def visit(self, visit: Visit, patience: Patience) -> Answer:
        """One request on a connection of its own; a redirect is an answer. Raises Unanswered."""
        ...

    def converse(
        self, visit: Visit, message: str | None, enough: Callable[[str], bool] | None, patience: Patience
    ) -> None:
        """Open a WebSocket, send the message, and read until one is `enough`; None: that it opens will do.

        Raises Unanswered, with the last message in its words if there was one.
        """
        ...

    def reached(self, pid: int) -> AbstractContextManager[None]:
        """While the block lasts, the network of this process reaches the edge on its own loopback, at the same port.

        Raises Failed when it cannot be done.
        """
        ...
