"""The edge's rules, put together from checked parts: which requests a route is for."""

from __future__ import annotations

import re

from windlass.domain.errors import Usage, refuse
from windlass.domain.names import host as valid_host
from windlass.domain.names import wildcard_host
from windlass.domain.routechecks import wrong_options
from windlass.domain.routeoptions import Condition, Match, RouteOptions

# A server asked by its address, not by a name: somebody's name that is no app's gets no app's page.
_BARE_ADDRESS = r"HostRegexp(`^(localhost|[0-9.]+|\[?[0-9a-f:]+\]?)$`)"
_PATH = re.compile(r"/[A-Za-z0-9._~!$&'()*+,;=:@%/-]{0,1023}")


def place_rule(hosts: tuple[str, ...], path: str, options: RouteOptions) -> str:
    """`hosts` empty: the server's bare address. Raises Usage or Refused for what could break out of its place."""
    wrong = list(wrong_options(options))
    if wrong:
        raise refuse(wrong)
    listed = " || ".join(_host_rule(host) for host in hosts) or _BARE_ADDRESS
    parts = [f"({listed})", path_rule(path, options.match), *(_condition(one) for one in options.conditions)]
    return " && ".join(part for part in parts if part)


def path_rule(path: str, match: Match) -> str:
    """`/admin` stands for itself and what is below it, not for `/administrator`; "" for every path."""
    if not _PATH.fullmatch(path):
        raise Usage(
            f"{path!r} is not a path that can be routed",
            code="path_invalid",
            hint="use letters, digits and - . _ ~ after a leading /",
        )
    if match == "exact":
        return f"Path(`{path}`)"
    whole = path.rstrip("/")
    if not whole:
        return ""
    if match == "prefix":
        return f"PathPrefix(`{path}`)"
    below = f"PathPrefix(`{whole}/`)"
    return below if path.endswith("/") else f"(Path(`{whole}`) || {below})"


def _host_rule(host: str) -> str:
    if not host.startswith("*."):
        return f"Host(`{valid_host(host)}`)"
    return f"HostRegexp(`^[a-z0-9-]+{re.escape(wildcard_host(host)[1:])}$`)"


def _condition(condition: Condition) -> str:
    listed = ", ".join(f"`{argument}`" for argument in condition.arguments)
    return f"{'!' if condition.negated else ''}{condition.matcher}({listed})"
