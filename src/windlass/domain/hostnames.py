"""Whether the host of a route leads to this machine."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from ipaddress import ip_address

from windlass.domain.checks import Finding, warned
from windlass.domain.errors import Detail


def needs_no_asking(host: str) -> bool:
    """An address, or a name that every machine takes for itself; a pattern is no name."""
    if host == "localhost" or host.endswith(".localhost") or "*" in host:
        return True
    try:
        ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


def judge_host(host: str, addresses: Sequence[str], own: Collection[str], machine: Sequence[str]) -> Finding | None:
    """None when it leads here. `own`: those of its `addresses` that are this machine's; `machine`: all of that."""
    if not addresses:
        said = f"no name server knows {host}: nobody will find the app under it"
        return _doubt("dns_unknown", host, said, f"let {host} lead to {_one_of(machine)}")
    if len(own) == len(addresses):
        return None
    shown = ", ".join(addresses[:4])
    if own:
        astray = ", ".join(a for a in addresses if a not in own)
        said = f"{host} leads here, and also to {astray}, which is not this machine"
        return _doubt(
            "dns_elsewhere", host, said, f"take {astray} out of its addresses, or leave it for another server"
        )
    known = f"; this machine is {', '.join(machine[:4])}" if machine else ""
    said = f"{host} leads to {shown}{known}"
    fix = f"let it lead to {_one_of(machine)}; nothing is wrong when a proxy or router there passes requests on to here"
    return _doubt("dns_elsewhere", host, said, fix)


def _one_of(machine: Sequence[str]) -> str:
    return machine[0] if machine else "this machine's address"


def _doubt(code: str, host: str, said: str, fix: str) -> Finding:
    return warned(Detail(code, host, said, fix), "dns")
