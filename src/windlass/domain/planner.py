"""Decides what a deployment does: two snapshots and what is observed in, a plan of operations out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from windlass.domain.compose import Condition
from windlass.domain.derivation import needs_names
from windlass.domain.ordering import layers
from windlass.domain.plan import (
    Attach,
    CreateServices,
    Deliver,
    Detach,
    Drain,
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
    RunJob,
    Sequence,
    SetRestart,
    Start,
    StepPlan,
    Stop,
    SwitchRoutes,
    Together,
    Watch,
    WithdrawRoutes,
)
from windlass.domain.release import (
    Part,
    Role,
    Snapshot,
    Strategy,
    base_project,
    container_name,
    generation_network,
    generation_project,
    names_network,
)

JOB_WITHIN_S = 600.0
SMALLEST_NETWORK = 26


@dataclass(frozen=True)
class Observed:
    """What is there now. `base`: service -> digest of its running container. `present`: release -> generation complete."""

    base: Mapping[str, str] = field(default_factory=dict)
    base_stopped: frozenset[str] = frozenset()
    present: frozenset[int] = frozenset()
    leftovers: tuple[int, ...] = ()  # further generations with containers or networks


@dataclass(frozen=True)
class Situation:
    """`again`: `new` was live before (a rollback), so its jobs are not run again unless they fill its own volumes."""

    new: Snapshot
    old: Snapshot | None
    observed: Observed = Observed()
    again: bool = False
    keep_stopped: bool = True


def plan_deployment(given: Situation) -> Plan:
    """The whole plan, step by step."""
    new, old = given.new, given.old
    return Plan(
        app=new.app,
        release=new.number,
        previous=old.number if old else None,
        steps=(_base(given), _release(given), _start(given), _switch(given), _verify(given), _retire(given)),
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


def late_parts(snapshot: Snapshot) -> tuple[Part, ...]:
    """Parts that may not run beside their predecessor, and whatever needs one of them."""
    late = {
        p.name
        for p in snapshot.generation()
        if p.strategy is Strategy.RECREATE or p.role is Role.SCHEDULER
    }
    grown = True
    while grown:
        more = {
            p.name
            for p in snapshot.generation()
            if p.name not in late and (any(d.service in late for d in p.needs) or p.peer in late)
        }
        late |= more
        grown = bool(more)
    return tuple(p for p in snapshot.generation() if p.name in late)


def release_jobs(snapshot: Snapshot) -> tuple[Part, ...]:
    """Jobs that need nothing but the base and other such jobs: they run before anything of the new version starts."""
    jobs = {p.name: p for p in snapshot.generation() if p.strategy is Strategy.JOB}
    early = dict(jobs)
    shrunk = True
    while shrunk:
        kept = {
            n: p
            for n, p in early.items()
            if all(d.service in early or d.service not in snapshot.parts or snapshot.parts[d.service].in_base for d in p.needs)
        }
        shrunk = len(kept) != len(early)
        early = kept
    return tuple(early.values())


def containers_of(snapshot: Snapshot, part: Part) -> tuple[str, ...]:
    project = base_project(snapshot.app) if part.in_base else generation_project(snapshot.app, snapshot.number)
    return tuple(container_name(project, part.name, i + 1) for i in range(part.replicas))


# --- base ------------------------------------------------------------------------------------------------------------


def _base(given: Situation) -> StepPlan:
    new = given.new
    changed = set(changed_base(given))
    resting = {n for n in given.observed.base_stopped if n in new.parts and new.parts[n].in_base}
    operations: list[Operation] = [*_shared_networks(new), *_shared_volumes(new)]
    fresh = tuple(n for n in sorted(changed) if n not in given.observed.base and n not in resting)
    if fresh:
        operations.append(CreateServices(new.number, True, fresh))
    for layer in _layers(new, [p.name for p in new.base()]):
        todo = [new.parts[n] for n in layer if n in changed or n in resting]
        if todo:
            operations.append(Together(tuple(_bring_base(new, p, p.name in fresh or p.name not in changed) for p in todo)))
    undo: tuple[Operation, ...] = ()
    if changed:
        undo = (PutBackBase(tuple(sorted(changed)), given.old.number if given.old else None),)
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


def _shared_networks(new: Snapshot) -> list[Operation]:
    """Networks that base services live on; without a base the generation's own copies are enough."""
    project = base_project(new.app)
    size = len(new.base()) + 3 * len(new.generation()) + 8
    used = {n.get("name") for n in new.base_model.get("networks", {}).values()}
    found: list[Operation] = [
        EnsureNetwork(n.name, size, n.internal, n.key, project)
        for n in new.networks.values()
        if (n.name in used and not n.external) or n.create
    ]
    if needs_names(new):
        found.append(EnsureNetwork(names_network(new.app), size, True, "windlass-names", project))
    return found


def _shared_volumes(new: Snapshot) -> list[Operation]:
    models = (new.base_model, new.generation_model)
    used = {v.get("name") for m in models for v in m.get("volumes", {}).values()}
    return [
        EnsureVolume(v.name, v.key, base_project(new.app))
        for v in new.volumes
        if v.name in used and not v.external and not v.per_release
    ]


