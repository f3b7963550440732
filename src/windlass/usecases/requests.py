"""What people ask for: a deployment, a rollback, an end to one. Each becomes a row in the queue at once."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from windlass.domain import names
from windlass.domain.checks import skip_names
from windlass.domain.errors import Conflict, NotFound
from windlass.domain.protection import ApprovalState
from windlass.domain.records import App, Deployment, Job, Release, ReleaseState
from windlass.domain.release import DeploymentStatus
from windlass.ports.outside import Outside
from windlass.usecases import approvals
from windlass.usecases.admission import new_app
from windlass.usecases.fetching import source_of
from windlass.usecases.flags import FLAGS
from windlass.usecases.variables import PRIVATE, pack_values


@dataclass(frozen=True)
class DeployRequest:
    """`source_kind`: upload (a tar at `upload`), git (`url`, `ref`), image (`url`), or source: the app's own.

    `values` belong to this release. `own` is told by `completed`. `trigger`: hook or poll, "" for a person's wish.
    `dirty`: the upload is a Git checkout with changes that are not committed. `by`: who asks, in words; `user`: the
    one who may not approve it, "" for nobody.
    """

    app: str
    source_kind: str
    upload: Path | None = None
    url: str = ""
    ref: str = ""
    commit: str = ""
    compose: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()
    values: Mapping[str, str] = field(default_factory=dict)
    pull: bool = False
    force: bool = False
    yes: bool = False
    dirty: bool = False
    skip_tests: bool = False
    skip_verify: bool = False
    skip_build: bool = False
    no_backup: bool = False
    by: str = ""
    skip_checks: tuple[str, ...] = ()
    own: bool = False
    trigger: str = ""
    user: str = ""


def completed(outside: Outside, request: DeployRequest) -> DeployRequest:
    """With what the app's source says, when that is asked for. Raises NotFound source_not_set."""
    if request.source_kind != "source":
        return request
    source = source_of(outside, names.docker_name(names.app_name(request.app)))
    return replace(
        request,
        source_kind=source.kind.value,
        url=source.url,
        ref=request.ref or source.branch,
        compose=request.compose or source.compose,
        own=True,
    )


def request_deploy(outside: Outside, request: DeployRequest) -> Deployment:
    """Queue it. A deployment of the same app that still waits is superseded by this newer one."""
    app = names.docker_name(names.app_name(request.app))
    request = completed(outside, request)
    check_origin(request)
    skips = skip_names(request.skip_checks)
    outside.engine.facts()
    now = outside.clock.now()
    _ensure_app(outside, app, now)
    deployment = Deployment(
        id=new_id(),
        app=app,
        kind="deploy",
        status=DeploymentStatus.QUEUED,
        created_at=now,
        options={
            "source_kind": request.source_kind,
            "upload": str(request.upload or ""),
            "url": names.without_credentials(request.url) if request.url else "",
            "ref": request.ref,
            "own": request.own,
            "trigger": request.trigger,
            "commit": request.commit,
            "compose": list(request.compose),
            "profiles": list(request.profiles),
            "pull": request.pull,
            "dirty": request.dirty,
            "by": request.by,
            **{name: getattr(request, name) for name in FLAGS},
            "skip_checks": list(skips),
        },
    )
    return _enter(outside, deployment, request.user, {**request.values, **_credentials(request)})


def check_origin(request: DeployRequest) -> None:
    """Raises Refused or Usage for an address, ref, image, profile, commit or value that cannot be one."""
    for profile in request.profiles:
        names.profile_name(profile)
    if request.commit:
        names.commit_id(request.commit)
    for name, value in request.values.items():
        names.variable_value(names.variable_name(name), value)
    if request.source_kind == "image":
        names.image_ref(request.url)
    elif request.source_kind == "git":
        names.git_url(request.url, allow_file=True)
        if request.ref:
            names.git_ref(request.ref)


def request_rollback(
    outside: Outside, app: str, to: int | None, by: str = "", user: str = "", unapproved: bool = False
) -> Deployment:
    """Queue a deployment of an older release: `to`, or the one that was live before this one.

    `unapproved`: an owner's emergency, no second person is asked.
    """
    name = names.docker_name(names.app_name(app))
    known = outside.store.apps.get(name)
    target = _rollback_target(outside, known, to)
    outside.engine.facts()
    deployment = Deployment(
        id=new_id(),
        app=name,
        kind="rollback",
        status=DeploymentStatus.QUEUED,
        created_at=outside.clock.now(),
        release=target.number,
        options={"to": target.number, "by": by, **({"unapproved": True} if unapproved else {})},
    )
    return _enter(outside, deployment, user, {})


