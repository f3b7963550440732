"""Decides what a deployment does: two snapshots and what is observed in, a plan of operations out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from windlass.domain.derivation import needs_names
from windlass.domain.fronts import Front
from windlass.domain.parts import (
    containers_of,
    is_needed,
    jobs_before_base,
    late_parts,
    layers_of,
    needed_jobs,
    release_jobs,
)
from windlass.domain.plan import (
    Attach,
    CountAnswers,
    CreateServices,
    Deliver,
    Detach,
    EnsureNetwork,
    EnsureVolume,
    Gate,
    KeepReleases,
    KeepWarm,
    Operation,
    Plan,
    PutBackBase,
    RemoveContainers,
    RemoveGeneration,
    RemoveNetworks,
    RunTask,
    Sequence,
    SetRestart,
    Start,
    StepPlan,
    Stop,
    SwitchRoutes,
    Together,
    WithdrawRoutes,
)
from windlass.domain.raising import (
    bring_layers,
    create_parts,
    drain_generation,
    end_stops,
    own_networks,
    remove_new,
    retire_generation,
    run_jobs,
    stop_parts,
)
from windlass.domain.release import (
    Part,
    Role,
    Snapshot,
    Strategy,
    base_project,
    names_network,
)
from windlass.domain.smokeplan import command_leftovers, verify_step
from windlass.domain.taskplan import build_step
from windlass.domain.tasks import Phase


@dataclass(frozen=True)
class Observed:
    """What is there now. `base`: service -> digest of its container. `present`: generations that are complete."""

    base: Mapping[str, str] = field(default_factory=dict)
    base_stopped: frozenset[str] = frozenset()
    present: frozenset[int] = frozenset()
    leftovers: tuple[int, ...] = ()  # further generations with containers or networks


@dataclass(frozen=True)
class Situation:
    """`again`: `new` was live before (a rollback), so its jobs are not run again unless they fill its own volumes.

    `warm`: its generation still runs, but for the workers: then the routes go first, and the workers follow.
    `skipped`: titles of commands that were told not to run, such as `checklist:licence`.
    """

    new: Snapshot
    old: Snapshot | None
    observed: Observed = Observed()
    again: bool = False
    warm: bool = False
    keep_stopped: bool = True
    skip_tests: bool = False
    skip_verify: bool = False
    skipped: frozenset[str] = frozenset()
    front: Front = Front()


def plan_deployment(given: Situation) -> Plan:
    """The whole plan, step by step."""
    new, old = given.new, given.old
    return Plan(
        app=new.app,
        release=new.number,
        previous=old.number if old else None,
        steps=(
            StepPlan("build") if given.again else build_step(new, given.skip_tests, given.skipped),
            _base(given),
            _release(given),
            _start(given),
            _switch(given),
            StepPlan("verify") if given.skip_verify else verify_step(new, old, given.front, steps=not given.again),
            _retire(given),
        ),
        downtime=downtime(given),
    )


def changed_base(given: Situation) -> tuple[str, ...]:
    """Base services whose own definition, image or files changed, or that are not there."""
    seen = given.observed.base
    return tuple(p.name for p in given.new.base() if seen.get(p.name) != p.digest)


def downtime(given: Situation) -> tuple[str, ...]:
    """Why requests may fail in this deployment; empty when none should."""
    if given.old is None:
        return ()
    changed = [n for n in changed_base(given) if n in given.observed.base]
    swapped = [p.name for p in late_parts(given.new) if p.strategy is Strategy.RECREATE]
    found = [f"{n}: a base service changes and is recreated" for n in changed]
    return (*found, *(f"{n}: recreate, the old one stops before the new one serves" for n in swapped))


# --- base ------------------------------------------------------------------------------------------------------------


def _base(given: Situation) -> StepPlan:
    new = given.new
    changed = set(changed_base(given))
    resting = {n for n in given.observed.base_stopped if n in new.parts and new.parts[n].in_base}
    counted = [CountAnswers()] if given.old and not given.skip_verify else []
    operations: list[Operation] = [*counted, *_shared_networks(new), *_shared_volumes(new)]
    jobs = jobs_before_base(new, changed) if not given.again else ()
    if jobs:
        operations += [*own_networks(new), *create_parts(new, jobs)]
    fresh = tuple(n for n in sorted(changed) if n not in given.observed.base and n not in resting)
    if fresh:
        operations.append(CreateServices(new.number, True, fresh))
    for layer in layers_of(new, [p.name for p in new.base()]):
        todo = [new.parts[n] for n in layer if n in changed or n in resting]
        due = [j.name for j in jobs if any(j.name in needed_jobs(new, p) for p in todo)]
        operations += run_jobs(new, due)
        if todo:
            operations.append(
                Together(tuple(_bring_base(new, p, p.name in fresh or p.name not in changed) for p in todo))
            )
    undo: tuple[Operation, ...] = ()
    if changed:
        undo = (PutBackBase(tuple(sorted(changed)), given.old.number if given.old else None),)
    added = _added_networks(given)
    if added:
        undo = (*undo, RemoveNetworks(added))
    if jobs:
        undo = (*remove_new(new, images=True), *undo)
    return StepPlan("base", tuple(operations), undo)


def _bring_base(new: Snapshot, part: Part, created: bool) -> Operation:
    names = containers_of(new, part)
    steps: list[Operation] = [] if created else [CreateServices(new.number, True, (part.name,), recreate=True)]
    steps += [
        Deliver(new.number, part.name, names),
        Start(new.number, part.name, names),
        Gate(part.name, names, part.probe),
        SetRestart(names, part.restart),
    ]
    return Sequence(tuple(steps))


def _shared_networks(new: Snapshot) -> list[EnsureNetwork]:
    """Networks that base services live on; without a base the generation's own copies are enough."""
    project = base_project(new.app)
    size = len(new.base()) + 3 * len(new.generation()) + 8
    used = {n.get("name") for n in new.base_model.get("networks", {}).values()}
    found = [
        EnsureNetwork(n.name, size, n.internal, n.key, project)
        for n in new.networks.values()
        if (n.name in used and not n.external) or n.create
    ]
    if needs_names(new):
        found.append(EnsureNetwork(names_network(new.app), size, True, "windlass-names", project))
    return found


