"""Carries a plan out: one operation after another, those that belong together in threads."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from windlass.domain import plan as ops
from windlass.domain.errors import Conflict
from windlass.domain.records import App, Job
from windlass.usecases import containers, gates, holding, networks, retention, routes, tasks, verification
from windlass.usecases.undertaking import Undertaking

Handler = Callable[[Undertaking, Any], None]


def execute(work: Undertaking, operations: tuple[ops.Operation, ...]) -> None:
    """In the order written; the first error ends it and is raised."""
    for operation in operations:
        work.control.check()
        carry_out(work, operation)


def carry_out(work: Undertaking, operation: ops.Operation) -> None:
    HANDLERS[type(operation)](work, operation)


def _together(work: Undertaking, group: ops.Together) -> None:
    """All at once; waits for all, then raises the first error."""
    if len(group.operations) < 2:
        execute(work, group.operations)
        return
    with ThreadPoolExecutor(max_workers=min(16, len(group.operations))) as pool:
        futures = [pool.submit(carry_out, work, operation) for operation in group.operations]
        errors = [f.exception() for f in futures]
    for error in errors:
        if error is not None:
            raise error


def _sequence(work: Undertaking, group: ops.Sequence) -> None:
    execute(work, group.operations)


def _set_restart(work: Undertaking, wanted: ops.SetRestart) -> None:
    for name in wanted.containers:
        container = work.find(name)
        if container is not None and container.restart_policy != wanted.policy:
            work.outside.engine.set_restart(container.id, wanted.policy)


def _withdraw(work: Undertaking, _: ops.WithdrawRoutes) -> None:
    work.outside.edge.withdraw(work.app)


def _remove_containers(work: Undertaking, wanted: ops.RemoveContainers) -> None:
    containers.remove_containers(work, wanted.containers)


def _remove_networks(work: Undertaking, wanted: ops.RemoveNetworks) -> None:
    for name in wanted.names:
        with suppress(Conflict):
            networks.remove_network(work, name)


def _keep_warm(work: Undertaking, wanted: ops.KeepWarm) -> None:
    """Remember when its time is over and queue the job that stops it."""
    now = work.outside.clock.now()
    work.outside.store.apps.update(work.app, warm=wanted.release, warm_until=now + wanted.seconds)
    job_id = f"cool-{work.deployment}"
    if work.outside.store.jobs.get(job_id) is None:
        args = {"app": work.app, "release": wanted.release}
        work.outside.store.jobs.enqueue(Job(job_id, "cool", work.app, args, "queued", now, now + wanted.seconds))


def live_app(work: Undertaking) -> App:
    return work.outside.store.apps.get(work.app)


def _reach_edge(work: Undertaking, wanted: ops.Reached) -> None:
    holding.reach_edge(work, wanted, carry_out)


def _verify(work: Undertaking, wanted: ops.Watch) -> None:
    verification.verify(work, wanted, carry_out)


HANDLERS: dict[type[Any], Handler] = {
    ops.EnsureNetwork: networks.ensure_network,
    ops.EnsureVolume: networks.ensure_volume,
    ops.CreateServices: containers.create_services,
    ops.Attach: networks.attach,
    ops.Detach: networks.detach,
    ops.Deliver: containers.deliver,
    ops.Start: containers.start,
    ops.Gate: gates.gate,
    ops.Together: _together,
    ops.Sequence: _sequence,
    ops.RunJob: gates.run_job,
    ops.RunTask: tasks.run_task,
    ops.RunChecklist: tasks.run_checklist,
    ops.SetRestart: _set_restart,
    ops.SwitchRoutes: routes.switch_routes,
    ops.WithdrawRoutes: _withdraw,
    ops.Stop: containers.stop,
    ops.Drain: routes.drain,
    ops.CountAnswers: verification.count_answers,
    ops.HoldNetwork: holding.hold_network,
    ops.Reached: _reach_edge,
    ops.Watch: _verify,
    ops.KeepWarm: _keep_warm,
    ops.RemoveContainers: _remove_containers,
    ops.RemoveGeneration: containers.remove_generation,
    ops.RemoveNetworks: _remove_networks,
    ops.PutBackBase: containers.put_back_base,
    ops.KeepReleases: retention.keep_releases,
}
