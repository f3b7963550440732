"""Where answers are kept that are given again to a request that is sent twice."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Progress(StrEnum):
    """`CUT_OFF`: the process in which it ran is gone, and how far it came is not known."""

    RUNNING = "running"
    CUT_OFF = "cut_off"
    DONE = "done"


@dataclass(frozen=True)
class Kept:
    """What is known of a request that came before; `answer` when it is done."""

    progress: Progress
    answer: bytes = b""


class Answers(Protocol):
    """Encrypted at rest. `id` names caller and key, and tells nothing of either."""

    def begin(self, id: str, at: float, forget_before: float) -> Kept | None:
        """None: it is the first, and runs in this process from now on. Of several at once one is the first.

        What began before `forget_before` is forgotten.
        """
        ...

    def keep(self, id: str, answer: bytes) -> None: ...
    def drop(self, id: str) -> None:
        """It changed nothing: the next one with this key is the first."""
        ...
