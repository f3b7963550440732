"""What the files of a folder hold while other processes make, rename and remove them."""

from __future__ import annotations

import os
from pathlib import Path


def contents_of(folder: Path) -> dict[Path, bytes]:
    """Every regular file under `folder` with its bytes; one that goes away while it is looked at is left out."""
    found: dict[Path, bytes] = {}
    for place, _, names in os.walk(folder):
        for path in (Path(place, name) for name in names):
            try:
                if path.is_file():
                    found[path] = path.read_bytes()
            except FileNotFoundError:
                continue
    return found
