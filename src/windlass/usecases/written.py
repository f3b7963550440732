"""The project as it is written, with its `${…}`: merged by Compose, or plainly where that needs the values for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from windlass.domain.documents import parse_yaml
from windlass.domain.errors import Refused
from windlass.ports.outside import Outside
from windlass.ports.sources import ComposeSource


def written_project(outside: Outside, source: ComposeSource) -> Mapping[str, Any]:
    """Compose refuses a variable where it wants a word of its own or a number (a condition, a limit): then it is the
    files themselves, one over the other, without what they extend and include."""
    try:
        return outside.compose.resolve(source, env_files=False, interpolate=False).document
    except Refused:
        merged: dict[str, Any] = {}
        for name in source.files:
            text = outside.trees.read(source.directory / name)
            merged = _over(merged, parse_yaml(text or b"", name).data)
        return merged


def _over(below: Any, above: Any) -> Any:
    """Mappings key by key, lists one after the other; else what is written later."""
    if isinstance(below, Mapping) and isinstance(above, Mapping):
        return {k: _over(below.get(k), above[k]) if k in above else below[k] for k in (*below, *above)}
    if isinstance(below, list) and isinstance(above, list):
        return [*below, *above]
    return below if above is None else above
