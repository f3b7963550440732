"""The place from which outside services are asked as an app's containers will see them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Protocol

from windlass.domain.outposts import Reply, Target


@dataclass(frozen=True)
class Post:
    """What a container is made of that only holds its place in the networks."""

    image: str
    argv: tuple[str, ...]


class Closed(Exception):
    """Containers' networks cannot be entered from here; the words say why."""


class Outposts(Protocol):
    def post(self) -> Post:
        """The image is there afterwards."""
        ...

    def why_closed(self, pid: int, container: str) -> str:
        """Why the network of this container (by its full ID and its first process) cannot be entered; "" if it can.

        Process 0: whether any could be, as far as that is known before there is one.
        """
        ...

    def ask(self, pid: int, targets: Sequence[Target], limit_s: float) -> list[Reply]:
        """Ask all of them at once from the network of this process, 0 for this machine's own, in `limit_s` together.

        One reply for each target, in their order. Raises Closed, or TimeoutError when the asking itself hangs.
        """
        ...


@dataclass
class OutpostMemory:
    """Of this process: the outposts that are in use, by name, and what was reached lately, by digest -> when."""

    manned: set[str] = field(default_factory=set)
    reached: dict[str, tuple[float, Reply]] = field(default_factory=dict)
    lock: Lock = field(default_factory=Lock)
