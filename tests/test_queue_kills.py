"""200 deployments of 20 apps, and workers that die at any moment: on PostgreSQL four processes, on SQLite one.

What happened is told by the work itself, line by line, in a file that is only ever appended to.
"""

from __future__ import annotations

import functools
import itertools
import multiprocessing
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import select
from tests.postgres import empty_database

from windlass.adapters.clock import SystemClock
from windlass.adapters.owner import owner_alive, owner_name
from windlass.adapters.store.store import SqlStore, open_store
from windlass.adapters.store.tables import jobs
from windlass.domain.queueing import DEPLOYMENT, Limits
from windlass.domain.records import App, Deployment, Job
from windlass.domain.release import DeploymentStatus
from windlass.usecases.buildline import build_turn
from windlass.usecases.control import Control
from windlass.worker import Worker, WorkerOptions

pytestmark = pytest.mark.timeout(600)

APPS = 20
EACH = 10
LIMITS = Limits(deploys=3, builds=1)
KILLS = 6  # by the one who starts them, at any moment; every 23rd job kills its own process besides
LEASE_S = 600.0  # what is dead is known by its name; who only is slow must not be taken for dead

Line = tuple[str, ...]


@dataclass(frozen=True)
class World:
    """Where it happens: `processes` with so many threads each at one database."""

    url: str
    home: Path
    processes: int
    threads: int

    def store(self) -> SqlStore:
        """What is tested is death, not a loss of power."""
        store = open_store(self.url, self.home / "master.key")
        database: Any = store._database
        database.write = functools.partial(database.write, durable=False)
        return store

    def note(self, *words: object) -> None:
        """In one write that is either there or not."""
        file = os.open(self.home / "world", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(file, " ".join(map(str, words)).encode() + b"\n")
        os.close(file)

    def lines(self) -> list[Line]:
        file = self.home / "world"
        return [tuple(line.split()) for line in file.read_text().splitlines()] if file.exists() else []

    def bury(self) -> None:
        """Write down who is dead of those whose work has not ended: from there on it counts no more."""
        for pid in Reading().read(self.lines()).at_work():
            if is_dead(pid):
                self.note("dead", pid)


def is_dead(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in ("Z", "X")
    except (FileNotFoundError, ProcessLookupError):
        return True


@dataclass
class Reading:
    """Follows the lines: what is at work after each, and what was ever wrong."""

    deploys: dict[str, Line] = field(default_factory=dict)  # app -> (job, pid)
    builds: dict[str, Line] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    most: Counter[str] = field(default_factory=Counter)

    def read(self, lines: list[Line]) -> Reading:
        for line in lines:
            self._follow(line)
        return self

    def at_work(self) -> set[str]:
        return {pid for held in (self.deploys, self.builds) for _, pid in held.values()}

    def _follow(self, line: Line) -> None:
        match line:
            case ("begin", app, job, pid):
                if app in self.deploys:
                    self.wrong.append(f"{job} of {app} begins beside {self.deploys[app]}")
                self.deploys[app] = (job, pid)
            case ("end", app, _, _):
                self.deploys.pop(app, None)
            case ("builds", app, job, pid):
                self.builds[app] = (job, pid)
            case ("built", app, _, _):
                self.builds.pop(app, None)
            case ("dead", pid):
                self.deploys = {app: held for app, held in self.deploys.items() if held[1] != pid}
                self.builds = {app: held for app, held in self.builds.items() if held[1] != pid}
        self.most["deploys"] = max(self.most["deploys"], len(self.deploys))
        self.most["builds"] = max(self.most["builds"], len(self.builds))


def work(world: World, store: SqlStore, job: Job, control: Control) -> str:
    """Stands in for a deployment: it begins, builds in its turn, ends, and is recorded."""
    words, number = (job.lock_key, job.id, os.getpid()), int(job.id[1:])
    dies_at = number // 23 % 3 if number % 23 == 0 and job.attempt == 0 else None
    if store.deployments.get(job.id).status is not DeploymentStatus.LIVE:
        world.bury()
        world.note("begin", *words)
        store.deployments.update(job.id, status=DeploymentStatus.RUNNING, started_at=time.time())
        pause(dies_at == 0)
        outside: Any = SimpleNamespace(store=store, clock=SystemClock(), limits=LIMITS)
        with build_turn(outside, job.id, lambda: bool(control.check()), nullcontext()):
            world.bury()
            world.note("builds", *words)
            pause(dies_at == 1)
            world.note("built", *words)
        world.note("end", *words)
        pause(dies_at == 2)
        store.deployments.finish(job.id, DeploymentStatus.LIVE, time.time(), None)
    world.note("over", job.id)
    return "done"


def pause(dies: bool) -> None:
    time.sleep(random.uniform(0.0, 0.006))
    if dies:
        os.kill(os.getpid(), signal.SIGKILL)


def live(world: World) -> None:
    """The life of a worker process: until it is told to end, or killed."""
    store = world.store()
    store.jobs.release_owner(owner_alive)
    options = WorkerOptions(world.threads, limits={DEPLOYMENT: LIMITS.deploys}, lease_s=LEASE_S, retry_s=0.1)
    worker = Worker(
        store.jobs, SystemClock(), owner_name(), lambda job, control: work(world, store, job, control), options
    )
    worker.start()
    signal.sigwait({signal.SIGTERM})
    left = worker.stop(60.0)
    store.close()
    os._exit(left)


def begin_life(world: World) -> int:
    pid = os.fork()
    if pid:
        return pid
    try:
        live(world)
    finally:
        os._exit(99)


def queue_all(world: World) -> None:
    store = world.store()
    for number in range(APPS):
        store.apps.add(App(f"app{number:02}", 1.0))
    for number in range(APPS * EACH):
        id, app, now = f"j{number:03}", f"app{number % APPS:02}", time.time()
        job = Job(id, DEPLOYMENT, app, {"deployment": id}, "queued", now, now)
        store.deployments.add(Deployment(id, app, "deploy", DeploymentStatus.QUEUED, now), job)
    store.close()


def run_all(world: World) -> None:
    """In a process of its own that runs no thread, so that it can be forked from."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    queue_all(world)
    chance, kills = random.Random(7), 0
    alive = {begin_life(world) for _ in range(world.processes)}
    while len({line[1] for line in world.lines() if line[0] == "over"}) < APPS * EACH:
        time.sleep(chance.uniform(0.02, 0.2))
        if kills < KILLS:
            kills += 1
            os.kill(chance.choice(sorted(alive)), signal.SIGKILL)
        for pid in [pid for pid in alive if os.waitpid(pid, os.WNOHANG)[0]]:
            alive.remove(pid)
            alive.add(begin_life(world))
    for pid in alive:
        os.kill(pid, signal.SIGTERM)
    ends = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in alive]
    raise SystemExit(any(ends))


def remains(world: World) -> World:
    process = multiprocessing.get_context("spawn").Process(target=run_all, args=(world,))
    process.start()
    process.join()
    assert process.exitcode == 0
    return world


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.real)])
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """After all of it."""
    home = tmp_path_factory.mktemp("home")
    if request.param == "sqlite":
        yield remains(World(f"sqlite:///{home}/windlass.db", home, processes=1, threads=5))
        return
    with empty_database(request.getfixturevalue("postgres")) as url:
        yield remains(World(url, home, processes=4, threads=2))


def test_all_have_ended_and_none_is_lost(world: World) -> None:
    store = world.store()
    found = [d for number in range(APPS) for d in store.deployments.of_app(f"app{number:02}")]
    assert sorted(d.id for d in found) == [f"j{number:03}" for number in range(APPS * EACH)]
    assert {d.status for d in found} == {DeploymentStatus.LIVE}
    with store._database.read() as connection:
        assert {tuple(row) for row in connection.execute(select(jobs.c.state, jobs.c.owner))} == {("done", "")}
    store.close()


def test_one_at_a_time_of_an_app_and_never_more_than_the_limits(world: World) -> None:
    reading = Reading().read(world.lines())
    assert reading.wrong == []
    assert reading.most["deploys"] == LIMITS.deploys, "no more, and as many as may"
    assert reading.most["builds"] == LIMITS.builds
    assert reading.at_work() == set()


def test_each_app_in_the_order_of_queueing(world: World) -> None:
    for number in range(APPS):
        app = f"app{number:02}"
        begun = [line[2] for line in world.lines() if line[:2] == ("begin", app)]
        order = [job for job, _ in itertools.groupby(begun)]
        assert order == [f"j{n:03}" for n in range(number, APPS * EACH, APPS)]


def test_the_kills_hit_something(world: World) -> None:
    begun = Counter(line[2] for line in world.lines() if line[0] == "begin")
    assert max(begun.values()) > 1
    assert any(line[0] == "dead" for line in world.lines())
