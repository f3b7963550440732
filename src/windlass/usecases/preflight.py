"""Checks of what others hold: ports of this machine, networks, volumes and containers by their names."""

from __future__ import annotations

from windlass.domain import names
from windlass.domain.checks import Finding, found_ok, refused
from windlass.domain.compose import Port
from windlass.domain.errors import Detail, NotFound
from windlass.domain.release import Strategy
from windlass.ports.outside import Outside
from windlass.usecases.networks import is_own_volume
from windlass.usecases.scene import Scene
from windlass.usecases.undertaking import load_kept


def look_at_ports(scene: Scene) -> list[Finding]:
    outside, app = scene.outside, scene.app
    own = _own_ports(outside, app)
    found: list[Finding] = []
    free: list[str] = []
    for service in scene.model.services.values():
        if scene.placements[service.name].strategy not in (Strategy.KEEP, Strategy.RECREATE):
            continue
        for port in service.ports:
            for number in _published(port):
                held = "" if (number, port.protocol) in own else _holder(outside, app, number, port.protocol)
                if held:
                    found.append(
                        refused(
                            Detail(
                                "port_taken",
                                f"services.{service.name}.ports",
                                f"port {number} on this machine is held by {held}",
                                "stop it, or publish another port in the Compose file",
                            )
                        )
                    )
                else:
                    free.append(f"{number}/{port.protocol}")
    told = f"free, or the app's own: {', '.join(free)}" if free else "no fixed port of this machine is published"
    return found or [found_ok("ports", told)]


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
    for other in outside.store.apps.lines():
        if (
            other.name != app
            and other.live is not None
            and (number, protocol) in _ports_of(outside, other.name, other.live)
        ):
            return f"the app {other.name}"
    holder = outside.machine.holder(number, protocol)
    return f"{holder.process} (pid {holder.pid})" if holder else ""


def look_at_networks(scene: Scene) -> list[Finding]:
    """External ones that are missing, and ones that stand where the app's would be."""
    here = {n.name for n in scene.networks}
    creatable = scene.project.manifest.creatable
    networks = scene.model.networks.values()
    found = [
        refused(
            Detail(
                "network_missing",
                f"networks.{n.key}",
                f"the external network {n.name} does not exist",
                f"docker network create {n.name}, or in windlass.yaml  networks: {{{n.key}: create}}",
            )
        )
        for n in networks
        if n.external and n.name not in here and n.key not in creatable
    ]
    wanted = {f"{scene.app}_{n.key}" for n in networks}
    found += [
        refused(
            Detail(
                "foreign_network",
                n.name,
                f"a network {n.name} is there already and was not made by this windlass",
                f"docker network rm {n.name}, when nothing needs it, or deploy under another name",
            )
        )
        for n in scene.networks
        if n.name in wanted and n.labels.get("windlass.instance") != scene.outside.instance
    ]
    external = [n.name for n in networks if n.external]
    made = f"{sum(not n.external for n in networks)} of its own"
    told = f"{made}; external and there: {', '.join(external)}" if external else made
    return found or [found_ok("networks", told)]


def look_at_volumes(scene: Scene) -> list[Finding]:
    """External ones that are missing, and ones that stand where the app's would be."""
    here = {v.name for v in scene.volumes}
    volumes = scene.model.volumes.values()
    found = [
        refused(
            Detail(
                "volume_missing",
                f"volumes.{v.key}",
                f"the external volume {v.name} does not exist",
                f"docker volume create {v.name}",
            )
        )
        for v in volumes
        if v.external and v.name not in here
    ]
    shown = names.shown(scene.app)
    wanted = {f"{scene.app}_{v.key}" for v in volumes if not v.external}
    found += [
        refused(
            Detail(
                "foreign_volume",
                v.name,
                f"a volume {v.name} is there already and was not made for this app: its data would be used",
                f"windlass consent {shown} volume:{v.name}, to take it over",
            )
        )
        for v in scene.volumes
        if v.name in wanted and not is_own_volume(scene.outside, scene.app, v)
    ]
    external = [v.name for v in volumes if v.external]
    made = f"{sum(not v.external for v in volumes)} of its own"
    told = f"{made}; external and there: {', '.join(external)}" if external else made
    return found or [found_ok("volumes", told)]


def look_at_containers(scene: Scene) -> list[Finding]:
    """Containers of the app's Compose project that nobody here made."""
    app, instance = scene.app, scene.outside.instance
    found = [
        refused(
            Detail(
                "foreign_container",
                c.name,
                f"a container {c.name} is there already and was not made by this windlass",
                f"docker compose -p {app} down, when nothing needs it, or deploy under another name",
            )
        )
        for c in scene.outside.engine.containers({"com.docker.compose.project": app})
        if c.labels.get("windlass.instance") != instance
    ]
    return found or [found_ok("containers", "nobody else's stands where the app's would be")]
