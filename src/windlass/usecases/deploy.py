"""Runs one deployment from source to retire, takes it back when it turns out bad, and finishes it after a crash."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from windlass.domain.errors import Cancelled, Failed, NotFound, OutOfReach, WindlassError
from windlass.domain.plan import Operation, Plan, RemoveGeneration, Sequence, SwitchRoutes
from windlass.domain.records import Deployment, ReleaseState, StepRecord
from windlass.domain.release import STEPS, DeploymentStatus
from windlass.ports.outside import Outside
from windlass.usecases.control import CancelRequested, Control
from windlass.usecases.execute import carry_out
from windlass.usecases.flags import flags_of
from windlass.usecases.gates import ContainerFailed
from windlass.usecases.journal import Journal
from windlass.usecases.observation import generations
from windlass.usecases.patience import wait_for_engine
from windlass.usecases.preparation import Preparation, Unchanged
from windlass.usecases.preparing import prepare_step
from windlass.usecases.report import build_report, failure_report
from windlass.usecases.reviving import revive
from windlass.usecases.statuses import tell_later
from windlass.usecases.undertaking import Undertaking, load_kept, save_kept
from windlass.usecases.variables import keep_given_values, redactor_for

PREPARING = ("source", "resolve", "check", "build")
ACTING = ("base", "release", "start", "switch", "verify", "retire")
RETIRE_TRIES = 3
ENGINE_TRIES = 3


class Uncancelled:
    """The control of work that must come to its end: cancelling no longer reaches it."""

    def __init__(self, control: Control) -> None:
        self._control = control

    def check(self) -> None:
        self._control.check_lease()

    def check_lease(self) -> None:
        self._control.check_lease()


@dataclass
class Attempt:
    """A deployment at work."""

    outside: Outside
    deployment: Deployment
    control: Control
    journal: Journal
    work: Undertaking
    plan: Plan | None = None
    current: str = "source"
    switched_at: float | None = None  # when the edge had confirmed the new routes
    preparation: Preparation | None = field(default=None)


def run_deployment(outside: Outside, deployment_id: str, control: Control) -> None:
    """Begin it, or take up what a killed windlass left: taken back before the switch, finished after it."""
    deployment = outside.store.deployments.get(deployment_id)
    if deployment.status.is_final:
        return
    attempt = _attempt(outside, deployment, control)
    if deployment.steps or deployment.error is not None:
        _take_up(attempt)
    else:
        started = outside.clock.now()
        attempt.deployment = outside.store.deployments.update(
            deployment.id, status=DeploymentStatus.RUNNING, started_at=started
        )
        attempt.journal.note("state", {"status": "running", **_asked(deployment)})
        _guarded(attempt, STEPS)


def _asked(deployment: Deployment) -> dict[str, Any]:
    """Who asked for what: the first words of the deployment's log."""
    options = deployment.options
    words = {name: options.get(name) for name in ("by", "url", "ref", "commit", "dirty", "to")}
    return {"kind": deployment.kind, "flags": flags_of(options), **{k: v for k, v in words.items() if v}}


def _attempt(outside: Outside, deployment: Deployment, control: Control) -> Attempt:
    journal = Journal(outside, deployment.app, deployment.id, redactor_for(outside, deployment.app, deployment.id))
    work = Undertaking(outside, deployment.app, deployment.id, control, journal.note)
    return Attempt(outside, deployment, control, journal, work)


def _take_up(attempt: Attempt) -> None:
    deployment = attempt.deployment
    done = {s.name for s in deployment.steps if s.status == "done"}
    begun = [s.name for s in deployment.steps]
    attempt.current = begun[-1] if begun else "source"
    attempt.plan = _kept_plan(attempt, begun, done)
    attempt.journal.note("state", {"status": "taken up", "step": attempt.current})
    if deployment.error is not None:
        _end_badly(attempt, _status_after(attempt), dict(deployment.error))
    elif "switch" in done:
        _guarded(attempt, tuple(s for s in STEPS if s not in done and STEPS.index(s) > STEPS.index("switch")))
    else:
        error = Failed(
            f"windlass was stopped during the step {attempt.current}; everything of it was taken back",
            code="interrupted",
            hint=f"windlass deploy --app {deployment.app}",
        )
        _fail(attempt, error)


