"""Runs the commands of windlass.yaml to their end: started once, their output told while they run, stopped in time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from windlass.domain.errors import Conflict, Detail, Failed, NotFound, OutOfReach, refuse
from windlass.domain.parts import containers_of
from windlass.domain.plan import RunChecklist, RunTask, Start
from windlass.domain.redact import clean
from windlass.domain.release import Part
from windlass.domain.tasks import Phase, Task
from windlass.ports.engine import Container
from windlass.usecases.containers import start
from windlass.usecases.gates import ContainerFailed, Fault, await_end, failure, last_lines
from windlass.usecases.undertaking import Undertaking

LINES = 5000  # of one task in the journal
LINE_LENGTH = 4000
LAST_LINES = 20
SAID_LINES = 5
AT_ONCE = 4
REST_S = 5.0  # in which the last lines of an ended container arrive
_CODES = {Phase.CHECKLIST: "checklist_failed", Phase.TEST: "test_failed", Phase.VERIFY: "verify_failed"}


def run_task(work: Undertaking, wanted: RunTask) -> None:
    """Start it unless it was started before, and wait for its end. Raises ContainerFailed, NotFound, OutOfReach."""
    part = work.snapshot(wanted.release).parts[wanted.service]
    if part.task is None:
        raise Failed(f"{part.name} is no task", code="no_task")
    name = containers_of(work.snapshot(wanted.release), part)[0]
    if is_done(work.container(name)):
        return
    _start_once(work, part, part.task, wanted.release)
    with _told(work, part.task, work.container(name)):
        ended = await_end(work, name, part.task.within_s)
    if ended is None:
        work.outside.engine.stop(work.container(name).id, part.grace_s)
        raise _failed(work, part.task, name, "job_timeout", f"did not end within {part.task.within_s:g} s")
    if ended.exit_code != 0:
        why = "was killed for using too much memory" if ended.oom_killed else f"ended with exit code {ended.exit_code}"
        raise _failed(work, part.task, name, _CODES.get(part.task.phase, "job_failed"), why)
    work.note("health", {"service": part.task.title, "container": name, "state": "done"})


def is_done(container: Container) -> bool:
    return container.state == "exited" and container.exit_code == 0


def _start_once(work: Undertaking, part: Part, task: Task, release: int) -> None:
    """One that has run, however it ended, is not started again: what it began may be half done."""
    name = containers_of(work.snapshot(release), part)[0]
    if work.container(name).state != "created":
        return
    try:
        start(work, Start(release, part.name, (name,)))
    except (OutOfReach, NotFound):
        raise
    except Failed as error:
        raise _failed(
            work, task, name, _CODES.get(task.phase, "job_failed"), f"was not started: {error.message}"
        ) from error


def _failed(work: Undertaking, task: Task, container: str, code: str, why: str) -> ContainerFailed:
    error = failure(work, Fault(task.title, container, code, f"{task.title} {why} (in the new image of {task.where})"))
    error.report |= {"command": task.words, "log": last_lines(work, container, LAST_LINES)}
    return error


# --- what it says ----------------------------------------------------------------------------------------------------


@contextmanager
def _told(work: Undertaking, task: Task, container: Container) -> Iterator[None]:
    """Its lines go into the journal for as long as the block lasts, and the last ones after it."""
    over = threading.Event()
    teller = threading.Thread(target=_tell, args=(work, task, container.id, over), name=task.name, daemon=True)
    teller.start()
    try:
        yield
        teller.join(REST_S)
    finally:
        over.set()
        teller.join(REST_S)


def _tell(work: Undertaking, task: Task, ref: str, over: threading.Event) -> None:
    told = 0
    try:
        for line in work.outside.engine.follow(ref, None, over.is_set):
            told += 1
            if told <= LINES:
                work.note(
                    "line", {"service": task.title, "stream": line.stream, "text": clean(line.text)[:LINE_LENGTH]}
                )
    except (NotFound, OutOfReach, Conflict):  # whoever waits for its end says so; or its log cannot be read
        return
    if told > LINES:
        work.note("line", {"service": task.title, "text": f"{told - LINES} further lines are not kept here"})


# --- the checklist ---------------------------------------------------------------------------------------------------


def run_checklist(work: Undertaking, wanted: RunChecklist) -> None:
    """All of them; raises Refused with every one that did not end with 0."""
    with ThreadPoolExecutor(max_workers=min(AT_ONCE, len(wanted.services))) as pool:
        found = list(pool.map(lambda name: _checked(work, RunTask(wanted.release, name)), wanted.services))
    problems = [detail for detail in found if detail is not None]
    if problems:
        raise refuse(problems)


def _checked(work: Undertaking, wanted: RunTask) -> Detail | None:
    try:
        run_task(work, wanted)
    except ContainerFailed as error:
        title = str(error.report["service"])
        said = [line for line in error.report["log"] if line.strip()][-SAID_LINES:]
        words = f"{error.message}: `{error.report['command']}`" + (f" said: {' / '.join(said)}" if said else "")
        return Detail("checklist_failed", title, words, "make it pass, or leave it out by name")
    return None
