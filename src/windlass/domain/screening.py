"""The Compose file as hostile input: what is refused before Compose may read it, and again when it is resolved."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from windlass.domain.compose import Model, Service
from windlass.domain.composekeys import MOUNT_KINDS, entries, refused_keys, sequence, unknown_keys
from windlass.domain.documents import Document, Path
from windlass.domain.errors import Detail, Refused, Usage
from windlass.domain.insidepaths import below, folder_of, has_variable, inside, is_remote
from windlass.domain.modelreader import unescape
from windlass.domain.namedpaths import NamedPath, named_paths
from windlass.domain.names import service_name

FILE_LIMIT = 200
RESERVED_IMAGES = ("windlass/", "docker.io/windlass/", "index.docker.io/windlass/")
_RESERVED_LABELS = ("windlass.", "com.docker.compose.")
_OWN_LABELS = frozenset({"windlass.job"})  # an instruction to windlass, not a mark of ownership

# A path from the project's top -> its document, None when there is no such file; raises Refused when it is no YAML.
Read = Callable[[str], Document | None]
# A path from the project's top -> whether it leads outside when links are followed.
LeadsOutside = Callable[[str], bool]


@dataclass(frozen=True)
class Screen:
    """`files`: all Compose files, with what they include and extend. `notes`: what is left out without harm."""

    problems: tuple[Detail, ...] = ()
    notes: tuple[str, ...] = ()
    files: tuple[str, ...] = ()


@dataclass
class _Walk:
    """Files seen and reasons found so far; a file is looked at once for every folder that its paths start from."""

    read: Read
    leads_outside: LeadsOutside
    problems: list[Detail] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seen: dict[tuple[str, str], None] = field(default_factory=dict)


def screen_files(files: Sequence[str], read: Read, leads_outside: LeadsOutside) -> Screen:
    """Look at the Compose files, and at all they include and extend, before Compose does; paths from the project's top.

    Compose reads other files while it resolves a model, so a path that leads outside is refused here.
    """
    walk = _Walk(read, leads_outside)
    folder = folder_of(files[0]) if files else "."
    for path in files:
        top = inside(".", path)
        if top is None:
            walk.problems.append(_outside(path, ("compose",), path))
        else:
            _visit(walk, top, folder, "")
    found = dict.fromkeys(walk.problems)
    return Screen(tuple(found), tuple(dict.fromkeys(walk.notes)), tuple(dict.fromkeys(path for path, _ in walk.seen)))


def screen_model(model: Model, root: str, leads_outside: LeadsOutside) -> tuple[Detail, ...]:
    """The same rules for the resolved model, in which no variable hides a path. `root`: the project's folder."""
    document = Document("the resolved Compose file", model.raw)
    found = [*_wrong_keys(document)]
    found += _odd_names(model)
    for service in model.services.values():
        found += _odd_targets(service)
        found += _wrong_service(service, root, leads_outside)
    for section, definitions in (("secrets", model.secrets), ("configs", model.configs)):
        for name, value in definitions.items():
            path = unescape(str(value.get("file") or ""))
            if path and _is_outside(path, root, leads_outside):
                found.append(_outside(document.name, (section, name, "file"), path))
    return tuple(dict.fromkeys(found))


def _odd_names(model: Model) -> Iterator[Detail]:
    """Compose takes names that begin with a dash or a dot; the engine does not, and a program may see an option."""
    for section in ("services", "networks", "volumes"):
        for name in getattr(model, section):
            try:
                service_name(name)
            except Usage:
                words = f"{name[:80]!r} cannot be a name in `{section}`: letters, digits, '.', '_' and '-', at most 128"
                yield Detail("service_name_invalid", f"{section}.{name[:80]}", words, "give it another name")


def _odd_targets(service: Service) -> Iterator[Detail]:
    """Compose takes a volume's name of one letter for a drive, and the rest for a path on it."""
    for mount in service.mounts:
        if not mount.target.startswith("/"):
            message = f"{service.name}: {mount.target!r} is no absolute path in a container"
            fix = "give the volume a name of more than one letter, or an absolute path"
            yield Detail("mount_target_invalid", f"services.{service.name}.volumes", message, fix)