def _kept_plan(attempt: Attempt, begun: Collection[str], done: Collection[str]) -> Plan | None:
    """The plan, also when windlass ended in the build step after it was made; a rollback's release has an older one."""
    deployment = attempt.deployment
    if deployment.release is None or "build" not in (done if deployment.kind == "rollback" else begun):
        return None
    try:
        return load_kept(attempt.outside, deployment.app, deployment.release).plan
    except NotFound:
        return None


def _guarded(attempt: Attempt, steps: tuple[str, ...]) -> None:
    try:
        for name in steps:
            _run_step(attempt, name)
    except Unchanged as same:
        _end_unchanged(attempt, same.live)
    except CancelRequested:
        _fail(attempt, Cancelled(f"cancelled during the step {attempt.current}"))
    except WindlassError as error:
        _fail(attempt, _cancelled(attempt) or error)
    else:
        keep_given_values(attempt.outside, attempt.deployment)
        _finish(attempt, DeploymentStatus.LIVE, None)


def _cancelled(attempt: Attempt) -> Cancelled | None:
    """A build that was ended because of a cancel says only that it failed."""
    try:
        attempt.control.check()
    except CancelRequested:
        return Cancelled(f"cancelled during the step {attempt.current}")
    return None


# --- steps -----------------------------------------------------------------------------------------------------------


def _run_step(attempt: Attempt, name: str) -> None:
    attempt.current = name
    attempt.control.check()
    record = [attempt.journal.begin(name)]
    try:
        _work_on(attempt, name, record)
    except (WindlassError, CancelRequested, Unchanged) as error:
        attempt.journal.end(record[0], "done" if isinstance(error, Unchanged) else "failed")
        raise
    if name == "switch":
        _mark_live(attempt)
    attempt.journal.end(record[0], "done")


def _work_on(attempt: Attempt, name: str, record: list[StepRecord]) -> None:
    """An engine that goes away is waited for; then the step, which is idempotent, is begun again."""
    for turn in range(ENGINE_TRIES):
        try:
            if name in PREPARING:
                _prepare(attempt, name, record)
            elif name == "retire":
                _retire(attempt, record)
            else:
                _act(attempt, _plan(attempt).step(name).operations, record)
            return
        except OutOfReach as error:
            if name in PREPARING or turn == ENGINE_TRIES - 1:
                raise
            attempt.journal.note("warning", {"step": name, "text": f"{error.message}; waiting for it"})
            wait_for_engine(attempt.outside, attempt.control)
            _stand_up_again(attempt)


def _stand_up_again(attempt: Attempt) -> None:
    """The engine took everything down with it: what served must serve again before the step goes on."""
    deployment = attempt.deployment
    live = attempt.outside.store.apps.get(deployment.app).live
    if live is not None:
        revive(attempt.work, attempt.work.snapshot(live))


def _prepare(attempt: Attempt, name: str, record: list[StepRecord]) -> None:
    if attempt.preparation is None:
        attempt.preparation = Preparation(attempt.work, attempt.journal, attempt.deployment)
    prepare_step(attempt.preparation, name, record)
    attempt.deployment = attempt.outside.store.deployments.get(attempt.deployment.id)
    if name == "build":
        kept = attempt.preparation.kept()
        save_kept(attempt.outside, kept)
        attempt.plan = kept.plan
        attempt.work.snapshots[kept.snapshot.number] = kept.snapshot
        _act(attempt, _plan(attempt).step(name).operations, record)


def _plan(attempt: Attempt) -> Plan:
    if attempt.plan is None:
        raise Failed("the deployment has no plan", code="no_plan")
    return attempt.plan


_PART_NAMES = {
    "EnsureNetwork": "network", "EnsureVolume": "volume", "CreateServices": "create", "Attach": "attach",
    "Deliver": "deliver", "Together": "run", "Gate": "gate", "Sequence": "run", "SwitchRoutes": "edge",
    "SetRestart": "policy",
    "Stop": "stop", "Drain": "drain", "Watch": "bake", "RemoveGeneration": "remove", "KeepReleases": "prune",
    "RemoveContainers": "remove", "KeepWarm": "warm", "RunChecklist": "checklist", "CountAnswers": "count",
}  # fmt: skip


