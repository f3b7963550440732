"""Waiting for containers: the gate before a switch, one-shot jobs, and the bake after it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from windlass.domain.errors import Conflict, Failed, NotFound, OutOfReach
from windlass.domain.plan import Gate, RunJob
from windlass.domain.release import Check, ProbeKind
from windlass.ports.engine import Container, ExecOptions
from windlass.usecases.undertaking import Undertaking

PAUSE_S = 0.05
EXEC_PAUSE_S = 0.2
LOOK_S = 0.15
TAIL = 10
BAKE_MISSES = 3
LOOK_EVERY_S = 0.5
UNDECLARED_EVERY = 4


class ContainerFailed(Failed):
    """A container ended, restarted or did not pass its probe. `report` is the 3 a.m. screen's part about it."""

    def __init__(self, message: str, code: str, report: Mapping[str, Any]) -> None:
        super().__init__(message, code=code, hint=f"windlass events {str(report.get('app', '')).replace('--', '@')}")
        self.report = dict(report)


@dataclass
class Candidate:
    """A container on its way through its probe."""

    name: str
    id: str
    address: str
    restarts: int
    answer: str = "not asked yet"


def gate(work: Undertaking, wanted: Gate) -> None:
    """Every container passes every check of the probe before `within_s`; one that ends fails at once."""
    clock = work.outside.clock
    deadline = clock.monotonic() + wanted.probe.within_s
    for name in wanted.containers:
        candidate = _candidate(work, name)
        for check in wanted.probe.checks:
            _pass(work, wanted, candidate, check, deadline)
        _still_runs(work, wanted.service, candidate)
        work.note("health", {"service": wanted.service, "container": name, "state": "ready"})


def _candidate(work: Undertaking, name: str) -> Candidate:
    container = work.container(name)
    return Candidate(name, container.id, address_of(work, container), container.restarts)


def address_of(work: Undertaking, container: Container) -> str:
    """Where this machine reaches it: the first network by name, as the engine orders them; loopback for host mode."""
    if container.addresses:
        ordered = sorted((n, a) for n, a in container.addresses.items() if a)
        if ordered:
            return ordered[0][1]
    peer = container.labels.get("windlass.peer", "")
    if peer:
        return address_of(work, work.container(peer))
    return "127.0.0.1"


def _pass(work: Undertaking, wanted: Gate, candidate: Candidate, check: Check, deadline: float) -> None:
    clock = work.outside.clock
    since = clock.monotonic()
    looked = 0.0
    while True:
        work.control.check()
        now = clock.monotonic()
        if now - looked >= LOOK_S:
            _still_runs(work, wanted.service, candidate)
            looked = now
        candidate.answer = _ask(work, candidate, check, now - since)
        if not candidate.answer:
            return
        work.outside.tally.add("probe_failures", "start")
        if clock.monotonic() >= deadline:
            told = describe(check, candidate.answer)
            message = f"{wanted.service} was not ready within {wanted.probe.within_s:g} s: {candidate.answer}"
            raise failure(work, Fault(wanted.service, candidate.name, "probe_timeout", message, told))
        clock.sleep(EXEC_PAUSE_S if check.kind is ProbeKind.EXEC else PAUSE_S)


def _ask(work: Undertaking, candidate: Candidate, check: Check, elapsed: float) -> str:
    if check.kind is ProbeKind.UPTIME:
        return "" if elapsed >= check.seconds else f"up {elapsed:.0f} of {check.seconds:g} s"
    if check.kind is not ProbeKind.EXEC:
        return work.outside.prober.ask(check, candidate.address)
    argv = ("/bin/sh", "-c", *check.command) if check.shell else check.command
    try:
        result = work.outside.engine.exec(candidate.id, argv, ExecOptions(timeout_s=max(check.timeout_s, 1.0)))
    except TimeoutError:
        return f"the healthcheck took longer than {check.timeout_s:g} s"
    except Failed as error:
        return error.message
    except NotFound:
        return "the container is gone"
    return (
        ""
        if result.exit_code == 0
        else f"the healthcheck ended with {result.exit_code}: {result.output[-200:].strip()}"
    )


