"""Build-time and run-time variables, and how they changed from release to release, on a real engine."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.e2e.projects import edit, shape
from tests.e2e.station import Station

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

MANIFEST = """\
verify: {bake: 1s}
env:
  BUILD_KEY: {secret: true, scope: build}
  API_KEY: {secret: true, scope: run}
"""
SERVICE = """\
    build:
      context: .
      args: {BUILD_KEY: "${BUILD_KEY}", SHARED: "${SHARED-}"}
    environment: {API_KEY: "${API_KEY}", SHARED: "${SHARED-}"}
"""
VALUES = {"BUILD_KEY": "b7d1-of-the-build-Kq", "API_KEY": "a9f3-of-the-run-Zt", "SHARED": "both-of-them", "LEFT": "x1"}


def project(station: Station, app: str, version: str) -> Path:
    folder = shape(station.folder / app, "no-base", version, MANIFEST)
    compose = folder / "compose.yaml"
    if "API_KEY" not in compose.read_text():
        edit(compose, "    build: .\n", SERVICE)
    return folder


def test_scopes_and_history(shared: Station) -> None:
    app = shared.app("scope")
    folder = project(shared, app, "v1")
    shared.ok("env", "set", app, *(f"{name}={value}" for name, value in VALUES.items()))
    edit(folder / "compose.yaml", 'args: {BUILD_KEY: "${BUILD_KEY}"', 'args: {BUILD_KEY: "${API_KEY}"')
    edit(folder / "compose.yaml", 'environment: {API_KEY: "${API_KEY}"', 'environment: {API_KEY: "${BUILD_KEY}"')
    refused = shared.run("deploy", folder, "--app", app)
    assert refused.code == 3, str(refused)
    assert {(d["code"], d["name"]) for d in refused.error["details"]} == {
        ("scope_build", "API_KEY"),
        ("scope_run", "BUILD_KEY"),
    }
    assert [value for value in VALUES.values() if value in refused.out + refused.err] == []

    edit(folder / "compose.yaml", 'args: {BUILD_KEY: "${API_KEY}"', 'args: {BUILD_KEY: "${BUILD_KEY}"')
    edit(folder / "compose.yaml", 'environment: {API_KEY: "${BUILD_KEY}"', 'environment: {API_KEY: "${API_KEY}"')
    first = shared.deploy(folder, app)["release"]
    used = {i["name"]: i["used"] for i in shared.ok("env", "list", app)["items"]}
    assert used == {"BUILD_KEY": "build", "API_KEY": "run", "SHARED": "both", "LEFT": "nothing"}

    shared.ok("env", "set", app, "API_KEY=a9f3-another-run-Yu")
    shared.ok("env", "unset", app, "LEFT")
    second = shared.deploy(project(shared, app, "v2"), app, "--set", "NEW=of-the-release")["release"]
    shared.ok("env", "set", app, "WAITING=1")
    history = shared.ok("env", "history", app)
    newest = history["items"][0]
    assert (newest["release"], newest["against"], newest["live"]) == (second, first, True)
    assert [newest[change] for change in ("added", "changed", "removed")] == [["NEW"], ["API_KEY"], ["LEFT"]]
    assert [(e["set"], e["unset"]) for e in newest["edits"]] == [(["API_KEY"], []), ([], ["LEFT"]), (["NEW"], [])]
    assert [e["set"] for e in history["pending"]] == [["WAITING"]]
    shown = shared.begin("env", "history", app).wait().out
    assert f"r{second} live" in shown
    assert [value for value in VALUES.values() if len(value) > 2 and value in f"{history}{shown}"] == []