def kept_labels(labels: Mapping[str, str]) -> dict[str, str]:
    """A user's labels without those that mark what belongs to windlass or to Compose."""
    return {name: value for name, value in labels.items() if not name.startswith(_RESERVED_LABELS)}


# --- files -----------------------------------------------------------------------------------------------------------


def _visit(walk: _Walk, path: str, folder: str, named_in: str) -> None:
    """`folder`: where the file's relative paths start. `named_in`: the place that led here."""
    if (path, folder) in walk.seen:
        return
    walk.seen[(path, folder)] = None
    if len(walk.seen) > FILE_LIMIT:
        message = f"more than {FILE_LIMIT} files are included"
        walk.problems.append(Detail("yaml_too_large", path, message, "include fewer files"))
        return
    if walk.leads_outside(path):
        walk.problems.append(_outside(named_in or path, (), path, "a link leads there"))
        return
    try:
        document = walk.read(path)
    except Refused as wrong:
        walk.problems += wrong.details
        return
    if document is None:
        where = f"{named_in}: " if named_in else ""
        message = f"{where}the file {path} is not in the project"
        walk.problems.append(Detail("file_missing", path, message, "add the file, or correct the path"))
        return
    walk.problems += _wrong_keys(document)
    walk.notes += _label_notes(document)
    for named in named_paths(document.data):
        _check_path(walk, document, named, folder)
    for at, further, start in _further_files(walk, document, path, folder):
        _visit(walk, further, start, document.place(at))


def _further_files(walk: _Walk, document: Document, path: str, folder: str) -> Iterator[tuple[Path, str, str]]:
    """(place, file, folder in which its paths start) of every `include` and `extends`."""
    for index, entry in enumerate(sequence(document.data.get("include"))):
        yield from _included(walk, document, ("include", index), entry, folder)
    for name, service in entries(document.data, "services"):
        extends = service.get("extends")
        file = extends.get("file") if isinstance(extends, Mapping) else None
        if isinstance(file, str):
            found = _check_file(walk, document, ("services", name, "extends", "file"), file, folder)
            if found:
                yield ("services", name, "extends", "file"), found, folder_of(found)


def _included(walk: _Walk, document: Document, at: Path, entry: Any, folder: str) -> Iterator[tuple[Path, str, str]]:
    """The first path of an entry is the main file; its folder is where all of them start, unless one is written."""
    written = entry if isinstance(entry, Mapping) else {"path": entry}
    paths = [path for path in sequence(written.get("path")) if isinstance(path, str)]
    files = [found for path in paths if (found := _check_file(walk, document, (*at, "path"), path, folder))]
    start = folder_of(files[0]) if files else folder
    directory = written.get("project_directory")
    if isinstance(directory, str):
        found = _check_file(walk, document, (*at, "project_directory"), directory, folder)
        start = found or start
    for env_file in sequence(written.get("env_file")):
        if isinstance(env_file, str) and env_file != "/dev/null":
            _check_file(walk, document, (*at, "env_file"), env_file, folder)
    implied = inside(start, ".env")
    if implied and not written.get("env_file") and walk.leads_outside(implied):
        walk.problems.append(_outside(document.place(at), at, implied, "a link leads there"))
    yield from ((at, file, start) for file in files)


def _check_file(walk: _Walk, document: Document, at: Path, path: str, folder: str) -> str | None:
    """The path from the project's top when Compose may read it; else a refusal is noted."""
    where = document.place(at)
    if is_remote(path):
        message = f"{where}: {path} comes from elsewhere; windlass reads only files of the project"
        walk.problems.append(Detail("remote_refused", _dotted(at), message, "copy the file into the project"))
        return None
    if has_variable(path):
        walk.problems.append(_variable(where, at, path))
        return None
    found = inside(folder, path)
    if found is None or walk.leads_outside(found):
        walk.problems.append(_outside(where, at, path))
        return None
    return found


