"""docs/security.md names tests: they are there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
NAMED = re.compile(r"`((?:tests|docs)/[\w/.]+|requirements\.lock)(?:::(\w+))?`")


def test_every_rule_has_a_test_that_is_there() -> None:
    rows = [line for line in (ROOT / "docs" / "security.md").read_text().splitlines() if line.startswith("| ")][1:]
    assert len(rows) > 15
    for row in rows:
        found = NAMED.findall(row.rpartition(" | ")[2])
        assert found, row
        for file, name in found:
            text = (ROOT / file).read_text()
            assert not name or f"def {name}" in text, f"{file}::{name}"
