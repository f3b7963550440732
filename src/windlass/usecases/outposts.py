"""Outposts: containers that stand for a moment where an app's containers would; services are asked from there."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from windlass.domain.errors import NotFound, WindlassError
from windlass.domain.outposts import Reply, Standpoint, Target
from windlass.domain.plan import EnsureNetwork
from windlass.domain.records import Resource
from windlass.ports.engine import ConnectOptions, Container, HolderContainer, NetworkFacts
from windlass.ports.outposts import Closed
from windlass.ports.outside import Outside
from windlass.usecases.networks import create_network

ROLE = "outpost"
_SIZE = 2
_LEAST_S = 1.0


@dataclass(frozen=True)
class Sender:
    """For whom an outpost is set up; `deployment` is "" for a plan."""

    app: str
    deployment: str = ""


def ask_from(
    outside: Outside, sender: Sender, standpoint: Standpoint, targets: Sequence[Target], left: Callable[[], float]
) -> list[Reply]:
    """Ask all of them from there, within the seconds that `left` says. Raises Closed, TimeoutError, WindlassError."""
    if standpoint.machine:
        return outside.outposts.ask(0, targets, max(left(), _LEAST_S))
    _refuse_closed(outside, 0, "")
    with _outpost(outside, sender, standpoint) as container:
        _refuse_closed(outside, container.pid, container.id)
        return outside.outposts.ask(container.pid, targets, max(left(), _LEAST_S))


def _refuse_closed(outside: Outside, pid: int, container: str) -> None:
    why = outside.outposts.why_closed(pid, container)
    if why:
        raise Closed(why)


@contextmanager
def _outpost(outside: Outside, sender: Sender, standpoint: Standpoint) -> Iterator[Container]:
    """A running container on these networks; it and its own network are gone afterwards."""
    # The engine takes gateway and names from the first network by name, as for a generation.
    name = f"0-windlass-{ROLE}-{secrets.token_hex(6)}"
    with outside.outpost_memory.lock:
        outside.outpost_memory.manned.add(name)
    try:
        here = outside.engine.networks()
        # One that is not there yet will be made by the deployment, and is as open as any.
        networks = [n.name for n in here if n.name in standpoint.shared]
        if standpoint.own or not networks:
            _make_network(outside, sender, name, standpoint.own == "closed", here)
            networks.insert(0, name)
        post = outside.outposts.post()
        holder = HolderContainer(
            name=name,
            image=post.image,
            argv=post.argv,
            labels=_labels(outside, sender),
            network=networks[0],
            hosts=standpoint.hosts,
            dns=standpoint.dns,
            search=standpoint.search,
        )
        ref = outside.engine.create_holder(holder)
        outside.store.resources.record(Resource("container", ref, name, sender.app, None, sender.deployment))
        for network in networks[1:]:
            outside.engine.connect(network, ref, ConnectOptions())
        outside.engine.start(ref)
        yield outside.engine.container(ref)
    finally:
        # What an engine that went away keeps from going now is swept when it is back.
        with suppress(WindlassError):
            _remove(outside, name)
        with outside.outpost_memory.lock:
            outside.outpost_memory.manned.discard(name)


def _make_network(outside: Outside, sender: Sender, name: str, internal: bool, here: Sequence[NetworkFacts]) -> None:
    wanted = EnsureNetwork(name, _SIZE, internal, ROLE, sender.app)
    ref = create_network(outside, wanted, _labels(outside, sender), here)
    outside.store.resources.record(Resource("network", ref, name, sender.app, None, sender.deployment))


def _labels(outside: Outside, sender: Sender) -> dict[str, str]:
    """The app is not named as a container of the app names it, for it is none."""
    return {
        "windlass.instance": outside.instance,
        "windlass.role": ROLE,
        "windlass.for": sender.app,
        "windlass.deployment": sender.deployment,
    }


def sweep_outposts(outside: Outside) -> None:
    """Remove those that nobody of this process uses: what a crash left, or an engine that went away."""
    marks = {"windlass.instance": outside.instance, "windlass.role": ROLE}
    found = {c.name for c in outside.engine.containers(marks)}
    found |= {n.name for n in outside.engine.networks() if marks.items() <= n.labels.items()}
    with outside.outpost_memory.lock:
        stray = found - outside.outpost_memory.manned
    for name in sorted(stray):
        with suppress(WindlassError):
            _remove(outside, name)


def _remove(outside: Outside, name: str) -> None:
    """The container first; one that is gone, or was never made, is no error."""
    with suppress(NotFound):
        container = outside.engine.container(name)
        outside.engine.remove(container.id)
        outside.store.resources.forget("container", container.id)
    for network in outside.engine.networks():
        if network.name == name:
            outside.engine.remove_network(network.id)
            outside.store.resources.forget("network", network.id)
