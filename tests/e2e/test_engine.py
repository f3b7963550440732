"""An engine that restarts, stops in mid-deploy, or runs out of disk: on engines of the lab, of their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.e2e.engines import SecondEngine
from tests.e2e.projects import edit, shape
from tests.e2e.station import Station, eventually, station
from tests.e2e.truth import assert_true_and_tidy

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]

IMAGES = ("python:3.11-slim", "redis:7-alpine")
FINAL = {"live", "failed", "switched_back", "cancelled", "refused"}
SERVICES = """
services:
  web:
    build: .
    expose: ["8000"]
    environment: {BOOT_SECONDS: "${BOOT_SECONDS:-0}"}
    depends_on: {middle: {condition: service_healthy}}
  middle:
    build: .
    expose: ["8000"]
    restart: always
    depends_on: {redis: {condition: service_healthy}}
    healthcheck:
      test: [CMD, python, -c, "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/ready', timeout=2)"]
      interval: 1s
  redis:
    image: redis:7-alpine
    healthcheck: {test: [CMD, redis-cli, ping], interval: 1s}
"""


@pytest.fixture(scope="module")
def engine() -> Iterator[SecondEngine]:
    made = SecondEngine("wlte2e")
    try:
        made.up(*IMAGES)
        yield made
    finally:
        made.lab("down")


@pytest.fixture(scope="module")
def home(engine: SecondEngine) -> Iterator[Station]:
    with station(engine) as made:
        yield made


@pytest.fixture(scope="module")
def app(home: Station) -> str:
    """Live as v2, with v1 retired."""
    name = home.app("engine")
    for version in ("v1", "v2"):
        send(home, name, version)
    return name


def send(home: Station, app: str, version: str, *words: object) -> str:
    """Begin a deployment, and wait for its end unless told not to; its id."""
    settings = "routes: [{service: web, port: 8000}]\nverify: {bake: 1s}\n"
    folder = shape(home.folder / app, "no-base", version, settings)
    (folder / "compose.yaml").write_text(SERVICES)
    return str(home.ok("deploy", folder, "--app", app, *words)["deployment"])


def started(home: Station, app: str) -> dict[str, str]:
    """Service -> when its container of the live release started."""
    found = {}
    for name in ("web", "middle", "redis"):
        for container in home.serving(app, name):
            found[name] = container.attrs["State"]["StartedAt"]
    return found


def assert_only_live_runs(home: Station, app: str) -> None:
    live = home.status(app)["live"]
    running = {c.name for c in home.containers(app) if c.status == "running"}
    wanted = {f"{app}-redis-1", f"{app}-g{live}-middle-1", f"{app}-g{live}-web-1"}
    assert running == wanted


@pytest.mark.parametrize("restart", [("restart",), ("kill", "up")])
def test_everything_comes_back_in_order(
    home: Station, engine: SecondEngine, app: str, restart: tuple[str, ...]
) -> None:
    before = started(home, app)
    assert len(before) == 3
    for command in restart:
        engine.lab(command)
    assert eventually(lambda: home.get(app).version == "v2", 90), home.run("status", app)
    assert eventually(lambda: len(started(home, app)) == 3, 30)
    after = started(home, app)
    if after["web"] != before["web"]:  # middle is started by the engine itself, at once
        assert after["web"] > max(after["redis"], after["middle"])
    assert_only_live_runs(home, app)
    assert_true_and_tidy(home, app)


def test_also_when_windlass_starts_later(home: Station, engine: SecondEngine, app: str) -> None:
    """As at a reboot: nothing of windlass runs while the engine starts."""
    home.kill()
    engine.lab("restart")
    home.up()
    assert eventually(lambda: home.get(app).version == "v2", 90), home.run("status", app)
    assert_only_live_runs(home, app)


@pytest.mark.parametrize("step", ["build", "start", "verify"])
def test_the_engine_restarts_in_mid_deploy(home: Station, engine: SecondEngine, app: str, step: str) -> None:
    before = home.get(app).version
    wanted = "v3" if before != "v3" else "v4"
    deployment = send(home, app, wanted, "--detach", "--set", "BOOT_SECONDS=3")
    for kind, data in home.follow(deployment):
        if kind == "step" and data.get("data", data).get("name") == step:
            break
    engine.lab("restart")
    assert eventually(lambda: ended(home, deployment), 120), home.api(f"/api/v1/deployments/{deployment}").text
    document = home.api(f"/api/v1/deployments/{deployment}").json()
    serves = wanted if document["status"] == "live" else before
    home.wait_served(app, limit_s=90, version=serves)
    assert_only_live_runs(home, app)
    assert_true_and_tidy(home, app)


def ended(home: Station, deployment: str) -> bool:
    answer = home.api(f"/api/v1/deployments/{deployment}")
    return answer.status == 200 and answer.json()["status"] in FINAL


def test_a_stopped_engine_is_said_clearly(home: Station, engine: SecondEngine, app: str) -> None:
    deployment = send(home, app, "v5", "--detach", "--set", "BOOT_SECONDS=3")
    for kind, data in home.follow(deployment):
        if kind == "step" and data.get("data", data).get("name") == "start":
            break
    engine.lab("stop")
    status = home.ok("status", app)
    assert "engine" in status["engine"].lower() or status["engine"] != "ok"
    refused = home.run("deploy", home.folder / app, "--app", app, "--detach")
    assert refused.code in (0, 3, 8), str(refused)
    if refused.code == 0:
        home.run("cancel", app)
    engine.lab("up")
    assert eventually(lambda: ended(home, deployment), 120), home.api(f"/api/v1/deployments/{deployment}").text
    assert eventually(lambda: home.status(app)["deployment"] is None, 120)
    home.wait_served(app, limit_s=90)
    assert_only_live_runs(home, app)
    assert_true_and_tidy(home, app)


class TestDisk:
    """An engine whose disk is small."""

    @pytest.fixture
    def small(self) -> Iterator[Station]:
        engine = SecondEngine("wltdisk")
        try:
            engine.up("python:3.11-slim", tmpfs="900m")
            with station(engine) as made:
                yield made
        finally:
            engine.lab("down")

    def test_full_during_a_build(self, small: Station) -> None:
        app = small.app("disk")
        folder = shape(small.folder / app, "no-base")
        small.deploy(folder, app)
        edit(folder / "Dockerfile", "COPY", "RUN head -c 2000000000 /dev/zero > /big\nCOPY")
        full = small.run("deploy", folder, "--app", app)
        assert full.code in (3, 4), str(full)
        assert "disk_full" in full.codes, str(full)
        assert small.get(app).version == "v1"
        small.deploy(shape(folder, "no-base", "v2"), app)
        assert small.get(app).version == "v2"
        assert_true_and_tidy(small, app)