def _added_networks(given: Situation) -> tuple[str, ...]:
    """Networks of the base that the live release does not have."""
    there = {op.name for op in _shared_networks(given.old)} if given.old else set()
    return tuple(op.name for op in _shared_networks(given.new) if op.name not in there)


def _shared_volumes(new: Snapshot) -> list[Operation]:
    models = (new.base_model, new.generation_model)
    used = {v.get("name") for m in models for v in m.get("volumes", {}).values()}
    return [
        EnsureVolume(v.name, v.key, base_project(new.app), v.driver, v.options)
        for v in new.volumes
        if v.name in used and not v.external and not v.per_release
    ]


# --- release and start ---------------------------------------------------------------------------------------------


def _release(given: Situation) -> StepPlan:
    """Compose's jobs, then the commands of windlass.yaml; what comes after is created beside, only to be started."""
    new = given.new
    if new.number in given.observed.present:
        return StepPlan("release")
    jobs, tasks = _wanted_jobs(given, release_jobs(new)), _release_tasks(given)
    operations: list[Operation] = [*own_networks(new)]
    if jobs or tasks:
        rest = _lasting(given)
        operations += create_parts(new, [*jobs, *tasks])
        once = (RunTask(new.number, p.name) for p in tasks)
        running = Sequence((*run_jobs(new, [j.name for j in jobs]), *once))
        operations.append(Together((running, Sequence(tuple(create_parts(new, rest))))))
    return StepPlan("release", tuple(operations), remove_new(new, images=not given.again))


def _release_tasks(given: Situation) -> tuple[Part, ...]:
    """A release that was live before has run them."""
    return () if given.again else given.new.tasks(Phase.RELEASE)


def _lasting(given: Situation) -> list[Part]:
    """All of the generation but the jobs that run first."""
    new = given.new
    early = {p.name for p in release_jobs(new)}
    jobs = {p.name for p in _wanted_jobs(given, [p for p in new.generation() if p.strategy is Strategy.JOB])}
    parts = [p for p in new.generation() if not p.is_extra]
    return [p for p in parts if p.strategy is not Strategy.JOB or p.name in jobs - early]


def _wanted_jobs(given: Situation, jobs: Iterable[Part]) -> list[Part]:
    if not given.again:
        return list(jobs)
    own = {v.key for v in given.new.volumes if v.per_release}
    services = given.new.generation_model.get("services", {})
    return [j for j in jobs if own & {m.get("source") for m in services.get(j.name, {}).get("volumes", [])}]


def _last_workers(given: Situation) -> list[str]:
    """Workers that nothing waits for: they take work only when all the rest is ready."""
    new = given.new
    late = {p.name for p in late_parts(new)}
    return [p.name for p in _lasting(given) if p.role is Role.WORKER and p.name not in late and not is_needed(new, p)]


def _start(given: Situation) -> StepPlan:
    new = given.new
    late = {p.name for p in late_parts(new)}
    parts = _lasting(given)
    workers = _last_workers(given)
    operations: list[Operation] = []
    before = _wanted_jobs(given, release_jobs(new)) or _release_tasks(given)
    if new.number not in given.observed.present and not before:
        operations += create_parts(new, parts)
    first = [p.name for p in parts if p.name not in late and p.name not in workers]
    operations += bring_layers(new, first)
    operations += [] if given.warm else bring_layers(new, workers)
    there = new.number in given.observed.present
    undo: tuple[Operation, ...] = (
        tuple(stop_parts(new, [new.parts[n] for n in (*workers, *first)]))
        if there
        else remove_new(new, images=not given.again)
    )
    return StepPlan("start", tuple(operations), undo)


