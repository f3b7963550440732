"""Starts and ends the child that lets a container's network reach the edge."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from windlass.adapters.process import Command, run, surroundings
from windlass.domain.errors import Cancelled, Failed, WindlassError

_CHILD = (sys.executable, "-P", "-X", "no_debug_ranges", "-m", "windlass.adapters.forwarder")
_SURROUNDINGS = ("PYTHONPATH", "WINDLASS_HOME")
_START_S = 10.0
_LONGEST_S = 24 * 3600.0


@contextmanager
def forwarding(pid: int, port: int) -> Iterator[None]:
    """It listens when the block begins, and is gone when the block is over. Raises Failed when it cannot."""
    over, heard = threading.Event(), threading.Event()
    said: list[str] = []

    def hear(line: str) -> None:
        said.append(line)
        heard.set()

    child = threading.Thread(target=_keep, args=((str(pid), str(port)), hear, over, heard), daemon=True)
    child.start()
    try:
        heard.wait(_START_S)
        if said[:1] != ["ready"]:
            why = said[-1] if said else "it does not start"
            raise Failed(f"a command's network cannot be led to the edge: {why}", code="network_not_entered")
        yield
    finally:
        over.set()
        child.join(_START_S)


def _keep(words: tuple[str, str], hear: Callable[[str], None], over: threading.Event, heard: threading.Event) -> None:
    command = Command((*_CHILD, *words), environment=surroundings(*_SURROUNDINGS), timeout_s=_LONGEST_S, stdout_limit=0)
    try:
        run(command, on_line=hear, cancelled=over.is_set)
    except Cancelled:
        return
    except (WindlassError, TimeoutError) as error:
        hear(str(error))
    finally:
        heard.set()
