"""The step after the switch: watches the new version, asks it what windlass.yaml says, and compares its errors."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

from windlass.domain.errorrate import Counts, ErrorWatch, Verdict, old_tallies
from windlass.domain.errors import OutOfReach
from windlass.domain.parts import containers_of
from windlass.domain.plan import CountAnswers, Watch
from windlass.domain.release import Probe, ProbeKind
from windlass.ports.engine import Container, EngineEvent
from windlass.usecases.gates import Fault, address_of, crashed, describe, failure
from windlass.usecases.smoke import CarryOut, Round, end_commands, pass_steps
from windlass.usecases.undertaking import Undertaking

BAKE_MISSES = 3
LOOK_EVERY_S = 0.5
UNDECLARED_EVERY = 4
TURN_S = 0.25
END_S = 3.0  # for a step that is in the middle of something
COUNT_EVERY_S = 1.0
COUNTS_IN_BAKE = 8
NEWS_TURNS, NEWS_TURN_S = 10, 0.05

Deaths = dict[str, EngineEvent]


def count_answers(work: Undertaking, _: CountAnswers) -> None:
    """Without the counts the old version is measured by all that it has ever answered."""
    work.answered = _answered(work) or {}


def verify(work: Undertaking, wanted: Watch, carry_out: CarryOut) -> None:
    """Until the bake is over and all steps have passed; raises what the first of the watchers found, at once."""
    if wanted.seconds <= 0 and not wanted.steps:
        return
    over = threading.Event()
    errors = _Errors(work, wanted)
    round_ = Round(work, wanted, carry_out, over)
    deaths: Deaths = {}
    watchers = [
        lambda: _listen(work, wanted, deaths, over),
        lambda: _look(work, wanted, deaths, over),
        lambda: errors.watch(over),
    ]
    with _at_work([*watchers, lambda: pass_steps(round_)]) as (found, futures):
        try:
            _await(work, wanted.seconds, found, futures[-1])
            errors.look()
        except BaseException:
            over.set()
            end_commands(work, wanted)
            wait(futures[-1:], END_S)
            raise
        over.set()


@contextmanager
def _at_work(
    jobs: list[Callable[[], None]],
) -> Iterator[tuple[queue.SimpleQueue[Future[None]], list[Future[None]]]]:
    """All at once in threads, which are not waited for; each is put into the queue when it ends."""
    pool = ThreadPoolExecutor(len(jobs), "verify")
    ended: queue.SimpleQueue[Future[None]] = queue.SimpleQueue()
    futures = [pool.submit(job) for job in jobs]
    for future in futures:
        future.add_done_callback(ended.put)
    try:
        yield ended, futures
    finally:
        pool.shutdown(wait=False)


def _await(work: Undertaking, seconds: float, ended: queue.SimpleQueue[Future[None]], steps: Future[None]) -> None:
    clock = work.outside.clock
    end = clock.monotonic() + seconds
    while clock.monotonic() < end or not steps.done():
        work.control.check()
        left = end - clock.monotonic()
        with suppress(queue.Empty):
            ended.get(timeout=min(TURN_S, left) if left > 0 else TURN_S).result()
    with suppress(queue.Empty):
        while True:
            ended.get_nowait().result()


# --- probes and crashes ----------------------------------------------------------------------------------------------


def _listen(work: Undertaking, wanted: Watch, deaths: Deaths, over: threading.Event) -> None:
    """A container that dies fails the deployment the moment the engine says so."""
    services = _services(work, wanted)
    labels = {"windlass.instance": work.outside.instance, "windlass.app": work.app}
    try:
        for event in work.outside.engine.events(labels, work.outside.clock.now(), over.is_set):
            if event.kind == "container" and event.action in ("die", "oom") and event.name in services:
                deaths.setdefault(event.name, event)
                found = _as_it_died(work.container(event.name), event)
                raise crashed(work, services[event.name], found, "during the bake")
    except OutOfReach:
        return  # the look every half second finds what is wrong


def _services(work: Undertaking, wanted: Watch) -> Mapping[str, str]:
    return {name: work.container(name).labels.get("windlass.service", name) for name, _ in wanted.probes}


def _as_it_died(container: Container, event: EngineEvent | None) -> Container:
    """The engine may have restarted it by now, and then says 0."""
    if event is None or event.exit_code is None:
        return container
    return replace(container, exit_code=event.exit_code, state="exited")


def _event_of(name: str, deaths: Deaths) -> EngineEvent | None:
    """What the engine said when it died; it may be about to be read."""
    patience = threading.Event()
    for _ in range(NEWS_TURNS):
        if name in deaths:
            break
        patience.wait(NEWS_TURN_S)
    return deaths.get(name)


def _look(work: Undertaking, wanted: Watch, deaths: Deaths, over: threading.Event) -> None:
    services = _services(work, wanted)
    starts = {name: work.container(name).started_at for name, _ in wanted.probes}
    misses: dict[str, int] = {}
    looks = 0
    while not over.is_set():
        for name, probe in wanted.probes:
            container = work.container(name)
            if container.state != "running" or container.started_at != starts[name]:
                found = _as_it_died(container, _event_of(name, deaths))
                raise crashed(work, services[name], found, "during the bake")
            _ask(work, container, services[name], probe if looks % UNDECLARED_EVERY == 0 else _declared(probe), misses)
            if over.is_set():
                return
        looks += 1
        over.wait(LOOK_EVERY_S)


def _declared(probe: Probe) -> Probe:
    """A page that nobody named as a probe may count its visitors: it is asked more seldom."""
    return replace(probe, checks=tuple(c for c in probe.checks if c.declared or c.kind is not ProbeKind.HTTP))


def _ask(work: Undertaking, container: Container, service: str, probe: Probe, misses: dict[str, int]) -> None:
    quick = [c for c in probe.checks if c.kind in (ProbeKind.HTTP, ProbeKind.TCP)]
    answers = [(c, work.outside.prober.ask(c, address_of(work, container))) for c in quick]
    bad = [(c, a) for c, a in answers if a]
    if bad:
        work.outside.tally.add("probe_failures", "bake")
    if quick:
        misses[container.name] = misses.get(container.name, 0) + 1 if bad else 0
    if misses.get(container.name, 0) >= BAKE_MISSES:
        message = f"{service} stopped being ready: {bad[0][1]}"
        raise failure(work, Fault(service, container.name, "probe_failed", message, describe(*bad[0])), container)


# --- errors ----------------------------------------------------------------------------------------------------------


def _answered(work: Undertaking) -> Counts | None:
    """None when the edge does not say."""
    try:
        return work.outside.edge.answered()
    except OutOfReach:
        return None


class _Errors:
    """Compares what the new version answers with what the old one did; without an old one there is nothing to do."""

    def __init__(self, work: Undertaking, wanted: Watch) -> None:
        self._work = work
        self._wanted = wanted
        self._one_at_a_time = threading.Lock()
        self._watch: ErrorWatch | None = None
        self._pause_s = min(COUNT_EVERY_S, max(0.1, wanted.seconds / COUNTS_IN_BAKE))
        counts = _answered(work)
        if counts is not None and wanted.previous is not None:
            old = old_tallies(counts, work.answered, work.app, wanted.routed, wanted.previous)
            self._watch = ErrorWatch(work.app, wanted.release, old)
            self._watch.look(counts)

    def watch(self, over: threading.Event) -> None:
        while self._watch is not None and not over.wait(self._pause_s):
            self.look()

    def look(self) -> None:
        """Raises ContainerFailed when the new version is worse."""
        if self._watch is None:
            return
        counts = _answered(self._work)
        with self._one_at_a_time:
            verdict = self._watch.look(counts) if counts is not None else None
        if verdict is not None:
            raise self._worse(verdict)

    def _worse(self, verdict: Verdict) -> Exception:
        snapshot = self._work.snapshot(self._wanted.release)
        name = containers_of(snapshot, snapshot.parts[verdict.service])[0]
        error = failure(self._work, Fault(verdict.service, name, "error_rate", verdict.message))
        errors: dict[str, Any] = verdict.as_dict()
        error.report |= {"errors": errors}
        return error
