"""Project folders for the tests: the guestbook's versions, the small shapes, and files written on the spot."""

from __future__ import annotations

import importlib.util
import re
import shutil
from pathlib import Path
from typing import Any

from tests.e2e.engines import ROOT

GUESTBOOK = ROOT / "examples" / "guestbook"
SHAPES = ROOT / "tests" / "projects"
IMAGE = "nginx:alpine"
WEB = f"services:\n  web:\n    image: {IMAGE}\n    expose: ['80']\n"
PASSWORD = "g7-Kq_plain-marker-4711"


def _maker() -> Any:
    spec = importlib.util.spec_from_file_location("guestbook_versions", GUESTBOOK / "versions" / "make.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_make = _maker().make


def guestbook(folder: Path, version: str, bake: str = "1s", within: str = "60s", extra: str = "") -> Path:
    """That version of the guestbook in `folder`, quicker to drain; `extra` goes to the end of windlass.yaml."""
    made: Path = _make(version, folder)
    file = made / "windlass.yaml"
    probe = f"probe: {{http: /ready, port: 8000, within: {within}}}\n    drain: 4s"
    text = re.sub(r"bake: \S+", f"bake: {bake}", file.read_text())
    file.write_text(re.sub(r"probe: .*", probe, text) + extra)
    return made


def shape(folder: Path, name: str, version: str = "v1", settings: str = "verify: {bake: 1s}\n") -> Path:
    """A small project of tests/projects, as that version; `settings` is its windlass.yaml."""
    shutil.copytree(SHAPES / name, folder, dirs_exist_ok=True)
    (folder / "windlass.yaml").write_text(settings)
    for path, mark in ((folder / "Dockerfile", "VERSION=v1"), (folder / "site" / "index.html", "v1")):
        if path.exists():
            edit(path, mark, mark.replace("v1", version))
    return folder


def write(folder: Path, files: dict[str, str]) -> Path:
    """A folder with these files in it."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def edit(path: Path, old: str, new: str) -> None:
    """Replace text that must be there."""
    text = path.read_text()
    assert old in text, f"{path} has no {old!r}"
    path.write_text(text.replace(old, new))


def web(*lines: str) -> str:
    """The web service with further lines."""
    return WEB + "".join(f"    {line}\n" for line in lines)
