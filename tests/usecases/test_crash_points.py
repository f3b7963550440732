"""windlass is killed at any call to the outside during a deployment: what the next start makes of it."""

from __future__ import annotations

import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from tests.usecases.worlds import SHOP, Clock, Compose, World, make_world, snapshot_of

from windlass.domain.answers import Answer
from windlass.domain.fronts import Front
from windlass.domain.modelreader import read_model
from windlass.domain.planner import Situation, plan_deployment
from windlass.domain.records import Deployment, Job, ReleaseState, Resource, StepRecord
from windlass.domain.release import DeploymentStatus, Strategy
from windlass.ports.engine import Container
from windlass.ports.outside import Outside
from windlass.usecases.control import CancelRequested, Control
from windlass.usecases.deploy import ACTING, PREPARING, _attempt, _guarded, run_deployment
from windlass.usecases.observation import observe
from windlass.usecases.slots import Unhurried
from windlass.usecases.undertaking import Kept, load_kept, save_kept

Document = Mapping[str, Any]

MIGRATE = {"image": "shop/web", "command": ["migrate"], "restart": "no", "depends_on": ["db"]}
BEAT = {"image": "shop/web", "command": ["celery", "beat"], "depends_on": ["db"], "restart": "always"}
CLOCKED = {**SHOP, "services": {**SHOP["services"], "migrate": MIGRATE, "beat": BEAT}}
OTHER_BASE = {
    **SHOP,
    "services": {
        **SHOP["services"],
        "db": {**SHOP["services"]["db"], "command": ["postgres", "-c", "fsync=on"]},
        "queue": {"image": "rabbitmq:3", "networks": {"back": None}},
    },
    "networks": {"back": {"name": "shop_back"}},
}
SWAPPED = {
    "services": {
        "app": {"image": "shop/app", "build": {"context": "."}, "ports": [{"target": 8000, "published": "8090"}]},
    }
}


@dataclass(frozen=True)
class Case:
    first: Document
    second: Document
    served: bool = True  # no moment without a running server behind the route
    settings: str = ""  # of the second


COMMANDS = """
checklist: [{name: a, service: web, command: [a]}, {name: b, service: web, command: [b]}]
test: [{service: web, command: [c]}]
release: [{service: web, command: [d]}, {service: worker, command: [e]}]
"""

# A command is begun again with all of verify, so it is not counted.
STEPS = """
verify:
  steps:
    - {post: /items, json: {a: 1}, expect: {json: {id: 7}}, save: {id: id}}
    - {run: [check, $WINDLASS_APP_URL], service: web}
    - {get: "/items/{id}"}
    - {run: [check], image: smoke}
"""

CASES = {
    "rolling": Case(SHOP, SHOP),
    "job-and-scheduler": Case(CLOCKED, CLOCKED),
    "changed-base": Case(SHOP, OTHER_BASE),
    "less-base": Case(OTHER_BASE, SHOP),
    "swapped": Case(SWAPPED, SWAPPED, served=False),
    "release-commands": Case(CLOCKED, CLOCKED, settings=COMMANDS),
    "smoke-steps": Case(SHOP, SHOP, settings=STEPS),
}
FRONT = Front("http://shop.localhost", ("shop.localhost",))
SPREAD = 8  # moments over the whole run
AGAIN = (12, 30)  # moments of a second kill, in what the second start does
NEVER = 1 << 30


class Killed(BaseException):
    """The process is gone."""


@dataclass
class Fuse:
    """Burns after so many calls; from then on nothing can be called any more. `after` looks on after each call."""

    left: int
    after: Callable[[], None] = lambda: None
    seen: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    stopping: list[Container] = field(default_factory=list)

    def underway(self, container: Container) -> None:
        """Killed during the grace of a container that was told to stop: the engine goes on with it."""
        try:
            self.burn(f"grace of {container.name}")
        except Killed:
            self.stopping.append(container)
            raise

    def burn(self, call: str) -> None:
        with self.lock:
            self.left -= 1
            if self.left < 0:
                raise Killed
            self.seen.append(call)


class Wired:
    """Something outside, every call of which goes through the fuse."""

    def __init__(self, thing: Any, fuse: Fuse) -> None:
        self._thing = thing
        self._fuse = fuse

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._thing, name)
        if name in ("apps", "releases", "deployments", "jobs", "resources"):
            return Wired(found, self._fuse)
        if not callable(found):
            return found

        def call(*args: Any, **named: Any) -> Any:
            self._fuse.burn(f"{name} {args} {named}")
            if name == "stop":
                self._fuse.underway(self._thing.container(args[0]))
            answer = found(*args, **named)
            self._fuse.after()
            return answer

        return call


