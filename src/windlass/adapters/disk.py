"""Files and folders that are on the disk when a call returns, also after a loss of power."""

from __future__ import annotations

import os
from pathlib import Path


def write_synced(path: Path, content: bytes, flags: int, mode: int = 0o600) -> None:
    """Write and sync the file alone; `flags` say what is to happen to one that is there: O_EXCL or O_TRUNC."""
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC | flags, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """After a file in it was made, replaced or removed."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
