"""The edge's folder: one file per app that the edge reads, and beside it what windlass needs to know of it."""

from __future__ import annotations

import json
import os
import secrets
import time
from contextlib import suppress
from pathlib import Path

from windlass.adapters.disk import sync_folder
from windlass.domain.edgefile import stem

_BEING_WRITTEN_S = 60.0


class EdgeFiles:
    """`dynamic/` is read by the edge, `apps/` keeps the confirmed routes, `new/` is where files are written first.

    A file comes into its place by rename, whole or not at all.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.dynamic = folder / "dynamic"
        self._apps = folder / "apps"
        self._new = folder / "new"
        self._state = folder / "edge.json"

    def prepare(self) -> None:
        """Make the folders, and clear away what a crash left half written; not what is just being written."""
        for folder in (self.folder, self.dynamic, self._apps, self._new):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for left in self._new.iterdir():
            with suppress(FileNotFoundError):
                if time.time() - left.stat().st_mtime > _BEING_WRITTEN_S:
                    left.unlink()

    def routes(self, app: str) -> str | None:
        """The text the edge reads, None when there is none."""
        return _read(self._routes(app))

    def all_routes(self) -> list[str]:
        return [text for path in sorted(self.dynamic.glob("*.yml")) if (text := _read(path)) is not None]

    def write_routes(self, app: str, text: str | None) -> None:
        self._write(self._routes(app), text)

    def confirmed(self, app: str) -> str | None:
        return _read(self._confirmed(app))

    def write_confirmed(self, app: str, text: str | None) -> None:
        self._write(self._confirmed(app), text)

    def api_port(self) -> int:
        """The port of the edge's API, 0 when none was chosen yet."""
        text = _read(self._state)
        return int(json.loads(text)["api_port"]) if text else 0

    def write_api_port(self, port: int) -> None:
        self._write(self._state, json.dumps({"api_port": port}) + "\n")

    def _routes(self, app: str) -> Path:
        return self.dynamic / f"{stem(app)}.yml"

    def _confirmed(self, app: str) -> Path:
        return self._apps / f"{stem(app)}.json"

    def _write(self, path: Path, text: str | None) -> None:
        """Also after a loss of power the file is the old one or the new one; `text` None removes it."""
        if text is None:
            path.unlink(missing_ok=True)
        else:
            for folder in (self._new, path.parent):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            fresh = self._new / f"{path.name}.{secrets.token_hex(4)}"
            with fresh.open("w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(path)
        sync_folder(path.parent)


def _read(path: Path) -> str | None:
    with suppress(FileNotFoundError):
        return path.read_text(encoding="utf-8")
    return None