class Leaping(Clock):
    """Nobody waits: what would be slept through is over at once."""

    def sleep(self, seconds: float) -> None:
        self.ahead += seconds


def wired(outside: Outside, fuse: Fuse) -> Outside:
    """Compose makes one container after another, and can be killed between two."""
    engine: Any = Wired(outside.engine, fuse)
    compose: Any = Compose(Wired(outside.engine, fuse))  # type: ignore[arg-type]
    compose.ending = outside.compose.ending  # type: ignore[attr-defined]
    parts: dict[str, Any] = {n: Wired(getattr(outside, n), fuse) for n in ("edge", "store")}
    return replace(outside, engine=engine, compose=compose, **parts)


def prepare_second(world: World, case: Case) -> Deployment:
    """A deployment of release 2 whose first four steps are done."""
    store, now = world.store, world.clock.now()
    release = store.releases.add("shop", now, "upload", "")
    new = snapshot_of(read_model(case.second), "shop", release.number, case.settings)
    world.supply(new)
    for part in new.parts.values():
        store.resources.record(Resource("image", part.image, part.image, "shop", 2, "second"))
    old = load_kept(world.outside, "shop", 1).snapshot
    plan = plan_deployment(Situation(new, old, observe(world.outside, "shop", new, old), front=FRONT))
    save_kept(world.outside, Kept(new, plan))
    deployment = Deployment("second", "shop", "deploy", DeploymentStatus.RUNNING, now, release.number, 1)
    store.deployments.add(deployment, Job("second", "deployment", "shop", {}, "done", now, now))
    for name in PREPARING:
        store.deployments.save_step("second", StepRecord(name, "done", now, now))
    return store.deployments.get("second")


@dataclass
class Crash:
    """A world in which the second deployment of a case is killed, and taken up, as often as asked for."""

    case: Case
    world: World
    deployment: Deployment
    unserved: list[str] = field(default_factory=list)
    stopping: list[Container] = field(default_factory=list)

    @property
    def status(self) -> DeploymentStatus:
        return self.world.store.deployments.get("second").status

    def begin(self, calls: int, control: Control | None = None) -> Fuse:
        """The deployment itself, up to the kill."""

        def act(outside: Outside) -> None:
            attempt = _attempt(outside, self.deployment, control or Unhurried())
            attempt.plan = load_kept(outside, "shop", 2).plan
            _guarded(attempt, ACTING)

        return self._live_for(calls, act)

    def take_up(self, calls: int = NEVER) -> Fuse:
        """The next start of windlass, up to the next kill."""
        return self._live_for(calls, lambda outside: run_deployment(outside, "second", Unhurried()))

    def _live_for(self, calls: int, work: Callable[[Outside], None]) -> Fuse:
        fuse = Fuse(calls, self._look)
        before = set(threading.enumerate())
        with suppress(Killed):
            work(wired(self.world.outside, fuse))
        for thread in set(threading.enumerate()) - before:  # of this process: they end with it
            thread.join(10)
            assert not thread.is_alive()
        self._end_of_grace()
        self.stopping += fuse.stopping
        return fuse

    def _end_of_grace(self) -> None:
        """What an earlier process told to stop has stopped by now, unless it was stopped and started meanwhile."""
        for told in self.stopping:
            there = self.world.engine.all.get(told.id)
            if there is not None and there.now.started_at == told.started_at:
                self.world.engine.stop(told.id, 0)
        self.stopping.clear()

    def _look(self) -> None:
        running = {a for c in list(self.world.engine.all.values()) for a in c.now.addresses.values() if a}
        gone = [s for s in self.world.servers() if s.partition(":")[0] not in running]
        if gone and self.case.served:
            self.unserved.append(f"{gone} after {self.world.engine.calls[-1]}")


@contextmanager
def crash(case: Case) -> Iterator[Crash]:
    shm = Path("/dev/shm")  # its files are never synced to a disk
    with tempfile.TemporaryDirectory(dir=shm if shm.is_dir() else None) as folder:
        world = make_world(Path(folder))
        world.clock = Leaping()
        world.outside = replace(world.outside, clock=world.clock)
        world.visitor.answer = lambda visit, patience: Answer(200, (), b'{"id": 7}')
        try:
            world.deploy(case.first)
            yield Crash(case, world, prepare_second(world, case))
        finally:
            world.store.close()


