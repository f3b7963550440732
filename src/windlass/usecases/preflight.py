"""Checks before anything is touched: ports, networks, hosts, room on disk. Every reason at once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from windlass.domain.compose import Model, Port
from windlass.domain.errors import Detail, NotFound
from windlass.domain.release import Placement, Strategy
from windlass.ports.outside import Outside
from windlass.usecases.networks import is_own_volume
from windlass.usecases.undertaking import load_kept

LEAST_DISK = 64 << 20


def preflight(
    outside: Outside, app: str, model: Model, placements: Mapping[str, Placement], creatable: frozenset[str]
) -> list[Detail]:
    """Reasons why this machine cannot run the project now."""
    return [
        *_ports(outside, app, model, placements),
        *_external(outside, model, creatable),
        *_disk(outside),
    ]


def _ports(outside: Outside, app: str, model: Model, placements: Mapping[str, Placement]) -> list[Detail]:
    own = _own_ports(outside, app)
    found = []
    for service in model.services.values():
        if placements[service.name].strategy not in (Strategy.KEEP, Strategy.RECREATE):
            continue
        for port in service.ports:
            for number in _published(port):
                if (number, port.protocol) in own:
                    continue
                held = _holder(outside, app, number, port.protocol)
                if held:
                    found.append(
                        Detail(
                            "port_taken",
                            f"services.{service.name}.ports",
                            f"port {number} on this machine is held by {held}",
                            "stop it, or publish another port in the Compose file",
                        )
                    )
    return found


def _published(port: Port) -> list[int]:
    first, _, last = port.published.partition("-")
    if not first.isdigit():
        return []
    return list(range(int(first), int(last or first) + 1))


def _own_ports(outside: Outside, app: str) -> set[tuple[int, str]]:
    known = outside.store.apps.find(app)
    if known is None or known.live is None:
        return set()
    return _ports_of(outside, app, known.live)


def _ports_of(outside: Outside, app: str, release: int) -> set[tuple[int, str]]:
    try:
        snapshot = load_kept(outside, app, release).snapshot
    except NotFound:
        return set()
    found = set()
    for model in (snapshot.base_model, snapshot.generation_model):
        for service in model.get("services", {}).values():
            for entry in service.get("ports") or []:
                first, _, last = str(entry.get("published") or "").partition("-")
                if first.isdigit():
                    numbers = range(int(first), int(last or first) + 1)
                    found |= {(n, str(entry.get("protocol", "tcp"))) for n in numbers}
    return found


def _holder(outside: Outside, app: str, number: int, protocol: str) -> str:
    if number == outside.http_port and protocol == "tcp":
        return "windlass's own edge"
    for other in outside.store.apps.all():
        if (
            other.name != app
            and other.live is not None
            and (number, protocol) in _ports_of(outside, other.name, other.live)
        ):
            return f"the app {other.name}"
    holder = outside.machine.holder(number, protocol)
    return f"{holder.process} (pid {holder.pid})" if holder else ""


def _external(outside: Outside, model: Model, creatable: frozenset[str]) -> list[Detail]:
    networks = {n.name for n in outside.engine.networks()}
    volumes = {v.name for v in outside.engine.volumes()}
    found = [
        Detail(
            "network_missing",
            f"networks.{n.key}",
            f"the external network {n.name} does not exist",
            f"docker network create {n.name}, or in windlass.yaml  networks: {{{n.key}: create}}",
        )
        for n in model.networks.values()
        if n.external and n.name not in networks and n.key not in creatable
    ]
    found += [
        Detail(
            "volume_missing",
            f"volumes.{v.key}",
            f"the external volume {v.name} does not exist",
            f"docker volume create {v.name}",
        )
        for v in model.volumes.values()
        if v.external and v.name not in volumes
    ]
    return found


def _disk(outside: Outside) -> list[Detail]:
    roots = {"windlass": outside.trees.uploads(), "the engine": Path(outside.engine.facts().root)}
    found = []
    for name, path in roots.items():
        free = outside.machine.disk_free(path)
        if 0 <= free < LEAST_DISK:
            found.append(
                Detail(
                    "disk_full",
                    str(path),
                    f"only {free >> 20} MiB are free where {name} keeps its files, {LEAST_DISK >> 20} are needed",
                    "windlass doctor; docker image prune",
                )
            )
    return found


def strangers(outside: Outside, app: str, model: Model) -> list[Detail]:
    """Volumes, networks and containers that stand where the app's would be, and that nobody here made."""
    shown = app.replace("--", "@")
    wanted = {f"{app}_{k}" for k, v in model.volumes.items() if not v.external}
    found = [
        Detail(
            "foreign_volume",
            v.name,
            f"a volume {v.name} is there already and was not made for this app: its data would be used",
            f"windlass consent {shown} volume:{v.name}, to take it over",
        )
        for v in outside.engine.volumes()
        if v.name in wanted and not is_own_volume(outside, app, v)
    ]
    found += [
        Detail(
            "foreign_network",
            n.name,
            f"a network {n.name} is there already and was not made by this windlass",
            f"docker network rm {n.name}, when nothing needs it, or deploy under another name",
        )
        for n in outside.engine.networks()
        if n.name in {f"{app}_{k}" for k in model.networks} and n.labels.get("windlass.instance") != outside.instance
    ]
    found += [
        Detail(
            "foreign_container",
            c.name,
            f"a container {c.name} is there already and was not made by this windlass",
            f"docker compose -p {app} down, when nothing needs it, or deploy under another name",
        )
        for c in outside.engine.containers({"com.docker.compose.project": app})
        if c.labels.get("windlass.instance") != outside.instance
    ]
    return found
