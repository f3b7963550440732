"""Reads a user's YAML file into plain values, and remembers where in the file each of them stands."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import CollectionEndEvent, CollectionStartEvent
from ruamel.yaml.nodes import Node, ScalarNode, SequenceNode

from windlass.domain.errors import Detail, WindlassError, refuse

SIZE_LIMIT = 1 << 18
EVENT_LIMIT = 50_000  # the parser is slow: this many take seconds
VALUE_LIMIT = 100_000  # with every alias written out
DEPTH_LIMIT = 50

Path = tuple[str | int, ...]

_STANDARD = "tag:yaml.org,2002:"
# Some YAML readers end a line at these and some do not: what is a comment to one could be a key to Compose.
_DISPUTED = re.compile("[\x85\u2028\u2029\ufeff]")
_TRUE = frozenset({"true", "True", "TRUE"})
# Compose's own tags: `!reset` takes a value away, `!override` replaces instead of merging.
_RESET, _OVERRIDE = "!reset", "!override"
_KNOWN_TAGS = {_OVERRIDE, "!"} | {
    _STANDARD + kind for kind in ("str", "int", "float", "bool", "null", "seq", "map", "timestamp", "merge", "value")
}


@dataclass(frozen=True)
class Document:
    """A file's values in plain Python types; `marks`: path of a value -> (line, column), counted from 1."""

    name: str
    data: Mapping[str, Any]
    marks: Mapping[Path, tuple[int, int]] = field(default_factory=dict)

    def place(self, path: Sequence[str | int]) -> str:
        """`compose.yaml:12:5` of the value, or of the nearest thing around it."""
        line, column = self.position(path)
        return f"{self.name}:{line}:{column}" if line else self.name

    def position(self, path: Sequence[str | int]) -> tuple[int, int]:
        """Line and column, (0, 0) for the file as a whole."""
        for length in range(len(path), 0, -1):
            mark = self.marks.get(tuple(path[:length]))
            if mark is not None:
                return mark
        return 0, 0


def parse_yaml(content: bytes | str, name: str) -> Document:
    """The document of file `name`. Raises Refused yaml_invalid with line and column, or yaml_too_large."""
    if len(content) > SIZE_LIMIT:
        raise refuse([_too_large(name, f"it is larger than {SIZE_LIMIT >> 10} KiB")])
    try:
        text = (content.decode() if isinstance(content, bytes) else content).removeprefix("\ufeff")
        _check_text(text, name)
        root = YAML(pure=True).compose(text)
    except UnicodeDecodeError as wrong:
        raise refuse([_invalid(name, f"it is not UTF-8 text (byte {wrong.start})")]) from wrong
    except MarkedYAMLError as wrong:
        mark = wrong.problem_mark or wrong.context_mark
        where = f"{name}:{mark.line + 1}:{mark.column + 1}" if mark else name
        problem = _first_line(wrong.problem or wrong.context or "it is not YAML")
        if "another document" in problem:
            problem = "a second document begins here (---); windlass reads one document in a file"
        raise refuse([_invalid(where, problem)]) from wrong
    except YAMLError as wrong:
        raise refuse([_invalid(name, _first_line(str(wrong) or "it is not YAML"))]) from wrong
    if root is None:
        return Document(name, {})
    reader = _Reader(name)
    value = reader.read(root, ())
    if value is None:
        return Document(name, {})
    if not isinstance(value, dict):
        raise refuse([_invalid(reader.where(root), "the file must be a mapping, `key: value` on each line")])
    return Document(name, value, reader.marks)


def _check_text(text: str, name: str) -> None:
    """Before values are made: nested brackets cost the parser more than their number says."""
    disputed = _DISPUTED.search(text)
    if disputed is not None:
        line = text.count("\n", 0, disputed.start()) + 1
        raise refuse([_invalid(f"{name}:{line}:1", f"the invisible character U+{ord(disputed[0]):04X} stands here")])
    depth = 0
    for count, event in enumerate(YAML(pure=True).parse(text)):
        if isinstance(event, CollectionStartEvent):
            depth += 1
        elif isinstance(event, CollectionEndEvent):
            depth -= 1
        if depth > DEPTH_LIMIT:
            raise refuse([_too_large(name, f"it is nested more than {DEPTH_LIMIT} levels deep")])
        if count > EVENT_LIMIT:
            raise refuse([_too_large(name, f"it has more than {EVENT_LIMIT} parts")])