@pytest.fixture(autouse=True)
def _threads_die_with_their_process(monkeypatch: pytest.MonkeyPatch) -> None:
    told = threading.excepthook
    monkeypatch.setattr(threading, "excepthook", lambda args: None if args.exc_type is Killed else told(args))


def end_of(killed: Fuse) -> DeploymentStatus:
    """What must become of a deployment that came so far."""
    recorded = [call for call in killed.seen if call.startswith("save_step") and "'switch'" in call]
    if any("status='done'" in call for call in recorded):
        return DeploymentStatus.LIVE
    return DeploymentStatus.SWITCHED_BACK if recorded else DeploymentStatus.FAILED


def promises_broken(made: Crash, end: DeploymentStatus) -> list[str]:
    """Everything that must hold at the end, whatever the moment of the death was."""
    world = made.world
    ended = world.store.deployments.get("second")
    live = 2 if ended.status is DeploymentStatus.LIVE else 1
    snapshot = load_kept(world.outside, "shop", live).snapshot
    parts = [p for p in snapshot.parts.values() if p.strategy is not Strategy.JOB]
    names = {f"shop{'' if p.in_base else f'-g{live}'}-{p.name}-1": p for p in parts}
    containers = {c.now.name: c.now for c in world.engine.all.values()}
    config = world.edge.apps["shop"]
    front = containers[f"shop-g{live}-{snapshot.routes[0].service}-1"]
    app = world.store.apps.get("shop")
    states = {1: ReleaseState.RETIRED, 2: ReleaseState.LIVE} if live == 2 else {1: ReleaseState.LIVE}
    found: dict[str, tuple[Any, Any]] = {
        "status": (ended.status, end),
        "error": (ended.error is None, live == 2),
        "live": ((app.live, app.running, app.warm), (live, True, None)),
        "running": ({n for n, c in containers.items() if c.state == "running"}, set(names)),
        "edge": (
            (config.release, config.fallback_release, world.servers()),
            (live, None, [a for _, a in sorted(front.addresses.items()) if a][:1]),
        ),
        "states": (
            {r.number: r.state for r in world.store.releases.all("shop")},
            states if live == 2 else {**states, 2: ReleaseState.FAILED},
        ),
        "policies": (
            {n: containers[n].restart_policy for n in names if n in containers},
            {n: p.restart for n, p in names.items()},
        ),
        "digests": (
            {n: containers[n].labels["windlass.digest"] for n in names if n in containers},
            {n: p.digest for n, p in names.items()},
        ),
        "served": (made.unserved, []),
        "begun again": ([n for n, count in begun(world).items() if count > 1], []),
    }
    if live == 1:
        networks = {n.name for n in world.engine.networks()}
        kept = {"shop_default", "0-shop-g1-default"} | ({"shop_back"} if made.case.first is OTHER_BASE else set())
        found["left containers"] = ([n for n in containers if n.startswith("shop-g2-")], [])
        found["left networks"] = (networks - kept, set())
        found["left images"] = ([i for i in world.engine.images if i.endswith(":r2")], [])
        found["records"] = ([r.ref for r in world.store.resources.of_app("shop", "image") if r.release == 2], [])
    return [f"{name}: {is_}, not {wanted}" for name, (is_, wanted) in found.items() if is_ != wanted]


def begun(world: World) -> Counter[str]:
    """How often each command of windlass.yaml was begun, by its container."""
    return Counter(
        e.name for e in world.engine.past if e.action == "start" and "-windlass-" in e.name and "-verify-" not in e.name
    )


def switch(calls: list[str]) -> tuple[int, int]:
    """When the edge is changed, and when the step is recorded as done."""
    edge = next(i for i, call in enumerate(calls) if call.startswith("apply ") and "release=2" in call)
    done = next(i for i, call in enumerate(calls) if call.startswith("save_step") and "'switch', status='done'" in call)
    return edge, done


