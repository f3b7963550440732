"""Carries the smoke steps of a release out, one after another, and tells of each what was wanted and what came."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from windlass.domain.answers import is_wanted, saved_from, told_wish, waits_for_message, wrong_with
from windlass.domain.errors import OutOfReach, WindlassError
from windlass.domain.fronts import netloc_of, route_at
from windlass.domain.parts import containers_of
from windlass.domain.plan import Operation, Proof, Watch
from windlass.domain.smoke import SmokeStep, message_for, visit_for
from windlass.ports.engine import Container
from windlass.ports.visitor import Patience, Unanswered
from windlass.usecases.control import Control
from windlass.usecases.gates import ContainerFailed, Fault, failure
from windlass.usecases.routes import default_host
from windlass.usecases.undertaking import Undertaking

AGAIN_S = 0.5
CODE = "smoke_failed"

CarryOut = Callable[[Undertaking, Operation], None]


class Over(Exception):
    """The watch has ended for another reason; nobody waits for this step any more."""


class Hurried:
    """The control of what must end as soon as the watch is over."""

    def __init__(self, control: Control, over: threading.Event) -> None:
        self._control = control
        self._over = over

    def check(self) -> None:
        if self._over.is_set():
            raise Over
        self._control.check()

    def check_lease(self) -> None:
        self._control.check_lease()


@dataclass
class Round:
    """The steps of one watch on their way. `saved`: what earlier steps kept for later ones."""

    work: Undertaking
    wanted: Watch
    carry_out: CarryOut
    over: threading.Event
    saved: dict[str, Any] = field(default_factory=dict)
    number: int = 0


def pass_steps(round_: Round) -> None:
    """Returns when all have passed, or when the watch is over. Raises ContainerFailed, and OutOfReach of the engine."""
    for proof in round_.wanted.steps:
        if round_.over.is_set():
            return
        round_.number += 1
        began = round_.work.outside.clock.monotonic()
        _tell(round_, proof.step, "running", 0.0)
        error = _attempt(round_, proof)
        seconds = round(round_.work.outside.clock.monotonic() - began, 3)
        if error is None and round_.over.is_set():
            return
        _tell(
            round_, proof.step, "failed" if error else "ok", seconds, str(error.report["smoke"]["why"]) if error else ""
        )
        if error is not None:
            error.report["smoke"] |= {"seconds": seconds}
            raise error


def _attempt(round_: Round, proof: Proof) -> ContainerFailed | None:
    try:
        return _command(round_, proof) if proof.operations else _request(round_, proof.step)
    except Over:
        return None


def _tell(round_: Round, step: SmokeStep, state: str, seconds: float, why: str = "") -> None:
    words = {"running": "…", "ok": "ok", "failed": f"failed: {why}"}[state]
    data: dict[str, Any] = {
        "step": "verify",
        "name": step.title,
        "number": round_.number,
        "of": len(round_.wanted.steps),
        "status": state,
        "text": f"{step.title}: {words}",
    }
    round_.work.note("smoke", data | ({"seconds": seconds} if state != "running" else {}))


def _failed(round_: Round, step: SmokeStep, why: str, report: dict[str, Any]) -> ContainerFailed:
    smoke = {"name": step.title, "number": round_.number, "of": len(round_.wanted.steps), "why": why}
    return ContainerFailed(
        f"the smoke step {step.title!r} failed: {why}", CODE, {"app": round_.work.app, **report, "smoke": smoke}
    )


# --- requests and WebSockets -----------------------------------------------------------------------------------------


def _request(round_: Round, step: SmokeStep) -> ContainerFailed | None:
    """Tried again for as long as the step says, and never beyond its time."""
    clock = round_.work.outside.clock
    began = clock.monotonic()
    while True:
        left = step.within_s - (clock.monotonic() - began)
        why = _ask(round_, step, max(left, 0.001))
        spent = clock.monotonic() - began
        if not why or round_.over.is_set():
            return None
        if spent + AGAIN_S >= min(step.retry_s, step.within_s):
            return _failed(round_, step, why, _asked(round_, step))
        round_.over.wait(AGAIN_S)


def _ask(round_: Round, step: SmokeStep, left_s: float) -> str:
    """ "" when the step has passed."""
    work = round_.work
    host = step.host or next(iter(round_.wanted.front.hosts), "")
    folder = str(work.outside.trees.source(work.app, round_.wanted.release))
    visit = visit_for(step, netloc_of(host, work.outside.http_port), round_.saved, folder)
    patience = Patience(min(step.expected.within_s, left_s), round_.over.is_set)
    try:
        if step.is_websocket:
            enough = (
                (lambda text: is_wanted(step.expected, text, round_.saved))
                if waits_for_message(step.expected)
                else None
            )
            work.outside.visitor.converse(visit, message_for(step, round_.saved), enough, patience)
            return ""
        answer = work.outside.visitor.visit(visit, patience)
    except Unanswered as error:
        return f"wanted {told_wish(step.expected, round_.saved)}, {error}" if step.is_websocket else str(error)
    wrong = wrong_with(step.expected, answer, round_.saved)
    if wrong:
        return wrong
    found, wrong = saved_from(step, answer)
    round_.saved |= found
    return wrong


def _asked(round_: Round, step: SmokeStep) -> dict[str, Any]:
    """The part of the report about the service that answered, or should have."""
    work, snapshot = round_.work, round_.work.snapshot(round_.wanted.release)
    default = default_host(snapshot.app, work.outside.domain)
    host = step.host or next(iter(round_.wanted.front.hosts), "")
    route = route_at(snapshot.routes, host, step.path, default)
    part = snapshot.parts.get(route.service) if route else None
    if part is None:
        return {}
    name = containers_of(snapshot, part)[0]
    return failure(work, Fault(part.name, name, CODE, "")).report


# --- commands --------------------------------------------------------------------------------------------------------


def _command(round_: Round, proof: Proof) -> ContainerFailed | None:
    """Raises Over, OutOfReach. What it leaves is taken away also when it failed; that is not waited for then."""
    work = replace(round_.work, control=Hurried(round_.work.control, round_.over))
    try:
        for operation in proof.operations:
            work.control.check()
            round_.carry_out(work, operation)
    except OutOfReach:
        raise
    except ContainerFailed as error:
        return None if round_.over.is_set() else _failed(round_, proof.step, error.message, dict(error.report))
    except WindlassError as error:
        return _failed(round_, proof.step, error.message, {})
    for operation in proof.after:
        round_.carry_out(round_.work, operation)
    return None


def end_commands(work: Undertaking, wanted: Watch) -> None:
    """Kill what a command still does, so that whoever waits for it stops waiting."""
    snapshot = work.snapshot(wanted.release)
    for proof in wanted.steps:
        part = snapshot.parts.get(proof.step.task)
        if part is not None:
            with suppress(WindlassError):
                _kill(work, work.find(containers_of(snapshot, part)[0]))


def _kill(work: Undertaking, container: Container | None) -> None:
    if container is not None and container.state == "running":
        work.outside.engine.kill(container.id)


def clear_commands(work: Undertaking, wanted: Watch, carry_out: CarryOut) -> None:
    """Take away what commands left behind."""
    for operation in (o for proof in wanted.steps for o in proof.after):
        with suppress(WindlassError):
            carry_out(work, operation)
