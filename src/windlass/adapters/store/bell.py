"""Wakes the threads of this process that wait for a row to appear, so that nothing has to poll."""

from __future__ import annotations

import threading


class Bell:
    """Counts its rings, so that one between looking and waiting is not missed.

    Only this process hears it. That is enough: jobs and events are written by the control plane alone, and
    everything else that waits does so with a time limit and looks again.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._rings = 0

    @property
    def rings(self) -> int:
        return self._rings

    def ring(self) -> None:
        with self._changed:
            self._rings += 1
            self._changed.notify_all()

    def wait(self, seen: int, timeout_s: float) -> bool:
        """Until there were more rings than `seen`; False when the time is over first."""
        with self._changed:
            return self._changed.wait_for(lambda: self._rings != seen, max(0.0, timeout_s))
