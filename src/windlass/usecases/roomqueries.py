"""Checks of the machine: disk, inodes, memory, addresses, versions, clock, and the names that lead to it."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from windlass.domain.capacity import (
    Memory,
    Place,
    images_size,
    judge_disk,
    judge_inodes,
    judge_memory,
    judge_pool,
    network_sizes,
)
from windlass.domain.checks import Finding, found_ok, warned
from windlass.domain.errors import Detail, NotFound, OutOfReach, WindlassError
from windlass.domain.hostnames import judge_host, needs_no_asking
from windlass.domain.release import image_tag
from windlass.ports.engine import Container
from windlass.ports.outside import Outside
from windlass.usecases import doctor
from windlass.usecases.routes import default_host
from windlass.usecases.scene import Scene

_AT_ONCE = 16


def look_at_disk(scene: Scene) -> list[Finding]:
    return judge_disk(_places(scene), _need(scene))


def look_at_inodes(scene: Scene) -> list[Finding]:
    return judge_inodes(_places(scene))


def _places(scene: Scene) -> list[Place]:
    machine = scene.outside.machine
    roots = {"the engine": Path(scene.facts.root), "windlass": scene.outside.trees.uploads()}
    return [Place(who, str(path), machine.disk_free(path), machine.inodes_free(path)) for who, path in roots.items()]


def _need(scene: Scene) -> int:
    """Bytes, going by the live release's images."""
    if scene.live is None:
        return 0
    built = [n for n, s in scene.model.services.items() if s.build is not None]
    images = {n: scene.outside.engine.image(image_tag(scene.app, n, scene.live)) for n in built}
    sizes = {f.id: f.size for f in images.values() if f is not None}
    one_each = {n: sizes.pop(f.id, 0) for n, f in images.items() if f is not None}
    return images_size(scene.model, one_each)


def look_at_pool(scene: Scene) -> list[Finding]:
    taken = [s for n in scene.networks for s in n.subnets] + scene.outside.machine.routes()
    sizes = network_sizes(scene.model, scene.placements, [n.name for n in scene.networks], scene.app)
    return [judge_pool(scene.outside.pool, sizes, taken)]


def measure_memory(scene: Scene) -> list[Finding]:
    """An engine elsewhere takes a second to say what a container uses."""
    outside = scene.outside
    memory = Memory(outside.machine.memory_available(), outside.machine.swap_free(), scene.facts.memory)
    return judge_memory(scene.model, scene.placements, _used(scene), memory)


def _used(scene: Scene) -> dict[str, int] | None:
    """Bytes that the live release's containers use now, by service; None when nothing is live."""
    if scene.live is None:
        return None
    outside, live = scene.outside, scene.live
    return outside.recent.ask(
        ("memory", scene.app, live), outside.clock.monotonic(), lambda: _measured(scene, live), lambda used: bool(used)
    )


def _measured(scene: Scene, live: int) -> dict[str, int]:
    engine = scene.outside.engine
    labels = {"windlass.instance": scene.outside.instance, "windlass.app": scene.app, "windlass.release": str(live)}
    running = [c for c in engine.containers(labels) if c.state == "running"]

    def measured(container: Container) -> int:
        seen = scene.outside.machine.memory_of(container.pid, container.id)
        if seen is not None:
            return seen
        try:
            return engine.memory_used(container.id)
        except (NotFound, OutOfReach):
            return 0

    used: dict[str, int] = {}
    with ThreadPoolExecutor(min(_AT_ONCE, len(running) or 1), "memory") as threads:
        for container, count in zip(running, threads.map(measured, running), strict=True):
            service = container.labels.get("windlass.service", "")
            used[service] = used.get(service, 0) + count
    return used


# --- what the doctor asks too ----------------------------------------------------------------------------------------


def ask_versions(scene: Scene) -> list[Finding]:
    outside = scene.outside
    lines = outside.recent.ask(
        ("versions",),
        outside.clock.monotonic(),
        lambda: [*doctor.look_at_engine(outside), *doctor.look_at_compose(outside)],
        lambda found: all(line.status == doctor.OK for line in found),
    )
    return _from_doctor("versions", [line for line in lines if line.name != "live-restore"])


def look_at_clock(scene: Scene) -> list[Finding]:
    return _from_doctor("clock", doctor.look_at_clock(scene.outside))


def _from_doctor(check: str, lines: Iterable[doctor.Finding]) -> list[Finding]:
    known = list(lines)
    found = [
        warned(Detail(f"{check}_doubtful", line.name, line.message, line.fix), check)
        for line in known
        if line.status != doctor.OK
    ]
    return found or [found_ok(check, ", ".join(line.message for line in known))]


# --- names -----------------------------------------------------------------------------------------------------------


def resolve_hosts(scene: Scene) -> list[Finding]:
    """Whether the hosts of the routes lead to this machine."""
    outside = scene.outside
    own = default_host(scene.app, outside.domain)
    hosts = list(dict.fromkeys(route.host or own for route in scene.design.routes))
    asked = [host for host in hosts if not needs_no_asking(host)]
    with ThreadPoolExecutor(min(_AT_ONCE, len(asked) or 1), "dns") as threads:
        found = list(threads.map(lambda host: _host(outside, host), asked))
    problems = [f for f in found if f is not None]
    if problems:
        return problems
    return [found_ok("dns", f"{', '.join(hosts)}: they lead here" if hosts else "no route has a host")]


def _host(outside: Outside, host: str) -> Finding | None:
    def ask() -> Finding | None:
        try:
            addresses = outside.machine.resolve(host)
        except WindlassError as error:
            return warned(Detail("dns_silent", host, error.message, "look at this machine's name servers"), "dns")
        own = [address for address in addresses if outside.machine.is_own(address)]
        return judge_host(host, addresses, own, outside.machine.addresses())

    now = outside.clock.monotonic()
    if outside.recent.find(("host", host), now):
        return None
    found = ask()
    if found is None:
        outside.recent.keep(("host", host), True, now)
    return found
