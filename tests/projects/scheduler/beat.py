"""Appends a line each 0.2 s, and goes on for half a second after SIGTERM, as a careful scheduler would."""

import os
import signal
import socket
import time
from pathlib import Path

LOG = Path("/beats/log")
VERSION = os.environ.get("VERSION", "v1")
end = float("inf")


def stop(*_: object) -> None:
    global end
    end = time.monotonic() + 0.5


def write(what: str) -> None:
    """One line, in one write."""
    with LOG.open("a") as log:
        log.write(f"{time.time():.3f} {socket.gethostname()} {VERSION} {what}\n")


def main() -> None:
    signal.signal(signal.SIGTERM, stop)
    write("start")
    while time.monotonic() < end:
        write("tick")
        time.sleep(0.2)
    write("stop")


main()
