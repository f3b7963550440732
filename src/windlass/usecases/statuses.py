"""Tells the Git server how the deployment of a commit ended; that it could not be told changes nothing."""

from __future__ import annotations

from windlass.domain.commitstatus import Outcome, status_call
from windlass.domain.errors import WindlassError
from windlass.domain.names import shown
from windlass.domain.records import Deployment, Job
from windlass.domain.release import DeploymentStatus
from windlass.domain.sources import STATUS_TOKEN, TOKEN, StatusHost
from windlass.ports.outside import Outside
from windlass.usecases.views import describe_deployment

KIND = "status"
_UNSAID = frozenset({DeploymentStatus.CANCELLED, DeploymentStatus.SUPERSEDED})


def tell_later(outside: Outside, deployment: Deployment, status: DeploymentStatus) -> None:
    """As a job of its own, so that a Git server that is slow or away holds up nothing."""
    source = outside.store.sources.find(deployment.app)
    is_own = deployment.kind == "deploy" and deployment.options.get("own")
    if source is None or source.status is StatusHost.NONE or not is_own or status in _UNSAID:
        return
    id = f"{KIND}-{deployment.id}"
    if outside.store.jobs.get(id) is None:
        now = outside.clock.now()
        args = {"deployment": deployment.id}
        outside.store.jobs.enqueue(Job(id, KIND, f"{KIND}:{deployment.app}", args, "queued", now, now))


def tell(outside: Outside, job: Job) -> None:
    """Raises NotFound when the app is gone."""
    deployment = outside.store.deployments.get(str(job.args["deployment"]))
    source = outside.store.sources.find(deployment.app)
    if source is None or outside.caller is None:
        return
    secrets = outside.store.sources.secrets(deployment.app)
    outcome = Outcome(
        app=shown(deployment.app),
        commit=str(deployment.options.get("commit") or ""),
        status=deployment.status,
        release=deployment.release,
        target=str(describe_deployment(outside, deployment)["url"]),
        words=str((deployment.error or {}).get("code") or ""),
    )
    call = status_call(source, secrets.get(STATUS_TOKEN) or secrets.get(TOKEN, ""), outcome)
    if call is None:
        return
    try:
        outside.caller.post(call)
    except WindlassError as error:
        text = f"the commit's status could not be told: {error.message}"
        outside.store.events.add(outside.clock.now(), deployment.app, deployment.id, "warning", {"text": text})
