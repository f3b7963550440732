"""Names the process that holds a job, so that its death is known for certain and at once."""

from __future__ import annotations

import os
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_PID_NAMESPACE = "/proc/self/ns/pid"
_START_TIME_FIELD = 19  # of /proc/<pid>/stat, counted behind the program's name


def owner_name() -> str:
    """`<place>:<pid>:<start time>`: no other process ever has the same one."""
    pid = os.getpid()
    return f"{_place()}:{pid}:{_start_time(pid)}"


def owner_alive(owner: str, *, alone: bool = True) -> bool:
    """Whether the process with this name runs; what follows the three parts is not looked at.

    `alone`: only this machine uses the database, so that a name of another boot is dead. Otherwise nothing is known of
    such a name, and it counts as alive: the end of its lease decides.
    """
    parts = owner.split(":")
    if len(parts) < 3 or not parts[1].isdecimal() or parts[0] != _place():
        return not alone
    return _start_time(int(parts[1])) == parts[2]


def _place() -> str:
    """Where numbers of processes mean the same: this boot of this machine, and this container of it."""
    return f"{_BOOT_ID.read_text().strip()}.{os.stat(_PID_NAMESPACE).st_ino}"


def _start_time(pid: int) -> str:
    """In clock ticks since boot; "" for a process that is gone or a zombie."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    fields = text[text.rindex(")") + 2 :].split()
    return "" if fields[0] in ("Z", "X") else fields[_START_TIME_FIELD]
