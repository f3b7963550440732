"""Lays a project out in a folder of windlass's home, with stand-ins for what a public repository leaves out."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from survey.collect import Item
from windlass.domain.composekeys import entries, sequence
from windlass.domain.documents import parse_yaml
from windlass.domain.errors import WindlassError
from windlass.domain.insidepaths import has_variable, inside
from windlass.domain.namedpaths import named_paths
from windlass.ports.sources import Compose, ComposeSource

_FILES = 3000
_SIZE = 1 << 18
_UP = re.compile(r"(?:^|[\s\"'=:-])((?:\.\./)*\.\.)(?=[/\s\"':]|$)", re.MULTILINE)
_SKIPPED = frozenset({".git", "node_modules"})


@dataclass
class Stage:
    """`files` are paths from `folder`. `stubs`: what was made up there; `values`: for variables that need one."""

    folder: Path
    files: tuple[str, ...]
    stubs: list[str] = field(default_factory=list)
    values: dict[str, str] = field(default_factory=dict)


def lay_out(item: Item, folder: Path) -> Stage:
    """Copy the project: its folder, and as many of those above as its paths lead up to, but not the collection's."""
    top = _top(item)
    stage = Stage(folder, tuple(str((item.folder / name).relative_to(top)) for name in item.files))
    wanted = [item.folder / name for name in item.files] if item.lone else list(_copied(top))
    for path in wanted:
        target = folder / path.relative_to(top)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
        target.chmod(0o755 if os.access(path, os.X_OK) else 0o644)
    for name in stage.files:
        _stub_files(stage, name)
    return stage


def _top(item: Item) -> Path:
    ups = 0
    for name in item.files:
        text = (item.folder / name).read_bytes().decode("utf-8", "replace")
        ups = max([ups, *(m.count("..") for m in _UP.findall(text))])
    folder = item.folder
    while ups and folder != item.root and not item.lone:
        folder, ups = folder.parent, ups - 1
    return folder


def _copied(top: Path) -> Iterator[Path]:
    """At most so many small files; what is nearest to the top first."""
    count = 0
    folders = [top]
    while folders:
        folder = folders.pop(0)
        for entry in sorted(os.scandir(folder), key=lambda e: e.name):
            if entry.is_dir(follow_symlinks=False):
                folders += [Path(entry.path)] if entry.name not in _SKIPPED else []
            elif entry.is_file(follow_symlinks=False) and entry.stat().st_size <= _SIZE:
                count += 1
                if count > _FILES:
                    return
                yield Path(entry.path)


def _stub_files(stage: Stage, name: str) -> None:
    """Empty files for `env_file`, a word for files of secrets and configs, where a repository keeps none."""
    try:
        data = parse_yaml((stage.folder / name).read_bytes(), name).data
    except WindlassError:
        return
    above = str(Path(name).parent)
    wanted = {named.path: "" for named in named_paths(data) if named.is_read}
    for section in ("secrets", "configs"):
        wanted |= {str(v["file"]): "placeholder" for _, v in entries(data, section) if v.get("file")}
    for path, text in (wanted | _optional(data)).items():
        found = None if has_variable(path) else inside(above, path)
        if found and not (stage.folder / found).exists():
            (stage.folder / found).parent.mkdir(parents=True, exist_ok=True)
            (stage.folder / found).write_text(text)
            stage.stubs.append(found)


def _optional(data: Mapping[str, Any]) -> dict[str, str]:
    """Files of `extends` and `include` are never made up: without them there is no project."""
    return {
        str(entry["env_file"]): ""
        for entry in sequence(data.get("include"))
        if isinstance(entry, Mapping) and isinstance(entry.get("env_file"), str)
    }


def placeholders(compose: Compose, source: ComposeSource, every: bool) -> dict[str, str]:
    """Values for the variables that must have one; with `every`, for all that have no default."""
    uses = compose.variables(source)
    return {
        use.name: _plausible(use.name)
        for use in uses
        if use.name not in source.values and (use.required or (every and not use.default))
    }


def _plausible(name: str) -> str:
    upper = name.upper()
    for word, value in _PLAUSIBLE:
        if re.search(word, upper):
            return value
    return "placeholder1"


_PLAUSIBLE = (
    (r"URL|ENDPOINT", "http://placeholder.example"),
    (r"PORT(_|$)", "18080"),
    (r"PATH|DIR|FOLDER|ROOT|LOCATION|VOLUME|CONFIG$|DATA$|STORAGE$|MEDIA", "./data"),
    (r"EMAIL|MAIL_FROM", "someone@placeholder.example"),
    (r"HOST|DOMAIN|FQDN", "placeholder.example"),
    (r"(^|_)(PUID|PGID|UID|GID)$", "1000"),
    (r"CIDR|SUBNET", "10.98.0.0/24"),
    (r"(^|_)IP(_|$)|ADDRESS", "127.0.0.1"),
    (r"VERSION|TAG$", "1.0"),
    (r"CPU|LIMIT|COUNT|NUM|REPLICAS|SIZE|TIMEOUT|WORKERS", "1"),
    (r"MEM", "512m"),
    (r"ENABLE|DEBUG|SSL|TLS", "true"),
)
