"""What a translation is: changes to files, files to be written, routes and variables that the project asks for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from windlass.domain.errors import Detail
from windlass.domain.rewriting import Edit


@dataclass(frozen=True)
class NewFile:
    """A file that a Compose file brings along in itself; `path` is from the project's top."""

    path: str
    content: bytes
    is_executable: bool = False


@dataclass(frozen=True)
class WantedRoute:
    """The place `id` is to lead to this service; `port` 0: not said."""

    service: str
    id: str
    port: int = 0
    path: str = "/"


@dataclass(frozen=True)
class Translation:
    """Of one Compose file.

    `magic`: names that windlass gives a value when nobody else does. `defaults`: values for when nobody gives another.
    """

    edits: tuple[Edit, ...] = ()
    files: tuple[NewFile, ...] = ()
    routes: tuple[WantedRoute, ...] = ()
    magic: frozenset[str] = frozenset()
    defaults: Mapping[str, str] = field(default_factory=dict)
    port_hint: int = 0
    notes: tuple[str, ...] = ()
    problems: tuple[Detail, ...] = ()


def joined(parts: Iterable[Translation]) -> Translation:
    """All of them about one file, or (`edits` aside) about one project."""
    found = tuple(parts)
    return Translation(
        edits=tuple(e for part in found for e in part.edits),
        files=tuple(f for part in found for f in part.files),
        routes=tuple(r for part in found for r in part.routes),
        magic=frozenset[str]().union(*(part.magic for part in found)),
        defaults={name: value for part in reversed(found) for name, value in part.defaults.items()},
        port_hint=next((part.port_hint for part in found if part.port_hint), 0),
        notes=tuple(dict.fromkeys(note for part in found for note in part.notes)),
        problems=tuple(problem for part in found for problem in part.problems),
    )
