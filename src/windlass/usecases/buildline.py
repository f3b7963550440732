"""The line of builds: a deployment waits in it until it may build, and may be cancelled there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress

from windlass.domain.errors import OutOfReach
from windlass.ports.outside import Outside
from windlass.usecases.control import CancelRequested

LOOK_S = 2.0  # how long a cancel, or a place that another process frees, may go unseen


@contextmanager
def build_turn(
    outside: Outside, deployment: str, cancelled: Callable[[], bool], waiting: AbstractContextManager[None]
) -> Iterator[None]:
    """A place among the builds at once, for as long as the block takes; `waiting` is entered when there is none yet.

    First come, first served. Raises CancelRequested, and what `cancelled` raises.
    """
    jobs = outside.store.jobs
    jobs.join_line(deployment)
    try:
        if not _may_build(outside, deployment):
            with waiting:
                _await_turn(outside, deployment, cancelled)
        yield
    finally:
        with suppress(OutOfReach):  # the end of the job frees the place as well
            jobs.leave_line(deployment)


def _await_turn(outside: Outside, deployment: str, cancelled: Callable[[], bool]) -> None:
    jobs = outside.store.jobs
    while True:
        seen = jobs.changes()
        if cancelled():
            raise CancelRequested(deployment)
        if _may_build(outside, deployment):
            return
        jobs.wait(seen, LOOK_S)


def _may_build(outside: Outside, deployment: str) -> bool:
    return outside.store.jobs.in_front(deployment, outside.clock.now()) < outside.limits.builds
