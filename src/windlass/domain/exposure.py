"""Which published ports the world can reach, and whether a database or broker behind one lets anybody in."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address

from windlass.domain import catalogue
from windlass.domain.checks import Finding, found_ok, refused, warned
from windlass.domain.compose import Model, Port, Service
from windlass.domain.errors import Detail
from windlass.domain.release import Placement, Role, Strategy
from windlass.domain.storelocks import Lock, lock_of, opening

CHECK = "exposure"
_PUBLISHED_BY_SERVICES = (Strategy.KEEP, Strategy.RECREATE)  # of the others the edge alone is reached


@dataclass(frozen=True)
class Opening:
    """A port of a service that is reached from outside this machine. `published` is "" when the engine picks one."""

    service: str
    target: int
    published: str
    protocol: str = "tcp"

    def __str__(self) -> str:
        return f"{self.service} {self.published or 'a free port'}/{self.protocol} → {self.target}"


def examine_exposure(model: Model, placements: Mapping[str, Placement]) -> list[Finding]:
    """One line for all that is open and harmless, and one for each store that is reached from everywhere."""
    publishing = {n for n, p in placements.items() if p.strategy in _PUBLISHED_BY_SERVICES}
    stores = {n for n, p in placements.items() if p.role is Role.STORE}
    found = openings(model, publishing)
    told: list[Finding] = []
    harmless: list[Opening] = []
    for service in model.services.values():
        own = [o for o in found if o.service == service.name]
        behind = [(o, lock_of(service, o.target, service.name in stores)) for o in own]
        doors = [(o, lock) for o, lock in behind if lock is not None or service.name in stores]
        if doors:
            told.append(_store(service, doors))
        harmless += [o for o in own if o not in [door for door, _ in doors]]
    return [*told, _summary(harmless, bool(told))]


def openings(model: Model, publishing: Collection[str]) -> list[Opening]:
    """Every port that others than this machine reach, of the services that publish theirs."""
    found: list[Opening] = []
    for service in model.services.values():
        if service.name in publishing:
            found += [
                Opening(service.name, p.target, p.published, p.protocol)
                for p in service.ports
                if is_reached_from_everywhere(p)
            ]
            found += _in_the_hosts_network(service)
    return list(dict.fromkeys(found))


def is_reached_from_everywhere(port: Port) -> bool:
    """On all addresses of the machine, or on one that the internet knows."""
    text = port.host_ip.strip("[]")
    if not text:
        return True
    try:
        address = ip_address(text)
    except ValueError:
        return True
    return address.is_unspecified or address.is_global


def _in_the_hosts_network(service: Service) -> Iterator[Opening]:
    """Whatever it listens on is reached; what a known store listens on is known."""
    if service.network_mode != "host":
        return
    lock = lock_of(service, 0, False)
    wire = catalogue.wire_port(service.image) if service.image else 0
    for port in service.expose or ((wire or lock.ports[0],) if lock is not None else ()):
        yield Opening(service.name, port, str(port))


def _store(service: Service, doors: list[tuple[Opening, Lock | None]]) -> Finding:
    ports = ", ".join(dict.fromkeys(o.published or f"a free port for {o.target}" for o, _ in doors))
    lock = next((lock for _, lock in doors if lock is not None), None)
    kind = f" ({lock.kind})" if lock is not None else ""
    place = "network_mode" if service.network_mode == "host" else "ports"
    said = f"{service.name}{kind} is reached from everywhere on port {ports}"
    way_in = opening(lock, service) if lock is not None else ""
    detail = Detail(
        "exposed_without_password" if way_in else "exposed_store",
        f"services.{service.name}.{place}",
        f"{said}, and {way_in}" if way_in else f"{said}: whoever finds it may try passwords",
        _fix(service, doors[0][0], bool(way_in)),
    )
    return refused(detail, CHECK) if way_in else warned(detail, CHECK)


def _fix(service: Service, door: Opening, open_to_all: bool) -> str:
    by_name = f"the app reaches it as {service.name}:{door.target}"
    if service.network_mode == "host":
        words = f"take `network_mode: host` out: {by_name}"
    else:
        mapping = f"127.0.0.1:{door.published}:{door.target}" if door.published else f"127.0.0.1::{door.target}"
        suffix = "" if door.protocol == "tcp" else f"/{door.protocol}"
        words = f'publish it to this machine alone, "{mapping}{suffix}", or take `ports` out: {by_name}'
    return f"{words}; if it must be open, give it a long password" if open_to_all else words


def _summary(harmless: list[Opening], stores: bool) -> Finding:
    if harmless:
        return found_ok(CHECK, f"reached from everywhere, beside the edge: {', '.join(map(str, harmless))}")
    return found_ok(CHECK, f"nothing {'else ' if stores else ''}is reached from outside but through the edge")
