"""Looks at the machine under windlass: what would keep it from deploying, and what to do about it. Changes nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

from windlass.domain.errors import WindlassError
from windlass.domain.names import shown
from windlass.domain.records import App
from windlass.domain.release import DeploymentStatus, base_project
from windlass.domain.subnets import count_free
from windlass.ports.engine import Container
from windlass.ports.outside import Outside

OK, WARNING, FAILED = "ok", "warning", "failed"

LEAST_ENGINE = (20, 10)
LEAST_COMPOSE = (2, 20)
GIB = 1 << 30
DISK_LOW, DISK_EMPTY = 2 * GIB, GIB // 4
INODES_LOW, INODES_EMPTY = 50_000, 2_000
MEMORY_LOW, MEMORY_EMPTY = 256 << 20, 48 << 20
APP_PREFIX = 26
NETWORKS_LOW = 16
BUILT_AT = 1_760_000_000.0  # autumn 2025: no clock that is right says less
JUMP_S = 120.0


@dataclass(frozen=True)
class Finding:
    """One line of the answer; `fix` is the next step, "" when there is nothing to do."""

    name: str
    status: str
    message: str
    fix: str = ""


Check = Callable[[Outside], Iterator[Finding]]


def examine(outside: Outside) -> dict[str, Any]:
    """{"items": [{"name", "status": ok|warning|failed, "message", "fix"}]}; a check that cannot be made is one too."""
    found: list[Finding] = []
    for name, check in _CHECKS.items():
        try:
            found += check(outside)
        except WindlassError as error:
            found.append(Finding(name, FAILED, error.message, error.hint))
    return {"items": [asdict(f) for f in found]}


# --- engine, compose, edge -------------------------------------------------------------------------------------------


def look_at_engine(outside: Outside) -> Iterator[Finding]:
    facts = outside.engine.facts()
    told = f"Docker Engine {facts.version} (API {facts.api}, {facts.architecture}, {facts.storage})"
    if _numbers(facts.version) < LEAST_ENGINE:
        yield Finding("engine", WARNING, f"{told} is older than 20.10", "upgrade Docker")
    else:
        yield Finding("engine", OK, told)
    if facts.live_restore is False:
        yield Finding(
            "live-restore",
            WARNING,
            "containers stop while the engine restarts, so an upgrade of Docker takes every app down for a moment",
            'put "live-restore": true into /etc/docker/daemon.json, then: systemctl reload docker',
        )
    elif facts.live_restore:
        yield Finding("live-restore", OK, "containers go on while the engine restarts")


def look_at_compose(outside: Outside) -> Iterator[Finding]:
    version = outside.compose.version()
    old = _numbers(version) < LEAST_COMPOSE
    told = f"Docker Compose {version}" + (" is older than 2.20" if old else "")
    yield Finding("compose", WARNING if old else OK, told, "upgrade the Compose plugin" if old else "")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(n) for n in re.findall(r"\d+", version)[:2])


def _edge(outside: Outside) -> Iterator[Finding]:
    status = outside.edge.status()
    if status.running:
        yield Finding("edge", OK, f"Traefik {status.version} on port {status.http_port}")
        return
    yield Finding("edge", FAILED, status.message or "the edge does not run: no app can be reached", "windlass up")
    holder = outside.machine.holder(outside.http_port)
    if holder is not None:
        who = f"{holder.process} (pid {holder.pid})" if holder.process else "another process"
        yield Finding(
            f"port {outside.http_port}",
            FAILED,
            f"port {outside.http_port} is held by {who}",
            f"stop it, or: windlass up --http {outside.http_port + 8000}",
        )


# --- the machine -----------------------------------------------------------------------------------------------------


def _disk(outside: Outside) -> Iterator[Finding]:
    places = {"disk of windlass": outside.trees.uploads()}
    with suppress(WindlassError):  # an engine that is away has a line of its own
        places["disk of the engine"] = Path(outside.engine.facts().root)
    for name, path in places.items():
        free = outside.machine.disk_free(path)
        yield Finding(
            name,
            _grade(free, DISK_LOW, DISK_EMPTY),
            f"{_size(free)} free at {path}",
            "" if free >= DISK_LOW else "make room: docker image ls shows what images take",
        )
        inodes = outside.machine.inodes_free(path)
        if inodes is not None and inodes < INODES_LOW:
            status = _grade(inodes, INODES_LOW, INODES_EMPTY)
            yield Finding(name, status, f"{inodes} files can still be made at {path}", "remove small files there")


def _memory(outside: Outside) -> Iterator[Finding]:
    free = outside.machine.memory_available()
    status = _grade(free, MEMORY_LOW, MEMORY_EMPTY)
    fix = "" if status == OK else "a deployment runs two versions side by side for a while: give the machine more"
    yield Finding("memory", status, f"{_size(free)} available", fix)


def _grade(value: float, low: float, empty: float) -> str:
    if value < empty:
        return FAILED
    return WARNING if value < low else OK


def _size(count: float) -> str:
    return f"{count / GIB:.1f} GiB" if count >= GIB else f"{count / (1 << 20):.0f} MiB"


def _pool(outside: Outside) -> Iterator[Finding]:
    pool = IPv4Network(outside.pool)
    taken = [s for n in outside.engine.networks() for s in n.subnets] + outside.machine.routes()
    prefix = max(APP_PREFIX, pool.prefixlen)
    total, free = 1 << (prefix - pool.prefixlen), count_free(outside.pool, prefix, taken)
    fix = "" if free >= NETWORKS_LOW else "windlass up --pool CIDR with a larger or another private range"
    told = f"{free} of {total} networks of /{prefix} are free in {pool}"
    yield Finding("address pool", _grade(free, NETWORKS_LOW, 1), told, fix)


def look_at_clock(outside: Outside) -> Iterator[Finding]:
    now = outside.clock.now()
    fix = "let the machine keep its time: timedatectl set-ntp true"
    newest = outside.store.releases.newest_at()
    if now < BUILT_AT:
        yield Finding("clock", FAILED, "the clock is years behind: certificates and logs will be wrong", fix)
    elif newest > now + JUMP_S:
        told = f"the clock is {newest - now:.0f} s behind the time of the newest release: it was set back"
        yield Finding("clock", WARNING, told, fix)
    else:
        yield Finding("clock", OK, "nothing that happened lies in the future")


def _database(outside: Outside) -> Iterator[Finding]:
    if outside.store.ready():
        yield Finding("database", OK, "it answers")
    else:
        yield Finding("database", FAILED, "it does not answer: no deployment can begin; the apps go on", "windlass up")


def _key(outside: Outside) -> Iterator[Finding]:
    keys = outside.store.keys
    if keys.is_rotating():
        use = keys.use()
        left = sum(use.counts.get(id, 0) for id in use.older)
        told = f"its rotation is unfinished: {left} values are under an older one still"
        yield Finding("master key", WARNING, told, "windlass key rotate")
    keys.check_file()
    if not keys.is_rotating():
        yield Finding("master key", OK, "its file is there, and nobody else can read it")


# --- what does not belong --------------------------------------------------------------------------------------------


def _strays(outside: Outside) -> Iterator[Finding]:
    apps = {a.name: a for a in outside.store.apps.all()}
    yield from (f for app in apps.values() for f in _foreign_of(outside, app))
    yield from (f for f in _generations(outside, apps))
    for app in apps.values():
        if app.removing:
            name = shown(app.name)
            yield Finding(f"app {name}", WARNING, "its removal has not ended", f"windlass remove {name} --yes")


def _foreign_of(outside: Outside, app: App) -> Iterator[Finding]:
    """Containers of the app's Compose project that windlass did not make."""
    here = outside.engine.containers({"com.docker.compose.project": base_project(app.name)})
    foreign = sorted(c.name for c in here if c.labels.get("windlass.instance") != outside.instance)
    if foreign:
        yield Finding(
            f"app {shown(app.name)}",
            WARNING,
            f"{', '.join(foreign)}: made by `docker compose up` in the project {app.name}, beside what windlass runs",
            f"docker rm -f {' '.join(foreign)}, when nothing needs them; windlass never touches them",
        )


