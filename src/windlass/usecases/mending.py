"""Deployments that have not ended although nobody will ever take them up: each gets its place in the queue again."""

from __future__ import annotations

from windlass.domain.queueing import DEPLOYMENT
from windlass.domain.records import Deployment, Job
from windlass.domain.release import DeploymentStatus
from windlass.ports.outside import Outside
from windlass.usecases.requests import end_cancelled

_WAITS = ("queued", "running")


def mend_queue(outside: Outside) -> list[str]:
    """Gives the ids of those it mended. One that was to be cancelled is; any other is begun, or taken back."""
    return [d.id for d in outside.store.deployments.unfinished() if _mend(outside, d)]


def _mend(outside: Outside, deployment: Deployment) -> bool:
    job = outside.store.jobs.get(deployment.id)
    if job is not None and job.state in _WAITS:
        return False
    # Its end is written before its job's: only one that has not ended by now has lost its job.
    if outside.store.deployments.get(deployment.id).status.is_final:
        return False
    if job is not None and job.cancel and deployment.status is DeploymentStatus.QUEUED:
        end_cancelled(outside, deployment)
        return True
    now = outside.clock.now()
    cancel = job is not None and job.cancel
    args = {"deployment": deployment.id}
    again = Job(deployment.id, DEPLOYMENT, deployment.app, args, "queued", now, now, cancel=cancel)
    outside.store.jobs.revive(again)
    data = {"text": "its place in the queue was lost; it is taken up again"}
    outside.store.events.add(now, deployment.app, deployment.id, "warning", data)
    return True
