"""A second person's approval of a deployment: asked for, given or refused, and over when nobody gave it in time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from windlass.domain import names
from windlass.domain.errors import Conflict, Refused
from windlass.domain.names import shown
from windlass.domain.protection import (
    Approval,
    ApprovalState,
    check_second_person,
    check_waiting,
    digest_of,
    ended_words,
)
from windlass.domain.records import Deployment, Job
from windlass.domain.redact import clean
from windlass.domain.release import DeploymentStatus
from windlass.domain.rights import Caller
from windlass.ports.outside import Outside
from windlass.usecases.admission import protection
from windlass.usecases.auditing import record
from windlass.usecases.fetching import access_to, source_of
from windlass.usecases.variables import PRIVATE

KIND = "approval"
LOCK = "windlass:approvals"
FLAG = "approval"  # in a deployment's options: there is an approval to look for
NOTE_LENGTH = 300

_STATUS_OF = {ApprovalState.SUPERSEDED: DeploymentStatus.SUPERSEDED}


def waiting_time(outside: Outside, app: str) -> float:
    """How long a deployment of this app waits for a second person; 0 when none is asked. `app` as in the store."""
    return protection(outside, app).approval_s


def freeze(outside: Outside, deployment: Deployment, values: Mapping[str, str]) -> Deployment:
    """What is asked for, made exact: the commit of a branch, and what was sent. Raises what Git says against it."""
    given = sorted(n for n in values if not n.startswith(PRIVATE))
    options = {**deployment.options, FLAG: True, "given": given}
    if options.get("source_kind") == "git":
        url = values.get(PRIVATE + "git.url") or str(options["url"])
        options["commit"] = options["pinned"] = _commit_of(outside, deployment.app, url, options)
    return replace(deployment, status=DeploymentStatus.AWAITING, options=options)


def _commit_of(outside: Outside, app: str, url: str, options: Mapping[str, Any]) -> str:
    ref = str(options.get("ref") or "")
    if not options.get("own"):
        return outside.git.resolve(url, ref)
    return outside.git.resolve(url, ref, access=access_to(outside, source_of(outside, app)))


def ask(outside: Outside, deployment: Deployment, held: bytes, user: str, wait_s: float) -> Deployment:
    """Keep a deployment that `freeze` made exact until somebody else than `user` approves; "" for nobody."""
    now, digest = deployment.created_at, digest_of(deployment, held, _upload_digest(outside, deployment))
    approval = Approval(deployment.id, user, now, now + wait_s, digest)
    end = Job(f"{KIND}-{deployment.id}", KIND, LOCK, {"deployment": deployment.id}, "queued", now, now + wait_s)
    outside.store.approvals.ask(deployment, approval, end, held)
    _tell(outside, deployment, f"waits for approval by another maintainer: windlass approve {deployment.id}")
    return deployment


def approve(outside: Outside, caller: Caller, id: str, note: str = "") -> Deployment:
    """Queue it. Raises NotFound, Conflict approval_not_needed or approval_over, NotAllowed approval_own."""
    deployment, approval = _waiting(outside, id)
    check_second_person(approval, deployment.app, caller.name)
    if outside.store.apps.get(deployment.app).removing:
        raise Conflict(f"{shown(deployment.app)} is being removed", code="removing")
    check_unchanged(outside, deployment)
    now, said = outside.clock.now(), _note(note)
    job = Job(id, "deployment", deployment.app, {"deployment": id}, "queued", now, now)
    if not outside.store.approvals.approve(job, caller.name, now, said):
        check_waiting(outside.store.approvals.find(id), id, now)
        raise Conflict("a newer deployment was asked for", code="approval_over", hint="approve that one")
    _tell(outside, deployment, f"approved by {caller.name}" + (f": {said}" if said else ""))
    return outside.store.deployments.get(id)


def reject(outside: Outside, caller: Caller, id: str, note: str = "") -> Deployment:
    """End it; also for the one who asked. Raises as `approve` does, but for approval_own."""
    deployment, approval = _waiting(outside, id)
    decided = replace(approval, state=ApprovalState.REJECTED, decided_by=caller.name, note=_note(note))
    ended = _end(outside, deployment, decided)
    if ended is None:
        check_waiting(outside.store.approvals.find(id), id, outside.clock.now())
    return ended or outside.store.deployments.get(id)


def withdraw(outside: Outside, deployment: Deployment, state: ApprovalState, note: str = "") -> Deployment | None:
    """End its waiting without a decision; None when it does not wait any more."""
    approval = outside.store.approvals.find(deployment.id)
    return None if approval is None else _end(outside, deployment, replace(approval, state=state, note=note))


def supersede(outside: Outside, older: Sequence[Deployment]) -> None:
    """These wait for approval, and give way to a newer deployment."""
    for deployment in older:
        withdraw(outside, deployment, ApprovalState.SUPERSEDED)


def expire(outside: Outside, job: Job) -> None:
    """Nobody approved it in time. Raises NotFound when the app is gone."""
    deployment = outside.store.deployments.get(str(job.args["deployment"]))
    if deployment.status is DeploymentStatus.AWAITING:
        record(outside, "", "", "deployment.expire", app=deployment.app, data={"id": deployment.id})
        withdraw(outside, deployment, ApprovalState.EXPIRED)


def check_unchanged(outside: Outside, deployment: Deployment) -> None:
    """Raises Refused request_changed when it is not what was asked for, and approved, any more."""
    approval = outside.store.approvals.find(deployment.id) if deployment.options.get(FLAG) else None
    if approval is None:
        return
    held = outside.store.deployments.held(deployment.id)
    if digest_of(deployment, held, _upload_digest(outside, deployment)) != approval.digest:
        raise Refused(
            f"what was asked for with the deployment {deployment.id} is not what is there now; nothing was touched",
            code="request_changed",
            hint="deploy it again",
        )


def approval_document(outside: Outside, deployment: Deployment) -> dict[str, Any] | None:
    """{"state", "asked_by", …, "request": what exactly is asked for}; None for one that never waited."""
    approval = outside.store.approvals.find(deployment.id) if deployment.options.get(FLAG) else None
    if approval is None:
        return None
    options = deployment.options
    named = ("source_kind", "url", "ref", "pinned", "dirty", "to", "given", "compose", "profiles")
    return {
        "state": approval.state.value,
        "asked_by": approval.asked_by or None,
        "asked_at": approval.asked_at,
        "expires_at": approval.expires_at,
        "decided_by": approval.decided_by or None,
        "decided_at": approval.decided_at,
        "note": approval.note,
        "request": {name: options[name] for name in named if options.get(name)} | {"digest": approval.digest},
    }


def waiting_document(deployment: Deployment) -> dict[str, Any]:
    """Why it waits; it has no place in the queue yet."""
    words = f"approval by another maintainer: windlass approve {deployment.id}"
    return {"position": None, "reason": words}


def _waiting(outside: Outside, id: str) -> tuple[Deployment, Approval]:
    deployment = outside.store.deployments.get(id)
    return deployment, check_waiting(outside.store.approvals.find(id), id, outside.clock.now())


def _end(outside: Outside, deployment: Deployment, decided: Approval) -> Deployment | None:
    """One that never began has nothing but its upload."""
    status = _STATUS_OF.get(decided.state, DeploymentStatus.CANCELLED)
    error = ended_words(decided.state, decided.decided_by, decided.note)
    ended = outside.store.approvals.end(replace(decided, decided_at=outside.clock.now()), status, error)
    if ended is None:
        return None
    if deployment.options.get("upload"):
        outside.trees.discard(Path(str(deployment.options["upload"])))
    data = {"status": status.value, "code": error["code"], "message": error["message"]}
    outside.store.events.add(outside.clock.now(), deployment.app, deployment.id, "state", data)
    return ended


def _upload_digest(outside: Outside, deployment: Deployment) -> str:
    upload = str(deployment.options.get("upload") or "")
    return outside.trees.digest_file(Path(upload)) if upload else ""


def _note(text: str) -> str:
    return names.without_credentials(clean(text).replace("\n", " "))[:NOTE_LENGTH] if text else ""


def _tell(outside: Outside, deployment: Deployment, text: str) -> None:
    outside.store.events.add(outside.clock.now(), deployment.app, deployment.id, "note", {"text": text})
