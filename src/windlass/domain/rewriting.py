"""Changes single values of a YAML file and leaves every other one spelled as it was."""

from __future__ import annotations

import copy
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from windlass.domain.documents import Path, parse_yaml

REMOVED: Final = object()
_TAG = "tag:yaml.org,2002:"
_NO_FOLDING = 1 << 30


@dataclass(frozen=True)
class Edit:
    """`value` takes the place of what stands at `path`; `REMOVED` takes it away.

    Mappings that lead there are made when there are none; a list grows by an index that is its length.
    """

    path: Path
    value: Any


def rewrite(content: bytes, name: str, edits: Iterable[Edit]) -> bytes:
    """The file with these changes, its aliases and merges written out. Raises Refused when it is no YAML."""
    parse_yaml(content, name)  # nothing too large, nothing that stands for itself
    yaml = _yaml()
    root = yaml.compose(content.decode().removeprefix("\ufeff"))
    flat = _flat(root) if isinstance(root, MappingNode) else MappingNode(_TAG + "map", [])
    wanted = tuple(edits)
    for edit in wanted:
        if edit.value is not REMOVED:
            _put(flat, edit.path, _node(edit.value))
    for edit in sorted((e for e in wanted if e.value is REMOVED), key=lambda e: _order(e.path), reverse=True):
        _take(flat, edit.path)
    out = io.StringIO()
    yaml.serialize(flat, out)
    return out.getvalue().encode()


def _yaml() -> YAML:
    yaml = YAML(typ="safe", pure=True)
    yaml.width = _NO_FOLDING
    yaml.allow_unicode = True
    return yaml


def _order(path: Path) -> tuple[tuple[int, str], ...]:
    return tuple((part, "") if isinstance(part, int) else (-1, part) for part in path)


def _flat(node: Node) -> Node:
    """A copy in which nothing stands for something else."""
    found = copy.copy(node)
    found.anchor = None
    if isinstance(node, SequenceNode):
        found.value = [_flat(inner) for inner in node.value]
    elif isinstance(node, MappingNode):
        own = [(key, inner) for key, inner in node.value if not _is_merge(key)]
        names = {str(key.value) for key, _ in own}
        merged = []
        for key, inner in _merged(node):
            if str(key.value) not in names:
                names.add(str(key.value))
                merged.append((key, inner))
        found.value = [(_flat(key), _flat(inner)) for key, inner in (*merged, *own)]
    return found


def _merged(node: MappingNode) -> Iterator[tuple[Node, Node]]:
    """What `<<` brings in, the first of equal keys first."""
    for key, inner in node.value:
        if _is_merge(key):
            for part in inner.value if isinstance(inner, SequenceNode) else [inner]:
                yield from _flat(part).value


def _is_merge(key: Node) -> bool:
    return str(key.tag) == _TAG + "merge" and str(key.value) == "<<"


def _node(value: Any) -> Node:
    """Text is quoted, so that it stays text whatever it looks like."""
    if isinstance(value, dict):
        pairs = [(_node(key), _node(inner)) for key, inner in value.items()]
        return MappingNode(_TAG + "map", pairs, flow_style=not pairs)
    if isinstance(value, list | tuple):
        return SequenceNode(_TAG + "seq", [_node(inner) for inner in value], flow_style=not value)
    if value is None:
        return ScalarNode(_TAG + "null", "null")
    if isinstance(value, bool):
        return ScalarNode(_TAG + "bool", str(value).lower())
    if isinstance(value, int):
        return ScalarNode(_TAG + "int", str(value))
    return ScalarNode(_TAG + "str", str(value), style='"')


def _put(node: Node, path: Path, wanted: Node) -> None:
    for part, following in pairwise(path):
        inner = _get(node, part)
        if not isinstance(inner, MappingNode | SequenceNode):
            inner = _node([] if isinstance(following, int) else {})
        _set(node, part, inner)
        node = inner
    _set(node, path[-1], wanted)


def _set(node: Node, part: str | int, wanted: Node) -> None:
    if isinstance(node, SequenceNode) and isinstance(part, int):
        node.value[part : part + 1] = [wanted]
        node.flow_style = False
    elif isinstance(node, MappingNode):
        place = next((i for i, (key, _) in enumerate(node.value) if str(key.value) == part), len(node.value))
        key = node.value[place][0] if place < len(node.value) else _key(str(part))
        node.value[place : place + 1] = [(key, wanted)]
        node.flow_style = False


def _key(name: str) -> Node:
    return ScalarNode(_TAG + "str", name, style='"')


def _get(node: Node, part: str | int) -> Node | None:
    if isinstance(node, SequenceNode) and isinstance(part, int):
        return node.value[part] if part < len(node.value) else None
    if isinstance(node, MappingNode):
        return next((inner for key, inner in node.value if str(key.value) == part), None)
    return None


def _take(node: Node, path: Path) -> None:
    for part in path[:-1]:
        found = _get(node, part)
        if found is None:
            return
        node = found
    last = path[-1]
    if isinstance(node, SequenceNode) and isinstance(last, int):
        del node.value[last : last + 1]
    elif isinstance(node, MappingNode):
        node.value = [(key, inner) for key, inner in node.value if str(key.value) != last]
