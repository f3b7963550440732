"""What a preview is kept from: nothing of the machine, of other apps or of the world, and no more than its share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from windlass.domain.compose import Model, Service
from windlass.domain.errors import Detail
from windlass.domain.modelreader import unescape
from windlass.domain.release import Route
from windlass.domain.units import parse_size
from windlass.domain.wishes import Wish

MOST_SERVICES = 20
_FIX = "try it in an environment of its own, to which consent can be given: windlass source set APP@ENVIRONMENT"

# Other spellings of limits, and what takes more than a share: all of it is said by `deploy.resources.limits` alone.
# Labels are for others on the machine, a proxy of its own among them, who would believe what they claim.
_LEFT_OUT = frozenset({
    "blkio_config", "cpu_count", "cpu_percent", "cpu_period", "cpu_quota", "cpu_rt_period", "cpu_rt_runtime",
    "cpu_shares", "cpus", "cpuset", "mem_limit", "mem_reservation", "mem_swappiness", "memswap_limit",
    "oom_kill_disable", "oom_score_adj", "pids_limit", "ports", "restart", "scale",
    "annotations", "label_file", "labels", "storage_opt",
})  # fmt: skip


@dataclass(frozen=True)
class Caps:
    """Of each container: bytes of memory, CPUs, processes."""

    memory: int
    cpus: float
    pids: int


def confined(model: Model, caps: Caps) -> Model:
    """The same project, one container for each service, within the caps, and with no port of the machine."""
    return replace(model, services={name: _confined(service, caps) for name, service in model.services.items()})


def confinement_problems(model: Model, wishes: Iterable[Wish]) -> tuple[Detail, ...]:
    """Why a project cannot be a preview: consent is not given to one, whatever it wishes."""
    return (
        *(
            Detail("preview_refused", wish.path, f"{wish.message}; a preview is never given that", _FIX)
            for wish in wishes
        ),
        *_strangers(model),
        *_too_many(model),
    )


def own_places(routes: Iterable[Route], own: str) -> tuple[Route, ...]:
    """A preview answers under its own host alone, `own`: the first host that is asked for becomes that, others lie
    below it under a name made of theirs. What would then be asked for twice is left out, as are redirects elsewhere.
    """
    given = [route for route in routes if route.options.redirect is None or not route.options.redirect.host]
    hosts = list(dict.fromkeys(route.host for route in given))
    kept: dict[tuple[Any, ...], Route] = {}
    for route in given:
        label = route.host.removeprefix("*.").replace(".", "-")[:63].strip("-")
        host = "" if route.host in ("", hosts[0]) else f"{label}.{own}"
        place = (host, route.path, route.options.match, route.options.conditions)
        kept.setdefault(place, replace(route, host=host))
    return tuple(sorted(kept.values(), key=lambda route: route.host != ""))


def _strangers(model: Model) -> Iterator[Detail]:
    for network in model.networks.values():
        if network.external:
            said = f"the network {network.name} is not the app's own (`external`); a preview joins none of those"
            yield Detail("preview_refused", f"networks.{network.key}", said, _FIX)
    for volume in model.volumes.values():
        if volume.external:
            said = f"the volume {volume.name} is not the app's own (`external`); a preview sees none of those"
            yield Detail("preview_refused", f"volumes.{volume.key}", said, _FIX)


def _too_many(model: Model) -> Iterator[Detail]:
    if len(model.services) > MOST_SERVICES:
        said = f"{len(model.services)} services are more than a preview may have ({MOST_SERVICES})"
        yield Detail("preview_refused", "services", said, _FIX)


def _confined(service: Service, caps: Caps) -> Service:
    raw = {key: value for key, value in service.raw.items() if key not in _LEFT_OUT}
    deploy = {key: value for key, value in (service.raw.get("deploy") or {}).items() if key == "mode"}
    raw["deploy"] = {**deploy, "resources": {"limits": _limits(service.raw, caps)}}
    ports = tuple(replace(port, published="", host_ip="") for port in service.ports)
    return replace(service, raw=raw, ports=ports, replicas=1, replicas_written=False)


def _limits(raw: Mapping[str, Any], caps: Caps) -> dict[str, Any]:
    """The smaller of what the file says and of the caps."""
    resources = (raw.get("deploy") or {}).get("resources") or {}
    written: Mapping[str, Any] = resources.get("limits") or {}
    return {
        "memory": str(int(_least(caps.memory, _bytes(raw.get("mem_limit")), _bytes(written.get("memory"))))),
        "cpus": f"{_least(caps.cpus, _decimal(raw.get('cpus')), _decimal(written.get('cpus'))):g}",
        "pids": int(_least(caps.pids, _decimal(raw.get("pids_limit")), _decimal(written.get("pids")))),
    }


def _least(cap: float, *written: float) -> float:
    """0 and less stand for no limit."""
    return min([cap, *(value for value in written if value > 0)])


def _bytes(value: Any) -> float:
    text = str(unescape(value)) if value is not None else ""
    return float(parse_size(text)) if text else 0.0


def _decimal(value: Any) -> float:
    try:
        return float(unescape(value)) if value is not None else 0.0
    except ValueError:
        return 0.0
