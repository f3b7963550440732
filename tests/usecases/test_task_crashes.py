"""Commands of windlass.yaml when they fail, hang, or windlass is killed with them: begun once, and taken away."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from tests.usecases.test_crash_points import (
    CASES,
    NEVER,
    Case,
    Crash,
    Fuse,
    Killed,
    begun,
    crash,
    promises_broken,
)
from tests.usecases.worlds import SHOP

from windlass.domain.release import DeploymentStatus
from windlass.ports.outside import Outside
from windlass.usecases import deploy
from windlass.usecases.deploy import ACTING, _attempt, _guarded
from windlass.usecases.preparation import Preparation
from windlass.usecases.slots import Unhurried
from windlass.usecases.undertaking import load_kept

RELEASE = "shop-g2-windlass-release-1-1"
CASE = CASES["release-commands"]


def build_and_act(made: Crash, killed_with: str = "") -> Fuse:
    """From the end of the build step on, where the plan is kept and the tests run.

    windlass is killed a few calls after it has started the container `killed_with`.
    """
    engine = made.world.engine
    start = engine.start

    def act(outside: Outside) -> None:
        fuse: Fuse = outside.engine._fuse  # type: ignore[attr-defined]

        def start_and_burn(ref: str) -> None:
            start(ref)
            if engine.all[ref].now.name == killed_with:
                fuse.left = 3

        engine.start = start_and_burn  # type: ignore[method-assign]
        attempt = _attempt(outside, made.deployment, Unhurried())
        kept = load_kept(outside, "shop", 2)
        attempt.preparation = Preparation(
            attempt.work, attempt.journal, made.deployment, 2, snapshot=kept.snapshot, plan=kept.plan
        )
        _guarded(attempt, ("build", *ACTING))

    return made._live_for(NEVER, act)


@pytest.fixture(autouse=True)
def _images_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deploy, "prepare_step", lambda preparation, name, record: None)


@pytest.fixture(autouse=True)
def _threads_die_with_their_process(monkeypatch: pytest.MonkeyPatch) -> None:
    told = threading.excepthook
    monkeypatch.setattr(threading, "excepthook", lambda args: None if args.exc_type is Killed else told(args))


@contextmanager
def world_where(service: str, code: int | None, case: Case = CASE) -> Iterator[Crash]:
    """The command's container ends with that code; None: it goes on until it is told to end."""
    with crash(case) as made:
        engine = made.world.engine
        add = engine.add_container

        def add_container(name: str, **facts: Any) -> str:
            wanted = facts | ({"exits": code} if f"-{service}-" in name else {})
            return add(name, **wanted)

        engine.add_container = add_container  # type: ignore[method-assign]
        yield made


def test_each_command_is_begun_once() -> None:
    with crash(CASE) as made:
        build_and_act(made)
        assert promises_broken(made, DeploymentStatus.LIVE) == []
        order = list(begun(made.world))
    checks, rest = order[:2], order[2:]
    assert sorted(checks) == [f"shop-g2-windlass-checklist-{n}-1" for n in (1, 2)]
    assert rest == ["shop-g2-windlass-test-1-1", RELEASE, "shop-g2-windlass-release-2-1"]


@pytest.mark.parametrize(
    ("service", "code", "error"),
    [
        ("windlass-test-1", 3, "test_failed"),
        ("windlass-release-1", 1, "job_failed"),
        ("windlass-release-2", 137, "job_failed"),
    ],
)
def test_one_that_fails_ends_the_deployment(service: str, code: int, error: str) -> None:
    with world_where(service, code) as made:
        build_and_act(made)
        ended = made.world.store.deployments.get("second")
        assert promises_broken(made, DeploymentStatus.FAILED) == []
    assert ended.error is not None
    assert ended.error["code"] == error
    assert (ended.report["exit_code"], bool(ended.report["command"])) == (code, True)


def test_a_checklist_refuses_with_all_that_fail() -> None:
    with world_where("windlass-checklist", 2) as made:
        build_and_act(made)
        ended = made.world.store.deployments.get("second")
        left = [c for c in made.world.states() if c.startswith("shop-g2-")]
    assert (ended.status, left) == (DeploymentStatus.REFUSED, [])
    assert ended.error is not None
    assert [d["name"] for d in ended.error["details"]] == ["checklist:a", "checklist:b"]
    assert {d["code"] for d in ended.error["details"]} == {"checklist_failed"}


def stops_and_removals(made: Crash) -> list[str]:
    return [call[0] for call in made.world.engine.calls if call[0] in ("stop", "kill", "remove")]


@pytest.mark.parametrize("service", ["windlass-test-1", "windlass-release-1"])
def test_windlass_is_killed_while_one_runs(service: str) -> None:
    """It is told to end before it is taken away, and is not begun again."""
    with world_where(service, None) as made:
        before = f"shop-g2-{service}-1"
        build_and_act(made, before)
        running = [n for n, s in made.world.states().items() if s == "running" and n == before]
        made.world.engine.calls.clear()
        made.take_up()
        assert promises_broken(made, DeploymentStatus.FAILED) == []
        assert running == [before]
        assert begun(made.world)[before] == 1
        assert stops_and_removals(made)[:2] == ["stop", "remove"]


def test_one_that_hangs_is_stopped_when_its_time_is_over() -> None:
    settings = "release: [{service: web, command: [d], within: 1s}]"
    with world_where("windlass-release-1", None, Case(SHOP, SHOP, settings=settings)) as made:
        build_and_act(made)
        ended = made.world.store.deployments.get("second")
        assert promises_broken(made, DeploymentStatus.FAILED) == []
        assert begun(made.world) == {RELEASE: 1}
    assert ended.error is not None
    assert ended.error["code"] == "job_timeout"


def test_what_it_says_is_told_while_it_runs() -> None:
    """Its lines are in the journal before it ends, without control sequences."""
    settings = "release: [{service: web, command: [alembic, upgrade, head]}]"
    with world_where("windlass-release-1", None, Case(SHOP, SHOP, settings=settings)) as made:
        engine, told = made.world.engine, threading.Event()

        def speak() -> None:
            while not told.is_set():
                found = [c for c in list(engine.all.values()) if c.now.name == RELEASE and c.now.state == "running"]
                if found:
                    engine.write(found[0].now.id, "\x1b[31mtable users altered")
                    lines = [e for e in made.world.store.events.after(0, app="shop") if e.kind == "line"]
                    while not [e for e in lines if "altered" in e.data["text"]]:
                        lines = [e for e in made.world.store.events.after(0, app="shop") if e.kind == "line"]
                    told.set()
                    engine.end(found[0].now.id, 0)

        speaker = threading.Thread(target=speak)
        speaker.start()
        build_and_act(made)
        told.set()
        speaker.join()
        assert promises_broken(made, DeploymentStatus.LIVE) == []
        lines = [e.data for e in made.world.store.events.after(0, app="shop") if e.kind == "line"]
    assert [(d["service"], d["text"]) for d in lines] == [("release: alembic upgrade head", "table users altered")]