def describe(check: Check, answer: str) -> str:
    """One line on what was asked and what came back."""
    asked = {
        ProbeKind.HTTP: f"GET {check.path} on port {check.port}",
        ProbeKind.TCP: f"connect to port {check.port}",
        ProbeKind.EXEC: "the healthcheck's command",
        ProbeKind.UPTIME: f"{check.seconds:g} s without a restart",
    }[check.kind]
    return f"{asked}: {answer}" if answer else f"{asked}: ready"


def _still_runs(work: Undertaking, service: str, candidate: Candidate) -> None:
    try:
        container = work.outside.engine.container(candidate.id)
    except NotFound:
        raise failure(work, Fault(service, candidate.name, "container_gone", f"{candidate.name} is gone")) from None
    if container.state in ("running", "created") and container.restarts <= candidate.restarts:
        return
    raise crashed(work, service, container, candidate.answer)


def crashed(work: Undertaking, service: str, container: Container, probe: str) -> ContainerFailed:
    """The error for a container that ended or restarted."""
    why = (
        "was killed for using too much memory"
        if container.oom_killed
        else f"ended with exit code {container.exit_code}"
    )
    if container.restarts and container.state == "running":
        why = f"crashed and was restarted {container.restarts}×"
    return failure(work, Fault(service, container.name, "crashed", f"{service} {why}", probe), container)


@dataclass(frozen=True)
class Fault:
    """What went wrong with a container: for `failure`."""

    service: str
    name: str
    code: str
    message: str
    probe: str = ""


def failure(work: Undertaking, fault: Fault, container: Container | None = None) -> ContainerFailed:
    """The error, with what the container itself says."""
    found = container or work.find(fault.name)
    report: dict[str, Any] = {
        "app": work.app,
        "service": fault.service,
        "container": fault.name,
        "probe": fault.probe,
        "log": [],
    }
    if found is not None:
        ended = found.state in ("exited", "dead")
        report |= {"exit_code": found.exit_code if ended else None, "oom": found.oom_killed, "state": found.state}
        report["log"] = last_lines(work, found.id)
    return ContainerFailed(fault.message, fault.code, report)


def last_lines(work: Undertaking, ref: str, count: int = TAIL) -> list[str]:
    try:
        return [line.text for line in work.outside.engine.logs(ref, tail=count)]
    except (NotFound, OutOfReach, Conflict):  # it is gone, or its log driver keeps nothing to read
        return []


def run_job(work: Undertaking, wanted: RunJob) -> None:
    """Wait for its end; anything but exit 0 fails, and so does the time limit."""
    container = await_end(work, wanted.container, wanted.within_s)
    if container is None:
        work.outside.engine.kill(work.container(wanted.container).id)
        message = f"the job {wanted.service} did not end within {wanted.within_s:g} s"
        raise failure(work, Fault(wanted.service, wanted.container, "job_timeout", message))
    if container.exit_code != 0 and wanted.optional:
        text = f"the job {wanted.service} ended with exit code {container.exit_code}; nothing requires it"
        work.note("warning", {"service": wanted.service, "text": text})
        return
    if container.exit_code != 0:
        message = f"the job {wanted.service} ended with exit code {container.exit_code}"
        raise failure(work, Fault(wanted.service, wanted.container, "job_failed", message), container)
    work.note("health", {"service": wanted.service, "container": wanted.container, "state": "done"})


def await_end(work: Undertaking, name: str, within_s: float) -> Container | None:
    """The container when it has ended; None when its time is over, and it still runs."""
    deadline = work.outside.clock.monotonic() + within_s
    container = work.container(name)
    while container.state not in ("exited", "dead"):
        work.control.check()
        left = deadline - work.outside.clock.monotonic()
        if left <= 0:
            return None
        with suppress(TimeoutError):
            work.outside.engine.wait(container.id, min(left, 1.0))
        container = work.container(name)
    return container
