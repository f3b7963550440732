"""What docs/routes.md shows is what windlass reads."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from windlass.domain.manifestfile import parse_manifest
from windlass.domain.manifestroutes import RouteRule

PAGE = Path(__file__).parent.parent / "docs" / "routes.md"
TEXT = PAGE.read_text(encoding="utf-8")
ROWS = re.findall(r"^\| `([a-z_]+)` \| .* \| `(.+)` \|$", TEXT, re.M)
BASE = {"host": "host: a.test", "service": "service: web", "path": "path: /api"}


@pytest.mark.parametrize(("key", "example"), ROWS, ids=[key for key, _ in ROWS])
def test_examples(key: str, example: str) -> None:
    keys = "".join(f"    {line}\n" for line in {**BASE, key: example}.values())
    assert parse_manifest(f"routes:\n  -\n{keys}").routes


def test_every_key_is_told() -> None:
    assert {key for key, _ in ROWS} == set(RouteRule.model_fields)


def test_the_first_example() -> None:
    first = re.findall(r"```yaml\n(.*?)```", TEXT, re.S)[0]
    assert len(parse_manifest(first).route_list() or ()) == 4