def _check_path(walk: _Walk, document: Document, named: NamedPath, folder: str) -> None:
    where = document.place(named.at)
    if has_variable(named.path) or has_variable(named.folder):
        if named.is_read:
            walk.problems.append(_variable(where, named.at, named.path))
        return
    start = inside(folder, named.folder) if named.folder else folder
    found = inside(start, named.path) if start is not None else None
    if found is None or walk.leads_outside(found):
        walk.problems.append(_outside(where, named.at, named.path))


def _label_notes(document: Document) -> Iterator[str]:
    for name, service in entries(document.data, "services"):
        labels = service.get("labels")
        for entry in labels if isinstance(labels, list | Mapping) else ():
            label = str(entry).partition("=")[0]
            if label.startswith(_RESERVED_LABELS) and label not in _OWN_LABELS:
                where = document.place(("services", name, "labels", label))
                yield f"{where}: the label {label} is left out: such labels say what belongs to windlass"


# --- both passes -----------------------------------------------------------------------------------------------------


def _wrong_keys(document: Document) -> Iterator[Detail]:
    for at, code, why in refused_keys(document.data):
        message = f"{document.place(at)}: `{at[-1]}` is refused: {why}"
        yield Detail(code, _dotted(at), message, "take it out of the Compose file")
    for at, close in unknown_keys(document.data):
        meant = f"; did you mean `{close}`?" if close else ""
        fix = f"write `{close}`" if close else "take it out, or write it as x-… if it is for another tool"
        yield Detail("unknown_key", _dotted(at), f"{document.place(at)}: unknown key `{at[-1]}`{meant}", fix)


def _wrong_service(service: Service, root: str, leads_outside: LeadsOutside) -> Iterator[Detail]:
    at: Path = ("services", service.name)
    for named in named_paths({"services": {service.name: unescape(service.raw)}}):
        path = named.path if not named.folder else _joined(named.folder, named.path)
        is_relative = not path.startswith("/")
        outside = inside(".", path) is None if is_relative else _is_outside(path, root, leads_outside)
        if outside:
            yield _outside("the resolved Compose file", named.at, path)
    for mount in service.mounts:
        if mount.kind not in MOUNT_KINDS:
            message = f"{service.name}: a mount of type `{mount.kind}` is not known here"
            yield Detail("mount_refused", _dotted((*at, "volumes")), message, "use volume, bind, tmpfs or image")
        inner = below(root, mount.source) if mount.kind == "bind" else None
        if inner is not None and leads_outside(inner):
            yield _outside("the resolved Compose file", (*at, "volumes"), mount.source, "a link leads there")
    yield from _reserved_images(service)


def _reserved_images(service: Service) -> Iterator[Detail]:
    tags = [str(tag) for tag in (service.build or {}).get("tags") or ()]
    mounted = [mount.source for mount in service.mounts if mount.kind == "image"]
    for image in (service.image, *tags, *mounted):
        if image.startswith(RESERVED_IMAGES):
            message = f"{service.name}: image names beginning with windlass/ are windlass's own: {image}"
            yield Detail("image_reserved", f"services.{service.name}.image", message, "choose another name")


def _is_outside(path: str, root: str, leads_outside: LeadsOutside) -> bool:
    inner = below(root, path)
    return inner is None or leads_outside(inner)


def _joined(folder: str, path: str) -> str:
    if path.startswith("/"):
        return path
    found = inside(folder.lstrip("/"), path)
    return f"/{found}" if found is not None and folder.startswith("/") else found or f"../{path}"


def _outside(where: str, at: Path, path: str, why: str = "") -> Detail:
    reason = f" ({why})" if why else ""
    message = f"{where}: the path {path} leads outside the project's folder{reason}"
    fix = "copy what is needed into the project, and name it from there"
    return Detail("path_outside", _dotted(at) or path, message, fix)


def _variable(where: str, at: Path, path: str) -> Detail:
    message = f"{where}: Compose reads {path} before windlass can see where the variable in it leads"
    return Detail("path_variable", _dotted(at), message, "write the path without a variable")


def _dotted(at: Path) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in at).lstrip(".")
