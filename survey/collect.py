"""Finds the Compose projects below a folder whose entries are collections."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from windlass.usecases.project import COMPOSE_NAMES, OVERRIDE_NAMES

_NAMED = re.compile(r"(docker-)?compose([._-][^/]*)?\.ya?ml", re.IGNORECASE)
_LONE_FOLDERS = ("templates/compose",)
_SKIPPED = frozenset({".git", "node_modules"})


@dataclass(frozen=True)
class Item:
    """One project: `files` lie in `folder`. `lone`: its neighbours are other projects, not parts of it."""

    collection: str
    name: str
    root: Path
    folder: Path
    files: tuple[str, ...]
    lone: bool = False


def find_items(top: Path) -> list[Item]:
    """Every project, sorted. A folder `owner__name` of the top is the collection `owner/name`."""
    roots = [path for path in sorted(top.iterdir()) if path.is_dir()]
    found: list[Item] = []
    for root in roots:
        found += _of_collection(root.name.replace("__", "/"), root)
    return found or _of_collection(top.name, top)


def _of_collection(name: str, root: Path) -> list[Item]:
    found = []
    for path, folders, files in os.walk(root):
        folders[:] = sorted(f for f in folders if f not in _SKIPPED)
        folder = Path(path)
        lone = str(folder.relative_to(root)).endswith(_LONE_FOLDERS)
        for chosen in _projects(sorted(files), lone):
            shown = str((folder / chosen[0]).relative_to(root))
            found.append(Item(name, shown, root, folder, chosen, lone))
    return found


def _projects(files: list[str], lone: bool) -> Iterator[tuple[str, ...]]:
    """Each file by itself, but what Compose finds by name comes with its override."""
    if lone:
        yield from ((name,) for name in files if name.endswith((".yaml", ".yml")))
        return
    standard = next((name for name in COMPOSE_NAMES if name in files), "")
    override = next((name for name in OVERRIDE_NAMES if name in files), "")
    for name in files:
        if name == standard and override:
            yield name, override
        elif _NAMED.fullmatch(name) and not (standard and name == override):
            yield (name,)
