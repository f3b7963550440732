"""Which outside services a project's variables name, and from which networks its services will reach for them."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from windlass.domain.compose import Model, Service
from windlass.domain.contract import is_public_name
from windlass.domain.contract_formats import Format
from windlass.domain.manifest import EnvRule
from windlass.domain.modelreader import unescape
from windlass.domain.outposts import Kind, Standpoint, Target, Tls, Visit
from windlass.domain.outsideaddresses import URL_FORMATS, read_target

# Addresses that browsers are sent to: whether a container can reach them tells little.
_FOR_BROWSERS = re.compile(
    r"PUBLIC|CORS|ORIGINS?$|CALLBACK|REDIRECT|(^|_)(APP|SITE|BASE|WEB|WEBSITE|FRONTEND|CLIENT|HOME|ROOT|EXTERNAL"
    r"|CANONICAL|NEXTAUTH|AUTH|CDN|ASSETS?|STATIC)_UR[LI]$|^(URL|NEXTAUTH_URL)$"
)
_WEB_ONLY = frozenset({Kind.HTTP})
_LOOPBACKS = frozenset({"localhost", "ip6-localhost"})
_LEAST_FOUND = 8  # characters of a value that is looked for within a command

NO_PLACE = "place"  # `Visit.unasked`
NO_LOOKUP = "lookup"
BY_PROXY = "proxy"
ITSELF = "itself"


@dataclass(frozen=True)
class Landscape:
    """The project, and what windlass knows of its variables. `hosts`: those that lead to the app itself."""

    app: str
    model: Model
    rules: Mapping[str, EnvRule] = field(default_factory=dict)
    values: Mapping[str, str] = field(default_factory=dict)
    sent_to: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    hosts: Collection[str] = ()


@dataclass(frozen=True)
class _Use:
    """A value that a container of the service gets. `variable`: windlass's name for it, "" when it keeps none."""

    name: str
    value: str
    variable: str = ""


def find_visits(land: Landscape) -> tuple[Visit, ...]:
    """Every outside service that a running container is given the address of, from each place where one will stand."""
    own = _own_names(land)
    found: dict[tuple[Target, Standpoint, bool], Visit] = {}
    for service in land.model.services.values():
        standpoint = _standpoint(land.model, service)
        if standpoint is None:
            continue
        around = _around(land, service)
        for use in _uses(land, service, around):
            visit = _visit(land, service, standpoint, use, around)
            if visit is None or _leads_inside(visit.target, own, land.model):
                continue
            known = found.get((visit.target, standpoint, visit.strict), replace(visit, services=()))
            names = tuple(dict.fromkeys((*known.services, service.name)))
            found[visit.target, standpoint, visit.strict] = replace(known, services=names)
    return tuple(found.values())


# --- what a container is given ---------------------------------------------------------------------------------------


def _around(land: Landscape, service: Service) -> dict[str, str]:
    """The variables as the service's code may see them, windlass's own behind."""
    sent = {n: land.values[n] for n, services in land.sent_to.items() if service.name in services and n in land.values}
    return {**land.values, **sent, **service.environment}


def _uses(land: Landscape, service: Service, around: Mapping[str, str]) -> Iterator[_Use]:
    sent = {n: around[n] for n, services in land.sent_to.items() if service.name in services and n in around}
    for name, value in {**sent, **service.environment, **_granted(land, service)}.items():
        yield _Use(name, value, _variable_of(land, name, value))
    words = "\n".join((*service.command, *service.entrypoint))
    for name, value in land.values.items():
        if len(value) >= _LEAST_FOUND and value in words:
            yield _Use(name, value, name)


def _granted(land: Landscape, service: Service) -> dict[str, str]:
    """By a secret or config whose content is a variable."""
    kinds: dict[str, Mapping[str, Mapping[str, Any]]] = {"secret": land.model.secrets, "config": land.model.configs}
    found = {}
    for grant in service.grants:
        name = str(kinds.get(grant.kind, {}).get(grant.source, {}).get("environment") or "")
        if name in land.values:
            found[name] = land.values[name]
    return found


def _variable_of(land: Landscape, name: str, value: str) -> str:
    """The variable whose value this is: the one of the same name first, then those that are declared."""
    if land.values.get(name) == value:
        return name
    same = [n for n, v in land.values.items() if v == value] if value else []
    return min(same, key=lambda n: (n not in land.rules, n), default="")


def _visit(
    land: Landscape, service: Service, standpoint: Standpoint, use: _Use, around: Mapping[str, str]
) -> Visit | None:
    declared = _format_of(land, use)
    target = read_target(use.name, use.value, declared, around)
    if target is None:
        return None
    named = replace(target, variable=use.variable or use.name)
    is_declared = declared in URL_FORMATS
    is_store = named.kind not in _WEB_ONLY and (named.kind is not Kind.S3 or is_declared)
    strict = is_store or (is_declared and not _is_for_browsers(named.variable) and not _is_for_browsers(use.name))
    unasked = _why_unasked(named, service, land.model, around)
    return Visit(named, standpoint, (), strict and not unasked, bool(use.variable), unasked)


