"""What an operator does with a live app: restart under load, logs across releases, removal, also when it is cut off."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest
from tests.e2e.projects import edit, shape
from tests.e2e.station import Station, eventually, station

from windlass.cli.load_report import describe

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def home() -> Iterator[Station]:
    with station() as made:
        yield made


def queue_app(home: Station, kind: str) -> str:
    app = home.app(kind)
    home.deploy(shape(home.folder / app, "worker-queue"), app)
    return app


def test_replicas_restart_and_change_in_number_without_a_failed_request(home: Station) -> None:
    app = queue_app(home, "pair")
    home.ok("scale", app, "api=2")
    before = {c.id: c.attrs["State"]["StartedAt"] for c in home.serving(app, "api")}
    with home.load(app, get_path="/", post_path=None, rate=40.0, streams_per_s=0.0, websockets=0) as load:
        home.ok("restart", app, "api")
        home.ok("scale", app, "api=3")
        home.ok("scale", app, "api=1")
        report = load.stop()
    assert report.failed == 0, describe(report)
    after = {c.id: c.attrs["State"]["StartedAt"] for c in home.serving(app, "api")}
    assert len(after) == 1
    assert all(before[ref] != at for ref, at in after.items())
    assert home.run("deploy", home.folder / app, "--app", app).document["status"] == "unchanged"


def test_scale_counts_for_the_next_release_too(home: Station) -> None:
    app = queue_app(home, "wish")
    home.ok("scale", app, "worker=2")
    edit(home.folder / app / "Dockerfile", "VERSION=v1", "VERSION=v2")
    home.deploy(home.folder / app, app)
    assert len(home.serving(app, "worker")) == 2


def test_followed_logs_go_on_with_the_next_release(home: Station) -> None:
    app = queue_app(home, "logs")
    following = home.begin("logs", app, "worker", "-f", "--json")
    try:
        edit(home.folder / app / "Dockerfile", "VERSION=v1", "VERSION=v2")
        home.deploy(home.folder / app, app)
        time.sleep(2.0)
    finally:
        following.process.terminate()
    out, _ = following.process.communicate(timeout=20)
    items = [json.loads(line) for line in out.splitlines()]
    told = {(i["release"], i["text"]) for i in items}
    assert (1, "worker v1 starts") in told
    assert (2, "worker v2 starts") in told
    assert {i["service"] for i in items} == {"worker"}


def left_of(home: Station, app: str) -> dict[str, list[str]]:
    client = home.engine.client
    return {
        "containers": [c.name for c in home.containers(app)],
        "networks": [n.name for n in client.networks.list() if app in n.name],
        "images": [t for i in client.images.list() for t in i.tags if f"windlass/{app}/" in t],
        "volumes": [v.name for v in client.volumes.list() if v.name.startswith(app)],
    }


def test_removal_takes_everything_and_leaves_the_data(home: Station) -> None:
    app = queue_app(home, "gone")
    document = home.ok("remove", app, "--yes")
    assert document["kept"] == [f"{app}_redis"]
    assert left_of(home, app) == {"containers": [], "networks": [], "images": [], "volumes": [f"{app}_redis"]}
    assert home.run("status", app).code == 7
    assert home.run("remove", app, "--yes").code == 7
    home.ok("remove", app, "--yes", "--data")
    assert left_of(home, app)["volumes"] == []


def test_removal_that_was_cut_off_is_finished_by_the_next_start(own: Station) -> None:
    app = queue_app(own, "half")
    removing = own.begin("remove", app, "--yes", "--data")
    assert eventually(lambda: any(e["kind"] == "removal" for e in own.events(app)), 20)
    own.kill()
    removing.process.kill()
    removing.process.communicate()
    own.up()
    assert eventually(lambda: own.run("status", app).code == 7, 60)
    assert left_of(own, app) == {"containers": [], "networks": [], "images": [], "volumes": []}
