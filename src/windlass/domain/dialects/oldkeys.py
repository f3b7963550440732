"""Old ways to ask for a GPU, and keys that mean nothing any more, in today's words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from windlass.domain.composekeys import entries, sequence
from windlass.domain.dialects.translation import Translation, joined
from windlass.domain.documents import Document, Path
from windlass.domain.errors import Detail
from windlass.domain.insidepaths import has_variable
from windlass.domain.rewriting import REMOVED, Edit

_DEVICES = ("deploy", "resources", "reservations", "devices")
_VISIBLE = "NVIDIA_VISIBLE_DEVICES"


def translate_old_keys(document: Document) -> Translation:
    """`device_requests` and `runtime: nvidia` become a reservation, which needs the same consent; `version` is told."""
    parts = []
    if "version" in document.data:
        note = f"{document.place(('version',))}: `version` is ignored, as by Compose"
        parts.append(Translation(notes=(note,)))
    for name, service in entries(document.data, "services"):
        at: Path = ("services", name)
        parts += [_device_requests(document, at, service), _runtime(document, at, service)]
    return joined(parts)


def _device_requests(document: Document, at: Path, service: Mapping[str, Any]) -> Translation:
    """As the engine's API spells them."""
    written = service.get("device_requests")
    if written is None:
        return Translation()
    requests = sequence(written)
    if not all(isinstance(one, Mapping) for one in requests):
        place = (*at, "device_requests")
        message = f"{document.place(place)}: `device_requests` takes mappings with driver, count and capabilities"
        fix = "write deploy.resources.reservations.devices instead"
        return Translation(problems=(Detail("device_requests_invalid", ".".join(map(str, place)), message, fix),))
    devices = [_device({str(k).lower().replace("_", ""): v for k, v in one.items()}) for one in requests]
    return _reserved(document, at, service, devices, "device_requests")


def _device(one: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"capabilities": list(dict.fromkeys(_flat(one.get("capabilities")))) or ["gpu"]}
    if one.get("driver"):
        found["driver"] = str(one["driver"])
    if ids := [str(i) for i in sequence(one.get("deviceids"))]:
        return found | {"device_ids": ids}
    count = one.get("count", -1)
    return found | {"count": "all" if str(count) in ("-1", "all") else count}


def _flat(value: Any) -> Iterator[str]:
    for inner in sequence(value):
        if isinstance(inner, list):
            yield from _flat(inner)
        else:
            yield str(inner)


def _runtime(document: Document, at: Path, service: Mapping[str, Any]) -> Translation:
    if service.get("runtime") != "nvidia":
        return Translation()
    visible = _visible(service.get("environment"))
    if visible in ("none", "void") or has_variable(visible):
        return Translation()
    if _already(service) or service.get("gpus") or service.get("device_requests"):
        place = document.place((*at, "runtime"))
        note = f"{place}: `runtime: nvidia` is left out, the reservation of the GPU says it all"
        return Translation(edits=(Edit((*at, "runtime"), REMOVED),), notes=(note,))
    device: dict[str, Any] = {"driver": "nvidia", "capabilities": ["gpu"]}
    ids = [part.strip() for part in visible.split(",") if part.strip()]
    device |= {"count": "all"} if visible in ("", "all") else {"device_ids": ids}
    return _reserved(document, at, service, [device], "runtime")


def _visible(environment: Any) -> str:
    if isinstance(environment, Mapping):
        value = environment.get(_VISIBLE)
        return "" if value is None else str(value)
    found = (str(entry).partition("=") for entry in sequence(environment))
    return next((value for name, _, value in found if name == _VISIBLE), "")


def _already(service: Mapping[str, Any]) -> list[Any]:
    found: Any = service
    for key in _DEVICES:
        found = found.get(key) if isinstance(found, Mapping) else None
    return list(found) if isinstance(found, list) else []


def _reserved(
    document: Document, at: Path, service: Mapping[str, Any], devices: list[dict[str, Any]], key: str
) -> Translation:
    first = len(_already(service))
    edits = [Edit((*at, key), REMOVED)]
    edits += [Edit((*at, *_DEVICES, first + i), device) for i, device in enumerate(devices)]
    note = f"{document.place((*at, key))}: `{key}` is read as deploy.resources.reservations.devices"
    return Translation(edits=tuple(edits), notes=(note,))