# --- switch, verify, retire ------------------------------------------------------------------------------------------


def _switch(given: Situation) -> StepPlan:
    new, old = given.new, given.old
    late_new = late_parts(new)
    late_old = _displaced(given)
    parts = [p for p in new.generation() if p.strategy is not Strategy.JOB]
    operations: list[Operation] = []
    if old:
        operations += stop_parts(old, late_old)
    operations += bring_layers(new, [p.name for p in late_new if p.strategy is not Strategy.JOB])
    fallback = old.number if old and old.number != new.number else None
    operations.append(SwitchRoutes(new.number, fallback))
    policies = [SetRestart(containers_of(new, p), p.restart) for p in parts if p.restart != "no"]
    if policies:
        operations.append(Together(tuple(policies)))
    operations += _move_names(old, new)
    operations += bring_layers(new, _last_workers(given)) if given.warm else []
    if old:
        operations += [
            Stop(old.number, p.name, containers_of(old, p), p.grace_s, wait=False) for p in _workers(old, late_old)
        ]
    back = (*_switch_back(given, late_new, late_old), *command_leftovers(new))
    return StepPlan("switch", tuple(operations), back)


def _displaced(given: Situation) -> list[Part]:
    """Parts of the old generation that must be gone before their successor starts."""
    if given.old is None:
        return []
    late = {p.name for p in late_parts(given.new)} | {p.name for p in late_parts(given.old)}
    gone = [p for p in given.old.generation() if p.strategy is not Strategy.JOB]
    return [p for p in gone if p.name in late]


def _workers(old: Snapshot, late: list[Part]) -> list[Part]:
    names = {p.name for p in late}
    return [p for p in old.generation() if p.role is Role.WORKER and p.name not in names]


def _switch_back(given: Situation, late_new: tuple[Part, ...], late_old: list[Part]) -> list[Operation]:
    new, old = given.new, given.old
    if old is None:
        return [WithdrawRoutes()]
    workers = _workers(old, late_old)
    operations: list[Operation] = [SwitchRoutes(old.number)]
    stopping = [p for p in new.generation() if p.role is Role.WORKER or p in late_new]
    operations += stop_parts(new, [p for p in stopping if p.strategy is not Strategy.JOB])
    operations += end_stops(old, late_old)
    operations += bring_layers(old, [p.name for p in late_old])
    operations += _move_names(new, old)
    operations += drain_generation(new)
    operations += end_stops(old, workers)
    operations += bring_layers(old, [p.name for p in workers])
    again = [SetRestart(containers_of(old, p), p.restart) for p in (*late_old, *workers) if p.restart != "no"]
    operations += again
    if late_old:
        operations.append(SwitchRoutes(old.number))
    return operations


def _move_names(leaving: Snapshot | None, coming: Snapshot) -> list[Operation]:
    """Callers in the base find the live generation by name on a network of its own."""
    network = names_network(coming.app)
    found: list[Operation] = []
    if leaving is not None and needs_names(leaving):
        found += [Detach(c, network) for p in _callable(leaving) for c in containers_of(leaving, p)]
    if needs_names(coming):
        found += [Attach(c, network, (p.name, *p.aliases)) for p in _callable(coming) for c in containers_of(coming, p)]
    return [Together(tuple(found))] if found else []


def _callable(snapshot: Snapshot) -> list[Part]:
    return [
        p
        for p in snapshot.generation()
        if p.strategy is not Strategy.JOB and not p.host_network and not p.peer and p.role is not Role.WORKER
    ]


def _retire(given: Situation) -> StepPlan:
    new, old = given.new, given.old
    operations: list[Operation] = [SwitchRoutes(new.number)]
    keep = {new.number}
    if old and old.number != new.number:
        operations += _retire_old(new, old)
        if given.keep_stopped:
            keep.add(old.number)
    operations += [RemoveGeneration(n) for n in given.observed.leftovers if n not in keep]
    operations.append(KeepReleases(new.number))
    return StepPlan("retire", tuple(operations))


def _retire_old(new: Snapshot, old: Snapshot) -> list[Operation]:
    if new.keep_warm_s > 0:
        return [KeepWarm(old.number, new.keep_warm_s)]
    operations = retire_generation(old)
    gone = [p for p in old.base() if p.name not in new.parts or not new.parts[p.name].in_base]
    if gone:
        operations.append(RemoveContainers(tuple(c for p in gone for c in containers_of(old, p))))
    return operations
