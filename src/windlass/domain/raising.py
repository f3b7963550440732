"""Operations that bring the parts of a generation up and take them down, in the order their needs ask for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from windlass.domain.compose import Condition
from windlass.domain.parts import containers_of, layers_of
from windlass.domain.plan import (
    Attach,
    CreateServices,
    Deliver,
    Drain,
    EnsureNetwork,
    EnsureVolume,
    Gate,
    Operation,
    RemoveGeneration,
    RunJob,
    RunTask,
    Sequence,
    SetRestart,
    Start,
    Stop,
    Together,
)
from windlass.domain.release import (
    Part,
    Probe,
    ProbeKind,
    Snapshot,
    Strategy,
    base_project,
    container_name,
    generation_network,
    generation_project,
)

JOB_WITHIN_S = 600.0
GLANCE_S = 0.0


def own_networks(new: Snapshot) -> list[Operation]:
    size = 2 * (sum(p.replicas for p in new.generation()) + 4)
    project = generation_project(new.app, new.number)
    found: list[Operation] = []
    for key in new.generation_model.get("networks", {}):
        user = new.networks.get(key)
        internal = bool(user and user.internal)
        name = generation_network(new.app, new.number, key)
        found.append(EnsureNetwork(name, size, internal, key, project, fixed=True))
    for volume in new.volumes:
        if volume.per_release:
            found.append(EnsureVolume(volume.name, volume.key, project))
    return found


def attach_part(new: Snapshot, part: Part) -> list[Attach]:
    """Own networks with a fixed address; the base's networks without a name, so that no unready container answers."""
    if part.host_network or part.peer or (part.phase is not None and part.phase.is_isolated):
        return []
    found: list[Attach] = []
    service = new.generation_model.get("services", {}).get(part.name, {})
    used = {n.get("name") for n in new.base_model.get("networks", {}).values()}
    start = _first_index(new, part)
    late = part.strategy is Strategy.RECREATE
    inner = _inner_links(new, service)
    for i, container in enumerate(containers_of(new, part)):
        for key, options in (service.get("networks") or {}).items():
            aliases = (part.name, *((options or {}).get("aliases") or ()))
            network = generation_network(new.app, new.number, key)
            if part.strategy is not Strategy.JOB:
                found.append(Attach(container, network, aliases, inner, index=start + i, again=True))
        for key, aliases in part.networks.items():
            user = new.networks[key]
            if user.external:
                found.append(Attach(container, user.name, (part.name, *aliases, *part.aliases) if late else ()))
            elif user.name in used:
                found.append(Attach(container, user.name, links=_base_links(new, part, key)))
    return found