def _format_of(land: Landscape, use: _Use) -> Format:
    rule = land.rules.get(use.variable) or land.rules.get(use.name)
    return rule.format if rule is not None else ""


def _is_for_browsers(name: str) -> bool:
    return is_public_name(name) or _FOR_BROWSERS.search(name) is not None


def _why_unasked(target: Target, service: Service, model: Model, around: Mapping[str, str]) -> str:
    if not target.servers:
        return NO_LOOKUP if target.kind is Kind.MONGODB else NO_PLACE
    if target.kind in (Kind.HTTP, Kind.S3) and _goes_by_proxy(target, around):
        return BY_PROXY
    alone = not service.network_mode and not any(
        other.network_mode == f"service:{service.name}" for other in model.services.values()
    )
    return ITSELF if alone and _is_loopback(target) and target.kind is not Kind.HTTP else ""


def _goes_by_proxy(target: Target, around: Mapping[str, str]) -> bool:
    name = "http_proxy" if target.tls is Tls.NONE else "https_proxy"
    if not (around.get(name) or around.get(name.upper())):
        return False
    kept = (around.get("no_proxy") or around.get("NO_PROXY") or "").replace(" ", "").split(",")
    ends = [k.lstrip("*").lstrip(".").lower() for k in kept if k]
    return not any(end == "" or host == end or host.endswith("." + end) for end in ends for host, _ in target.servers)


# --- where it stands -------------------------------------------------------------------------------------------------


def _standpoint(model: Model, service: Service) -> Standpoint | None:
    """None without a network, or with one that is not the project's."""
    mode = service.network_mode
    if mode.startswith("service:"):
        peer = model.services.get(mode.removeprefix("service:"))
        return None if peer is None or peer.network_mode.startswith("service:") else _standpoint(model, peer)
    if mode == "host":
        return Standpoint(machine=True)
    if mode and mode not in ("bridge", "default"):
        return None
    joined = [model.networks[key] for key in service.networks if key in model.networks]
    own = [n for n in joined if not n.external]
    shared = tuple(sorted({n.name for n in joined if n.external}))
    kind = "open" if any(not n.internal for n in own) or not joined else "closed"
    raw = unescape(service.raw)
    return Standpoint(
        own=kind if own or not joined else "",
        shared=shared,
        hosts=host_lines(raw.get("extra_hosts")),
        dns=listed(raw.get("dns")),
        search=listed(raw.get("dns_search")),
    )


def host_lines(value: Any) -> tuple[str, ...]:
    """`name:address`, as the engine takes them."""
    if isinstance(value, Mapping):
        pairs = [(str(n), a) for n, addresses in value.items() for a in listed(addresses)]
    else:
        parts = (_split_host(line) for line in listed(value))
        pairs = [(name, address) for name, address in parts]
    return tuple(f"{name}:{address.strip('[]')}" for name, address in pairs if name and address)


def _split_host(line: str) -> tuple[str, str]:
    name, equals, address = line.partition("=")
    if not equals:
        name, _, address = line.partition(":")
    return name, address


def listed(value: Any) -> tuple[str, ...]:
    """What may be written as one word or as a list of them."""
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(str(v) for v in value)


# --- what is not outside ---------------------------------------------------------------------------------------------


def _own_names(land: Landscape) -> frozenset[str]:
    """Names that the project's containers answer to, and the hosts that lead to it through the edge."""
    found = {host.lower() for host in land.hosts}
    for service in land.model.services.values():
        raw = service.raw
        found |= {service.name, service.container_name, str(raw.get("hostname") or ""), f"{land.app}-{service.name}-1"}
        found |= {alias for aliases in service.networks.values() for alias in aliases}
        found |= {link.rpartition(":")[2] for link in service.links}
    return frozenset(name.lower() for name in found if name)


def _leads_inside(target: Target, own: frozenset[str], model: Model) -> bool:
    """An address in a container's own network is told as such for stores, and is nobody's business for the web."""
    if target.kind is Kind.HTTP and _is_loopback(target):
        return True
    networks = {n.name.lower() for n in model.networks.values() if not n.external}
    for host, _ in target.servers:
        first, _, rest = host.partition(".")
        if host in own or (first in own and rest in networks) or host.endswith(".localhost"):
            return True
    return False


def _is_loopback(target: Target) -> bool:
    return any(_is_own_address(host) for host, _ in target.servers)


def _is_own_address(host: str) -> bool:
    if host in _LOOPBACKS:
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified
