"""An outside world in memory, with one app that is live in it: everything but the engine's own work is real."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tests.fakes.edge import FakeEdge
from tests.fakes.engine import FakeEngine
from tests.fakes.outposts import FakeOutposts
from tests.fakes.visitor import FakeVisitor

from windlass.adapters.store.store import SqlStore, open_store
from windlass.adapters.trees import FolderTrees
from windlass.domain.compose import Model
from windlass.domain.derivation import Ingredients, derive
from windlass.domain.imagehints import NO_HINTS
from windlass.domain.manifestfile import parse_manifest
from windlass.domain.modelreader import read_model
from windlass.domain.placement import place
from windlass.domain.planner import Situation, plan_deployment
from windlass.domain.probing import probe_for
from windlass.domain.records import App, Deployment, Job, ReleaseState
from windlass.domain.release import DeploymentStatus, Role, Route, Snapshot, Strategy, container_name
from windlass.domain.smokeplan import smoke_steps
from windlass.domain.taskservices import add_tasks, tasks_of, with_images
from windlass.ports.engine import ImageFacts
from windlass.ports.machine import PortHolder
from windlass.ports.outside import Outside
from windlass.usecases.execute import execute
from windlass.usecases.slots import Unhurried
from windlass.usecases.undertaking import Kept, Undertaking, save_kept

DATA = "/var/lib/postgresql/data"
SHOP: dict[str, Any] = {
    "services": {
        "web": {"image": "shop/web", "build": {"context": "."}, "expose": ["8000"], "depends_on": ["db"]},
        "worker": {"image": "shop/web", "command": ["celery", "worker"], "depends_on": ["db"]},
        "db": {"image": "postgres:16", "volumes": [{"type": "volume", "source": "db", "target": DATA}]},
    },
    "volumes": {"db": {"name": "shop_db"}},
}  # fmt: skip


class Clock:
    """Real, but no sleep is longer than a moment; `ahead` moves it."""

    ahead = 0.0

    def now(self) -> float:
        return time.time() + self.ahead

    def monotonic(self) -> float:
        return time.monotonic() + self.ahead

    def sleep(self, seconds: float) -> None:
        time.sleep(min(seconds, 0.01))


@dataclass
class Machine:
    disk: int = 100 << 30
    inodes: int | None = 10_000_000
    memory: int = 8 << 30
    held: dict[int, PortHolder] = field(default_factory=dict)
    known: list[str] = field(default_factory=lambda: ["192.0.2.0/24"])
    names: dict[str, list[str]] = field(default_factory=dict)  # host -> addresses
    programs: set[str] = field(default_factory=set)
    others: list[str] = field(default_factory=list)  # architectures it can run beside its own
    swap: int = 0

    def routes(self) -> list[str]:
        return self.known

    def holder(self, port: int, protocol: str = "tcp") -> PortHolder | None:
        return self.held.get(port)

    def disk_free(self, path: Path) -> int:
        return self.disk

    def inodes_free(self, path: Path) -> int | None:
        return self.inodes

    def memory_available(self) -> int:
        return self.memory

    def swap_free(self) -> int:
        return self.swap

    def addresses(self) -> list[str]:
        return ["192.0.2.1"]

    def memory_of(self, pid: int, container: str) -> int | None:
        return None

    def is_own(self, address: str) -> bool:
        return address in ("192.0.2.1", "127.0.0.1")

    def resolve(self, host: str) -> list[str]:
        return self.names.get(host, [])

    def emulated(self) -> list[str]:
        return self.others

    def has_program(self, name: str) -> bool:
        return name in self.programs


class Prober:
    """Everything is ready, but what `unready` names by address."""

    def __init__(self) -> None:
        self.unready: Callable[[str], bool] = lambda address: False

    def ask(self, check: Any, address: str) -> str:
        return "503" if self.unready(address) else ""


class Compose:
    """`create` makes the containers of a model in the fake engine, as Compose numbers and names them.

    Containers of the services in `ending` exit with 0 as soon as they are started.
    """

    def __init__(self, engine: FakeEngine) -> None:
        self.engine = engine
        self.ending: set[str] = set()

    def version(self) -> str:
        return "2.40.3"

    def create(
        self, project: str, model: Mapping[str, Any], directory: Path, services: Sequence[str], recreate: bool
    ) -> None:
        names = {key: net["name"] for key, net in model.get("networks", {}).items()}
        volumes = {key: volume["name"] for key, volume in model.get("volumes", {}).items()}
        for service in services:
            document = model["services"][service]
            for number in range(1, int(document["deploy"]["replicas"]) + 1):
                name = container_name(project, service, number)
                if recreate and (old := next((c for c in self.engine.all.values() if c.now.name == name), None)):
                    self.engine.remove(old.now.id)
                self._one(project, service, number, document, (names, volumes))

    def _one(
        self, project: str, service: str, number: int, document: Mapping[str, Any], named: tuple[Any, Any]
    ) -> None:
        name = container_name(project, service, number)
        if any(c.now.name == name for c in self.engine.all.values()):
            return
        labels = {
            **document["labels"],
            "com.docker.compose.project": project,
            "com.docker.compose.service": service,
        }
        networks = [named[0][key] for key in document.get("networks") or ({"default": 0} if named[0] else {})]
        mounts = [named[1][m["source"]] for m in document["volumes"] if m["type"] == "volume"]
        self.engine.add_container(
            name,
            labels=labels,
            image=document["image"],
            networks=[n for n in networks if n],
            mounts=mounts,
            exits=0 if service in self.ending else None,
        )


@dataclass
class World:
    outside: Outside
    engine: FakeEngine
    edge: FakeEdge
    machine: Machine
    prober: Prober
    visitor: FakeVisitor
    clock: Clock
    store: SqlStore
    notes: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)

    def states(self, app: str = "shop") -> dict[str, str]:
        """Container -> state, of this app."""
        return {c.now.name: c.now.state for c in self.engine.all.values() if c.now.labels.get("windlass.app") == app}

    def servers(self, app: str = "shop") -> list[str]:
        """What the edge leads the app's first route to."""
        config = self.edge.apps[app]
        return [s.address for s in config.routes[0].servers]

    def address(self, name: str) -> str:
        found = next(c.now for c in self.engine.all.values() if c.now.name == name)
        return next(a for n, a in sorted(found.addresses.items()) if a)

    def foreign(self, name: str, **labels: str) -> str:
        """A container that somebody else made."""
        ref = self.engine.add_container(name, labels={k.replace("__", "."): v for k, v in labels.items()})
        self.engine.start(ref)
        return ref

    def unfinished(self, app: str = "shop", status: DeploymentStatus = DeploymentStatus.RUNNING) -> Deployment:
        """A deployment that has not ended; its job is held by nobody."""
        now = self.clock.now()
        deployment = Deployment(f"d-{time.monotonic_ns()}", app, "deploy", status, now)
        job = Job(deployment.id, "deployment", app, {}, "queued", now, now)
        self.store.deployments.add(deployment, job)
        return deployment

    def supply(self, snapshot: Snapshot) -> None:
        """Its images are built; its jobs end by themselves."""
        for part in snapshot.parts.values():
            self.engine.add_image(part.image, ImageFacts(f"sha256:{part.name}"))
        compose: Any = self.outside.compose
        compose.ending |= {p.name for p in snapshot.parts.values() if p.strategy is Strategy.JOB}

    def deploy(self, document: Mapping[str, Any] = SHOP, app: str = "shop") -> Snapshot:
        """Make a first release of this project live, by the plan that a deployment carries out."""
        now = self.clock.now()
        if self.store.apps.find(app) is None:
            self.store.apps.add(App(app, now))
        release = self.store.releases.add(app, now, "upload", "")
        id = f"d{release.number}-{app}"
        deployment = Deployment(id, app, "deploy", DeploymentStatus.LIVE, now, release.number, live_at=now)
        self.store.deployments.add(deployment, Job(id, "deployment", app, {}, "done", now, now))
        snapshot = snapshot_of(read_model(document), app, release.number)
        self.supply(snapshot)
        save_kept(self.outside, Kept(snapshot))
        self.store.releases.update(app, release.number, tree="tree")
        work = Undertaking(self.outside, app, id, Unhurried(), lambda kind, data: self.notes.append((kind, data)))
        for step in plan_deployment(Situation(snapshot, None)).steps:
            if step.name != "verify":
                execute(work, step.operations)
        self.store.apps.update(app, live=release.number)
        self.store.releases.set_state(app, release.number, ReleaseState.LIVE)
        return snapshot