def _enter(outside: Outside, deployment: Deployment, user: str, values: Mapping[str, str]) -> Deployment:
    """Into the queue, in the place of what waits; or first before a second person, where the app is protected so."""
    wait_s = 0.0 if deployment.options.get("unapproved") else approvals.waiting_time(outside, deployment.app)
    held, older = pack_values(values), outside.store.approvals.waiting(deployment.app)
    if wait_s:
        deployment = approvals.ask(outside, approvals.freeze(outside, deployment, values), held, user, wait_s)
        _supersede(outside, deployment.app)
    else:
        replaced = outside.store.deployments.add(
            deployment, _job(deployment), held, _ended(DeploymentStatus.SUPERSEDED)
        )
        for other in replaced:
            _discard_upload(outside, other)
    approvals.supersede(outside, older)  # not before: whoever is killed meanwhile has lost nothing
    return deployment


def cancel(outside: Outside, app: str) -> Deployment:
    """Ask the unfinished deployment of the app to end; what it did is taken back."""
    name = names.docker_name(names.app_name(app))
    outside.store.apps.get(name)
    unfinished = [*outside.store.approvals.waiting(name), *outside.store.deployments.unfinished(name)]
    if not unfinished:
        raise Conflict(f"nothing is under way for {app}", code="nothing_to_cancel", hint=f"windlass status {app}")
    deployment = at_work(unfinished)
    if deployment.status is DeploymentStatus.AWAITING:
        ended = approvals.withdraw(outside, deployment, ApprovalState.WITHDRAWN)
        if ended is not None:
            return ended
    if ended := end_waiting(outside, deployment, DeploymentStatus.CANCELLED):
        return ended
    outside.store.jobs.request_cancel(deployment.id)
    return outside.store.deployments.get(deployment.id)


def at_work(unfinished: Sequence[Deployment]) -> Deployment:
    """The one that runs; else the newest that waits."""
    running = [d for d in unfinished if d.status is DeploymentStatus.RUNNING]
    return (running or list(unfinished))[-1]


def new_id() -> str:
    """Not to be guessed: containers carry it as a mark of ownership."""
    return secrets.token_hex(8)


def _credentials(request: DeployRequest) -> dict[str, str]:
    """The whole URL, when it holds more than may be stored in clear."""
    if request.url and names.without_credentials(request.url) != request.url:
        return {PRIVATE + "git.url": request.url}
    return {}


def _ensure_app(outside: Outside, name: str, now: float) -> None:
    known = outside.store.apps.find(name)
    if known is None:
        outside.store.apps.add(new_app(outside, name))
    elif known.removing:
        raise Conflict(f"{name} is being removed", code="removing", hint=f"windlass status {name}")


def _job(deployment: Deployment) -> Job:
    at = deployment.created_at
    return Job(deployment.id, "deployment", deployment.app, {"deployment": deployment.id}, "queued", at, at)


def _supersede(outside: Outside, app: str) -> None:
    for waiting in outside.store.deployments.unfinished(app):
        if waiting.status is DeploymentStatus.QUEUED:
            end_waiting(outside, waiting, DeploymentStatus.SUPERSEDED)


def end_waiting(outside: Outside, deployment: Deployment, status: DeploymentStatus) -> Deployment | None:
    """As cancelled or superseded; None when it does not wait in the queue any more."""
    ended = outside.store.deployments.end_waiting(deployment.id, status, outside.clock.now(), _ended(status))
    if ended is not None:
        _discard_upload(outside, ended)
    return ended


def end_cancelled(outside: Outside, deployment: Deployment) -> None:
    """One that never began, and whose job has ended."""
    error = _ended(DeploymentStatus.CANCELLED)
    outside.store.deployments.finish(deployment.id, DeploymentStatus.CANCELLED, outside.clock.now(), error)
    _discard_upload(outside, deployment)


def _discard_upload(outside: Outside, deployment: Deployment) -> None:
    """One that never began has nothing else."""
    if deployment.options.get("upload"):
        outside.trees.discard(Path(str(deployment.options["upload"])))


def _ended(status: DeploymentStatus) -> dict[str, Any]:
    is_superseded = status is DeploymentStatus.SUPERSEDED
    words = "a newer deployment took its place" if is_superseded else "cancelled before it began"
    return {"code": status.value, "message": words, "hint": "", "details": []}


def _rollback_target(outside: Outside, app: App, to: int | None) -> Release:
    releases = outside.store.releases.all(app.name)
    usable = [r for r in releases if r.state in (ReleaseState.LIVE, ReleaseState.RETIRED) and r.kept]
    if to is None:
        earlier = sorted((r for r in usable if r.number != app.live), key=lambda r: r.live_at or 0.0)
        if not earlier:
            raise NotFound(
                f"{app.name} has no earlier release to go back to",
                code="no_earlier_release",
                hint=f"windlass releases {app.name}",
            )
        return earlier[-1]
    found = next((r for r in releases if r.number == to), None)
    if found is None or found not in usable:
        why = "does not exist" if found is None else "was never live or its images are gone"
        raise NotFound(
            f"release {to} of {app.name} {why}",
            code="release_not_found",
            hint=f"windlass releases {app.name}",
        )
    return found
