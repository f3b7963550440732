"""Whether the running edge reads the folder that windlass writes; after a home was restored it may read the old one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

MOUNTED_AT = "/dynamic"
_ASIDE = ".restored"


def reads(pid: int, folder: Path) -> bool:
    """Also when we may not look: then there is no reason to believe anything else."""
    found = _mounted(pid)
    return found is None or os.path.samestat(found, folder.stat())


def take_over(pid: int, folder: Path) -> bool:
    """Move the folder that this process has mounted to where `folder` is, so that the edge need not be started anew.

    With the folder around it: the edge gives up a watched folder that is moved itself. What it holds stays as it is,
    for that is in force; files that only the restored one had are added. False when it is gone, or on another disk.
    """
    mounted = _mounted(pid)
    if mounted is None:
        return True
    old = next((path for path in _paths(pid) if _is(path, mounted)), None)
    if old is None or old.name != folder.name:
        return False
    around = folder.parent
    aside = around.with_name(around.name + _ASIDE)
    shutil.rmtree(aside, ignore_errors=True)
    around.rename(aside)
    try:
        old.parent.rename(around)
    except OSError:
        aside.rename(around)
        return False
    for file in aside.rglob("*"):
        place = around / file.relative_to(aside)
        if file.is_file() and not place.exists():
            place.parent.mkdir(mode=0o700, exist_ok=True)
            shutil.copy2(file, place)
    shutil.rmtree(aside, ignore_errors=True)
    return True


def _mounted(pid: int) -> os.stat_result | None:
    with suppress(OSError):
        return os.stat(f"/proc/{pid}/root{MOUNTED_AT}")
    return None


def _is(path: Path, wanted: os.stat_result) -> bool:
    with suppress(OSError):
        return os.path.samestat(path.stat(), wanted)
    return False


def _paths(pid: int) -> Iterator[Path]:
    """Where this machine may have what the process has mounted: below every mount of that file system."""
    device, root = next(((d, r) for d, r, at in _mounts(pid) if at == MOUNTED_AT), ("", ""))
    for own_device, own_root, at in _mounts("self") if device else ():
        with suppress(ValueError):
            if own_device == device:
                yield Path(at) / Path(root).relative_to(own_root)


def _mounts(pid: int | str) -> Iterator[tuple[str, str, str]]:
    """Device, root within its file system, mount point."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/mountinfo").read_text().splitlines():
            fields = line.split(" ")
            yield fields[2], _plain(fields[3]), _plain(fields[4])


def _plain(text: str) -> str:
    """Blanks are written as octal numbers there."""
    return text.encode().decode("unicode_escape").encode("latin-1").decode("utf-8", "surrogateescape")
