"""Enters the network namespace of a container of this machine: for root, where the engine's processes can be seen."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from windlass.domain.errors import NotFound

_NEW_NETWORK = 0x40000000

_Made = TypeVar("_Made")


def why_closed(pid: int, container: str) -> str:
    """Why the namespace of this container's first process cannot be entered from here; "" when it can.

    `container` is its full ID: the process of this number may be another one where the engine is somewhere else.
    Process 0: whether any could be, as far as that is known beforehand.
    """
    if os.geteuid() != 0:
        return "windlass does not run as root"
    if pid == 0:
        return ""
    try:
        is_here = pid > 1 and container in Path(f"/proc/{pid}/cgroup").read_text()
        # In a control group namespace the path is a mere /; the files that the engine mounts carry the ID all the same.
        is_here = is_here or (pid > 1 and container in Path(f"/proc/{pid}/mountinfo").read_text())
    except OSError:
        is_here = False
    return "" if is_here else "the engine's containers are not processes of this machine"


def enter_network(pid: int) -> None:
    """Move the calling thread, and threads that it starts, into the network of this process.

    Raises NotFound when it is gone, OSError when it may not be entered.
    """
    try:
        descriptor = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, ProcessLookupError) as error:
        raise NotFound(f"process {pid} is gone", code="process_gone") from error
    try:
        call_kernel("setns", descriptor, _NEW_NETWORK)
    finally:
        os.close(descriptor)


def inside(pid: int, work: Callable[[], _Made]) -> _Made:
    """What `work` gives, done in the network of this process: a socket that it opens stays there.

    Raises NotFound when the process is gone, OSError when it may not be entered, and what `work` raises.
    """

    def there() -> _Made:
        enter_network(pid)
        return work()

    # A thread of its own, which ends: this one stays where it is.
    with ThreadPoolExecutor(1, "netns") as thread:
        return thread.submit(there).result()


def call_kernel(name: str, *arguments: int | bytes | None) -> None:
    """A call of the C library that answers 0 when it worked. Raises OSError."""
    import ctypes  # seldom needed, and a megabyte

    if getattr(ctypes.CDLL(None, use_errno=True), name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
