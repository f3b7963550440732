"""Removes generations that nobody needs any more: what an engine that went away kept from being taken back."""

from __future__ import annotations

from contextlib import suppress

from windlass.domain.errors import Conflict
from windlass.domain.plan import RemoveGeneration
from windlass.domain.records import App, ReleaseState
from windlass.usecases.containers import remove_generation
from windlass.usecases.observation import generations
from windlass.usecases.slots import hold_slot
from windlass.usecases.undertaking import Undertaking


def sweep_generations(work: Undertaking, app: App) -> None:
    """Keep what is live, what is kept warm, and the release that was live before; nothing while someone is at work."""
    stray = generations(work.outside, app.name) - _needed(work, app)
    if not stray:
        return
    with suppress(Conflict), hold_slot(work.outside, app.name, "sweep"):
        known = work.outside.store.apps.get(app.name)
        for number in sorted(stray - _needed(work, known)):
            work.note("health", {"text": f"removing what was left of release {number}"})
            remove_generation(work, RemoveGeneration(number))


def _needed(work: Undertaking, app: App) -> set[int]:
    retired = [r for r in work.outside.store.releases.all(app.name) if r.state is ReleaseState.RETIRED]
    last = max(retired, key=lambda r: r.live_at or 0.0, default=None)
    found = {app.live, app.warm, last.number if last else None}
    return {number for number in found if number is not None}
