"""The Compose files of a folder, found and read as text: which ones count, and which variables they ask for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from windlass.domain.errors import Refused
from windlass.domain.names import compose_path
from windlass.ports.sources import ComposeVariable

NAMES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
OVERRIDES = (
    "compose.override.yml",
    "compose.override.yaml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
)
_FILE_LIMIT = 4 << 20  # bytes of one Compose file
_USE = re.compile(r"\$(?:\$|(?P<plain>[A-Za-z_][A-Za-z0-9_]*)|\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?P<mark>:?[-?+])?)")


def discover(directory: Path) -> tuple[str, ...]:
    """The files Compose would take in this folder alone; it would go on to look in the folders above.

    Raises Refused compose_missing.
    """
    found = next((name for name in NAMES if (directory / name).is_file()), None)
    if found is None:
        raise Refused(
            f"there is no Compose file in the project's folder ({', '.join(NAMES)})",
            code="compose_missing",
            hint="add a compose.yaml, or name the file with --compose PATH or `compose:` in windlass.yaml",
        )
    override = next((name for name in OVERRIDES if (directory / name).is_file()), None)
    return (found, override) if override else (found,)


def existing(directory: Path, files: Sequence[str]) -> tuple[str, ...]:
    """These files, which must lie in the folder, also after following links. Raises Refused compose_missing."""
    root = directory.resolve()
    names = tuple(compose_path(name) for name in files)
    for name in names:
        target = (directory / name).resolve()
        if not target.is_relative_to(root):
            raise Refused(f"the Compose file {name} is a link that leads outside the project", code="path_invalid")
        if not target.is_file():
            raise Refused(
                f"the Compose file {name} is not in the project's folder",
                code="compose_missing",
                hint="name the file with --compose PATH or `compose:` in windlass.yaml",
            )
    return names


@dataclass
class Use:
    """How a variable is used over all files. `words` is what the file says when it is missing."""

    required: bool = False
    default: str = ""
    may_be_empty: bool = True
    words: str = ""


@dataclass
class _Reading:
    root: Path
    uses: dict[str, Use] = field(default_factory=dict)
    seen: set[Path] = field(default_factory=set)


def variable_uses(directory: Path, files: Sequence[str]) -> dict[str, Use]:
    """Every `$X` and `${X…}` in the values of the files, and of those that they include or extend."""
    reading = _Reading(directory.resolve())
    for name in files:
        _read(directory / name, reading)
    return reading.uses


def as_variables(uses: dict[str, Use]) -> list[ComposeVariable]:
    return [ComposeVariable(name, use.required, use.default, use.may_be_empty) for name, use in sorted(uses.items())]


def _read(path: Path, reading: _Reading) -> None:
    target = path.resolve()
    if target in reading.seen or not target.is_relative_to(reading.root) or not target.is_file():
        return
    reading.seen.add(target)
    if target.stat().st_size > _FILE_LIMIT:
        raise Refused(f"the Compose file {path.name} is larger than {_FILE_LIMIT >> 20} MiB", code="compose_invalid")
    for document in _documents(target):
        for text in _scalars(document):
            _scan(text, reading.uses, nested=False)
        for other in _others(document):
            if "://" not in other:
                _read(target.parent / other, reading)


def _documents(path: Path) -> list[Node]:
    yaml = YAML(typ="safe", pure=True)
    try:
        return [node for node in yaml.compose_all(path.read_bytes()) if node is not None]
    except (YAMLError, UnicodeDecodeError):
        return []  # Compose will say what is wrong with it


def _scalars(node: Node) -> Iterator[str]:
    """The values, as Compose interpolates them: keys are left alone."""
    stack, visited = [node], set()
    while stack:
        current = stack.pop()
        if id(current) in visited:
            continue
        visited.add(id(current))
        if isinstance(current, ScalarNode):
            yield str(current.value)
        elif isinstance(current, SequenceNode):
            stack.extend(current.value)
        elif isinstance(current, MappingNode):
            stack.extend(value for _, value in current.value)


def _others(document: Node) -> Iterator[str]:
    """Paths under `include` and `services.*.extends.file`."""
    for include in _items(_get(document, "include")):
        yield from _texts(_get(include, "path") if isinstance(include, MappingNode) else include)
    services = _get(document, "services")
    if isinstance(services, MappingNode):
        for _, service in services.value:
            yield from _texts(_get(_get(service, "extends"), "file"))


def _get(node: Node | None, key: str) -> Node | None:
    if not isinstance(node, MappingNode):
        return None
    return next((value for name, value in node.value if getattr(name, "value", None) == key), None)


def _items(node: Node | None) -> list[Node]:
    return list(node.value) if isinstance(node, SequenceNode) else []


def _texts(node: Node | None) -> Iterator[str]:
    for item in _items(node) if isinstance(node, SequenceNode) else [node]:
        if isinstance(item, ScalarNode):
            yield str(item.value)


def _scan(text: str, uses: dict[str, Use], nested: bool) -> None:
    """Note each use in `text`; a use inside another's default is never required by itself."""
    position = 0
    while match := _USE.search(text, position):
        position = match.end()
        name = match["plain"] or match["name"]
        if name is None:
            continue
        use = uses.setdefault(name, Use())
        if match["name"] is None:
            continue
        mark = match["mark"] or ""
        position, argument = _argument(text, match.end())
        if mark.endswith("?") and not nested:
            use.required, use.words = True, use.words or argument
            use.may_be_empty = use.may_be_empty and mark == "?"
        elif mark.endswith("-"):
            use.default = use.default or argument
        _scan(argument, uses, nested=True)


def _argument(text: str, start: int) -> tuple[int, str]:
    """What stands up to the brace that closes the one before `start`, and where to go on."""
    depth, position = 1, start
    while position < len(text):
        if text.startswith("${", position):
            depth, position = depth + 1, position + 1
        elif text[position] == "}":
            depth -= 1
            if depth == 0:
                return position + 1, text[start:position]
        position += 1
    return len(text), text[start:]