def _generations(outside: Outside, apps: dict[str, App]) -> Iterator[Finding]:
    """Containers of ours that run and belong to no release that should."""
    stray: dict[str, list[str]] = {}
    for container in outside.engine.containers({"windlass.instance": outside.instance, "windlass.app": ""}):
        app = container.labels["windlass.app"]
        if app not in apps or container.state == "running" and not _belongs(outside, apps[app], container):
            stray.setdefault(app, []).append(container.name)
    for app, names in sorted(stray.items()):
        told = f"{', '.join(sorted(names))}: of a release that is not live"
        again = f"windlass deploy --app {shown(app)} --force removes them"
        gone = f"the app is gone: docker rm -f {' '.join(sorted(names))}"
        yield Finding(f"app {shown(app)}", WARNING, told, again if app in apps else gone)


def _belongs(outside: Outside, app: App, container: Container) -> bool:
    if container.labels.get("com.docker.compose.project") == base_project(app.name):
        return True
    wanted = {app.live, app.warm}
    for deployment in outside.store.deployments.unfinished(app.name):
        wanted |= {deployment.release, deployment.previous}
    return container.labels.get("windlass.release") in {str(n) for n in wanted if n is not None}


def _queue(outside: Outside) -> Iterator[Finding]:
    unfinished, limits = outside.store.deployments.unfinished(), outside.limits
    running = sum(d.status is DeploymentStatus.RUNNING for d in unfinished)
    at_once = f"{running} of {limits.deploys} deployments at once, {limits.builds} of them may build"
    yield Finding("queue", OK, f"{at_once}; {len(unfinished) - running} wait")


_CHECKS: dict[str, Check] = {
    "engine": look_at_engine,
    "compose": look_at_compose,
    "edge": _edge,
    "disk": _disk,
    "memory": _memory,
    "address pool": _pool,
    "clock": look_at_clock,
    "database": _database,
    "master key": _key,
    "queue": _queue,
    "containers": _strays,
}
