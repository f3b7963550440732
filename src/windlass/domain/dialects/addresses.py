"""Which host each of Coolify's route variables stands for, and the routes that follow."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from windlass.domain.dialects.magic import read_address
from windlass.domain.dialects.translation import WantedRoute
from windlass.domain.errors import WindlassError
from windlass.domain.names import host as checked_host
from windlass.domain.release import Route


@dataclass(frozen=True)
class Places:
    """`hosts`: id -> host, "" for the app's default one. `values`: what the variables say."""

    hosts: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, str] = field(default_factory=dict)


def find_places(
    wanted: Sequence[WantedRoute], names: Iterable[str], given: Mapping[str, str], default_host: str, port_hint: int
) -> Places:
    """`names`: the route variables that are used; `given`: values that somebody set, of which a host is the route's.

    The first place asked for is the app's default host, each other one has a host below it.
    """
    addresses = [a for a in map(read_address, sorted(names)) if a is not None]
    ids = list(dict.fromkeys(r.id for r in wanted))
    first = next((r.id for r in wanted if port_hint and r.port == port_hint), ids[0] if ids else "")
    hosts = {id_: "" if id_ == first else f"{_label(id_)}.{default_host}" for id_ in ids}
    for name, value in given.items():
        address = read_address(name)
        if address is not None and address.id.upper() in hosts and (host := _host(value)):
            hosts[address.id.upper()] = host
    values = {}
    for address in addresses:
        host = hosts.get(address.id.upper(), "") or default_host
        values[address.name] = f"http://{host}" if address.is_url else host
    return Places(hosts, values)


def find_routes(wanted: Sequence[WantedRoute], places: Places, port_hint: int) -> tuple[Route, ...]:
    """One route for each place and path: to the service that is called like it, else to the first that asked."""
    found: dict[tuple[str, str], Route] = {}
    for one in sorted(wanted, key=lambda r: _plain(r.service) != _plain(r.id)):
        host = places.hosts[one.id]
        port = one.port or (port_hint if len({w.service for w in wanted}) == 1 else 0)
        found.setdefault((host, one.path), Route(host, one.service, port, one.path))
    return tuple(found.values())


def with_port(values: Mapping[str, str], port: int) -> dict[str, str]:
    """The same addresses when the edge listens on another port than 80."""
    if port == 80:
        return dict(values)
    return {name: f"{value}:{port}" if value.startswith("http://") else value for name, value in values.items()}


def _label(id_: str) -> str:
    id_ = id_.removesuffix("_DOMAIN").removesuffix("_HOST")
    return re.sub(r"[^a-z0-9]+", "-", id_.lower()).strip("-")[:63] or "other"


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _host(value: str) -> str:
    """The host of an address that somebody set; "" when there is none in it."""
    try:
        found = urlsplit(value if "://" in value else f"//{value}").hostname or ""
        return checked_host(found)
    except (ValueError, WindlassError):
        return ""