def snapshot_of(model: Model, app: str, number: int, settings: str = "") -> Snapshot:
    """`settings`: the windlass.yaml, of which the commands and the smoke steps count."""
    manifest = parse_manifest(settings)
    tasks = tasks_of(manifest)
    placements = {p.service: p for p in place(model, {}, {}).placements}
    probes = {n: probe_for(s, None, NO_HINTS, placements[n].role) for n, s in model.services.items()}
    front = next(n for n, p in placements.items() if p.role is Role.HTTP)
    given = Ingredients(
        app=app,
        number=number,
        model=model,
        placements=placements,
        probes=probes,
        images={n: f"sha256:{n}" for n in with_images(model, tasks).services},
        routes=(Route("", front, 8000),),
    )
    return replace(derive(add_tasks(given, tasks)), bake_s=0.0, smoke=smoke_steps(manifest.verify))


def make_world(folder: Path) -> World:
    engine, edge, machine, prober, clock = FakeEngine(), FakeEdge(), Machine(), Prober(), Clock()
    visitor = FakeVisitor()
    store = open_store(f"sqlite:///{folder / 'windlass.db'}", folder / "secret.key")
    outside = Outside(
        instance="i1",
        store=store,
        engine=engine,
        compose=Compose(engine),  # type: ignore[arg-type]
        git=None,  # type: ignore[arg-type]
        trees=FolderTrees(folder),
        edge=edge,
        prober=prober,
        outposts=FakeOutposts(engine),
        visitor=visitor,
        machine=machine,
        clock=clock,
        pool="10.9.0.0/20",
        routes_lock=threading.RLock(),
    )
    return World(outside, engine, edge, machine, prober, visitor, clock, store)