def _act(attempt: Attempt, operations: tuple[Operation, ...], record: list[StepRecord]) -> None:
    for operation in operations:
        attempt.control.check()
        with attempt.journal.part(record, _part_name(operation)):
            carry_out(attempt.work, operation)
        if isinstance(operation, SwitchRoutes):
            attempt.switched_at = attempt.outside.clock.now()


def _part_name(operation: Operation) -> str:
    if isinstance(operation, Sequence) and operation.part:
        return operation.part
    inner = getattr(operation, "operations", ())
    if inner:
        kind = type(inner[0]).__name__
        return {"Gate": "gate", "Start": "start", "Stop": "stop"}.get(kind, _PART_NAMES.get(kind, "run"))
    return _PART_NAMES.get(type(operation).__name__, "run")


def _retire(attempt: Attempt, record: list[StepRecord]) -> None:
    """Past the point of going back: a failure here is tried again and reported, never undone."""
    attempt.work.control = Uncancelled(attempt.control)
    for turn in range(1, RETIRE_TRIES + 1):
        try:
            for operation in _plan(attempt).step("retire").operations:
                with attempt.journal.part(record, _part_name(operation)):
                    carry_out(attempt.work, operation)
            return
        except WindlassError as error:
            attempt.journal.note("warning", {"step": "retire", "text": error.message, "try": turn})
            attempt.outside.clock.sleep(0.5 * turn)


def _mark_live(attempt: Attempt) -> None:
    """The release is what the app is now; recorded before the step is, so that a crash between finds it live."""
    outside, deployment = attempt.outside, attempt.deployment
    now = outside.clock.now()
    live_at = deployment.live_at or attempt.switched_at or now
    attempt.deployment = outside.store.deployments.update(deployment.id, live_at=live_at)
    if deployment.release is not None:
        outside.store.apps.update(deployment.app, live=deployment.release, running=True, warm=None, stopped_services=())
        _set_states(outside, deployment, deployment.release, deployment.previous)
        outside.store.releases.update(deployment.app, deployment.release, live_at=now)
    attempt.journal.note("state", {"status": "switched", "release": deployment.release})


def _set_states(outside: Outside, deployment: Deployment, live: int | None, retired: int | None) -> None:
    if retired is not None and retired != live:
        outside.store.releases.set_state(deployment.app, retired, ReleaseState.RETIRED)
    if live is not None:
        outside.store.releases.set_state(deployment.app, live, ReleaseState.LIVE)


# --- ends ------------------------------------------------------------------------------------------------------------


def _fail(attempt: Attempt, error: WindlassError) -> None:
    status = _status_after(attempt)
    if isinstance(error, Cancelled):
        status = DeploymentStatus.CANCELLED
    elif error.exit_code == 3 and attempt.current in PREPARING:
        status = DeploymentStatus.REFUSED
    document = attempt.journal.redactor.redact_data(error.as_dict())
    report = error.report if isinstance(error, ContainerFailed) else build_report(error)
    shown = failure_report(attempt.work, attempt.deployment, report)
    # The step that failed may have kept something there: wishes, the contract.
    options = attempt.outside.store.deployments.get(attempt.deployment.id).options
    attempt.deployment = attempt.outside.store.deployments.update(
        attempt.deployment.id,
        error=document,
        report=attempt.journal.redactor.redact_data(shown),
        options={**options, "ending": status.value},
    )
    _end_badly(attempt, status, document)


def _status_after(attempt: Attempt) -> DeploymentStatus:
    kept = attempt.deployment.options.get("ending")
    if kept:
        return DeploymentStatus(kept)
    first = attempt.deployment.previous is None and attempt.current == "switch"
    if STEPS.index(attempt.current) >= STEPS.index("switch") and not first:
        return DeploymentStatus.SWITCHED_BACK
    return DeploymentStatus.FAILED


