"""Registries, asked by the engine as it asks them for a pull."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import requests
from docker import auth
from docker.api.client import APIClient
from docker.errors import DockerException

from windlass.adapters.engine.connection import IMAGE, Speaker, checked
from windlass.ports.engine import RegistryAnswer

_SAID_LENGTH = 300

# First match wins: words of the answer, else the HTTP status.
_STATES: tuple[tuple[re.Pattern[str] | int, str], ...] = (
    (re.compile(r"manifest unknown|name unknown|not found|no such manifest", re.I), "missing"),
    (re.compile(r"denied|unauthorized|authentication required|no basic auth|forbidden", re.I), "denied"),
    (401, "denied"),
    (403, "denied"),
    (404, "missing"),
)


class Registries(Speaker):
    def ask_registry(self, image: str, limit_s: float) -> RegistryAnswer:
        with self._connection.call(f"image {image}") as api:
            address = self._connection.address(api, f"/distribution/{checked(image, IMAGE)}/json")
            try:
                answer = api.get(address, headers=_log_in(api, image), timeout=limit_s)
            except requests.Timeout:
                return RegistryAnswer("silent", said=f"it has not answered within {limit_s:g} s")
        return _answer(answer)


def _log_in(api: APIClient, image: str) -> dict[str, str]:
    """As `docker login` left it, read anew; without one where the program that keeps it fails."""
    try:
        api.reload_config()
        registry, _ = auth.resolve_repository_name(image)
        header = auth.get_config_header(api, registry)
    except DockerException:
        return {}
    return {"X-Registry-Auth": header.decode() if isinstance(header, bytes) else header} if header else {}


def _answer(answer: requests.Response) -> RegistryAnswer:
    try:
        found = answer.json()
    except ValueError:
        found = {}
    if answer.status_code == 200:
        return RegistryAnswer("there", _architectures(found))
    said = str(found.get("message") or answer.text or answer.reason)[:_SAID_LENGTH].strip()
    for sign, state in _STATES:
        if answer.status_code == sign if isinstance(sign, int) else sign.search(said):
            return RegistryAnswer(state, said=said)
    return RegistryAnswer("unreachable", said=said)


def _architectures(found: Mapping[str, Any]) -> tuple[str, ...]:
    """Without entries that are no platform, such as a build's attestations."""
    known = (
        str(p.get("architecture") or "") for p in found.get("Platforms") or () if p.get("os") in (None, "", "linux")
    )
    return tuple(dict.fromkeys(a for a in known if a and a != "unknown"))
