"""The step after the switch: what is asked, what is watched, and how either of them takes the new version back."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from tests.usecases.test_crash_points import FRONT, Case, crash
from tests.usecases.worlds import SHOP, World

from windlass.domain.answers import Answer
from windlass.domain.errors import OutOfReach
from windlass.domain.plan import CountAnswers, HoldNetwork, Reached, RunTask, Watch
from windlass.domain.planner import Situation, plan_deployment
from windlass.domain.smoke import Visit
from windlass.ports.visitor import Patience, Unanswered
from windlass.usecases.control import CancelRequested, Control
from windlass.usecases.execute import carry_out, execute
from windlass.usecases.gates import ContainerFailed
from windlass.usecases.slots import Unhurried
from windlass.usecases.undertaking import Undertaking, load_kept

ITEMS = """
verify:
  steps:
    - {post: /items, json: {a: 1}, host: shop.localhost, expect: {status: 201}, save: {id: data.id}}
    - {get: "/items/{id}", expect: {json: {data: {a: 1}}}}
    - {websocket: /ws, send: "hello {id}", expect: {text: hello 7}}
"""
CHECK = "verify: {steps: [{run: [check, $WINDLASS_APP_URL], service: web, within: 30s}]}"


@contextmanager
def switched(settings: str = "", bake_s: float = 0.0) -> Iterator[tuple[World, Undertaking, Watch]]:
    """Release 2 of the shop serves, release 1 is warm behind it; `verify` is still to come."""
    with crash(Case(SHOP, SHOP, settings=settings)) as made:
        world = made.world
        plan = load_kept(world.outside, "shop", 2).plan
        assert plan is not None

        def note(kind: str, data: Mapping[str, Any]) -> None:
            world.notes.append((kind, data))

        work = Undertaking(world.outside, "shop", "second", Unhurried(), note)
        for name in ("base", "release", "start", "switch"):
            execute(work, plan.step(name).operations)
        (watch,) = plan.step("verify").operations
        assert isinstance(watch, Watch)
        world.notes.clear()
        yield world, work, replace(watch, seconds=bake_s)


def answer(visit: Visit, patience: Patience) -> Answer:
    if visit.method == "POST":
        return Answer(201, (), b'{"data": {"id": 7}}')
    return Answer(200, (), b'{"data": {"a": 1}}')


def told(world: World) -> list[tuple[str, str]]:
    return [(data["name"], data["status"]) for kind, data in world.notes if kind == "smoke"]


def test_steps_pass_one_after_another_and_hand_on_what_they_save() -> None:
    with switched(ITEMS) as (world, work, watch):
        world.visitor.answer = answer
        carry_out(work, watch)
        assert [(v.method, v.target, v.host) for v in world.visitor.asked] == [
            ("POST", "/items", "shop.localhost"),
            ("GET", "/items/7", "shop.localhost"),
            ("WEBSOCKET", "/ws", "shop.localhost"),
        ]
        assert told(world)[1::2] == [("post /items", "ok"), ("get /items/{id}", "ok"), ("websocket /ws", "ok")]


def test_the_first_that_fails_ends_it() -> None:
    with switched(ITEMS) as (world, work, watch):
        world.visitor.answer = lambda visit, patience: Answer(201, (), b'{"data": {"id": 7, "a": 2}}')
        with pytest.raises(ContainerFailed) as failure:
            carry_out(work, watch)
        error = failure.value
        assert (error.code, error.exit_code) == ("smoke_failed", 4)
        assert error.message == "the smoke step 'get /items/{id}' failed: data.a: wanted 1, got 2"
        assert error.report["smoke"] == {
            "name": "get /items/{id}", "number": 2, "of": 3, "why": "data.a: wanted 1, got 2",
            "seconds": error.report["smoke"]["seconds"],
        }  # fmt: skip
        assert (error.report["service"], error.report["container"]) == ("web", "shop-g2-web-1")
        assert told(world)[-1] == ("get /items/{id}", "failed")
        assert len(world.visitor.asked) == 2


def test_a_websocket_that_says_something_else() -> None:
    with switched(ITEMS) as (world, work, watch):
        world.visitor.answer = answer
        world.visitor.messages = lambda message: ["bye"]
        with pytest.raises(ContainerFailed, match='wanted a message with "hello 7", got "bye"'):
            carry_out(work, watch)


RETRIED = "verify: {steps: [{get: /, retry_for: %s, within: %s}]}"


@pytest.mark.parametrize(
    ("retry_for", "within", "fails"), [("0s", "30s", True), ("20s", "30s", False), ("20s", "1s", True)]
)
def test_a_step_is_tried_again_for_its_time(retry_for: str, within: str, fails: bool) -> None:
    with switched(RETRIED % (retry_for, within)) as (world, work, watch):
        answers = iter([Answer(503)] * 3 + [Answer(200)] * 10)
        world.visitor.answer = lambda visit, patience: next(answers)
        if fails:
            with pytest.raises(ContainerFailed, match="got 503"):
                carry_out(work, watch)
        else:
            carry_out(work, watch)
            assert len(world.visitor.asked) == 4


def test_a_request_has_the_time_of_its_answer_and_no_more_than_the_steps() -> None:
    settings = "verify: {steps: [{get: /a, expect: {within: 2s}}, {get: /b, within: 3s}, {get: /c}]}"
    with switched(settings) as (world, work, watch):
        limits: list[float] = []

        def slow(visit: Visit, patience: Patience) -> Answer:
            limits.append(patience.within_s)
            return Answer(200)

        world.visitor.answer = slow
        carry_out(work, watch)
        assert [round(limit) for limit in limits] == [2, 3, 30]


# --- commands --------------------------------------------------------------------------------------------------------


def container(world: World, name: str) -> Any:
    return next((c for c in world.engine.all.values() if c.now.name == name), None)


def test_a_command_runs_where_the_edge_is_reached_before_it_begins() -> None:
    with switched(CHECK) as (world, work, watch):
        carry_out(work, watch)
        assert len(world.visitor.reached_before) == 1
        assert world.visitor.reaching == []
        started = [e.name for e in world.engine.past if e.action == "start" and "verify" in e.name]
        assert started == ["shop-g2-windlass-verify-1-net", "shop-g2-windlass-verify-1-1"]
        assert not [n for n in world.states() if "verify" in n]


def test_the_plan_of_a_command() -> None:
    with switched(CHECK) as (_, _, watch):
        (proof,) = watch.steps
        kinds = [type(operation) for operation in proof.operations]
        assert kinds.index(HoldNetwork) < kinds.index(Reached)
        reached = proof.operations[-1]
        assert isinstance(reached, Reached)
        assert reached.operations == (RunTask(2, "windlass-verify-1"),)
        hold = next(o for o in proof.operations if isinstance(o, HoldNetwork))
        assert hold.hosts == FRONT.hosts


def test_a_network_that_cannot_be_entered_is_told() -> None:
    with switched(CHECK) as (world, work, watch):
        world.outside.outposts.closed = "windlass does not run as root"  # type: ignore[attr-defined]
        carry_out(work, watch)
        assert world.visitor.reached_before == []
        assert any("windlass does not run as root" in data["text"] for kind, data in world.notes if kind == "warning")


def test_a_command_that_fails_is_reported_with_its_last_lines() -> None:
    with switched(CHECK) as (world, work, watch):
        start = world.engine.start

        def failing(ref: str) -> None:
            start(ref)
            if world.engine.all[ref].now.name.endswith("verify-1-1"):
                world.engine.write(ref, "no audio stream")
                world.engine.end(ref, 4)

        world.outside.compose.ending.clear()  # type: ignore[attr-defined]
        world.engine.start = failing  # type: ignore[method-assign]
        with pytest.raises(ContainerFailed) as failure:
            carry_out(work, watch)
        assert failure.value.code == "smoke_failed"
        assert "ended with exit code 4" in failure.value.message
        assert failure.value.report["log"] == ["no audio stream"]
        assert failure.value.report["smoke"]["number"] == 1


# --- all at once -----------------------------------------------------------------------------------------------------


def long_command(world: World) -> None:
    """The command never ends by itself."""
    world.outside.compose.ending.clear()  # type: ignore[attr-defined]


def soon(world: World, what: Any) -> threading.Thread:
    """Once the command runs."""

    def act() -> None:
        while container(world, "shop-g2-windlass-verify-1-1") is None or (
            container(world, "shop-g2-windlass-verify-1-1").now.state != "running"
        ):
            time.sleep(0.01)
        what()

    thread = threading.Thread(target=act)
    thread.start()
    return thread


def test_a_crash_ends_a_step_under_way() -> None:
    with switched(CHECK, 60.0) as (world, work, watch):
        long_command(world)
        thread = soon(world, lambda: world.engine.end(container(world, "shop-g2-web-1").now.id, 3))
        with pytest.raises(ContainerFailed) as failure:
            carry_out(work, watch)
        thread.join()
        assert failure.value.code == "crashed"
        assert container(world, "shop-g2-windlass-verify-1-1").now.state == "exited"
        assert ("run check $WINDLASS_APP_URL", "failed") not in told(world)


class Cancelled:
    """A control that is told to cancel."""

    def __init__(self) -> None:
        self.now = False

    def check(self) -> None:
        if self.now:
            raise CancelRequested("second")

    def check_lease(self) -> None: ...


def test_cancelling_ends_a_step_under_way() -> None:
    with switched(CHECK, 60.0) as (world, work, watch):
        long_command(world)
        cancelled = Cancelled()
        control: Control = cancelled
        thread = soon(world, lambda: setattr(cancelled, "now", True))
        with pytest.raises(CancelRequested):
            carry_out(replace(work, control=control), watch)
        thread.join()
        assert container(world, "shop-g2-windlass-verify-1-1").now.state == "exited"


def test_a_failed_step_ends_a_long_bake() -> None:
    with switched(ITEMS, 60.0) as (world, work, watch):
        world.visitor.answer = lambda visit, patience: Answer(500)
        with pytest.raises(ContainerFailed, match="got 500"):
            carry_out(work, watch)


def test_the_bake_goes_on_until_slow_steps_are_over_and_sees_probes_fail() -> None:
    with switched("verify: {steps: [{get: /}]}") as (world, work, watch):
        release = threading.Event()

        def slow(visit: Visit, patience: Patience) -> Answer:
            while not patience.stop():
                release.wait(0.01)
            raise Unanswered("stopped")

        world.visitor.answer = slow
        world.prober.unready = lambda address: address == world.address("shop-g2-web-1")
        with pytest.raises(ContainerFailed) as failure:
            carry_out(work, watch)
        assert failure.value.code == "probe_failed"


def test_an_engine_that_goes_away_is_no_failed_step() -> None:
    with switched(CHECK, 60.0) as (world, work, watch):
        long_command(world)
        thread = soon(world, lambda: setattr(world.engine, "away", True))
        with pytest.raises(OutOfReach):
            carry_out(work, watch)
        thread.join()


# --- errors ----------------------------------------------------------------------------------------------------------


def counting(world: World, per_look: int, errors: int) -> None:
    """Each time the edge is asked, it has answered so many more."""
    edge, answered = world.edge, world.edge.answered

    def count() -> Mapping[str, Mapping[int, int]]:
        by = edge.counts.setdefault("shop-web-r2", {200: 0, 500: 0})
        by[200] += per_look - errors
        by[500] += errors
        return answered()

    edge.answered = count  # type: ignore[method-assign]


def test_one_in_twenty_is_taken_back() -> None:
    with switched("", 8.0) as (world, work, watch):
        world.edge.counts["shop-web-r1"] = {200: 1000}
        counting(world, 100, 5)
        with pytest.raises(ContainerFailed) as failure:
            carry_out(work, watch)
        error = failure.value
        assert error.code == "error_rate"
        assert (
            "web answered 10 of 200 requests with errors (5.0%: 10× 500); before it 0 of 1000 (0.0%)" in error.message
        )
        assert error.report["errors"]["codes"] == {"500": 10}
        assert error.report["container"] == "shop-g2-web-1"


@pytest.mark.parametrize(
    ("per_look", "errors", "old"),
    [(100, 0, {200: 1000}), (1000, 1, {200: 1000}), (100, 5, {200: 950, 500: 50})],
    ids=["none", "a few", "as before"],
)
def test_others_are_not(per_look: int, errors: int, old: dict[int, int]) -> None:
    with switched("", 1.0) as (world, work, watch):
        world.edge.counts["shop-web-r1"] = old
        counting(world, per_look, errors)
        carry_out(work, watch)


def test_the_old_version_is_measured_from_the_beginning_of_the_deployment() -> None:
    with switched("", 1.0) as (world, work, watch):
        world.edge.counts["shop-web-r1"] = {200: 100_000}
        carry_out(work, CountAnswers())
        world.edge.counts["shop-web-r1"] = {200: 100_900, 500: 100}
        counting(world, 100, 10)
        carry_out(work, watch)


def test_an_edge_that_does_not_count_is_no_reason_to_go_back() -> None:
    def away() -> Mapping[str, Mapping[int, int]]:
        raise OutOfReach("the edge does not answer")

    with switched("", 0.5) as (world, work, watch):
        world.edge.answered = away  # type: ignore[method-assign]
        carry_out(work, CountAnswers())
        carry_out(work, watch)
        assert work.answered == {}


def test_a_first_release_is_compared_with_nothing() -> None:
    with switched() as (world, _, _):
        new = load_kept(world.outside, "shop", 2).snapshot
        plan = plan_deployment(Situation(new, None, front=FRONT))
        (watch,) = plan.step("verify").operations
        assert isinstance(watch, Watch)
        assert watch.previous is None
        assert CountAnswers() not in plan.step("base").operations


def test_a_rollback_is_watched_and_asked_nothing() -> None:
    with switched(ITEMS) as (world, _, _):
        new, old = (load_kept(world.outside, "shop", n).snapshot for n in (2, 1))
        (watch,) = plan_deployment(Situation(new, old, again=True, front=FRONT)).step("verify").operations
        assert isinstance(watch, Watch)
        assert (watch.steps, watch.previous, bool(watch.probes)) == ((), 1, True)


def test_nothing_is_done_when_it_is_to_be_skipped() -> None:
    with switched(ITEMS) as (world, _, _):
        new, old = (load_kept(world.outside, "shop", n).snapshot for n in (2, 1))
        plan = plan_deployment(Situation(new, old, skip_verify=True, front=FRONT))
        assert plan.step("verify").operations == ()
