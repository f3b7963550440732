"""The step `verify`: from windlass.yaml to smoke steps, what speaks against them, and the operations they need."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from windlass.domain.answers import shown
from windlass.domain.errors import Detail
from windlass.domain.fronts import Front
from windlass.domain.manifestverify import Expectation, Verify, VerifyStep
from windlass.domain.parts import containers_of
from windlass.domain.plan import (
    CreateServices,
    Deliver,
    HoldNetwork,
    Operation,
    Proof,
    Reached,
    RemoveContainers,
    RunTask,
    Start,
    StepPlan,
    Watch,
)
from windlass.domain.raising import attach_part
from windlass.domain.release import Part, Snapshot, Strategy, generation_project
from windlass.domain.smoke import WEBSOCKET, Expected, SmokeStep, Upload
from windlass.domain.taskplan import task_operations
from windlass.domain.tasks import Phase, task_name, task_title

# Where a holder can stand in for the command; in another container's network, or the machine's, it cannot.
_OWN_MODES = ("", "none", "bridge", "default")


def smoke_steps(verify: Verify) -> tuple[SmokeStep, ...]:
    """The steps as they are kept with a release."""
    return tuple(_step(index, step) for index, step in enumerate(verify.steps))


def _step(index: int, step: VerifyStep) -> SmokeStep:
    if step.run:
        title = step.name or task_title(Phase.VERIFY, step.run).replace(f"{Phase.VERIFY}:", "run", 1)
        return SmokeStep(title, task=task_name(Phase.VERIFY, index), within_s=step.within)
    return SmokeStep(
        title=step.name or f"{step.kind} {step.path}",
        method=WEBSOCKET if step.kind == "websocket" else step.kind.upper(),
        path=step.path,
        host=step.host,
        headers=dict(step.headers),
        json=step.json_,
        has_json="json_" in step.model_fields_set,
        form=None if step.form is None else dict(step.form),
        upload=None if step.file is None else Upload(step.file.path, step.file.field, step.file.type),
        send=step.send,
        has_send="send" in step.model_fields_set,
        expected=_expected(step.expect),
        save=dict(step.save),
        within_s=step.within,
        retry_s=step.retry_for,
    )


def _expected(expect: Expectation) -> Expected:
    return Expected(
        statuses=expect.status,
        json=expect.json_,
        has_json="json_" in expect.model_fields_set,
        headers=dict(expect.header),
        text=expect.text,
        within_s=expect.within,
    )


def smoke_problems(steps: Iterable[SmokeStep], front: Front) -> list[Detail]:
    """Requests that no route of the app would take."""
    found: list[Detail] = []
    for index, step in enumerate(steps):
        place = f"verify.steps[{index}]"
        if not step.method or (not step.host and front.hosts) or (step.host and front.leads(step.host)):
            continue
        if step.host:
            near = difflib.get_close_matches(step.host, front.hosts, n=1)
            fix = f"did you mean {near[0]}?" if near else f"one of {', '.join((*front.hosts, *front.wild)) or 'none'}"
            said = f"{step.title} asks {step.host}, which is no host of the app"
            found.append(Detail("smoke_host_unknown", f"{place}.host", said, f"{fix} (windlass.yaml)"))
        elif front.wild:
            said = f"{step.title}: the app answers on {front.wild[0]}, which is no single host"
            found.append(Detail("smoke_host_unknown", place, said, "write `host` (windlass.yaml)"))
        else:
            said = f"{step.title}: the app has no route, so nothing can be asked of it through the edge"
            found.append(Detail("smoke_no_route", place, said, "add a route, or make it a `run` step (windlass.yaml)"))
    return found


def describe_steps(verify: Verify) -> list[dict[str, Any]]:
    """The steps as `windlass plan` lists them."""
    return [
        {
            "number": number,
            "name": kept.title,
            "request": " ".join(step.run) if step.run else f"{kept.method} {kept.path}",
            "where": step.service or step.image or kept.host,
            "expects": "exit code 0" if step.run else _told(kept),
            "within": min(step.within, math.inf if step.run else max(step.expect.within, step.retry_for)),
        }
        for number, (step, kept) in enumerate(zip(verify.steps, smoke_steps(verify), strict=True), start=1)
    ]


def _told(step: SmokeStep) -> str:
    expected = step.expected
    status = " or ".join(str(code) for code in expected.statuses) or "200 to 399"
    words = ["a WebSocket" if step.is_websocket else f"status {status}"]
    words += [f"header {name}: {text}" for name, text in expected.headers.items()]
    words += [f"JSON with {shown(expected.json)}"] if expected.has_json else []
    words += [f"text with {shown(expected.text)}"] if expected.text else []
    return ", ".join(words)


# --- the plan --------------------------------------------------------------------------------------------------------


def verify_step(new: Snapshot, old: Snapshot | None, front: Front, steps: bool = True) -> StepPlan:
    """Watch the new version, ask it everything that windlass.yaml says, and compare its errors with the old one's.

    Without `steps`, for a release that has passed them before, nothing is asked: nobody who goes back is to be held up.
    """
    lasting = [p for p in new.generation() if p.strategy is not Strategy.JOB]
    probes = tuple((c, p.probe) for p in lasting for c in containers_of(new, p))
    names = {p.name for p in lasting}
    routed = tuple(dict.fromkeys(r.service for r in new.routes if r.service in names))
    previous = old.number if old is not None and old.number != new.number else None
    proofs = tuple(_proof(new, step, front) for step in new.smoke) if steps else ()
    return StepPlan("verify", (Watch(new.bake_s, probes, new.number, proofs, previous, routed, front),))


def command_leftovers(new: Snapshot) -> tuple[Operation, ...]:
    """What commands that were broken off leave behind."""
    parts = [new.parts[step.task] for step in new.smoke if step.task in new.parts]
    names = [name for p in parts for name in (*containers_of(new, p), _holder(new, p))]
    return (RemoveContainers(tuple(names)),) if names else ()


def _holder(new: Snapshot, part: Part) -> str:
    return f"{generation_project(new.app, new.number)}-{part.name}-net"


def _proof(new: Snapshot, step: SmokeStep, front: Front) -> Proof:
    part = new.parts.get(step.task)
    if part is None:
        return Proof(step)
    *operations, gone = _command(new, part, front)
    return Proof(step, tuple(operations), (gone,))


def _command(new: Snapshot, part: Part, front: Front) -> tuple[Operation, ...]:
    """Its container lives in the network of another one that is there first, so that it never asks too early."""
    mode = str(new.generation_model.get("services", {}).get(part.name, {}).get("network_mode") or "")
    if not front.url or mode not in _OWN_MODES:
        hosts = front.hosts if mode == "host" else ()
        plain = task_operations(new, part, front.url)
        return tuple(replace(o, hosts=hosts) if isinstance(o, CreateServices) else o for o in plain)
    holder = _holder(new, part)
    gone = RemoveContainers((*containers_of(new, part), holder))
    return (
        gone,
        HoldNetwork(new.number, part.name, holder, front.hosts),
        *(replace(joined, container=holder) for joined in attach_part(new, part)),
        Start(new.number, part.name, (holder,)),
        CreateServices(new.number, False, (part.name,), app_url=front.url, peer=holder),
        *([Deliver(new.number, part.name, containers_of(new, part))] if part.deliveries else []),
        Reached(holder, (RunTask(new.number, part.name),)),
        gone,
    )
