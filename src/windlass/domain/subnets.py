"""Chooses addresses for networks out of windlass's pool."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network, ip_network

from windlass.domain.errors import Failed

_LARGEST_PREFIX = 28


def free_subnet(pool: str, size: int, taken: Iterable[str]) -> str:
    """The first subnet of the pool with room for `size` containers that overlaps nothing taken.

    Raises Failed (address_pool_full) when there is none.
    """
    whole = IPv4Network(pool)
    prefix = prefix_for(size, whole.prefixlen)
    used = sorted(_ipv4(taken), key=lambda n: int(n.network_address))
    near = [n for n in used if n.overlaps(whole)]
    for candidate in whole.subnets(new_prefix=prefix):
        if not any(candidate.overlaps(n) for n in near):
            return str(candidate)
    raise Failed(
        f"no free /{prefix} network is left in the address pool {pool}",
        code="address_pool_full",
        hint="windlass up --pool CIDR with a larger or another private range",
    )


def count_free(pool: str, prefix: int, taken: Iterable[str]) -> int:
    """How many networks with this prefix length are left in the pool."""
    whole = IPv4Network(pool)
    shift = 32 - max(prefix, whole.prefixlen)
    first = int(whole.network_address) >> shift
    total, held, end = whole.num_addresses >> shift, 0, first
    for network in sorted(n for n in _ipv4(taken) if n.overlaps(whole)):
        start = max(int(network.network_address) >> shift, end)
        behind = min((int(network.broadcast_address) >> shift) + 1, first + total)
        held += max(behind - start, 0)
        end = max(end, behind)
    return total - held


def prefix_for(size: int, smallest: int) -> int:
    """The prefix length whose subnet holds `size` containers beside network, broadcast and gateway address."""
    prefix = _LARGEST_PREFIX
    while (1 << (32 - prefix)) - 3 < size and prefix > smallest:
        prefix -= 1
    return prefix


def fixed_address(subnet: str, index: int) -> str:
    """The address of the container with this index: after the network's and the gateway's."""
    return str(IPv4Network(subnet).network_address + 2 + index)


def upper_half(subnet: str) -> str:
    return str(list(IPv4Network(subnet).subnets(prefixlen_diff=1))[1])


def _ipv4(texts: Iterable[str]) -> list[IPv4Network]:
    found = [ip_network(t, strict=False) for t in texts if t]
    return [n for n in found if isinstance(n, IPv4Network) and n.prefixlen > 0]
