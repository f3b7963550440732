"""Names the process that holds a job, so that its death is known for certain and at once."""

from __future__ import annotations

import os
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_START_TIME_FIELD = 19  # of /proc/<pid>/stat, counted behind the program's name


def owner_name() -> str:
    """`<boot id>:<pid>:<start time>`: no other process of this machine ever has the same one."""
    pid = os.getpid()
    return f"{_boot_id()}:{pid}:{_start_time(pid)}"


def owner_alive(owner: str) -> bool:
    """Whether the process with this name runs on this machine; what follows the three parts is not looked at.

    A name of another boot is dead: one home belongs to one machine.
    """
    parts = owner.split(":")
    if len(parts) < 3 or not parts[1].isdecimal() or parts[0] != _boot_id():
        return False
    return _start_time(int(parts[1])) == parts[2]


def _boot_id() -> str:
    return _BOOT_ID.read_text().strip()


def _start_time(pid: int) -> str:
    """In clock ticks since boot; "" for a process that is gone or a zombie."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    fields = text[text.rindex(")") + 2 :].split()
    return "" if fields[0] in ("Z", "X") else fields[_START_TIME_FIELD]