def moments(calls: list[str]) -> list[int]:
    """Spread over a whole run, and those around the switch."""
    total, (edge, done) = len(calls), switch(calls)
    around = {edge, edge + 1, done - 1, done, done + 1, total - 1}
    return sorted({total * i // SPREAD for i in range(SPREAD)} | around)


def second_kills(calls: list[str]) -> list[int]:
    """While the generation starts, right before the switch is done, and after it."""
    edge, done = switch(calls)
    return [edge * 2 // 3, done - 1, done + 1]


@pytest.mark.parametrize("name", CASES)
def test_every_moment_of_a_kill_is_taken_back_or_finished(name: str) -> None:
    """Before the switch is done it is taken back, after it finished; killed again meanwhile, the third start does."""
    case = CASES[name]
    with crash(case) as whole:
        calls = whole.begin(NEVER).seen
        assert promises_broken(whole, DeploymentStatus.LIVE) == []
    broken: dict[str, list[str]] = {}
    for moment in moments(calls):
        with crash(case) as made:
            end = end_of(made.begin(moment))
            made.take_up()
            if found := promises_broken(made, end):
                broken[f"killed before call {moment} of {len(calls)}"] = found
    assert broken == {}


@pytest.mark.parametrize("name", CASES)
def test_killed_again_while_it_is_taken_back_or_finished(name: str) -> None:
    """The third start comes to the same end as the second one would have."""
    case = CASES[name]
    with crash(case) as whole:
        calls = whole.begin(NEVER).seen
    broken: dict[str, list[str]] = {}
    for moment in second_kills(calls):
        for again in AGAIN:
            with crash(case) as made:
                end = end_of(made.begin(moment))
                made.take_up(again)
                made.take_up()
                if found := promises_broken(made, end):
                    broken[f"killed before call {moment} of {len(calls)}, then before {again}"] = found
    assert broken == {}


def put_back(case: Case, moment: int) -> list[tuple[int, int]]:
    """The moment, and the calls of the next start that make release 1 live again."""
    with crash(case) as once:
        once.begin(moment)
        calls = once.take_up().seen
    return [(moment, i) for i, call in enumerate(calls) if call.startswith("update ('shop',) {'live': 1")]


def test_killed_while_the_live_release_is_put_back() -> None:
    """Pointer and states change one after the other; whatever came first, the next start finds the rest to do."""
    with crash(case := CASES["rolling"]) as whole:
        last = switch(whole.begin(NEVER).seen)[1] - 1
    # Threads and pauses make a run a call or two longer or shorter than another.
    moment, back = next(f[0] for m in range(last, last - 12, -1) if (f := put_back(case, m)))
    for again in range(back - 2, back + 4):
        with crash(case) as made:
            end = end_of(made.begin(moment))
            made.take_up(again)
            made.take_up()
            assert promises_broken(made, end) == [], again


class CancelledIn(Unhurried):
    """Somebody cancels as soon as a step has begun."""

    def __init__(self, world: World, step: str) -> None:
        self.world = world
        self.step = step

    def check(self) -> None:
        if self.world.store.deployments.step("second", self.step) is not None:
            raise CancelRequested


def test_a_cancelled_deployment_stays_cancelled_though_it_is_killed_while_it_is_taken_back() -> None:
    """From the moment on at which the reason is recorded."""
    with crash(CASES["rolling"]) as whole:
        calls = whole.begin(NEVER, CancelledIn(whole.world, "switch")).seen
        assert promises_broken(whole, DeploymentStatus.CANCELLED) == []
    recorded = next(i for i, call in enumerate(calls) if "'error': {" in call)
    broken: dict[str, list[str]] = {}
    for moment in sorted({recorded + 1, recorded + 2, *range(recorded + 3, len(calls), 15)}):
        with crash(CASES["rolling"]) as made:
            seen = made.begin(moment, CancelledIn(made.world, "switch")).seen
            made.take_up()
            known = any("'error': {" in call for call in seen)
            end = DeploymentStatus.CANCELLED if known else DeploymentStatus.SWITCHED_BACK
            if found := promises_broken(made, end):
                broken[f"killed before call {moment} of {len(calls)}"] = found
    assert broken == {}


def test_a_worker_still_in_its_grace_is_started_again_when_the_switch_is_taken_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The switch does not wait for the old workers' end; the way back does, or they would end after it."""
    with crash(CASES["rolling"]) as made:
        stop, worker = made.world.engine.stop, made.world.engine.container("shop-g1-worker-1").id

        def stop_slowly(ref: str, grace_s: float) -> None:
            time.sleep(0.3 if ref == worker else 0)
            stop(ref, grace_s)

        monkeypatch.setattr(made.world.engine, "stop", stop_slowly)
        made.begin(NEVER, CancelledIn(made.world, "verify"))
        assert promises_broken(made, DeploymentStatus.CANCELLED) == []
