"""Every path that a Compose file, not yet resolved, names, and what Compose does with it."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from windlass.domain.composekeys import entries, sequence
from windlass.domain.documents import Path
from windlass.domain.insidepaths import is_remote

_CACHE_PLACES = ("src", "dest")


@dataclass(frozen=True)
class NamedPath:
    """`is_read`: Compose reads it while it resolves the model, so it must be known before."""

    at: Path
    path: str
    is_read: bool = False
    folder: str = ""


def named_paths(document: Mapping[str, Any]) -> Iterator[NamedPath]:
    """All but `include` and `extends`, which name further Compose files."""
    for name, service in entries(document, "services"):
        at: Path = ("services", name)
        yield from _read_files(service, at)
        yield from _build(service.get("build"), (*at, "build"))
        yield from _binds(service, at)
        yield from _profiles(service, at)
    for section in ("secrets", "configs"):
        for name, value in entries(document, section):
            if isinstance(value.get("file"), str):
                yield NamedPath((section, name, "file"), value["file"])


def _read_files(service: Mapping[str, Any], at: Path) -> Iterator[NamedPath]:
    for key in ("env_file", "label_file"):
        for index, entry in enumerate(sequence(service.get(key))):
            path = entry.get("path") if isinstance(entry, Mapping) else entry
            if isinstance(path, str):
                yield NamedPath((*at, key, index), path, is_read=True)


def _build(build: Any, at: Path) -> Iterator[NamedPath]:
    if isinstance(build, str):
        yield from () if is_remote(build) else (NamedPath(at, build),)
    if not isinstance(build, Mapping):
        return
    context = build.get("context") or "."
    if isinstance(context, str) and not is_remote(context):
        yield NamedPath((*at, "context"), context)
        if isinstance(build.get("dockerfile"), str):
            yield NamedPath((*at, "dockerfile"), build["dockerfile"], folder=context)
    yield from _further_contexts(build, at)
    yield from _local_caches(build, at)


def _further_contexts(build: Mapping[str, Any], at: Path) -> Iterator[NamedPath]:
    for name, path in _pairs(build.get("additional_contexts")):
        local = path.removeprefix("oci-layout://")
        if not is_remote(local) and not path.startswith("service:"):
            yield NamedPath((*at, "additional_contexts", name), local)


def _local_caches(build: Mapping[str, Any], at: Path) -> Iterator[NamedPath]:
    for key in ("cache_from", "cache_to"):
        for index, entry in enumerate(sequence(build.get(key))):
            for name, path in _fields(str(entry)):
                if name in _CACHE_PLACES:
                    yield NamedPath((*at, key, index), path)


def _fields(entry: str) -> Iterator[tuple[str, str]]:
    """`name=value,name=value`, as the builder reads it: with quotes around some, and names in any letters."""
    try:
        fields = [field for row in csv.reader(entry.splitlines()) for field in row]
    except csv.Error:
        fields = ["dest=/"]  # what cannot be read may be anything
    for field in fields:
        name, _, value = field.partition("=")
        yield name.strip().lower(), value.strip().strip('"')


def _pairs(value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        yield from ((name, str(path)) for name, path in value.items())
    for entry in value if isinstance(value, list) else ():
        name, _, path = str(entry).partition("=")
        yield name, path


def _binds(service: Mapping[str, Any], at: Path) -> Iterator[NamedPath]:
    """Relative ones; an absolute one needs consent, which is asked for when the model is resolved."""
    for index, entry in enumerate(sequence(service.get("volumes"))):
        source = ""
        if isinstance(entry, Mapping) and entry.get("type") == "bind":
            source = str(entry.get("source") or "")
        elif isinstance(entry, str) and entry.startswith("."):
            source = entry.partition(":")[0]
        if source and not source.startswith(("/", "~", "$")):
            yield NamedPath((*at, "volumes", index), source)


def _profiles(service: Mapping[str, Any], at: Path) -> Iterator[NamedPath]:
    """`security_opt: seccomp:FILE` is read from this machine; so is `credential_spec: {file: …}`."""
    for index, entry in enumerate(sequence(service.get("security_opt"))):
        path = seccomp_file(str(entry))
        if path:
            yield NamedPath((*at, "security_opt", index), path)
    spec = service.get("credential_spec")
    if isinstance(spec, Mapping) and isinstance(spec.get("file"), str):
        yield NamedPath((*at, "credential_spec", "file"), spec["file"])


def seccomp_file(option: str) -> str:
    """The file in a `seccomp=FILE` option; "" for others and for the words that name no file."""
    match = re.match(r"seccomp[:=](.+)", option)
    if not match or match.group(1) in ("unconfined", "builtin"):
        return ""
    return match.group(1)
