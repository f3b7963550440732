"""A file that remembers which turns of a long test have passed, so that it can be broken off and taken up."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
FOLDER = Path(os.environ.get("WINDLASS_SOAK", ROOT / ".soak"))


class Journal:
    """Turns that passed on this commit, one line of JSON each. Lines of other commits count for nothing."""

    def __init__(self, name: str) -> None:
        self.file = FOLDER / f"{name}.jsonl"
        self.commit = _commit()
        self.passed = {entry["turn"] for entry in self._entries() if entry["commit"] == self.commit}

    def note(self, turn: int, **found: Any) -> None:
        """The turn has passed."""
        FOLDER.mkdir(parents=True, exist_ok=True)
        with self.file.open("a") as file:
            file.write(json.dumps({"commit": self.commit, "turn": turn, **found}) + "\n")
        self.passed.add(turn)

    def left(self, turns: int) -> list[int]:
        return [turn for turn in range(turns) if turn not in self.passed]

    def _entries(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.file.read_text().splitlines()] if self.file.exists() else []


def _commit() -> str:
    """Of the sources: a later commit of tests or documents does not make a turn untrue."""
    argv = ["git", "-C", str(ROOT), "rev-parse", "HEAD:src/windlass"]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()
