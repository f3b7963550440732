"""The survey of public Compose files, on a few made up."""

from __future__ import annotations

from pathlib import Path

import pytest
from survey.__main__ import main
from survey.collect import find_items
from survey.examine import Ending, examine
from survey.report import summary
from survey.world import temporary_world

FILES = {
    "acme__shelf/one/compose.yaml": "services: {web: {image: acme/web, expose: ['80'], env_file: [not-there.env]}}",
    "acme__shelf/one/compose.override.yaml": "services: {web: {restart: always}}",
    "acme__shelf/one/docker-compose.dev.yml": "services: {web: {image: acme/web, privileged: true}}",
    "acme__shelf/two/docker-compose.yml": "services: {web: {image: '${TAG:?}', build: ../src, expose: ['80']}}",
    "acme__shelf/two/readme.yml": "no: project",
    "acme__shelf/three/compose.yml": "services: {web: {image: x, nonsense: 1}}",
    "acme__shelf/four/compose.yml": "services: {web: {image: x, env_file: ../../../../etc/passwd}}",
    "kites__kites/templates/compose/a.yaml": "# slogan: A\nservices: {a: {image: x, volumes: ['vol:/v']}}",
    "kites__kites/templates/compose/b.yaml": "services: {b: {image: x}, c: {image: y}}",
}


@pytest.fixture
def collections(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_what_is_found(collections: Path) -> None:
    found = {(item.collection, item.name): item.files for item in find_items(collections)}
    assert found == {
        ("acme/shelf", "four/compose.yml"): ("compose.yml",),
        ("acme/shelf", "one/compose.yaml"): ("compose.yaml", "compose.override.yaml"),
        ("acme/shelf", "one/docker-compose.dev.yml"): ("docker-compose.dev.yml",),
        ("acme/shelf", "three/compose.yml"): ("compose.yml",),
        ("acme/shelf", "two/docker-compose.yml"): ("docker-compose.yml",),
        ("kites/kites", "templates/compose/a.yaml"): ("a.yaml",),
        ("kites/kites", "templates/compose/b.yaml"): ("b.yaml",),
    }


def test_what_comes_of_them(collections: Path) -> None:
    with temporary_world() as (outside, home):
        outcomes = [examine(outside, home, item) for item in find_items(collections)]
    told = {o.name: (o.rejected, o.ending, o.reasons) for o in outcomes}
    assert told == {
        "four/compose.yml": ("env_file_missing", Ending.REFUSED, ("path_outside",)),
        "one/compose.yaml": ("", Ending.PLANNED, ()),
        "one/docker-compose.dev.yml": ("", Ending.ASKS, ("consent_missing",)),
        "three/compose.yml": ("compose_invalid", Ending.REFUSED, ("unknown_key",)),
        "two/docker-compose.yml": ("", Ending.PLANNED, ()),
        "templates/compose/a.yaml": ("undefined_volume", Ending.PLANNED, ()),
        "templates/compose/b.yaml": ("", Ending.PLANNED, ()),
    }
    page = summary(outcomes)
    assert "| acme/shelf | 5 | 3 | 3 (100.0 %) | 3 (60.0 %) |" in page
    assert "| consent_missing | 1 |" in page


def test_the_command(collections: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = collections / "page.md"
    assert main([str(collections), "--only", "kites", "--jobs", "1", "--output", str(page)]) == 0
    assert page.read_text().strip() == capsys.readouterr().out.strip()
