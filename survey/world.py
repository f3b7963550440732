"""What windlass asks while it plans: a home for a moment, the real Compose plugin, an engine that has nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import MISSING, fields
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NoReturn

from windlass.adapters.clock import SystemClock
from windlass.adapters.compose import ComposeProgram
from windlass.adapters.store.store import open_store
from windlass.adapters.trees import FolderTrees
from windlass.ports.outside import Outside


class Nothing:
    """Stands for the engine, the edge and whatever else a plan may look at: it knows no image and holds nothing."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return _ANSWERS.get(name, _refuse)


def _refuse(*words: Any) -> NoReturn:
    raise AssertionError(f"a plan asked for more than a look: {words}")


_ANSWERS: dict[str, Callable[..., Any]] = {
    "image": lambda ref: None,
    "images": lambda *words: [],
    "networks": lambda *words: [],
    "volumes": lambda *words: [],
    "containers": lambda *words: [],
}


@contextmanager
def temporary_world() -> Iterator[tuple[Outside, Path]]:
    """The world, and the folder of its home; gone afterwards."""
    with TemporaryDirectory(prefix="windlass-survey-") as name:
        home = Path(name).resolve()
        store = open_store(f"sqlite:///{home / 'windlass.db'}", home / "secret.key")
        nothing = Nothing()
        needed = (f.name for f in fields(Outside) if f.default is MISSING and f.default_factory is MISSING)
        parts: dict[str, Any] = dict.fromkeys(needed, nothing)
        parts |= {
            "instance": "survey",
            "store": store,
            "compose": ComposeProgram("unix:///nowhere"),
            "trees": FolderTrees(home),
            "clock": SystemClock(),
            "pool": "10.99.0.0/16",
        }
        yield Outside(**parts), home
        store.close()
