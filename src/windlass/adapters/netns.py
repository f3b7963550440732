"""Enters the network namespace of a container of this machine: for root, where the engine's processes can be seen."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

_NEW_NETWORK = 0x40000000

_Made = TypeVar("_Made")


def why_closed(pid: int, container: str) -> str:
    """Why the namespace of this container's first process cannot be entered from here; "" when it can.

    `container` is its full ID: the process of this number may be another one where the engine is somewhere else.
    """
    if os.geteuid() != 0:
        return "windlass does not run as root"
    try:
        is_here = pid > 1 and container in Path(f"/proc/{pid}/cgroup").read_text()
        # In a control group namespace the path is a mere /; the files that the engine mounts carry the ID all the same.
        is_here = is_here or (pid > 1 and container in Path(f"/proc/{pid}/mountinfo").read_text())
    except OSError:
        is_here = False
    return "" if is_here else "the engine's containers are not processes of this machine"


def enter_network(pid: int) -> None:
    """Move the calling thread, and threads that it starts, into the network of this process. Raises OSError."""
    descriptor = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        call_kernel("setns", descriptor, _NEW_NETWORK)
    finally:
        os.close(descriptor)


def make_within(pid: int, make: Callable[[], _Made]) -> _Made:
    """What `make` gives, called in the network of this process: a socket that it opens stays there.

    Raises OSError, also of `make`.
    """
    made: list[_Made] = []
    failed: list[OSError] = []

    def work() -> None:
        try:
            enter_network(pid)
            made.append(make())
        except OSError as error:
            failed.append(error)

    thread = threading.Thread(target=work, name="netns")
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return made[0]


def call_kernel(name: str, *arguments: int | bytes | None) -> None:
    """A call of the C library that answers 0 when it worked. Raises OSError."""
    import ctypes  # seldom needed, and a megabyte

    if getattr(ctypes.CDLL(None, use_errno=True), name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
