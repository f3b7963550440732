"""Two environments of one project on one engine: side by side, each with its own values, data, releases and host."""

from __future__ import annotations

import http.client
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.projects import edit, shape
from tests.e2e.station import Station
from tests.e2e.web import Answer, ask

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

VALUES = {"production": "of-production-4711", "staging": "of-staging-0815"}


def project(station: Station, app: str, version: str = "v1") -> Path:
    folder = shape(station.folder / app, "store-config", version, f"name: {app}\nverify: {{bake: 1s}}\n")
    compose = folder / "compose.yaml"
    if "TOKEN" not in compose.read_text():
        edit(compose, "    build: .\n", "    build: .\n    environment:\n      TOKEN: ${TOKEN:?}\n")
    return folder


def get(station: Station, host: str) -> Answer:
    connection = http.client.HTTPConnection(station.engine.address, station.http_port, timeout=15)
    return ask(connection, "/", None, {"Host": host, "Connection": "close"})


def running(station: Station, name: str, service: str) -> list[Any]:
    """`name` as it stands in Docker's names."""
    found = station.containers(name)
    return [c for c in found if c.status == "running" and c.labels["com.docker.compose.service"] == service]


def tokens(station: Station, name: str) -> set[str]:
    """What the processes of the web service have."""
    entries = (e for c in running(station, name, "web") for e in c.attrs["Config"]["Env"])
    return {entry for entry in entries if entry.startswith("TOKEN=")}


def volumes(station: Station, name: str) -> set[str]:
    (redis,) = running(station, name, "redis")
    return {mount["Name"] for mount in redis.attrs["Mounts"] if mount["Type"] == "volume"}


def test_side_by_side(shared: Station) -> None:
    app = shared.app("twin")
    folder = project(shared, app)
    refused = shared.run("deploy", folder, "--env", "staging")
    assert "variable_required" in refused.codes, str(refused)
    for environment, value in VALUES.items():
        shared.ok("env", "set", app, "--env", environment, f"TOKEN={value}")
        document = shared.ok("deploy", folder, "--env", environment)
        assert document["status"] == "live", document
    names = {i["app"] for i in shared.ok("apps")["items"]}
    assert {app, f"{app}@staging"} <= names
    assert tokens(shared, app) == {"TOKEN=of-production-4711"}
    assert tokens(shared, f"{app}--staging") == {"TOKEN=of-staging-0815"}
    assert volumes(shared, app) == {f"{app}_redis"}
    assert volumes(shared, f"{app}--staging") == {f"{app}--staging_redis"}
    hosts = {"production": f"{app}.localhost", "staging": f"staging.{app}.localhost"}
    assert {e: get(shared, host).version for e, host in hosts.items()} == {"production": "v1", "staging": "v1"}

    shared.ok("deploy", project(shared, app, "v2"), "--env", "staging")
    assert {e: get(shared, host).version for e, host in hosts.items()} == {"production": "v1", "staging": "v2"}
    lives = {e: shared.ok("status", app, "--env", e)["live"] for e in VALUES}
    shared.ok("rollback", app, "--env", "staging")
    assert {e: get(shared, host).version for e, host in hosts.items()} == {"production": "v1", "staging": "v1"}
    assert shared.ok("status", app)["live"] == lives["production"]

    shared.ok("env", "set", app, "--env", "staging", "TOKEN=changed")
    assert [i["value"] for i in shared.ok("env", "list", app, "--reveal")["items"]] == [VALUES["production"]]
    assert shared.run("status", f"{app}@staging", "--env", "production").codes == {"environment_differs"}
    shared.ok("remove", app, "--env", "staging", "--data", "--yes")
    assert get(shared, hosts["production"]).version == "v1"
    assert get(shared, hosts["staging"]).status == 404
    assert shared.leftovers(f"{app}--staging") == dict.fromkeys(shared.leftovers(""), [])
