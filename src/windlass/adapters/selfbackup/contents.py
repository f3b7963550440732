"""What a backup holds: the names of its parts, and which files of the home are among them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from windlass.adapters.audithead import LOCK

FORMAT = 1
MANIFEST = "manifest.json"
SUMMARY = "summary.json"
TABLES = "database/"
FILES = "home/"
KEY = "secret.key"
HEAD = "audit.head"

# What is made anew, is of this machine alone, or is kept in another way.
_LEFT_OUT = frozenset({"run", "log", "uploads", KEY, HEAD, LOCK})
_DATABASE = "windlass.db"


@dataclass(frozen=True)
class Place:
    """A home and its database. `url`: as SQLAlchemy has it. `home`: absolute."""

    home: Path
    url: str
    version: str
    instance: str = ""


def files_of(home: Path) -> Iterator[tuple[str, Path]]:
    """Name and path of every file, link and folder to be kept, folders before what is in them.

    Not the data of apps: it is written meanwhile, and may be of any size.
    """
    for path in sorted(home.iterdir()):
        if path.name in _LEFT_OUT or path.name.startswith(_DATABASE) or path.name.endswith(".new"):
            continue
        yield from _below(home, path)


def _below(home: Path, path: Path) -> Iterator[tuple[str, Path]]:
    name = str(path.relative_to(home))
    parts = path.relative_to(home).parts
    if path.name.startswith(".new-") or parts == ("edge", "new") or (parts[0] == "apps" and parts[2:3] == ("data",)):
        return
    if path.is_symlink() or path.is_file():
        yield name, path
    elif path.is_dir():
        yield name, path
        for inner in sorted(path.iterdir(), key=os.fsencode):
            yield from _below(home, inner)


def apps_with_data(home: Path) -> list[str]:
    """Apps that have files of their own in the home: a backup of windlass does not hold them."""
    return sorted(folder.parent.name for folder in home.glob("apps/*/data") if any(folder.iterdir()))
