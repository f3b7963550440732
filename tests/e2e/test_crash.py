"""What dies under a live app comes back: the edge, the only container of a service, one of two."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from tests.e2e.projects import edit, shape
from tests.e2e.station import Station, eventually, station

from windlass.cli.load_report import describe

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def home() -> Iterator[Station]:
    with station() as made:
        yield made


@pytest.fixture(scope="module")
def alone(home: Station) -> str:
    """One container."""
    app = home.app("alone")
    home.deploy(shape(home.folder / app, "no-base"), app)
    return app


@pytest.fixture(scope="module")
def pair(home: Station) -> str:
    """Two containers of one service."""
    app = home.app("pair")
    folder = shape(home.folder / app, "no-base")
    edit(folder / "compose.yaml", "    build: .\n", "    build: .\n    deploy: {replicas: 2}\n")
    home.deploy(folder, app)
    return app


def kill_process(container: Any) -> None:
    """The container's first process, as the kernel's out-of-memory killer would."""
    container.reload()
    os.kill(container.attrs["State"]["Pid"], signal.SIGKILL)


def hosts_of(home: Station, app: str) -> set[str]:
    return {home.get(app).headers.get("x-host", "") for _ in range(12)}


def test_the_edge(home: Station, alone: str) -> None:
    edge = next(c for c in home.containers() if "edge" in c.name)
    kill_process(edge)
    assert eventually(lambda: home.get(alone).status == 200, 20)
    home.ok("status", alone)


def test_the_edge_while_windlass_is_down(home: Station, alone: str) -> None:
    home.down()
    edge = next(c for c in home.containers() if "edge" in c.name)
    kill_process(edge)
    assert eventually(lambda: home.get(alone).status == 200, 20)
    home.up()
    assert home.get(alone).status == 200


def test_an_edge_that_was_removed_is_made_again(home: Station, alone: str) -> None:
    next(c for c in home.containers() if "edge" in c.name).remove(force=True)
    home.up()  # at once; by itself within half a minute
    assert eventually(lambda: home.get(alone).status == 200, 60)


def test_the_only_container(home: Station, alone: str) -> None:
    (container,) = home.serving(alone, "web")
    kill_process(container)
    assert eventually(lambda: home.get(alone).status == 200, 30)
    (again,) = home.serving(alone, "web")
    assert again.id == container.id


def test_a_container_that_comes_back_with_another_address(home: Station, alone: str) -> None:
    """Without its fixed address the edge would look for it at the old one."""
    (container,) = home.serving(alone, "web")
    container.stop(timeout=5)
    container.start()
    assert eventually(lambda: home.get(alone).status == 200, 30)


def test_one_of_two(home: Station, pair: str) -> None:
    assert eventually(lambda: len(hosts_of(home, pair)) == 2, 20)
    first = home.serving(pair, "web")[0]
    with home.load(pair, rate=100.0, streams_per_s=0.0, websockets=0) as load:
        kill_process(first)
        assert eventually(lambda: len(hosts_of(home, pair)) == 2, 30)
        report = load.stop()
    assert report.failed <= 0.05 * 100, describe(report)


def test_replicas_can_be_changed_under_load(home: Station, pair: str) -> None:
    with home.load(pair, rate=50.0, websockets=0) as load:
        home.ok("scale", pair, "web=3")
        assert eventually(lambda: len(hosts_of(home, pair)) == 3, 20)
        home.ok("scale", pair, "web=1")
        assert eventually(lambda: len(hosts_of(home, pair)) == 1, 20)
        report = load.stop()
    assert (report.failed, report.streams_cut) == (0, 0), describe(report)


def test_stop_start_restart(home: Station, pair: str) -> None:
    home.ok("stop", pair)
    assert not home.serving(pair, "web")
    assert home.get(pair).status >= 500
    home.ok("start", pair)
    assert home.wait_served(pair).status == 200
    home.ok("restart", pair, "web")
    assert home.wait_served(pair).status == 200
