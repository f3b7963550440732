"""Ends the time in which an old generation was kept warm."""

from __future__ import annotations

from windlass.domain.raising import retire_generation
from windlass.ports.outside import Outside
from windlass.usecases.control import Control
from windlass.usecases.execute import execute
from windlass.usecases.undertaking import Undertaking


def cool_down(outside: Outside, app: str, release: int, control: Control) -> None:
    """Drain and stop the warm generation, unless it is live again or another is kept warm by now."""
    known = outside.store.apps.find(app)
    if known is None or known.warm != release or known.live == release:
        return
    work = Undertaking(outside, app, "", control, lambda kind, data: None)
    execute(work, tuple(retire_generation(work.snapshot(release))))
    outside.store.apps.update(app, warm=None, warm_until=0.0)
