"""Runs a service of the live release in more or fewer containers, now and in the releases to come."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from windlass.domain.derivation import needs_names
from windlass.domain.errors import Conflict, Refused, Usage, WindlassError
from windlass.domain.fingerprint import fingerprint
from windlass.domain.names import shown
from windlass.domain.parts import containers_of, late_parts
from windlass.domain.plan import (
    Attach,
    CreateServices,
    Deliver,
    Drain,
    Gate,
    Operation,
    RemoveContainers,
    SetRestart,
    Start,
    Stop,
)
from windlass.domain.raising import attach_part, gate_probe
from windlass.domain.release import Part, Role, Snapshot, Strategy, generation_project, names_network
from windlass.ports.outside import Outside
from windlass.usecases.execute import execute
from windlass.usecases.liveapp import Live, changing, put_routes, states
from windlass.usecases.undertaking import load_kept, save_kept

MOST = 50
_FIRST_ADDRESS = 2  # index 0; before it are the network's own and the gateway's


def scale(outside: Outside, app: str, service: str, replicas: int) -> dict[str, Any]:
    """Run it `replicas` times (1–50): the live release at once, and every release to come.

    Raises Refused scale_refused for a service that may exist only once, scale_no_room when the release's network has
    too few addresses; then the wish is kept for the next deployment, which makes room.
    """
    if not 1 <= replicas <= MOST:
        raise Usage(f"{service}={replicas}: a service runs 1 to {MOST} times", code="scale_out_of_range")
    with changing(outside, app, f"scale {service}={replicas}") as live:
        part = live.part(service)
        _refuse_single(live.snapshot, part)
        before = part.replicas
        if replicas > before:
            _require_up(live, part)
            _grow(live, part, replicas)
        elif replicas < before:
            _shrink(live, part, replicas)
        wishes = {**outside.store.apps.get(live.snapshot.app).scale, service: replicas}
        outside.store.apps.update(live.snapshot.app, scale=wishes)
        return states(live, [live.part(service)])


def _refuse_single(snapshot: Snapshot, part: Part) -> None:
    """Only what may run beside itself may run several times."""
    name = part.name
    late = {p.name for p in late_parts(snapshot)}
    why = ""
    if part.in_base:
        why = "belongs to the base and runs once"
    elif part.strategy is Strategy.JOB:
        why = "is a job"
    elif part.role is Role.SCHEDULER or part.strategy is not Strategy.ROLLING or name in late:
        why = f"runs once at a time ({part.reason})" if part.reason else "runs once at a time"
    elif part.host_network:
        why = "uses the host's network, where its ports can be had once only"
    elif part.peer or any(p.peer == name for p in snapshot.parts.values()):
        why = "shares its network namespace with another service"
    if why:
        raise Refused(
            f"{name} cannot run several times: it {why}",
            code="scale_refused",
            hint=f"windlass status {shown(snapshot.app)}",
        )


def _require_up(live: Live, part: Part) -> None:
    if len(live.running(part)) < part.replicas:
        name = shown(live.snapshot.app)
        raise Conflict(f"{part.name} is not up", code="not_running", hint=f"windlass start {name} {part.name}")


def _resized(snapshot: Snapshot, service: str, replicas: int) -> Snapshot:
    model = copy.deepcopy(dict(snapshot.generation_model))
    model["services"][service]["deploy"] = {**(model["services"][service].get("deploy") or {}), "replicas": replicas}
    parts = {**snapshot.parts, service: replace(snapshot.parts[service], replicas=replicas)}
    return replace(snapshot, parts=parts, generation_model=model)


def _adopt(live: Live, snapshot: Snapshot) -> None:
    """From now on the release says so, and the same source again is no change."""
    store, app, number = live.outside.store, snapshot.app, snapshot.number
    mark = fingerprint(snapshot, store.releases.get(app, number).tree)
    resized = replace(snapshot, fingerprint=mark)
    save_kept(live.outside, replace(load_kept(live.outside, app, number), snapshot=resized))
    store.releases.update(app, number, fingerprint=mark)
    _use(live, resized)


def _use(live: Live, snapshot: Snapshot) -> None:
    live.snapshot = snapshot
    live.work.snapshots[snapshot.number] = snapshot


# --- more ------------------------------------------------------------------------------------------------------------


def _grow(live: Live, part: Part, replicas: int) -> None:
    """Create, gate and only then route the new ones; when one is not ready, all of them go again."""
    before = live.snapshot
    wanted = _resized(before, part.name, replicas)
    new = containers_of(wanted, wanted.parts[part.name])[part.replicas :]
    _keep_wish_without_room(live, wanted, part.name, len(new))
    attach = attach_anew(live, wanted, wanted.parts[part.name], new)
    _use(live, wanted)
    try:
        execute(live.work, tuple(_raise(wanted, wanted.parts[part.name], new, attach)))
        put_routes(live)
    except WindlassError:
        _use(live, before)
        with suppress(WindlassError):
            execute(live.work, (RemoveContainers(new),))
        raise
    _adopt(live, wanted)


def _raise(wanted: Snapshot, part: Part, new: tuple[str, ...], attach: list[Attach]) -> list[Operation]:
    number = wanted.number
    return [
        CreateServices(number, False, (part.name,)),
        *attach,
        Deliver(number, part.name, new),
        Start(number, part.name, new),
        Gate(part.name, new, gate_probe(part)),
        SetRestart(new, part.restart),
        *_names(wanted, part, new),
    ]


def _names(wanted: Snapshot, part: Part, new: tuple[str, ...]) -> list[Operation]:
    """Callers in the base find the new containers too."""
    if not needs_names(wanted) or part.role is Role.WORKER:
        return []
    return [Attach(c, names_network(wanted.app), (part.name, *part.aliases)) for c in new]


def _keep_wish_without_room(live: Live, wanted: Snapshot, service: str, count: int) -> None:
    part = wanted.parts[service]
    networks = {a.network for a in attach_part(wanted, part) if isinstance(a, Attach) and a.index >= 0}
    full = [n for n in sorted(networks) if len(_room(live, n)) < count]
    if full:
        store = live.outside.store
        store.apps.update(wanted.app, scale={**store.apps.get(wanted.app).scale, service: part.replicas})
        raise Refused(
            f"the network {full[0]} of release {wanted.number} has no room for {count} more containers; nothing was"
            f" touched, and the next deployment runs {service} {part.replicas} times",
            code="scale_no_room",
            hint=f"windlass deploy --app {shown(wanted.app)} --force",
        )


def attach_anew(live: Live, wanted: Snapshot, part: Part, containers: Iterable[str]) -> list[Attach]:
    """For containers made after their release: fixed addresses from the upper end of its networks, where the release's
    own numbering does not come."""
    names = set(containers)
    found = [a for a in attach_part(wanted, part) if isinstance(a, Attach) and a.container in names]
    rooms = {a.network: _room(live, a.network) for a in found if a.index >= 0}
    return [replace(a, index=rooms[a.network].pop(0)) if a.index >= 0 else a for a in found]


def _room(live: Live, network: str) -> list[int]:
    """Free indexes: of the lower half from its end downwards, then of the upper one, where the engine takes its own."""
    facts = next(n for n in live.outside.engine.networks() if n.name == network)
    subnet = IPv4Network(facts.subnets[0])
    everyone = live.outside.engine.containers({"com.docker.compose.project": _project(live)})
    there = [c for c in everyone if network in c.addresses]
    taken = {int(IPv4Address(c.addresses[network])) for c in there if c.addresses[network]}
    asleep = sum(1 for c in there if not c.addresses[network])  # they come back to addresses that cannot be seen now
    lowest = sum(p.replicas for p in live.snapshot.generation())
    last, half = subnet.num_addresses - _FIRST_ADDRESS - 2, subnet.num_addresses // 2 - _FIRST_ADDRESS - 1
    order = (*range(half, lowest - 1, -1), *range(last, max(half, lowest - 1), -1))
    free = [i for i in order if int(subnet.network_address) + _FIRST_ADDRESS + i not in taken]
    return free[asleep:]


def _project(live: Live) -> str:
    return generation_project(live.snapshot.app, live.snapshot.number)


# --- fewer -----------------------------------------------------------------------------------------------------------


def _shrink(live: Live, part: Part, replicas: int) -> None:
    """Off the edge, drained, stopped with grace, removed: the highest numbers first."""
    before = live.snapshot
    gone = containers_of(before, part)[replicas:]
    _use(live, _resized(before, part.name, replicas))
    put_routes(live)
    _adopt(live, live.snapshot)
    execute(live.work, tuple(_lower(before, part, gone)))


def _lower(before: Snapshot, part: Part, gone: Iterable[str]) -> list[Operation]:
    names = tuple(gone)
    ports = dict.fromkeys(r.port for r in before.routes if r.service == part.name)
    drain: list[Operation] = [Drain(tuple((c, p) for p in ports for c in names), part.drain_s)] if ports else []
    return [
        *drain,
        SetRestart(names, "no"),
        Stop(before.number, part.name, names, part.grace_s),
        RemoveContainers(names),
    ]
