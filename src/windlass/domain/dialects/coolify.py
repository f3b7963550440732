"""Coolify's dialect in Compose's words: files with their content, undeclared volumes, magic variables and routes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from windlass.domain.composekeys import entries, sequence
from windlass.domain.dialects import magic
from windlass.domain.dialects.inlinefiles import FILE_KEYS, translate_file
from windlass.domain.dialects.translation import Translation, WantedRoute, joined
from windlass.domain.documents import Document
from windlass.domain.evidence import ends_by_itself
from windlass.domain.modelreader import read_service
from windlass.domain.rewriting import REMOVED, Edit

_HEADER = re.compile(r"^#\s*(slogan|documentation|logo|category|tags):", re.MULTILINE)
_TELLING = {"slogan", "category"}
_PORT = re.compile(r"^#\s*port:\s*[\"']?(\d{2,5})", re.MULTILINE)
_HEADER_LINES = 3  # so many of them are no coincidence
_OWN_VALUE = re.compile(r"\$\{?(SERVICE_(?:URL|FQDN)_\w+)\}?")
_VOLUME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*(/[A-Za-z0-9_./-]*)?")


def is_coolify(document: Document, text: str) -> bool:
    """Whether something in the file means nothing but to Coolify."""
    header = set(_HEADER.findall(text[: max(text.find("services:"), 0)]))
    if len(header) >= _HEADER_LINES or header & _TELLING:
        return True
    if any(not has_default and magic.read_secret(name) for name, has_default in magic.uses(document.data)):
        return True
    for name, service in entries(document.data, "services"):
        if "exclude_from_hc" in service or any(FILE_KEYS & e.keys() for _, e in _long_volumes(service)):
            return True
        if any(True for _ in _asked_routes(name, service)):
            return True
    return False


def declared_volumes(document: Document) -> frozenset[str]:
    found = document.data.get("volumes")
    return frozenset(map(str, found)) if isinstance(found, Mapping) else frozenset()


def translate_coolify(document: Document, text: str, folder: str, declared: frozenset[str]) -> Translation:
    """`folder`: where the file's paths start, from the project's top. `declared`: volumes that any file declares."""
    parts = [_volumes(document, declared), _routes(document), _magic(document, text)]
    for name, service in entries(document.data, "services"):
        parts += [translate_file(name, i, e, folder) for i, e in _long_volumes(service) if FILE_KEYS & e.keys()]
        parts += [_health(document, name, service), _loose(name, service)]
    parts.append(_restarts(document))
    return joined(parts)


def _long_volumes(service: Mapping[str, Any]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for index, entry in enumerate(sequence(service.get("volumes"))):
        if isinstance(entry, Mapping):
            yield index, entry


# --- volumes ----------------------------------------------------------------------------------------------------------


def _volumes(document: Document, declared: frozenset[str]) -> Translation:
    """Names that nobody declared are declared; one with a slash gets a name that the engine takes."""
    edits: list[Edit] = []
    missing: dict[str, None] = {}
    for service, written in entries(document.data, "services"):
        for index, entry in enumerate(sequence(written.get("volumes"))):
            name = _volume_name(entry)
            if not name:
                continue
            spelled = name.replace("/", "-").rstrip("-")
            at = ("services", service, "volumes", index)
            if spelled != name and isinstance(entry, str):
                edits.append(Edit(at, spelled + entry[len(name) :]))
            elif spelled != name:
                edits.append(Edit((*at, "source"), spelled))
            if spelled not in declared:
                missing[spelled] = None
    edits += [Edit(("volumes", name), {}) for name in missing]
    note = f"Coolify's dialect: declared the volumes {', '.join(missing)}"
    return Translation(edits=tuple(edits), notes=(note,) if missing else ())


def _volume_name(entry: Any) -> str:
    """The volume's name; "" for binds, anonymous volumes and names with a variable."""
    name = ""
    if isinstance(entry, str) and ":" in entry:
        name = entry.partition(":")[0]
    elif isinstance(entry, Mapping) and entry.get("type") == "volume":
        name = str(entry.get("source") or "")
    return name if _VOLUME.fullmatch(name) else ""


# --- variables and routes ---------------------------------------------------------------------------------------------


def _magic(document: Document, text: str) -> Translation:
    names = {name for name, _ in magic.uses(document.data)}
    for _, service in entries(document.data, "services"):
        names |= {name for _, name, value in _variables(service) if value is None and magic.is_magic(name)}
        names |= {name for _, name, _ in _addresses(service)}
    port = _PORT.search(text)
    defaults = dict(magic.defaults(document.data))
    note = f"Coolify's dialect: what stands after `:?` is used for {', '.join(defaults)}"
    return Translation(
        magic=frozenset(names),
        defaults=defaults,
        port_hint=int(port[1]) if port else 0,
        notes=(note,) if defaults else (),
    )


def _routes(document: Document) -> Translation:
    """Entries that only name an address; written out, so that the container gets its value."""
    edits: list[Edit] = []
    routes: list[WantedRoute] = []
    for service, written in entries(document.data, "services"):
        routes += _asked_routes(service, written)
        for place, name, _ in _addresses(written):
            value: Any = f"${{{name}}}"
            at = ("services", service, "environment", place)
            edits.append(Edit(at, value if isinstance(place, str) else f"{name}={value}"))
    return Translation(edits=tuple(edits), routes=tuple(routes))


