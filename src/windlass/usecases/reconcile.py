"""Keeps what is live as it should be: addresses on the edge, dead replicas off it, everything up after a reboot."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from windlass.domain.errors import NotFound, OutOfReach, WindlassError
from windlass.domain.plan import Gate
from windlass.domain.raising import gate_probe
from windlass.domain.records import App
from windlass.domain.release import Part
from windlass.ports.engine import EngineEvent
from windlass.ports.outside import Outside
from windlass.usecases.gates import gate
from windlass.usecases.outposts import sweep_outposts
from windlass.usecases.reviving import revive
from windlass.usecases.routes import refresh_routes
from windlass.usecases.sweeping import sweep_generations
from windlass.usecases.undertaking import Undertaking

SWEEP_S = 30.0
PATIENCE_S = 1.0


class Always:
    """The control of work that nobody can cancel but the end of the process."""

    def __init__(self, stop: Callable[[], bool]) -> None:
        self.stop = stop

    def check(self) -> None:
        if self.stop():
            raise OutOfReach("windlass is stopping", code="stopping")

    def check_lease(self) -> None:
        self.check()


class Reconciler:
    """Listens to the engine. `run` is one thread's work until `stop()` says so."""

    def __init__(self, outside: Outside) -> None:
        self.outside = outside
        self.down: dict[str, set[str]] = {}
        self.lock = threading.Lock()
        self.born = outside.clock.now()

    def run(self, stop: Callable[[], bool]) -> None:
        """Bring up what should be live, then follow events; from the start again whenever the engine was away."""
        self._sweep()
        while not stop():
            since = self.outside.clock.now()
            try:
                self.revive_all(stop)
                for event in self.outside.engine.events({"windlass.instance": self.outside.instance}, since, stop):
                    self.handle(event, stop)
            except OutOfReach:
                self.outside.clock.sleep(PATIENCE_S)

    def _sweep(self) -> None:
        """Uploads that no deployment waits for are what a crash left."""
        store = self.outside.store
        unfinished = [*store.deployments.unfinished(), *store.approvals.waiting()]
        waiting = [str(d.options.get("upload") or "") for d in unfinished]
        self.outside.trees.sweep([Path(w) for w in waiting if w], self.born)

    def handle(self, event: EngineEvent, stop: Callable[[], bool]) -> None:
        """A death takes a replica off the edge at once; a start brings it back when its probe passes."""
        app = event.labels.get("windlass.app", "")
        if event.kind != "container" or not app:
            return
        if event.action == "die":
            self._mark(app, event.name, down=True)
            self._refresh(app, stop)
        elif event.action == "start":
            thread = threading.Thread(target=self._welcome, args=(app, event.name, stop), daemon=True)
            thread.start()
        elif event.action == "destroy":
            self._mark(app, event.name, down=False)

    def revive_all(self, stop: Callable[[], bool]) -> None:
        """Start, in order, every live generation that is not running as it should. Raises OutOfReach."""
        self.outside.engine.facts()
        self._keep_edge()
        sweep_outposts(self.outside)
        for app in self.outside.store.apps.all():
            if app.removing or self.outside.store.deployments.unfinished(app.name):
                continue
            try:
                if app.live is not None and app.running:
                    self._revive(app, stop)
                sweep_generations(self._work(app.name, stop), app)
            except OutOfReach:
                raise
            except WindlassError as error:
                self._tell(app.name, "warning", {"text": f"bringing {app.name} up: {error.message}"})

    def _keep_edge(self) -> None:
        """An engine that was killed does not bring the edge's container back by itself."""
        try:
            self.outside.edge.ensure()
        except OutOfReach:
            raise
        except WindlassError as error:
            self._tell("", "warning", {"text": f"edge: {error.message}"})

    # --- one app

    def _revive(self, app: App, stop: Callable[[], bool]) -> None:
        if app.live is None:
            return
        work = self._work(app.name, stop)
        if not revive(work, work.snapshot(app.live), app.stopped_services):
            refresh_routes(work, frozenset())

    def _refresh(self, app: str, stop: Callable[[], bool]) -> None:
        with self.lock:
            down = frozenset(self.down.get(app, ()))
        try:
            refresh_routes(self._work(app, stop), down)
        except WindlassError as error:
            self._tell(app, "warning", {"text": f"routes of {app}: {error.message}"})

    def _welcome(self, app: str, name: str, stop: Callable[[], bool]) -> None:
        """Back on the edge once its probe passes; one that does not pass stays off until it starts again."""
        with self.lock:
            if name not in self.down.get(app, set()):
                return
        try:
            work = self._work(app, stop)
            part = self._part(work, app, name)
            if part is not None:
                gate(work, Gate(part.name, (name,), gate_probe(part)))
        except (WindlassError, NotFound) as error:
            self._tell(app, "warning", {"text": f"{name} is back but not ready: {error.message}"})
            return
        self._mark(app, name, down=False)
        self._refresh(app, stop)

    def _part(self, work: Undertaking, app: str, name: str) -> Part | None:
        current = self.outside.edge.current(app)
        if current is None:
            return None
        service = work.container(name).labels.get("windlass.service", "")
        return work.snapshot(current.release).parts.get(service)

    def _mark(self, app: str, name: str, down: bool) -> None:
        with self.lock:
            names = self.down.setdefault(app, set())
            if down:
                names.add(name)
            else:
                names.discard(name)

    def _work(self, app: str, stop: Callable[[], bool]) -> Undertaking:
        return Undertaking(self.outside, app, "", Always(stop), lambda kind, data: self._tell(app, kind, data))

    def _tell(self, app: str, kind: str, data: Mapping[str, Any]) -> None:
        if kind != "health" or "text" in data:
            self.outside.store.events.add(self.outside.clock.now(), app, "", kind, dict(data))
