"""How a running job learns that it should end: cancelled, or no longer its own."""

from __future__ import annotations

from typing import Protocol


class CancelRequested(Exception):
    """Someone asked to cancel the job: take back what was done, then end."""


class Control(Protocol):
    """Given to running code by the worker."""

    def check(self) -> None:
        """Called between operations and in every waiting loop.

        Raises CancelRequested when the job is to be taken back, and LeaseLost (ports.store) when it is to be left
        exactly as it is, because it is resumed elsewhere or at the next start.
        """
        ...

    def check_lease(self) -> None:
        """The same for what must not be cancelled any more, such as taking back: raises LeaseLost only."""
        ...
