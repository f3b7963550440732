"""What an operator does with a live release: restart, stop, start, run a command in it, see what it uses.

A stopped app keeps its routes: visitors see 502 at once, and no other app can answer under its host meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from windlass.domain.errors import Conflict, Failed, NotFound, OutOfReach, Usage, WindlassError
from windlass.domain.names import command_word, shown
from windlass.domain.parts import containers_of, layers_of
from windlass.domain.plan import CreateServices, Deliver, Drain, Gate, Operation, SetRestart, Start, Stop
from windlass.domain.raising import bring_layers, gate_probe, own_networks, stop_parts
from windlass.domain.release import Part, Role, Strategy
from windlass.ports.engine import Container, ExecOptions
from windlass.ports.outside import Outside
from windlass.usecases import execute as executor
from windlass.usecases.liveapp import Live, changing, docker_name, look, put_routes, states
from windlass.usecases.logs import LogQuery, follow_logs, logs
from windlass.usecases.routes import share_default_route
from windlass.usecases.scaling import attach_anew, scale
from windlass.usecases.undertaking import is_owned

__all__ = [
    "LogQuery", "execute", "follow_logs", "logs", "restart", "scale", "start", "stats", "stop",
]  # fmt: skip

EXEC_S = 600.0


def restart(outside: Outside, app: str, service: str | None) -> dict[str, Any]:
    """Restart one service, or all of the app but its base (databases and the like are restarted by name only).

    Replicas go one after another, each taken out of the edge first, so that with two or more no request fails.
    What was stopped is started.
    """
    with changing(outside, app, f"restart {service}" if service else "restart") as live:
        if service is None and not live.app.running:
            return _start(live, None)
        chosen = [_lasting(live, service)] if service else [p for p in live.lasting() if not p.in_base]
        parts = _with_peers(live, chosen)
        kept = tuple(s for s in live.app.stopped_services if s not in {p.name for p in parts})
        outside.store.apps.update(live.snapshot.app, stopped_services=kept)
        for layer in layers_of(live.snapshot, [p.name for p in parts]):
            for name in layer:
                _restart_part(live, live.part(name))
        return states(live, parts)


def stop(outside: Outside, app: str, service: str | None) -> dict[str, Any]:
    """Stop one service or the whole app, dependents first, each with its grace. It stays stopped after a reboot."""
    with changing(outside, app, f"stop {service}" if service else "stop") as live:
        if service is None:
            outside.store.apps.update(live.snapshot.app, running=False, stopped_services=())
            parts = live.lasting()
            _stop_warm(live)
        else:
            parts = [_lasting(live, service)]
            stopped = tuple(dict.fromkeys((*live.app.stopped_services, service)))
            outside.store.apps.update(live.snapshot.app, stopped_services=stopped)
        executor.execute(live.work, tuple(stop_parts(live.snapshot, parts)))
        return states(live, parts)


def start(outside: Outside, app: str, service: str | None) -> dict[str, Any]:
    """Start what was stopped, with what it needs, in dependency order and through its probes."""
    with changing(outside, app, f"start {service}" if service else "start") as live:
        return _start(live, service)


def _start(live: Live, service: str | None) -> dict[str, Any]:
    parts = live.lasting() if service is None else _with_needs(live, _lasting(live, service))
    chosen = {p.name for p in parts}
    everything = [p.name for p in live.lasting()]
    resting = live.app.stopped_services if live.app.running else tuple(everything)
    live.outside.store.apps.update(
        live.snapshot.app, running=True, stopped_services=tuple(s for s in resting if s not in chosen)
    )
    executor.execute(live.work, tuple(_missing(live, parts)))
    failed = _bring(live, parts)
    for part in parts:
        executor.carry_out(live.work, SetRestart(containers_of(live.snapshot, part), part.restart))
    put_routes(live)
    share_default_route(live.work)
    if failed is not None:
        raise failed
    return states(live, parts)


def _bring(live: Live, parts: Sequence[Part]) -> WindlassError | None:
    """Workers last. The error of a part that is not ready is given back: the others are to serve all the same."""
    workers = [p.name for p in parts if p.role is Role.WORKER]
    first = [p.name for p in parts if p.role is not Role.WORKER]
    try:
        executor.execute(live.work, (*bring_layers(live.snapshot, first), *bring_layers(live.snapshot, workers)))
    except WindlassError as error:
        return error
    return None


def _missing(live: Live, parts: Iterable[Part]) -> list[Operation]:
    """Containers that someone removed by hand are made again from the release's model."""
    gone = [p for p in parts if any(live.work.find(c) is None for c in containers_of(live.snapshot, p))]
    if not gone:
        return []
    number = live.snapshot.number
    found: list[Operation] = list(own_networks(live.snapshot))
    for part in gone:
        absent = {c for c in containers_of(live.snapshot, part) if live.work.find(c) is None}
        found.append(CreateServices(number, part.in_base, (part.name,)))
        if not part.in_base:
            found += attach_anew(live, live.snapshot, part, absent)
        found.append(Deliver(number, part.name, tuple(sorted(absent))))
    return found


