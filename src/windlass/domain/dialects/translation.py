"""What a translation is: changes to files, files to be written, routes and variables that the project asks for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from windlass.domain.dialects.magic import Secret
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
    """The place `id` is to lead to this service; `port` 0: not said. `host`: a text that is its host when filled in."""

    service: str
    id: str
    port: int = 0
    path: str = "/"
    host: str = ""


@dataclass(frozen=True)
class Translation:
    """Of one Compose file.

    `magic`: names that windlass gives a value when nobody else does. `defaults`: values for when nobody gives another;
    `texts`: the same, with generated values in them. `secrets`: what is to be made beside what `magic` asks for.
    """

    edits: tuple[Edit, ...] = ()
    files: tuple[NewFile, ...] = ()
    routes: tuple[WantedRoute, ...] = ()
    magic: frozenset[str] = frozenset()
    secrets: tuple[Secret, ...] = ()
    texts: Mapping[str, str] = field(default_factory=dict)
    defaults: Mapping[str, str] = field(default_factory=dict)
    port_hint: int = 0
    notes: tuple[str, ...] = ()
    problems: tuple[Detail, ...] = ()

    @property
    def names(self) -> frozenset[str]:
        """Of all variables that it brings along; a file may be their only user."""
        return self.magic | {s.name for s in self.secrets} | {*self.texts, *self.defaults}


def joined(parts: Iterable[Translation]) -> Translation:
    """All of them about one file, or (`edits` aside) about one project."""
    found = tuple(parts)
    return Translation(
        edits=tuple(e for part in found for e in part.edits),
        files=tuple(f for part in found for f in part.files),
        routes=tuple(r for part in found for r in part.routes),
        magic=frozenset[str]().union(*(part.magic for part in found)),
        secrets=tuple(secret for part in found for secret in part.secrets),
        texts={name: text for part in reversed(found) for name, text in part.texts.items()},
        defaults={name: value for part in reversed(found) for name, value in part.defaults.items()},
        port_hint=next((part.port_hint for part in found if part.port_hint), 0),
        notes=tuple(dict.fromkeys(note for part in found for note in part.notes)),
        problems=tuple(problem for part in found for problem in part.problems),
    )
