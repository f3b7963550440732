"""Networks and volumes of an app: made with free addresses, joined, left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from windlass.domain.errors import Conflict, Failed, NotFound
from windlass.domain.plan import Attach, Detach, EnsureNetwork, EnsureVolume
from windlass.domain.records import Resource
from windlass.domain.subnets import fixed_address, free_subnet, upper_half
from windlass.ports.engine import AddressTaken, ConnectOptions, NetworkFacts, VolumeFacts
from windlass.ports.outside import Outside
from windlass.usecases.confines import consents_of
from windlass.usecases.undertaking import Undertaking

_TRIES = 64


def ensure_network(work: Undertaking, wanted: EnsureNetwork) -> None:
    """Create the network unless it is there; a subnet that the engine refuses is passed over."""
    engine = work.outside.engine
    existing = engine.networks()
    here = next((n for n in existing if n.name == wanted.name), None)
    if here is not None:
        _own(work, here)
        return
    labels = {
        **work.labels(),
        "windlass.app": work.app,
        "com.docker.compose.project": wanted.project,
        "com.docker.compose.network": wanted.key,
    }
    ref = create_network(work.outside, wanted, labels, existing)
    _record(work, "network", ref, wanted.name)


def create_network(
    outside: Outside, wanted: EnsureNetwork, labels: Mapping[str, str], existing: Sequence[NetworkFacts]
) -> str:
    """Its ID. With the first addresses of the pool that the engine accepts; raises Failed when it accepts none."""
    taken = [s for n in existing for s in n.subnets] + outside.machine.routes()
    for _ in range(_TRIES):
        subnet = free_subnet(outside.pool, wanted.size, taken)
        try:
            dynamic = upper_half(subnet) if wanted.fixed else ""
            return outside.engine.create_network(wanted.name, subnet, wanted.internal, labels, dynamic)
        except AddressTaken:
            taken.append(subnet)
    raise Failed(f"no address range for the network {wanted.name} was accepted", code="address_pool_full")


def _own(work: Undertaking, network: NetworkFacts) -> None:
    known = work.outside.store.resources.find("network", network.name)
    if known is not None and known.ref == network.id:
        return
    if network.labels.get("windlass.instance") != work.outside.instance:
        raise Conflict(
            f"the network {network.name} exists and was not made by this windlass",
            code="foreign_network",
            hint=f"docker network rm {network.name}, when nothing needs it",
        )
    _record(work, "network", network.id, network.name)


def ensure_volume(work: Undertaking, wanted: EnsureVolume) -> None:
    """Create the volume unless it is there. One of the same name from an earlier life of the app is taken as it is."""
    labels = {
        **work.labels(),
        "windlass.app": work.app,
        "com.docker.compose.project": wanted.project,
        "com.docker.compose.volume": wanted.key,
    }
    here = next((v for v in work.outside.engine.volumes() if v.name == wanted.name), None)
    if here is None:
        work.outside.engine.create_volume(wanted.name, labels, wanted.driver, wanted.options)
    elif not is_own_volume(work.outside, work.app, here):
        raise Conflict(
            f"the volume {wanted.name} belongs to someone else",
            code="foreign_volume",
            hint=f"windlass consent {work.app} volume:{wanted.name}",
        )
    _record(work, "volume", wanted.name, wanted.name)


def is_own_volume(outside: Outside, app: str, volume: VolumeFacts) -> bool:
    """Made by this instance for this app; or consent was given to take over one that was there before."""
    known = outside.store.resources.find("volume", volume.name)
    if known is not None:
        return known.app == app
    labels = volume.labels
    if labels.get("windlass.instance") == outside.instance:
        return labels.get("windlass.app") == app
    return f"volume:{volume.name}" in consents_of(outside, app)


def attach(work: Undertaking, wanted: Attach) -> None:
    container = work.container(wanted.container)
    address = ""
    if wanted.index >= 0:
        network = next((n for n in work.outside.engine.networks() if n.name == wanted.network), None)
        if network is None:
            raise NotFound(f"the network {wanted.network} is gone", code="network_gone")
        address = fixed_address(network.subnets[0], wanted.index)
        if container.state == "running":
            return
    if wanted.again:
        work.outside.engine.disconnect(wanted.network, container.id)
    # By name: the engine takes a link to an ID without complaint, and never resolves it.
    links = tuple((work.container(name).name, alias) for name, alias in wanted.links)
    options = ConnectOptions(aliases=wanted.aliases, address=address, links=links)
    work.outside.engine.connect(wanted.network, container.id, options)


def detach(work: Undertaking, wanted: Detach) -> None:
    container = work.find(wanted.container)
    if container is not None:
        work.outside.engine.disconnect(wanted.network, container.id)


def remove_network(work: Undertaking, name: str) -> None:
    """If it is ours; one that is gone is no error."""
    here = next((n for n in work.outside.engine.networks() if n.name == name), None)
    if here is None:
        return
    _own(work, here)
    work.outside.engine.remove_network(here.id)
    work.outside.store.resources.forget("network", here.id)


def _record(work: Undertaking, kind: str, ref: str, name: str) -> None:
    work.outside.store.resources.record(Resource(kind, ref, name, work.app, None, work.deployment))