def _lasting(live: Live, service: str) -> Part:
    part = live.part(service)
    if part.strategy is Strategy.JOB:
        raise Conflict(
            f"{service} is a job: it runs with each deployment and ends",
            code="is_job",
            hint=f"windlass logs {shown(live.snapshot.app)} {service}",
        )
    return part


def _with_needs(live: Live, part: Part) -> list[Part]:
    chosen = {part.name: part}
    pending = [part]
    while pending:
        current = pending.pop()
        wanted = [d.service for d in current.needs] + ([current.peer] if current.peer else [])
        for name in wanted:
            found = live.snapshot.parts.get(name)
            if found is not None and name not in chosen and found.strategy is not Strategy.JOB:
                chosen[name] = found
                pending.append(found)
    return list(chosen.values())


def _with_peers(live: Live, parts: Sequence[Part]) -> list[Part]:
    """With those that share the network namespace of one of them, which ends with its container."""
    chosen = {p.name for p in parts}
    return [p for p in live.lasting() if p.name in chosen or p.peer in chosen]


def _stop_warm(live: Live) -> None:
    if live.app.warm is None:
        return
    old = live.work.snapshot(live.app.warm)
    parts = [p for p in old.generation() if p.strategy is not Strategy.JOB]
    executor.execute(live.work, tuple(stop_parts(old, parts)))
    live.outside.store.apps.update(live.snapshot.app, warm=None, warm_until=0.0)


# --- restart, one replica after another ------------------------------------------------------------------------------


def _restart_part(live: Live, part: Part) -> None:
    executor.execute(live.work, tuple(_missing(live, [part])))
    containers = containers_of(live.snapshot, part)
    routed = any(r.service == part.name for r in live.snapshot.routes)
    for container in containers:
        if routed:
            _take_out(live, part, container)
        executor.execute(live.work, _turn(live, part, container))
        if routed:
            put_routes(live)


def _take_out(live: Live, part: Part, container: str) -> None:
    """Off the edge, and until its requests are answered; the last one that runs stays where it is."""
    others = [c for c in live.running(part) if c.name != container]
    if not others:
        return
    put_routes(live, frozenset({container}))
    ports = dict.fromkeys(r.port for r in live.snapshot.routes if r.service == part.name)
    executor.carry_out(live.work, Drain(tuple((container, p) for p in ports), part.drain_s))


def _turn(live: Live, part: Part, container: str) -> tuple[Operation, ...]:
    number, one = live.snapshot.number, (container,)
    return (
        Stop(number, part.name, one, part.grace_s),
        Start(number, part.name, one),
        Gate(part.name, one, gate_probe(part)),
        SetRestart(one, part.restart),
    )


# --- exec and stats --------------------------------------------------------------------------------------------------


def execute(outside: Outside, app: str, service: str, argv: list[str]) -> dict[str, Any]:
    """Run a command in a container of the service: {"exit_code", "output"}. The output is the caller's own."""
    if not argv or not argv[0]:
        raise Usage("there is no command to run", hint=f"windlass exec {app} {service} -- CMD")
    for word in argv:
        command_word(word)
    live = look(outside, app)
    running = live.running(live.part(service))
    if not running:
        raise Conflict(
            f"no container of {service} runs", code="not_running", hint=f"windlass start {shown(live.snapshot.app)}"
        )
    try:
        result = outside.engine.exec(running[0].id, argv, ExecOptions(timeout_s=EXEC_S))
    except TimeoutError:
        raise Failed(f"{argv[0]} did not end within {EXEC_S:g} s and was killed", code="exec_timeout") from None
    return {"exit_code": result.exit_code, "output": result.output}


@dataclass(frozen=True)
class _Measured:
    container: Container
    figures: dict[str, Any] | None


def stats(outside: Outside, app: str | None) -> dict[str, Any]:
    """{"items": [{"app", "service", "container", "release", "cpu_percent", "memory_bytes", …}]} of what runs."""
    labels = {"windlass.instance": outside.instance, "windlass.app": ""}
    if app is not None:
        labels["windlass.app"] = outside.store.apps.get(docker_name(app)).name
    running = [
        c
        for c in outside.engine.containers(labels)
        if c.state == "running" and is_owned(outside, c.labels.get("windlass.app", ""), c)
    ]
    if not running:
        return {"items": []}
    with ThreadPoolExecutor(max_workers=min(16, len(running))) as pool:
        measured = list(pool.map(lambda c: _measure(outside, c), running))
    items = [_figures(m) for m in measured if m.figures is not None]
    return {"items": sorted(items, key=lambda i: (i["app"], i["service"], i["container"]))}


def _measure(outside: Outside, container: Container) -> _Measured:
    try:
        return _Measured(container, dict(outside.engine.stats(container.id)))
    except (NotFound, OutOfReach):  # ended while it was asked
        return _Measured(container, None)


def _figures(measured: _Measured) -> dict[str, Any]:
    labels = measured.container.labels
    release = labels.get("windlass.release", "")
    return {
        "app": shown(labels.get("windlass.app", "")),
        "service": labels.get("windlass.service", ""),
        "container": measured.container.name,
        "release": int(release) if release.isdigit() else None,
        **(measured.figures or {}),
    }
