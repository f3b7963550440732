"""A bind mount that brings its file along: the file is written into the project, and the mount is Compose's again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from windlass.domain.compose import Mount
from windlass.domain.dialects.translation import NewFile, Translation
from windlass.domain.errors import Detail
from windlass.domain.filebinds import BindFacts, BindKind, bind_kind
from windlass.domain.insidepaths import has_variable, inside
from windlass.domain.rewriting import REMOVED, Edit

FILE_KEYS = frozenset({"content", "is_directory", "isDirectory"})
_ALL_KEYS = (*sorted(FILE_KEYS), "mode")
_FOLDER = "inline-files"  # for those that were meant for a place on the machine


def translate_file(service: str, index: int, entry: Mapping[str, Any], folder: str) -> Translation:
    """`folder`: where relative paths start, from the project's top."""
    at = ("services", service, "volumes", index)
    edits = [Edit((*at, key), REMOVED) for key in _ALL_KEYS if key in entry]
    if entry.get("content") is None or _is_directory(entry):
        return Translation(edits=tuple(edits))
    source, target = str(entry.get("source") or ""), str(entry.get("target") or "")
    written = source if not source.startswith(("/", "~")) else f"./{_FOLDER}/{source.lstrip('/~')}"
    path = None if has_variable(written) else inside(folder, written)
    if path is None or path == ".":
        return Translation(problems=(_no_path(service, index, source),))
    if written != source:
        edits.append(Edit((*at, "source"), written))
    plain, _, mode = target.partition(":")
    if mode:
        edits.append(Edit((*at, "target"), plain))
    mount = Mount("bind", path, plain, read_only="ro" in mode.split(",") or entry.get("read_only") is True)
    kind = bind_kind(mount, BindFacts(exists=True, is_file=True), is_base=False)
    if (mode and mount.read_only) or kind is BindKind.ASK:
        edits.append(Edit((*at, "read_only"), True))
    content = str(entry["content"]).encode()
    note = f"Coolify's dialect: {service}: {path} is written with the `content` in the Compose file"
    return Translation(edits=tuple(edits), files=(NewFile(path, content, _runs(entry, content)),), notes=(note,))


def _is_directory(entry: Mapping[str, Any]) -> bool:
    return any(str(entry.get(key)).lower() == "true" for key in ("is_directory", "isDirectory"))


def _runs(entry: Mapping[str, Any], content: bytes) -> bool:
    """Whether it is a program: by its mode, or by its first line."""
    digits = str(entry.get("mode") or "").lstrip("0o")
    return content.startswith(b"#!") or (digits.isdigit() and int(digits[-3:][:1] or 0) % 2 == 1)


def _no_path(service: str, index: int, source: str) -> Detail:
    where = f"services.{service}.volumes[{index}].source"
    message = f"{where}: a file with `content` needs a path inside the project, without variables; it says {source!r}"
    return Detail("path_outside", where, message, "write the path as ./NAME")
