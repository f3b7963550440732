"""The API in a process of its own, over a store with one running deployment: `python -m tests.web.alone FOLDER`.

It answers each line of its standard input with one: `events N` adds so many events, `finish` ends the deployment, and
the end of the input ends the process.
"""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from tests.fakes.engine import FakeEngine

from windlass.adapters.clock import SystemClock
from windlass.adapters.store.store import SqlStore, open_store
from windlass.domain.records import App, Deployment, Job
from windlass.domain.release import DeploymentStatus
from windlass.ports.outside import Outside
from windlass.web.options import WebOptions
from windlass.web.server import build_app
from windlass.web.serving import Listeners, Serving


def main(folder: Path) -> None:
    store = open_store(f"sqlite:///{folder / 'windlass.db'}", folder / "secret.key")
    now = time.time()
    store.apps.add(App("shop", now))
    running = Deployment("d1", "shop", "deploy", DeploymentStatus.RUNNING, now)
    store.deployments.add(running, Job("d1", "deployment", "shop", {}, "queued", now, now))
    serving = Serving(build_app(_outside(store), WebOptions()), Listeners(folder / "api.sock"))
    threading.Thread(target=_obey, args=(store, serving), daemon=True).start()
    serving.run(lambda: print("ready", flush=True))
    store.close()


def _obey(store: SqlStore, serving: Serving) -> None:
    for line in sys.stdin:
        word, _, count = line.strip().partition(" ")
        if word == "events":
            for number in range(int(count)):
                store.events.add(time.time(), "shop", "d1", "line", {"text": f"line {number} " + "x" * 100})
        elif word == "finish":
            store.deployments.finish("d1", DeploymentStatus.LIVE, time.time(), None)
        print(word, flush=True)
    serving.stop()


def _outside(store: SqlStore) -> Outside:
    nothing = cast(Any, None)
    return Outside(
        instance="test",
        store=store,
        engine=FakeEngine(),
        compose=nothing,
        git=nothing,
        trees=nothing,
        edge=nothing,
        prober=nothing,
        outposts=nothing,
        visitor=nothing,
        machine=cast(Any, SimpleNamespace(addresses=lambda: [])),
        clock=SystemClock(),
        pool="10.213.0.0/16",
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