def _invalid(where: str, problem: str) -> Detail:
    return Detail("yaml_invalid", where, f"{where}: {problem}", "correct the file")


def _too_large(name: str, problem: str) -> Detail:
    return Detail(
        "yaml_too_large", name, f"{name}: {problem}", "make the file smaller, with less nesting and fewer aliases (*)"
    )


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0]


class _Reader:
    """Turns nodes into values; every alias is written out, so their number is limited."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.marks: dict[Path, tuple[int, int]] = {}
        self._count = 0
        self._open: set[int] = set()

    def where(self, node: Node) -> str:
        return f"{self.name}:{node.start_mark.line + 1}:{node.start_mark.column + 1}"

    def read(self, node: Node, path: Path) -> Any:
        self._count += 1
        if self._count > VALUE_LIMIT:
            raise refuse([_too_large(self.name, f"written out, it has more than {VALUE_LIMIT} values")])
        if len(self._open) > DEPTH_LIMIT:
            raise refuse([_too_large(self.name, f"with its aliases it is nested more than {DEPTH_LIMIT} levels deep")])
        if id(node) in self._open:
            raise self._wrong(node, "an alias (*) inside the value that it stands for")
        self._open.add(id(node))
        value = self._value(node, path)
        self._open.discard(id(node))
        return value

    def _value(self, node: Node, path: Path) -> Any:
        tag = str(node.tag)
        if tag == _RESET:
            return None
        if tag not in _KNOWN_TAGS:
            raise self._wrong(node, f"the tag {tag} is not known")
        if isinstance(node, ScalarNode):
            return _scalar(tag.removeprefix(_STANDARD), str(node.value))
        if isinstance(node, SequenceNode):
            return [self._item(inner, (*path, index)) for index, inner in enumerate(node.value)]
        return self._mapping(node.value, path)

    def _item(self, node: Node, path: Path) -> Any:
        self.marks[path] = (node.start_mark.line + 1, node.start_mark.column + 1)
        return self.read(node, path)

    def _mapping(self, pairs: Iterable[tuple[Node, Node]], path: Path) -> dict[str, Any]:
        """Keys written here win over merged ones (`<<`); a key written twice is an error."""
        own: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        lines: dict[Path, tuple[int, int]] = {}
        for key_node, inner in pairs:
            if str(key_node.tag) == _STANDARD + "merge" and str(key_node.value) == "<<":
                self._merge(inner, path, merged)
                continue
            key = self._key(key_node)
            if key in own:
                raise self._wrong(key_node, f"the key {key!r} stands here twice")
            lines[(*path, key)] = (key_node.start_mark.line + 1, key_node.start_mark.column + 1)
            own[key] = self.read(inner, (*path, key))
        self.marks.update(lines)
        return {**merged, **own}

    def _merge(self, node: Node, path: Path, into: dict[str, Any]) -> None:
        parts = node.value if isinstance(node, SequenceNode) else [node]
        for part in parts:
            value = self.read(part, path)
            if not isinstance(value, dict):
                raise self._wrong(part, "`<<` takes a mapping or a list of mappings")
            for key, inner in value.items():
                into.setdefault(key, inner)

    def _key(self, node: Node) -> str:
        if not isinstance(node, ScalarNode):
            raise self._wrong(node, "a key must be plain text")
        return str(node.value)

    def _wrong(self, node: Node, problem: str) -> WindlassError:
        return refuse([_invalid(self.where(node), problem)])


def _scalar(kind: str, text: str) -> Any:
    """Plain words by YAML 1.2: `yes`, `0644` and dates are no booleans, octals or dates."""
    if kind == "null":
        return None
    if kind == "bool":
        return text in _TRUE
    try:
        if kind == "int":
            return int(text.replace("_", ""), 0 if text.lower().lstrip("+-").startswith(("0x", "0o", "0b")) else 10)
        if kind == "float":
            return float(text.replace("_", "").replace(".inf", "inf").replace(".nan", "nan"))
    except ValueError:
        return text
    return text
