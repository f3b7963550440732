"""What a Git checkout says of itself, read from its files: the commit, and whether tracked files differ from it."""

from __future__ import annotations

import hashlib
import os
import re
import stat
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_SHA = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
_ENTRY = struct.Struct(">10I20sH")
_SUBMODULE = 0o160000
_EXTENDED = 0x4000


@dataclass(frozen=True)
class Checkout:
    """`commit` "" when there is none; `branch` "" when detached; `dirty`: a tracked file changed."""

    commit: str = ""
    branch: str = ""
    dirty: bool = False


def read_checkout(folder: Path) -> Checkout:
    """The checkout whose top is this folder; an empty one when it is none or cannot be read."""
    try:
        git = _git_folder(folder)
        head = (git / "HEAD").read_text().strip()
        ref = head.removeprefix("ref: ") if head.startswith("ref: ") else ""
        commit = _resolve(git, ref) if ref else head
        if not _SHA.fullmatch(commit):
            return Checkout()
        return Checkout(commit, ref.removeprefix("refs/heads/"), _is_dirty(folder, git / "index"))
    except (OSError, UnicodeDecodeError, struct.error, ValueError):
        return Checkout()


def _git_folder(folder: Path) -> Path:
    git = folder / ".git"
    if git.is_file():  # a worktree or submodule
        return folder / git.read_text().strip().removeprefix("gitdir: ")
    return git


def _resolve(git: Path, ref: str) -> str:
    shared = git / "commondir"
    common = git / shared.read_text().strip() if shared.is_file() else git
    for place in (git, common):
        if (place / ref).is_file():
            return (place / ref).read_text().strip()
    packed = common / "packed-refs"
    for line in packed.read_text().splitlines() if packed.is_file() else ():
        sha, _, name = line.partition(" ")
        if name == ref:
            return sha
    return ""


def _is_dirty(folder: Path, index: Path) -> bool:
    """By size, time and then content of every staged file, as Git looks. Index version 4 is taken as clean."""
    data = index.read_bytes()
    magic, version, count = struct.unpack_from(">4sII", data)
    if magic != b"DIRC" or version not in (2, 3):
        return False
    offset = 12
    for _ in range(count):
        fields = _ENTRY.unpack_from(data, offset)
        start = offset + _ENTRY.size + (2 if fields[11] & _EXTENDED else 0)
        end = data.index(b"\0", start)
        if fields[6] != _SUBMODULE and _differs(os.path.join(os.fsencode(folder), data[start:end]), fields):
            return True
        offset += (end - offset + 8) // 8 * 8
    return False


def _differs(path: bytes, fields: tuple[Any, ...]) -> bool:
    try:
        found = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    if found.st_size & 0xFFFFFFFF != fields[9]:
        return True
    return int(found.st_mtime) != fields[2] and bool(_blob(path, found) != fields[10])


def _blob(path: bytes, found: os.stat_result) -> bytes:
    """Git's name of the file's content."""
    content = os.readlink(path) if stat.S_ISLNK(found.st_mode) else Path(os.fsdecode(path)).read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).digest()
