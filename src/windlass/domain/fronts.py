"""How visitors come to an app: its hosts, and its address."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from windlass.domain.release import Route


@dataclass(frozen=True)
class Front:
    """`url`: of the first route, "" without one. `hosts`: all that are whole names, the first route's first.

    `wild`: hosts with a `*` at the beginning.
    """

    url: str = ""
    hosts: tuple[str, ...] = ()
    wild: tuple[str, ...] = ()

    def leads(self, host: str) -> bool:
        """Whether it is one of the app's hosts."""
        return host in self.hosts or any(_is_host(one, host) for one in self.wild)


def front_of(routes: Iterable[Route], default_host: str, port: int) -> Front:
    """The default host goes first where a route has it, as everywhere where addresses of an app are shown."""
    found = [(route.host or default_host, route.path) for route in routes]
    whole = sorted((one for one in found if "*" not in one[0]), key=lambda one: one[0] != default_host)
    hosts = tuple(dict.fromkeys(host for host, _ in whole))
    wild = tuple(dict.fromkeys(host for host, _ in found if "*" in host))
    return Front(url_of(*whole[0], port) if whole else "", hosts, wild)


def url_of(host: str, path: str, port: int) -> str:
    """As a browser shows it; `port`: the edge's."""
    return f"http://{netloc_of(host, port)}{path if path != '/' else ''}"


def netloc_of(host: str, port: int) -> str:
    """As a browser sends it in `Host`."""
    return host if port == 80 else f"{host}:{port}"


def route_at(routes: Iterable[Route], host: str, path: str, default_host: str) -> Route | None:
    """The route that such a request takes, priorities aside."""
    found = [
        route
        for route in routes
        if _is_host(route.host or default_host, host) and _is_path(route.path.rstrip("/"), path.partition("?")[0])
    ]
    return max(found, key=lambda route: (route.priority, len(route.path)), default=None)


def _is_host(wanted: str, host: str) -> bool:
    """`*.example.com` is any one name below it."""
    return wanted == host or (wanted.startswith("*.") and host.partition(".")[2] == wanted[2:])


def _is_path(wanted: str, path: str) -> bool:
    return path == wanted or path.startswith(f"{wanted}/")
