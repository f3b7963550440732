"""The list of apps: as many queries for fifty apps as for one, and what it shows of each."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
import pytest
from sqlalchemy import Engine, event
from tests.web.conftest import Served

from windlass.adapters.store.store import SqlStore
from windlass.domain.records import App, Deployment, Job
from windlass.domain.release import DeploymentStatus
from windlass.ports.outside import Outside


@pytest.fixture
def api(served: Served) -> Iterator[httpx2.Client]:
    transport = httpx2.HTTPTransport(uds=str(served.socket))
    with httpx2.Client(transport=transport, base_url="http://windlass", timeout=60) as client:
        yield client


def add_app(store: SqlStore, name: str, host: str = "") -> None:
    """Live, with a route; every fifth with a deployment under way."""
    store.apps.add(App(name, time.time()))
    number = store.releases.add(name, 1.0, "upload", "").number
    route = {"host": host, "service": "web", "port": 80}
    routes = [{**route, "host": "z.example.com", "path": "/"}, {**route, "path": "/"}]
    store.releases.save_snapshot(name, number, json.dumps({"snapshot": {"routes": routes}}).encode())
    store.apps.update(name, live=number)
    if name.endswith("5"):
        deployment = Deployment(f"d-{name}", name, "deploy", DeploymentStatus.QUEUED, 1.0)
        store.deployments.add(deployment, Job(f"d-{name}", "deployment", name, {}, "queued", 1.0, 1.0))


@contextmanager
def counted() -> Iterator[list[str]]:
    """The statements that are carried out meanwhile, on whatever database."""
    said: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.lstrip().upper().startswith("SELECT"):
            said.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield said
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def test_queries_do_not_grow_with_the_apps(api: httpx2.Client, store: SqlStore, outside: Outside) -> None:
    counts = {}
    for wanted in (1, 50):
        for n in range(len(store.apps.all()), wanted):
            add_app(store, f"a{n:03}" if n % 10 == 5 else f"a{n:03}x")
        with counted() as cold:
            assert len(api.get("/api/v1/apps").json()["items"]) == wanted
        with counted() as warm:
            api.get("/api/v1/apps")
        counts[wanted] = (len(cold), len(warm))
    # A deployment under way adds the query for its steps.
    assert counts[50][0] - counts[1][0] <= 1
    assert counts[50][1] - counts[1][1] <= 1
    assert counts[50][1] <= 5


def test_what_it_shows(api: httpx2.Client, store: SqlStore, outside: Outside) -> None:
    add_app(store, "shop")
    add_app(store, "toy5", host="toy.example.com")
    store.apps.add(App("new", 1.0))
    items = {i["app"]: i for i in api.get("/api/v1/apps").json()["items"]}
    assert items["shop"]["url"] == "http://shop.localhost"
    assert items["toy5"]["url"] == "http://z.example.com"
    assert (items["toy5"]["deployment"], items["toy5"]["live"]) == ("queued", 1)
    assert (items["new"]["url"], items["new"]["live"], items["new"]["deployment"]) == ("", None, None)


def test_an_app_that_is_made_again_shows_its_own_address(api: httpx2.Client, store: SqlStore) -> None:
    add_app(store, "shop")
    assert api.get("/api/v1/apps").json()["items"][0]["url"] == "http://shop.localhost"
    store.apps.remove("shop")
    add_app(store, "shop", host="other.example.com")
    assert api.get("/api/v1/apps").json()["items"][0]["url"] == "http://z.example.com"