def _asked_routes(service: str, written: Mapping[str, Any]) -> Iterator[WantedRoute]:
    for _, name, value in _addresses(written):
        address = magic.read_address(name)
        if address is None:
            continue
        own = _OWN_VALUE.fullmatch(value)
        other = magic.read_address(own[1]) if own else None
        port = address.port or (other.port if other else 0)
        yield WantedRoute(service, address.id.upper(), port, value if value.startswith("/") else "/")


def _addresses(service: Mapping[str, Any]) -> Iterator[tuple[str | int, str, str]]:
    """(place, name, value) of entries with no value of their own, or with a path alone."""
    for place, name, value in _variables(service):
        if magic.read_address(name) is None:
            continue
        text = value or ""
        if not text or text.startswith("/") or _OWN_VALUE.fullmatch(text):
            yield place, name, text


def _variables(service: Mapping[str, Any]) -> Iterator[tuple[str | int, str, str | None]]:
    """(key or index, name, value); None for a name alone."""
    written = service.get("environment")
    if isinstance(written, Mapping):
        yield from ((name, name, None if value is None else str(value)) for name, value in written.items())
    for index, entry in enumerate(written if isinstance(written, Sequence) and not isinstance(written, str) else ()):
        name, sign, value = str(entry).partition("=")
        yield index, name.strip(), value if sign else None


# --- the rest ---------------------------------------------------------------------------------------------------------


def _health(document: Document, name: str, service: Mapping[str, Any]) -> Translation:
    """`exclude_from_hc`: what ends by itself is a job, and of anything else the healthcheck is not asked."""
    if "exclude_from_hc" not in service:
        return Translation()
    at = ("services", name)
    edits = [Edit((*at, "exclude_from_hc"), REMOVED)]
    said = "left out `exclude_from_hc`"
    is_asked = str(service.get("exclude_from_hc")).lower() == "true"
    if is_asked and _ends(service) and not service.get("ports"):
        labels = service.get("labels")
        as_list = isinstance(labels, list)
        place: tuple[str | int, ...] = (*at, "labels", len(labels) if isinstance(labels, list) else "windlass.job")
        edits.append(Edit(place, "windlass.job=release" if as_list else "release"))
        said = "read `exclude_from_hc` as: it runs to its end"
    elif is_asked and service.get("healthcheck") and not _is_waited_for(document, name):
        edits.append(Edit((*at, "healthcheck"), {"disable": True}))
        said = "read `exclude_from_hc` as: its healthcheck is not asked"
    return Translation(edits=tuple(edits), notes=(f"Coolify's dialect: {name}: {said}",))


def _ends(service: Mapping[str, Any]) -> bool:
    restart = service.get("restart")
    return restart is False or str(restart or "").partition(":")[0] in ("no", "on-failure")


def _is_waited_for(document: Document, name: str) -> bool:
    needs = (s.get("depends_on") for _, s in entries(document.data, "services"))
    conditions = (n[name] for n in needs if isinstance(n, Mapping) and isinstance(n.get(name), Mapping))
    return any(c.get("condition") == "service_healthy" for c in conditions)


def _restarts(document: Document) -> Translation:
    """What says nothing is started again there, but for what ends by itself."""
    services = dict(entries(document.data, "services"))
    waited = {need for service in services.values() for need in _waited_for_to_end(service)}
    found = [name for name, service in services.items() if name not in waited and not _restart_is_said(name, service)]
    edits = tuple(Edit(("services", name, "restart"), "unless-stopped") for name in found)
    note = f"Coolify's dialect: `restart: unless-stopped` for {', '.join(found)}"
    return Translation(edits=edits, notes=(note,) if found else ())


def _restart_is_said(name: str, service: Mapping[str, Any]) -> bool:
    deploy = service.get("deploy")
    if "restart" in service or "exclude_from_hc" in service:
        return True
    if isinstance(deploy, Mapping) and deploy.get("restart_policy"):
        return True
    words = {key: value for key in ("command", "entrypoint") if isinstance(value := service.get(key), str | list)}
    image = service.get("image")
    return bool(ends_by_itself(read_service(name, {**words, "image": image if isinstance(image, str) else ""})))


def _waited_for_to_end(service: Mapping[str, Any]) -> Iterator[str]:
    needs = service.get("depends_on")
    for name, need in needs.items() if isinstance(needs, Mapping) else ():
        if isinstance(need, Mapping) and need.get("condition") == "service_completed_successfully":
            yield str(name)


def _loose(name: str, service: Mapping[str, Any]) -> Translation:
    """An unquoted `false` is no text, and a key without anything no mapping: Compose is strict about both."""
    edits = []
    if isinstance(service.get("restart"), bool):
        edits.append(Edit(("services", name, "restart"), "always" if service["restart"] else "no"))
    if "environment" in service and service["environment"] is None:
        edits.append(Edit(("services", name, "environment"), REMOVED))
    return Translation(edits=tuple(edits))
