"""Containers that hold a network for a command, in which the edge is reached before the command begins."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from windlass.domain.outsideservices import host_lines, listed
from windlass.domain.plan import HoldNetwork, Operation, Reached
from windlass.domain.release import Snapshot, generation_project
from windlass.ports.engine import ConnectOptions, HolderContainer
from windlass.usecases.undertaking import Undertaking, record_container

LOOPBACK = "127.0.0.1"


def hold_network(work: Undertaking, wanted: HoldNetwork) -> None:
    """Create it, joined to the generation's networks of the service; those of the base are joined as for any part."""
    snapshot, engine = work.snapshot(wanted.release), work.outside.engine
    service = snapshot.generation_model["services"][wanted.service]
    networks = _networks(snapshot, service)
    post = work.outside.outposts.post()
    holder = HolderContainer(
        name=wanted.name,
        image=post.image,
        argv=post.argv,
        labels={
            **work.labels(),
            "windlass.app": work.app,
            "windlass.release": str(wanted.release),
            "windlass.service": wanted.service,
            "com.docker.compose.project": generation_project(work.app, wanted.release),
        },
        network=networks[0],
        hosts=(*host_lines(service.get("extra_hosts")), *(f"{host}:{LOOPBACK}" for host in wanted.hosts)),
        dns=listed(service.get("dns")),
        search=listed(service.get("dns_search")),
    )
    ref = engine.create_holder(holder)
    record_container(work.outside, work.app, engine.container(ref))
    for network in networks[1:]:
        engine.connect(network, ref, ConnectOptions())


def _networks(snapshot: Snapshot, service: dict[str, Any]) -> list[str]:
    """By name; the mode where it has none."""
    models = snapshot.generation_model.get("networks", {})
    found = [str(models[key]["name"]) for key in service.get("networks") or () if key in models]
    mode = str(service.get("network_mode") or "none")
    return found or ["bridge" if mode == "default" else mode]


def reach_edge(work: Undertaking, wanted: Reached, carry_out: Callable[[Undertaking, Operation], None]) -> None:
    """Carry its operations out; where the container's network cannot be entered, without the way to the edge."""
    holder = work.container(wanted.container)
    closed = work.outside.outposts.why_closed(holder.pid, holder.id)
    if closed:
        text = f"$WINDLASS_APP_URL cannot be reached by the command: {closed}"
        work.note("warning", {"step": "verify", "text": text})
        for operation in wanted.operations:
            carry_out(work, operation)
        return
    with work.outside.visitor.reached(holder.pid):
        for operation in wanted.operations:
            carry_out(work, operation)
