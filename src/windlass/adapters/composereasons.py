"""Compose's words about what is wrong, turned into reasons with codes, all of them at once."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from windlass.adapters.composefiles import Use
from windlass.domain.errors import Detail

_LOG_LINE = re.compile(r'^time="[^"]*" level=(?P<level>\w+) msg=(?P<text>.*)$')
_UNSET = re.compile(r'^The "?([A-Za-z_][A-Za-z0-9_]*)"? variable is not set')
_PATH = re.compile(r"\b(?:services|volumes|networks|secrets|configs)\.[\w.\[\]-]+")
_SERVICE = re.compile(r'service "([^"]+)"')
_PREFIX = re.compile(r"^(?:ERROR:?|Error:|error:)\s*", re.IGNORECASE)

# What Compose says -> code of the reason, and what to do about it. The first group, if any, names the thing.
_KNOWN: tuple[tuple[re.Pattern[str], str, str], ...] = (
    (
        re.compile(r"required variable (\S+) is missing a value"),
        "variable_required",
        "set it with: windlass env set APP NAME=VALUE",
    ),
    (re.compile(r"refers to undefined volume ([^\s:]+)"), "undefined_volume", "declare it under `volumes:`"),
    (re.compile(r"refers to undefined network ([^\s:]+)"), "undefined_network", "declare it under `networks:`"),
    (re.compile(r"refers to undefined secret ([^\s:]+)"), "undefined_secret", "declare it under `secrets:`"),
    (re.compile(r"refers to undefined config ([^\s:]+)"), "undefined_config", "declare it under `configs:`"),
    (
        re.compile(r"[Ee]nv file (\S+) not found"),
        "env_file_missing",
        "add the file, or mark it `required: false` and set the values with: windlass env set APP NAME=VALUE",
    ),
    (
        re.compile(r"resource is disabled by"),
        "compose_remote",
        "copy the file into the project: remote include and extends are not followed",
    ),
    (re.compile(r"Cannot connect to the Docker daemon"), "engine_unreachable", "start Docker"),
)


def warnings(lines: Sequence[str]) -> tuple[str, ...]:
    """Texts of the log lines of level warning, each once."""
    found = (_logged(line) for line in lines)
    return tuple(dict.fromkeys(text for level, text in found if level == "warning"))


def unset(texts: Sequence[str]) -> tuple[str, ...]:
    """The variables that Compose says it took as blank."""
    return tuple(sorted({m[1] for m in map(_UNSET.match, texts) if m}))


def words(lines: Sequence[str], directory: Path) -> str:
    """What Compose said, without its log lines, and with paths as the user knows them."""
    said = [_PREFIX.sub("", line.strip()) for line in lines if not _LOG_LINE.match(line) and line.strip()]
    errors = [text for level, text in map(_logged, lines) if level in ("error", "fatal")]
    text = "\n".join(said or errors) or "Compose ended without saying why"
    for prefix in {f"{directory}/", f"{directory.resolve()}/"}:
        text = text.replace(prefix, "")
    return text.replace(": invalid compose project", "")


def _logged(line: str) -> tuple[str, str]:
    match = _LOG_LINE.match(line)
    if match is None:
        return "", ""
    try:
        return match["level"], str(json.loads(match["text"]))
    except ValueError:
        return match["level"], match["text"].strip('"')


def reason(text: str, file: str = "") -> Detail:
    """The reason that Compose gave, with the code of the first known kind in it; `file` when it names no place."""
    for pattern, code, fix in _KNOWN:
        match = pattern.search(text)
        if match:
            return Detail(code, match[1] if pattern.groups else file, text, fix)
    fix = "see the place that Compose names; check with: docker compose config"
    return Detail("compose_invalid", _place(text) or file, text, fix)


def _place(text: str) -> str:
    """`services.web.ports` or the service that Compose names."""
    path = _PATH.search(text)
    if path:
        return path[0].rstrip(".")
    service = _SERVICE.search(text)
    return f"services.{service[1]}" if service else ""


def missing_variables(uses: Mapping[str, Use], values: Mapping[str, str]) -> list[Detail]:
    """All required variables without a value, where Compose names only the first."""
    return [
        Detail(
            "variable_required",
            name,
            f"the variable {name} has no value" + (f": {use.words}" if use.words else ""),
            f"windlass env set APP {name}=VALUE",
        )
        for name, use in sorted(uses.items())
        if use.required and (name not in values or (not values[name] and not use.may_be_empty))
    ]


_DECLARED = (("volumes", "volume"), ("networks", "network"), ("secrets", "secret"), ("configs", "config"))


def undefined(document: Mapping[str, Any]) -> list[Detail]:
    """All references to volumes, networks, secrets, configs and services that a project does not declare."""
    services: Mapping[str, Any] = document.get("services") or {}
    found = []
    for service, definition in services.items():
        for section, kind in _DECLARED:
            declared = {*(document.get(section) or {}), "default" if kind == "network" else ""}
            for name in dict.fromkeys(_references(definition or {}, section)):
                if name not in declared and "$" not in name:
                    words = f'service "{service}" refers to undefined {kind} {name}'
                    found.append(Detail(f"undefined_{kind}", name, words, f"declare it under `{section}:`"))
        for name in definition.get("depends_on") or {}:
            if name not in services:
                words = f'service "{service}" depends on undefined service "{name}"'
                fix = "add that service, or take it out of `depends_on`"
                found.append(Detail("compose_invalid", f"services.{service}.depends_on", words, fix))
    return found


def _references(definition: Mapping[str, Any], section: str) -> Iterator[str]:
    entries = definition.get(section) or ()
    if isinstance(entries, Mapping):
        yield from entries
        return
    for entry in entries:
        if isinstance(entry, str):
            yield entry
        elif section != "volumes" or entry.get("type") == "volume":
            yield str(entry.get("source") or "")


def missing_env_files(document: Mapping[str, Any], directory: Path) -> list[Detail]:
    """All `env_file` entries, not marked `required: false`, whose file is not there."""
    found: dict[str, Detail] = {}
    for service, definition in (document.get("services") or {}).items():
        for entry in definition.get("env_file") or ():
            path = entry if isinstance(entry, str) else str(entry.get("path", ""))
            required = isinstance(entry, str) or entry.get("required", True)
            if required and path and "$" not in path and not (directory / path).exists():
                shown = path.removeprefix(f"{directory}/")
                text = f"the env_file {shown} of service {service} is not in the project's folder"
                found.setdefault(path, Detail("env_file_missing", shown, text, _KNOWN[5][2]))
    return list(found.values())