# --- release and start ---------------------------------------------------------------------------------------------


def _release(given: Situation) -> StepPlan:
    new = given.new
    if new.number in given.observed.present:
        return StepPlan("release")
    jobs = _wanted_jobs(given, release_jobs(new))
    operations = _own_networks(new)
    if jobs:
        operations += _create(given, jobs)
        operations += [op for layer in _layers(new, [j.name for j in jobs]) for op in (_run_jobs(new, layer),)]
    return StepPlan("release", tuple(operations), (RemoveGeneration(new.number, images=not given.again),))


def _wanted_jobs(given: Situation, jobs: Iterable[Part]) -> list[Part]:
    if not given.again:
        return list(jobs)
    own = {v.key for v in given.new.volumes if v.per_release}
    services = given.new.generation_model.get("services", {})
    return [j for j in jobs if own & {m.get("source") for m in services.get(j.name, {}).get("volumes", [])}]


def _run_jobs(new: Snapshot, names: Iterable[str]) -> Operation:
    return Together(
        tuple(
            Sequence((Start(new.number, n, names_), RunJob(n, names_[0], JOB_WITHIN_S)))
            for n in names
            for names_ in (containers_of(new, new.parts[n]),)
        )
    )


def _own_networks(new: Snapshot) -> list[Operation]:
    size = sum(p.replicas for p in new.generation()) + 4
    project = generation_project(new.app, new.number)
    found: list[Operation] = []
    for key in new.generation_model.get("networks", {}):
        user = new.networks.get(key)
        internal = bool(user and user.internal)
        found.append(EnsureNetwork(generation_network(new.app, new.number, key), size, internal, key, project))
    for volume in new.volumes:
        if volume.per_release:
            found.append(EnsureVolume(volume.name, volume.key, project))
    return found


def _create(given: Situation, parts: Iterable[Part]) -> list[Operation]:
    new = given.new
    chosen = list(parts)
    if not chosen:
        return []
    attach = [op for p in chosen for op in _attach(new, p)]
    deliver = [Deliver(new.number, p.name, containers_of(new, p)) for p in chosen if p.deliveries]
    return [CreateServices(new.number, False, tuple(p.name for p in chosen)), *attach, *deliver]


def _attach(new: Snapshot, part: Part) -> list[Operation]:
    """Own networks with a fixed address; the base's networks without a name, so that no unready container answers."""
    if part.host_network or part.peer:
        return []
    found: list[Operation] = []
    service = new.generation_model.get("services", {}).get(part.name, {})
    used = {n.get("name") for n in new.base_model.get("networks", {}).values()}
    start = _first_index(new, part)
    late = part.strategy is Strategy.RECREATE
    for i, container in enumerate(containers_of(new, part)):
        for key, options in (service.get("networks") or {}).items():
            aliases = (part.name, *((options or {}).get("aliases") or ()))
            network = generation_network(new.app, new.number, key)
            if part.strategy is not Strategy.JOB:
                found.append(Attach(container, network, aliases, index=start + i, again=True))
        for key, aliases in part.networks.items():
            user = new.networks[key]
            if user.external:
                found.append(Attach(container, user.name, (part.name, *aliases, *part.aliases) if late else ()))
            elif user.name in used:
                links = tuple((container_name(base_project(new.app), s), a) for a, s in part.base_links.items())
                found.append(Attach(container, user.name, links=links))
    return found


def _first_index(new: Snapshot, part: Part) -> int:
    before = 0
    for other in new.generation():
        if other.name == part.name:
            break
        before += other.replicas
    return before


def _start(given: Situation) -> StepPlan:
    new = given.new
    late = {p.name for p in late_parts(new)}
    early_jobs = {p.name for p in release_jobs(new)}
    jobs = {p.name for p in _wanted_jobs(given, [p for p in new.generation() if p.strategy is Strategy.JOB])}
    parts = [p for p in new.generation() if p.strategy is not Strategy.JOB or (p.name in jobs - early_jobs)]
    workers = [p.name for p in parts if p.role is Role.WORKER and p.name not in late and not _is_needed(new, p)]
    operations: list[Operation] = []
    if new.number not in given.observed.present:
        operations += _create(given, parts)
    first = [p.name for p in parts if p.name not in late and p.name not in workers]
    operations += _bring_layers(new, first)
    operations += _bring_layers(new, workers)
    there = new.number in given.observed.present
    undo: tuple[Operation, ...] = (
        tuple(_stop_parts(new, [new.parts[n] for n in (*workers, *first)]))
        if there
        else (RemoveGeneration(new.number, images=not given.again),)
    )
    return StepPlan("start", tuple(operations), undo)


def _is_needed(new: Snapshot, part: Part) -> bool:
    """Something that is no worker waits for it, so it cannot be the last to start."""
    return any(d.service == part.name for p in new.generation() if p.role is not Role.WORKER for d in p.needs)


