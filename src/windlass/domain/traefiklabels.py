"""Reads routes from Traefik's labels, as far as they say host, path and port."""

from __future__ import annotations

import re
from collections.abc import Iterator

from windlass.domain.compose import Service

_RULE = re.compile(r"traefik\.http\.routers\.([^.]+)\.rule")
_HOST = re.compile(r"\bHost\(([^)]*)\)")
_PATH = re.compile(r"\b(?:PathPrefix|Path)\(([^)]*)\)")
_WORD = re.compile(r"[`'\"]([^`'\"]+)[`'\"]")


def labelled_rules(service: Service) -> Iterator[tuple[str, str, int]]:
    """(host, path, port) of every HTTP router; host "" and port 0 where none is named. Negated rules are left out."""
    if service.labels.get("traefik.enable") == "false":
        return
    seen: set[tuple[str, str]] = set()
    for label, rule in service.labels.items():
        match = _RULE.fullmatch(label)
        if match is None or "!" in rule or _is_of_the_proxy(service, match.group(1)):
            continue
        port = _port(service, match.group(1))
        hosts, paths = _arguments(_HOST, rule), _arguments(_PATH, rule)
        for host in hosts or [""] * bool(paths):
            for path in paths or ["/"]:
                if (host, path) not in seen:
                    seen.add((host, path))
                    yield host, path, port


def _is_of_the_proxy(service: Service, router: str) -> bool:
    """A page of the proxy itself, such as its dashboard."""
    return service.labels.get(f"traefik.http.routers.{router}.service", "").endswith("@internal")


def _arguments(function: re.Pattern[str], rule: str) -> list[str]:
    return [word for arguments in function.findall(rule) for word in _WORD.findall(arguments)]


def _port(service: Service, router: str) -> int:
    labels = service.labels
    name = labels.get(f"traefik.http.routers.{router}.service") or router
    written = labels.get(f"traefik.http.services.{name}.loadbalancer.server.port") or next(
        (v for k, v in labels.items() if k.endswith(".loadbalancer.server.port")), ""
    )
    return int(written) if written.isdigit() else 0