def _inner_links(new: Snapshot, service: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """`links:` to services of the same generation; Compose's own are lost when the network is joined anew."""
    project = generation_project(new.app, new.number)
    written = [str(link).partition(":") for link in service.get("links") or ()]
    return tuple((container_name(project, target), alias or target) for target, _, alias in written)


def _base_links(new: Snapshot, part: Part, key: str) -> tuple[tuple[str, str], ...]:
    """Every name of the base on this network, as a link.

    The engine asks networks in the order of their names, so another stack on an external network could answer for
    `db`; links are asked first.
    """
    project = base_project(new.app)
    found = {alias: container_name(project, service) for alias, service in part.base_links.items()}
    for other in new.base():
        if key in other.networks:
            for name in (other.name, *other.networks[key], *other.aliases):
                found.setdefault(name, container_name(project, other.name))
    return tuple((container, alias) for alias, container in found.items())


def _first_index(new: Snapshot, part: Part) -> int:
    before = 0
    for other in new.generation():
        if other.name == part.name:
            break
        before += other.replicas
    return before


def bring_layers(new: Snapshot, names: list[str]) -> list[Operation]:
    """Dependency order; a gate is waited for only where the condition asks for it, all gates before the end."""
    operations: list[Operation] = []
    open_gates: list[Gate] = []
    for layer in layers_of(new, names):
        waited = {d.service for n in layer for d in new.parts[n].needs if d.condition is not Condition.STARTED} | {
            new.parts[n].peer for n in layer if new.parts[n].peer
        }
        due = [g for g in open_gates if g.service in waited]
        if due:
            operations.append(Together(tuple(due)))
            open_gates = [g for g in open_gates if g not in due]
        operations.append(Together(tuple(_start_one(new, new.parts[n]) for n in layer)))
        open_gates += [
            Gate(n, containers_of(new, new.parts[n]), gate_probe(new.parts[n]))
            for n in layer
            if new.parts[n].strategy is not Strategy.JOB
        ]
    if open_gates:
        operations.append(Together(tuple(open_gates)))
    return operations


def gate_probe(part: Part) -> Probe:
    """A part that can only be watched (no port, no check) is looked at now; its ten seconds are part of the bake."""
    checks = tuple(
        replace(c, seconds=min(c.seconds, GLANCE_S)) if c.kind is ProbeKind.UPTIME else c for c in part.probe.checks
    )
    return replace(part.probe, checks=checks)


def _start_one(new: Snapshot, part: Part) -> Operation:
    names = containers_of(new, part)
    start = Start(new.number, part.name, names)
    if part.task is not None:
        return RunTask(new.number, part.name)
    if part.strategy is Strategy.JOB:
        return Sequence((start, RunJob(part.name, names[0], JOB_WITHIN_S, _is_optional(new, part))))
    return start


def _is_optional(new: Snapshot, job: Part) -> bool:
    """Whoever waits for it can do without."""
    needs = [d for p in new.parts.values() for d in p.needs if d.service == job.name]
    return bool(needs) and not any(d.required for d in needs)


def stop_parts(snapshot: Snapshot, parts: Iterable[Part]) -> list[Operation]:
    """Dependents before what they need."""
    chosen = {p.name: p for p in parts}
    found: list[Operation] = []
    for layer in reversed(layers_of(snapshot, list(chosen))):
        stops = tuple(Stop(snapshot.number, n, containers_of(snapshot, chosen[n]), chosen[n].grace_s) for n in layer)
        found.append(SetRestart(tuple(c for s in stops for c in s.containers), "no"))
        found.append(Together(stops))
    return found


def end_stops(snapshot: Snapshot, parts: Iterable[Part]) -> list[Operation]:
    """A container in its grace still runs, and would be taken for one that is up."""
    stops = [Stop(snapshot.number, p.name, containers_of(snapshot, p), p.grace_s, begun=True) for p in parts]
    return [Together(tuple(stops))] if stops else []


def remove_new(new: Snapshot, images: bool) -> tuple[Operation, ...]:
    """Take the generation away; a job that still runs gets its grace first, so that a migration can roll back."""
    jobs = [p for p in new.generation() if p.strategy is Strategy.JOB]
    stops = tuple(Stop(new.number, p.name, containers_of(new, p), p.grace_s) for p in jobs)
    return (*((Together(stops),) if stops else ()), RemoveGeneration(new.number, images))


def retire_generation(old: Snapshot) -> list[Operation]:
    """Drain it, then stop it: dependents before what they need, SIGTERM and the whole grace."""
    parts = [p for p in old.generation() if p.strategy is not Strategy.JOB]
    return [*drain_generation(old), *stop_parts(old, parts)]


def drain_generation(snapshot: Snapshot) -> list[Operation]:
    """Wait for the requests that its routed parts still answer, and those that give the error pages."""
    asked = [(r.service, r.port) for r in snapshot.routes]
    asked += [(page.service, page.port) for r in snapshot.routes for page in r.options.errors]
    parts = {n: p for n, p in snapshot.parts.items() if not p.in_base}
    routed = [(parts[service], port) for service, port in asked if service in parts]
    targets = [(c, port) for part, port in routed for c in containers_of(snapshot, part)]
    limit = max((part.drain_s for part, _ in routed), default=0.0)
    return [Drain(tuple(dict.fromkeys(targets)), limit)] if targets else []


def run_jobs(new: Snapshot, names: Iterable[str]) -> list[Operation]:
    """Each to exit 0, those that need another after it."""
    return [Together(tuple(_start_one(new, new.parts[n]) for n in layer)) for layer in layers_of(new, list(names))]


def create_parts(new: Snapshot, parts: Iterable[Part]) -> list[Operation]:
    """Let Compose create them, join them to their networks, hand them their secrets and configs."""
    chosen = list(parts)
    if not chosen:
        return []
    by_container: dict[str, list[Operation]] = {}
    for operation in (op for p in chosen for op in attach_part(new, p)):
        by_container.setdefault(operation.container, []).append(operation)
    joined = tuple(Sequence(tuple(operations)) for operations in by_container.values())
    attach: tuple[Operation, ...] = (Together(joined),) if joined else ()
    handed = [Deliver(new.number, p.name, containers_of(new, p)) for p in chosen if p.deliveries]
    return [CreateServices(new.number, False, tuple(p.name for p in chosen)), *attach, *handed]
