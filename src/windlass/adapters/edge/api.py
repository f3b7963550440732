"""The edge's own API: which routers and services are in force."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from windlass.domain.edgedocument import EdgeFile, LoadBalancer, Router
from windlass.domain.errors import OutOfReach

_TIMEOUT_S = 2.0
_COUNTED = re.compile(r"^traefik_service_requests_total\{(?P<labels>[^}]*)\} (?P<count>\S+)$", re.M)
_LABEL = re.compile(r'([a-z]+)="([^"]*)"')


@dataclass(frozen=True)
class Missing:
    """A router or service that is not as wanted. `final`: the edge has read it and will not have it."""

    name: str
    message: str
    final: bool = False


class EdgeApi:
    def __init__(self, port: int) -> None:
        self._port = port

    def version(self) -> str:
        """Raises OutOfReach when the edge does not answer, as all of this class does, and while it is starting."""
        found = self._get("/api/version")
        if found is None:
            raise OutOfReach("the edge is starting", code="edge_unreachable")
        return str(found["Version"])

    def missing(self, wanted: EdgeFile, gone: frozenset[str] = frozenset()) -> list[Missing]:
        """What is not in force of `wanted`, and which routers of `gone` still are."""
        self.version()
        return [*self._routers(wanted), *self._services(wanted), *self._left(gone)]

    def _routers(self, wanted: EdgeFile) -> Iterator[Missing]:
        for name, router in wanted.http.routers.items():
            found = self._get(f"/api/http/routers/{_name(name)}")
            if found is None:
                yield Missing(name, "the edge has not read it yet")
            elif not _same(router, found):
                yield Missing(name, "the edge still has the former one")
            elif found.get("status") != "enabled":
                words = "; ".join(str(line) for line in found.get("error") or ()) or f"is {found.get('status')}"
                yield Missing(name, words, final=True)

    def _services(self, wanted: EdgeFile) -> Iterator[Missing]:
        for name, service in wanted.http.services.items():
            found = self._get(f"/api/http/services/{_name(name)}")
            if found is None or found.get("status") != "enabled":
                yield Missing(name, "the edge has no such service yet")
            elif service.loadBalancer is not None and _servers(found) != _wanted(service.loadBalancer):
                yield Missing(name, "the edge still has the former servers")

    def _left(self, gone: frozenset[str]) -> Iterator[Missing]:
        for name in sorted(gone):
            if self._get(f"/api/http/routers/{_name(name)}") is not None:
                yield Missing(name, "the edge still has it")

    def answered(self) -> dict[str, dict[int, int]]:
        """Service -> HTTP status -> requests answered since the edge was started."""
        found: dict[str, dict[int, int]] = {}
        for match in _COUNTED.finditer(self._ask("/metrics")[1].decode()):
            labels = dict(_LABEL.findall(match["labels"]))
            by_status = found.setdefault(labels.get("service", "").partition("@")[0], {})
            status = labels.get("code", "")
            if status.isdigit():
                by_status[int(status)] = by_status.get(int(status), 0) + int(float(match["count"]))
        return found

    def _get(self, path: str) -> dict[str, Any] | None:
        """None when there is no such thing."""
        status, body = self._ask(path)
        if status == 404:
            return None
        try:
            found: dict[str, Any] = json.loads(body)
            return found
        except ValueError as error:
            raise _unreachable() from error

    def _ask(self, path: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=_TIMEOUT_S)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read()
        except (OSError, http.client.HTTPException) as error:
            raise _unreachable() from error
        finally:
            connection.close()


def _unreachable() -> OutOfReach:
    return OutOfReach("the edge does not answer", code="edge_unreachable", hint="windlass doctor")


def _name(name: str) -> str:
    return quote(f"{name}@file", safe="@")


def _same(wanted: Router, found: dict[str, Any]) -> bool:
    """The service carries the number of the release, so this is true only once the change is in force.

    So do the names of middlewares, and their content.
    """
    steps = [str(name).removesuffix("@file") for name in found.get("middlewares") or ()]
    return (found.get("service"), found.get("rule"), found.get("priority"), steps) == (
        wanted.service,
        wanted.rule,
        wanted.priority,
        list(wanted.middlewares or ()),
    )


def _wanted(balancer: LoadBalancer) -> list[str]:
    return sorted(server.url for server in balancer.servers)


def _servers(found: dict[str, Any]) -> list[str]:
    return sorted(str(server.get("url")) for server in (found.get("loadBalancer") or {}).get("servers") or ())