def _bring_layers(new: Snapshot, names: list[str]) -> list[Operation]:
    """Dependency order; a gate is waited for only where the condition asks for it, all gates before the end."""
    operations: list[Operation] = []
    open_gates: list[Gate] = []
    for layer in _layers(new, names):
        waited = {
            d.service
            for n in layer
            for d in new.parts[n].needs
            if d.condition is not Condition.STARTED
        } | {new.parts[n].peer for n in layer if new.parts[n].peer}
        due = [g for g in open_gates if g.service in waited]
        if due:
            operations.append(Together(tuple(due)))
            open_gates = [g for g in open_gates if g not in due]
        operations.append(Together(tuple(_start_one(new, new.parts[n]) for n in layer)))
        open_gates += [
            Gate(n, containers_of(new, new.parts[n]), new.parts[n].probe)
            for n in layer
            if new.parts[n].strategy is not Strategy.JOB
        ]
    if open_gates:
        operations.append(Together(tuple(open_gates)))
    return operations


def _start_one(new: Snapshot, part: Part) -> Operation:
    names = containers_of(new, part)
    start = Start(new.number, part.name, names)
    if part.strategy is Strategy.JOB:
        return Sequence((start, RunJob(part.name, names[0], JOB_WITHIN_S)))
    return start


# --- switch, verify, retire ------------------------------------------------------------------------------------------


def _switch(given: Situation) -> StepPlan:
    new, old = given.new, given.old
    late_new = late_parts(new)
    late_old = _displaced(given)
    parts = [p for p in new.generation() if p.strategy is not Strategy.JOB]
    operations: list[Operation] = []
    if old:
        operations += _stop_parts(old, late_old)
    operations += _bring_layers(new, [p.name for p in late_new if p.strategy is not Strategy.JOB])
    policies = [SetRestart(containers_of(new, p), p.restart) for p in parts if p.restart != "no"]
    if policies:
        operations.append(Together(tuple(policies)))
    fallback = old.number if old and old.number != new.number else None
    operations.append(SwitchRoutes(new.number, fallback))
    operations += _move_names(old, new)
    if old:
        operations += [
            Stop(old.number, p.name, containers_of(old, p), p.grace_s, wait=False) for p in _workers(old, late_old)
        ]
    return StepPlan("switch", tuple(operations), tuple(_switch_back(given, late_new, late_old)))


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
    operations += _stop_parts(new, [p for p in stopping if p.strategy is not Strategy.JOB])
    operations += _bring_layers(old, [p.name for p in late_old])
    operations += _move_names(new, old)
    operations += _bring_layers(old, [p.name for p in workers])
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
        found += [
            Attach(c, network, (p.name, *p.aliases)) for p in _callable(coming) for c in containers_of(coming, p)
        ]
    return [Together(tuple(found))] if found else []


def _callable(snapshot: Snapshot) -> list[Part]:
    return [
        p
        for p in snapshot.generation()
        if p.strategy is not Strategy.JOB and not p.host_network and not p.peer and p.role is not Role.WORKER
    ]


def _stop_parts(snapshot: Snapshot, parts: Iterable[Part]) -> list[Operation]:
    """Dependents before what they need."""
    chosen = {p.name: p for p in parts}
    found: list[Operation] = []
    for layer in reversed(_layers(snapshot, list(chosen))):
        stops = tuple(
            Stop(snapshot.number, n, containers_of(snapshot, chosen[n]), chosen[n].grace_s) for n in layer
        )
        found.append(SetRestart(tuple(c for s in stops for c in s.containers), "no"))
        found.append(Together(stops))
    return found


def _verify(given: Situation) -> StepPlan:
    new = given.new
    probes = tuple(
        (c, p.probe) for p in new.generation() if p.strategy is not Strategy.JOB for c in containers_of(new, p)
    )
    return StepPlan("verify", (Watch(new.bake_s, probes, new.number),))


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
    parts = [p for p in old.generation() if p.strategy is not Strategy.JOB]
    targets = tuple(
        (c, r.port) for r in old.routes if r.service in old.parts and not old.parts[r.service].in_base
        for c in containers_of(old, old.parts[r.service])
    )  # fmt: skip
    limit = max((old.parts[r.service].drain_s for r in old.routes if r.service in old.parts), default=0.0)
    operations: list[Operation] = []
    if new.keep_warm_s > 0:
        return [KeepWarm(old.number, new.keep_warm_s)]
    if targets:
        operations.append(Drain(tuple(dict.fromkeys(targets)), limit))
    operations += _stop_parts(old, parts)
    gone = [p for p in old.base() if p.name not in new.parts or not new.parts[p.name].in_base]
    if gone:
        operations.append(RemoveContainers(tuple(c for p in gone for c in containers_of(old, p))))
    return operations


def _layers(snapshot: Snapshot, names: list[str]) -> tuple[tuple[str, ...], ...]:
    chosen = set(names)
    needs = {}
    for name in names:
        part = snapshot.parts[name]
        wanted = [d.service for d in part.needs if d.service in chosen]
        if part.peer in chosen:
            wanted.append(part.peer)
        needs[name] = tuple(dict.fromkeys(wanted))
    return layers(names, needs)
