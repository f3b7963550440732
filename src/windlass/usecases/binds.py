"""Where the bind mounts of a project lead: configuration, data, source, or a path of the host."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pathspec import GitIgnoreSpec

from windlass.domain.compose import Model, Mount, Service
from windlass.domain.errors import Detail
from windlass.domain.filebinds import BindFacts, BindKind, bind_kind
from windlass.domain.release import Placement
from windlass.ports.outside import Outside


@dataclass(frozen=True)
class Bind:
    """A bind mount whose source lies inside the project's folder; `name` is its path there."""

    service: Service
    mount: Mount
    name: str
    facts: BindFacts


def local_binds(outside: Outside, model: Model, folder: Path) -> tuple[Bind, ...]:
    """Every bind into the folder, with what is found there."""
    ignored = _ignored(outside, folder)
    return tuple(_bind(outside, s, m, folder, ignored) for s, m in _mounts(model) if _is_inside(m.source, folder))


def kinds(
    binds: tuple[Bind, ...], placements: Mapping[str, Placement], consents: Mapping[str, float]
) -> dict[tuple[str, str], BindKind]:
    """(service, target) -> what it is; an open question that was consented to is data."""
    found = {}
    for bind in binds:
        placement = placements.get(bind.service.name)
        kind = bind_kind(bind.mount, bind.facts, bool(placement and placement.in_base))
        if kind is BindKind.ASK and f"data:{bind.name}" in consents:
            kind = BindKind.DATA
        found[(bind.service.name, bind.mount.target)] = kind
    return found


def questions(binds: tuple[Bind, ...], found: Mapping[tuple[str, str], BindKind], app: str) -> list[Detail]:
    """What only the user can say: a writable mount with content may be data or configuration."""
    return [
        Detail(
            "bind_unclear",
            f"services.{b.service.name}.volumes",
            f"{b.service.name} writes to ./{b.name}, which comes with the source: is it data to be kept?",
            f"windlass consent {app} data:{b.name}, and it is kept; or mark the mount read-only (:ro)",
        )
        for b in binds
        if found.get((b.service.name, b.mount.target)) is BindKind.ASK
    ]


def resolve_binds(
    outside: Outside, app: str, binds: tuple[Bind, ...], found: Mapping[tuple[str, str], BindKind], base: frozenset[str]
) -> dict[tuple[str, str], str]:
    """(service, target) -> path on the host. Data folders and the base's own copies are made here."""
    paths = {}
    for bind in binds:
        place = (bind.service.name, bind.mount.target)
        source = Path(bind.mount.source)
        if found[place] is BindKind.DATA:
            seed = source if bind.facts.exists and not bind.facts.empty else None
            paths[place] = str(outside.trees.data_path(app, bind.name, seed))
        elif bind.service.name in base:
            paths[place] = str(outside.trees.keep_file(app, source))
        else:
            paths[place] = str(source)
    return paths


def _mounts(model: Model) -> Iterator[tuple[Service, Mount]]:
    for service in model.services.values():
        for mount in service.mounts:
            if mount.kind == "bind":
                yield service, mount


def _is_inside(source: str, folder: Path) -> bool:
    path = Path(source)
    return path == folder or folder in path.parents


def _bind(outside: Outside, service: Service, mount: Mount, folder: Path, ignored: GitIgnoreSpec) -> Bind:
    path = Path(mount.source)
    name = str(path.relative_to(folder))
    seen = outside.trees.look(path)
    context = Path(str((service.build or {}).get("context") or "/nowhere"))
    facts = BindFacts(
        exists=seen.exists,
        empty=seen.empty,
        ignored=ignored.match_file(name) or ignored.match_file(name + "/"),
        is_file=seen.is_file,
        inside_build_context=path == context or context in path.parents,
    )
    return Bind(service, mount, name, facts)


def _ignored(outside: Outside, folder: Path) -> GitIgnoreSpec:
    text = outside.trees.read(folder / ".gitignore") or b""
    return GitIgnoreSpec.from_lines(text.decode("utf-8", "replace").splitlines())