def _end_badly(attempt: Attempt, status: DeploymentStatus, error: Mapping[str, Any]) -> None:
    """Take everything back, then free the app's slot. Undo is carried out whole, whatever a part of it says."""
    store = attempt.outside.store
    attempt.journal.note("state", {"status": "taking back"})
    attempt.work.control = Uncancelled(attempt.control)
    begun = [s.name for s in store.deployments.get(attempt.deployment.id).steps]
    if attempt.plan is not None:
        for name in reversed([s for s in ("build", *ACTING) if s in begun]):
            _undo(attempt, name, attempt.plan.step(name).undo)
    app = store.apps.find(attempt.deployment.app)
    if app is not None and app.live is not None and app.live == attempt.deployment.release:
        _set_states(attempt.outside, attempt.deployment, attempt.deployment.previous, attempt.deployment.release)
        store.apps.update(app.name, live=attempt.deployment.previous)  # last: by it a next start sees what is left
    if attempt.plan is not None:
        _serve_again(attempt)
    _drop_release(attempt, status)
    _finish(attempt, status, error)


def _serve_again(attempt: Attempt) -> None:
    """If the engine was away meanwhile, it took what is live down with it, and refused to remove some of the rest."""
    deployment = attempt.deployment
    try:
        _stand_up_again(attempt)
        if deployment.kind == "deploy" and deployment.release in generations(attempt.outside, deployment.app):
            carry_out(attempt.work, RemoveGeneration(deployment.release))
    except WindlassError as error:
        attempt.journal.note("warning", {"text": f"bringing up what is live: {error.message}"})


def _undo(attempt: Attempt, name: str, operations: tuple[Operation, ...]) -> None:
    for operation in operations:
        for turn in range(1, 4):
            try:
                carry_out(attempt.work, operation)
                if isinstance(operation, SwitchRoutes):
                    attempt.journal.note("state", {"status": "serving", "release": operation.release})
                break
            except OutOfReach as error:
                attempt.journal.note("warning", {"step": name, "text": f"{error.message}; waiting for it"})
                wait_for_engine(attempt.outside, attempt.work.control)
            except WindlassError as error:
                text = f"taking back {name}: {error.message}"
                attempt.journal.note("warning", {"step": name, "text": text, "try": turn})
                attempt.outside.clock.sleep(0.2 * turn)
    record = attempt.journal.step(name)
    if record is not None and operations:
        attempt.journal.end(record, "undone" if record.status == "done" else record.status)


def _drop_release(attempt: Attempt, status: DeploymentStatus) -> None:
    """A refused release was never there; a failed one stays on the list, without files and images."""
    deployment, outside = attempt.deployment, attempt.outside
    if deployment.release is None or deployment.kind == "rollback":
        return
    number = deployment.release
    images = [r for r in outside.store.resources.of_app(deployment.app, "image") if r.release == number]
    for image in images:
        outside.engine.untag(image.ref)
        outside.store.resources.forget("image", image.ref)
    outside.trees.remove_source(deployment.app, number)
    if status in (DeploymentStatus.REFUSED, DeploymentStatus.UNCHANGED):
        outside.store.releases.drop(deployment.app, number)
        live = deployment.previous if status is DeploymentStatus.UNCHANGED else None
        attempt.deployment = outside.store.deployments.update(deployment.id, release=live)
    else:
        outside.store.releases.update(deployment.app, number, state=ReleaseState.FAILED, kept=False)


def _end_unchanged(attempt: Attempt, live: int) -> None:
    attempt.deployment = replace(attempt.deployment, previous=live)
    _drop_release(attempt, DeploymentStatus.UNCHANGED)
    _finish(attempt, DeploymentStatus.UNCHANGED, None)


def _finish(attempt: Attempt, status: DeploymentStatus, error: Mapping[str, Any] | None) -> None:
    outside, deployment = attempt.outside, attempt.deployment
    now = outside.clock.now()
    if deployment.options.get("upload"):
        outside.trees.discard(Path(str(deployment.options["upload"])))
    tell_later(outside, outside.store.deployments.finish(deployment.id, status, now, error), status)
    told = {k: error[k] for k in ("code", "message", "details") if error.get(k)} if error else {}
    attempt.journal.note("state", {"status": status.value, "release": deployment.release, **told})
