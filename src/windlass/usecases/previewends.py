"""When a preview's time is over: now or later, a job of the queue takes it away."""

from __future__ import annotations

from windlass.domain.previews import Preview
from windlass.domain.records import Job
from windlass.ports.outside import Outside

KIND = "preview"


def end_later(outside: Outside, preview: Preview, at: float, attempt: int = 0) -> None:
    """Queue it, under a name that follows from the time: what is asked for twice is queued once.

    The lock is not the app's own, which the removal holds itself.
    """
    id = f"{KIND}-{preview.app}-{preview.until:.6f}-{attempt}"
    if outside.store.jobs.get(id) is None:
        args = {"app": preview.app, "attempt": attempt}
        outside.store.jobs.enqueue(Job(id, KIND, f"{KIND}:{preview.app}", args, "queued", outside.clock.now(), at))


def end_now(outside: Outside, preview: Preview) -> None:
    """Its request is closed, or nobody wants previews any more."""
    now = outside.clock.now()
    ended = outside.store.previews.end(preview.app, min(now, preview.until))
    if ended is not None:
        end_later(outside, ended, now)


def end_all(outside: Outside, base: str) -> list[str]:
    """Those of an app; their names in the store."""
    found = outside.store.previews.of(base)
    for preview in found:
        end_now(outside, preview)
    return [preview.app for preview in found]
