"""Which variables without a value would do harm: Compose only warns and writes nothing in their place."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from windlass.domain.errors import Detail

_USE = re.compile(r"(?<!\$)\$(?:\{(\w+)[^}]*\}|(\w+))")
_SECRET = re.compile(r"PASS|PWD|SECRET|TOKEN|KEY|URL|URI|DSN|CREDENTIAL|HOST", re.IGNORECASE)
_HARMFUL = frozenset(
    {"ports", "volumes", "image", "networks", "build", "env_file", "expose", "secrets", "configs", "name"}
)


def dangerous_blanks(document: Mapping[str, Any], unset: Iterable[str]) -> tuple[tuple[Detail, ...], tuple[str, ...]]:
    """Refusals for blanks in ports, volumes, images, secrets and addresses; notes for the others.

    `document` is the model without interpolation.
    """
    missing = set(unset)
    harmful: dict[str, str] = {}
    for path, text in _texts(document, ()):
        for match in _USE.finditer(text):
            name = match.group(1) or match.group(2)
            if name in missing and name not in harmful and _is_harmful(path, text):
                harmful[name] = ".".join(path)
    details = tuple(
        Detail(
            "variable_unset",
            path,
            f"{path} uses ${{{name}}}, which has no value, and would become blank",
            f"windlass env set APP {name}=…, or write ${{{name}:-}} where blank is meant",
        )
        for name, path in sorted(harmful.items())
    )
    rest = sorted(missing - set(harmful))
    notes = (f"without a value, so blank: {', '.join(rest)}",) if rest else ()
    return details, notes


def _texts(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _texts(inner, (*path, str(key)))
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            yield from _texts(inner, (*path, str(i)))
    elif isinstance(value, str) and "$" in value:
        yield path, value


def _is_harmful(path: tuple[str, ...], text: str) -> bool:
    if path[0] != "services":
        return path[0] in ("volumes", "networks", "secrets", "configs")
    key = path[2] if len(path) > 2 else ""
    if key in _HARMFUL:
        return True
    if key == "environment":
        name = path[3] if len(path) > 3 and not path[3].isdigit() else text.partition("=")[0]
        return bool(_SECRET.search(name))
    return False
