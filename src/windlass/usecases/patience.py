"""Waits for an engine that does not answer."""

from __future__ import annotations

from windlass.domain.errors import OutOfReach
from windlass.ports.outside import Outside
from windlass.usecases.control import Control

ENGINE_PATIENCE_S = 600.0


def wait_for_engine(outside: Outside, control: Control) -> None:
    """A stopped engine is waited for; the deployment goes on when it is back."""
    deadline = outside.clock.monotonic() + ENGINE_PATIENCE_S
    told = False
    while True:
        try:
            outside.engine.facts()
            return
        except OutOfReach as error:
            if not told:
                outside.store.events.add(outside.clock.now(), "", "", "warning", {"text": error.message})
                told = True
            if outside.clock.monotonic() > deadline:
                return
        control.check()
        outside.clock.sleep(0.5)
