"""Figures about what windlass remembers, counted by the store itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Spread:
    """How long things took. `within`: how many took at most as long as each bound; `seconds`: of all together."""

    labels: tuple[str, ...]
    within: tuple[int, ...]
    count: int
    seconds: float


class Figures(Protocol):
    """Each asks the store once, however much there is."""

    def deployments(self, bounds_s: Sequence[float]) -> list[Spread]:
        """Those that have ended, by kind and result."""
        ...

    def builds(self, bounds_s: Sequence[float]) -> list[Spread]:
        """The step `build` of deployments, where it was carried out."""
        ...

    def jobs(self) -> dict[tuple[str, str], int]:
        """Kind and state (queued, running) -> how many."""
        ...

    def apps(self) -> int: ...
