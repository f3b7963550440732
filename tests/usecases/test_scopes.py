"""Scopes on their way: places read by the real Compose, kept with the deployment, shown for the live release."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.usecases.worlds import World

from windlass.adapters.compose import ComposeProgram
from windlass.domain.contract import Contract
from windlass.usecases.contracts import OPTION, pack_contract
from windlass.usecases.project import Project, Reading, read_project
from windlass.usecases.variables import list_variables, set_variables

COMPOSE = """\
x-env: &env {SHARED: "${SHARED}"}
services:
  web:
    build: {context: ., args: {NPM_TOKEN: "${NPM_TOKEN}", BASE: "${BOTH}"}}
    environment: {<<: *env, API_KEY: "${API_KEY}", BASE: "${BOTH}"}
  worker:
    extends: {file: common.yaml, service: base}
  debug:
    build: {context: ., args: [API_KEY]}
    profiles: [debug]
"""
COMMON = "services: {base: {image: nginx, environment: {QUEUE: '${QUEUE}'}}}\n"
OVERRIDE = "services: {web: {environment: [PASSED]}}\n"
MANIFEST = """\
env:
  API_KEY: {secret: true, scope: run}
  NPM_TOKEN: {secret: true, scope: build}
  SENT: {to: [worker]}
"""
VALUES = {
    name: f"v4lue-of-{name}-{n}7f3a"
    for n, name in enumerate(("API_KEY", "NPM_TOKEN", "BOTH", "SHARED", "QUEUE", "PASSED", "SENT", "LEFT"))
}
USED = {
    "API_KEY": "run", "NPM_TOKEN": "build", "BOTH": "both", "SHARED": "run", "QUEUE": "run", "PASSED": "run",
    "SENT": "run", "LEFT": "nothing",
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "project"
    found.mkdir()
    files = {"compose.yaml": COMPOSE, "common.yaml": COMMON, "compose.override.yaml": OVERRIDE}
    for name, text in {**files, "windlass.yaml": MANIFEST, "Dockerfile": "FROM scratch\n"}.items():
        (found / name).write_text(text)
    return found


def read(world: World, folder: Path, learned: list[Contract], *profiles: str) -> Project:
    outside = replace(world.outside, compose=ComposeProgram("unix:///var/run/docker.sock"))
    return read_project(outside, Reading("shop", folder, profiles=profiles, values=VALUES, learned=learned.append))


def test_what_the_live_release_uses_is_shown(world: World, folder: Path) -> None:
    learned: list[Contract] = []
    assert [d for d in read(world, folder, learned).problems if d.code.startswith("scope")] == []
    set_variables(world.outside, "shop", VALUES)
    assert {i["used"] for i in list_variables(world.outside, "shop", False)["items"]} == {None}
    world.deploy()
    world.store.deployments.update("d1-shop", options={OPTION: pack_contract(learned[-1])})
    assert {i["name"]: i["used"] for i in list_variables(world.outside, "shop", False)["items"]} == USED
    assert "v4lue" not in str(world.store.deployments.get("d1-shop").options)


def test_only_what_is_active_counts(world: World, folder: Path) -> None:
    project = read(world, folder, [], "debug")
    found = [(d.code, d.name, "services.debug.build.args.API_KEY" in d.message) for d in project.problems]
    assert ("scope_build", "API_KEY", True) in found


LIMITS = """\
services:
  web:
    image: nginx
    ulimits: {nofile: "${LIMIT:-1000}"}
    environment: [PASSED, "DB_PASSWORD=${NEVER_SET}"]
  db: {image: nginx, environment: {KEY: "${API_KEY}"}}
"""
MORE = 'services: {db: {environment: {Q: "${QUEUE}"}}}\n'


def test_what_compose_cannot_merge_without_values_is_read_as_it_stands(world: World, folder: Path) -> None:
    """A limit that is a variable: deployed all the same, and a blank password is refused still."""
    (folder / "compose.yaml").write_text(LIMITS)
    (folder / "compose.override.yaml").write_text(MORE)
    learned: list[Contract] = []
    project = read(world, folder, learned)
    assert [(d.code, "NEVER_SET" in d.message) for d in project.problems] == [("variable_unset", True)]
    places = learned[-1].places or {}
    assert {n: [p.where for p in places[n]] for n in ("LIMIT", "PASSED", "API_KEY", "QUEUE", "NEVER_SET")} == {
        "LIMIT": ["services.web.ulimits.nofile"],
        "PASSED": ["services.web.environment.PASSED"],
        "API_KEY": ["services.db.environment.KEY"],
        "QUEUE": ["services.db.environment.Q"],
        "NEVER_SET": ["services.web.environment.DB_PASSWORD"],
    }


def test_a_contract_of_an_older_version_says_nothing(world: World) -> None:
    set_variables(world.outside, "shop", VALUES)
    world.deploy()
    world.store.deployments.update("d1-shop", options={OPTION: pack_contract(Contract())})
    assert {i["used"] for i in list_variables(world.outside, "shop", True)["items"]} == {None}
