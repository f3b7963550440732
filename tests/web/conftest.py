"""The application over a real store, and served on a real unix socket."""

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from fastapi import FastAPI
from tests.fakes.engine import FakeEngine

from windlass.adapters.clock import SystemClock
from windlass.adapters.store.store import SqlStore, open_store
from windlass.domain.records import App, Deployment, Job
from windlass.domain.release import DeploymentStatus
from windlass.ports.outside import Outside
from windlass.web.options import WebOptions
from windlass.web.server import build_app
from windlass.web.serving import Listeners, Serving


@dataclass
class Uploads:
    """Of ports.sources.Trees only what takes uploads."""

    folder: Path

    def uploads(self) -> Path:
        return self.folder


@dataclass
class Dotenv:
    """Of ports.sources.Compose only what reads dotenv texts, one NAME=VALUE per line."""

    asked: list[str] = field(default_factory=list)

    def read_env(self, text: str) -> dict[str, str]:
        self.asked.append(text)
        return dict(line.split("=", 1) for line in text.splitlines())


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a migrated database: to copy it is much faster than to migrate one for each test."""
    folder = tmp_path_factory.mktemp("store")
    open_store(f"sqlite:///{folder / 'windlass.db'}", folder / "secret.key").close()
    return folder


@pytest.fixture
def store(tmp_path: Path, empty_store: Path) -> Iterator[SqlStore]:
    for file in empty_store.iterdir():
        shutil.copy(file, tmp_path)
    store = open_store(f"sqlite:///{tmp_path / 'windlass.db'}", tmp_path / "secret.key")
    yield store
    store.close()


@pytest.fixture
def outside(store: SqlStore, tmp_path: Path) -> Outside:
    uploads = tmp_path / "uploads"
    uploads.mkdir()
    machine = SimpleNamespace(addresses=lambda: [])
    nothing = cast(Any, None)
    return Outside(
        instance="test",
        store=store,
        engine=FakeEngine(),
        compose=cast(Any, Dotenv()),
        git=nothing,
        trees=cast(Any, Uploads(uploads)),
        edge=nothing,
        prober=nothing,
        outposts=nothing,
        visitor=nothing,
        machine=cast(Any, machine),
        clock=SystemClock(),
        pool="10.213.0.0/16",
    )


@pytest.fixture
def app(outside: Outside) -> FastAPI:
    return build_app(outside, WebOptions(upload_limit=1 << 20, control=lambda: {"version": "1"}))


@dataclass
class Served:
    """A running server; `stop` ends it and tells how long that took."""

    socket: Path
    serving: Serving
    thread: threading.Thread

    def stop(self) -> float:
        began = time.monotonic()
        self.serving.stop()
        self.thread.join(10)
        return time.monotonic() - began


@contextmanager
def serving(app: FastAPI, listeners: Listeners) -> Iterator[Served]:
    server = Serving(app, listeners)
    ready = threading.Event()
    thread = threading.Thread(target=server.run, args=(ready.set,))
    thread.start()
    try:
        assert ready.wait(60)
        yield Served(listeners.unix, server, thread)
    finally:
        server.stop()
        thread.join(10)


@pytest.fixture
def served(app: FastAPI, tmp_path: Path) -> Iterator[Served]:
    with serving(app, Listeners(tmp_path / "api.sock")) as found:
        yield found


@pytest.fixture
def serve() -> Callable[..., Any]:
    return serving


@pytest.fixture
def deployment(store: SqlStore) -> Deployment:
    """A running deployment of the app `shop`."""
    now = time.time()
    store.apps.add(App("shop", now))
    made = Deployment("d1", "shop", "deploy", DeploymentStatus.RUNNING, now)
    store.deployments.add(made, Job("d1", "deployment", "shop", {}, "queued", now, now))
    return store.deployments.get("d1")
