"""What the worker runs, by the kind of job."""

from __future__ import annotations

from windlass.domain.errors import NotFound
from windlass.domain.queueing import COOLING, DEPLOYMENT, Limits
from windlass.domain.records import Job
from windlass.domain.release import DeploymentStatus
from windlass.ports.outside import Outside
from windlass.usecases import approvals, polling, previews, statuses
from windlass.usecases.control import CancelRequested, Control
from windlass.usecases.cooling import cool_down
from windlass.usecases.deploy import run_deployment
from windlass.usecases.patience import wait_for_engine
from windlass.usecases.slots import Unhurried
from windlass.usecases.variables import redactor_for


def at_once(limits: Limits) -> dict[str, int]:
    """Kind of job -> how many of it run at once: what is slow to answer never holds up the deployments."""
    return {DEPLOYMENT: limits.deploys, COOLING: 2, polling.KIND: 1, statuses.KIND: 1, previews.KIND: 2}


def run_job(outside: Outside, job: Job, control: Control) -> str:
    """Returns the state the job ends in. A job whose engine is away waits for it."""
    try:
        wait_for_engine(outside, control)
    except CancelRequested:
        if job.kind != DEPLOYMENT:  # a deployment is told, and ends itself
            raise
    try:
        if job.kind == DEPLOYMENT:
            run_deployment(outside, str(job.args["deployment"]), control)
        elif job.kind == COOLING:
            cool_down(outside, str(job.args["app"]), int(job.args["release"]), control)
        elif job.kind == polling.KIND:
            polling.poll(outside, job)
        elif job.kind == statuses.KIND:
            statuses.tell(outside, job)
        elif job.kind == approvals.KIND:
            approvals.expire(outside, job)
        elif job.kind == previews.KIND:
            previews.end(outside, job)
    except NotFound as error:
        outside.store.events.add(outside.clock.now(), job.lock_key, "", "warning", {"text": error.message})
        return "failed"
    return "done"


def break_off(outside: Outside, job: Job, error: BaseException) -> None:
    """A mistake of windlass itself: the deployment is taken back and ends, whatever happens on the way."""
    if job.kind != DEPLOYMENT:
        return
    id = str(job.args["deployment"])
    deployment = outside.store.deployments.get(id)
    if deployment.status.is_final:
        return
    said = redactor_for(outside, deployment.app, id).redact(f"{type(error).__name__}: {error}")
    document = {
        "code": "unexpected",
        "message": f"windlass itself failed: {said}",
        "hint": "the log of windlass says where; please report it",
        "details": [],
    }
    outside.store.deployments.update(id, error=document)
    try:
        run_deployment(outside, id, Unhurried())
    finally:
        if not outside.store.deployments.get(id).status.is_final:
            outside.store.deployments.finish(id, DeploymentStatus.FAILED, outside.clock.now(), document)
