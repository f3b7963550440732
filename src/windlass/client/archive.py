"""A project folder as a tar.gz stream: links stay links, names may hold any bytes, `.git` stays at home."""

from __future__ import annotations

import gzip
import os
import stat
import tarfile
from pathlib import Path
from typing import IO

from windlass.domain.errors import Detail, Usage, refuse

_LEFT_OUT = b".git"


def check_folder(root: Path) -> None:
    """Raises Usage when there is no such folder, Refused with every file that cannot be sent."""
    if not root.is_dir():
        raise Usage(f"{root} is not a folder", code="no_folder", hint="windlass deploy FOLDER or windlass deploy URL")
    wrong: list[Detail] = []
    for path, entry in _entries(root):
        mode = entry.st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode)):
            wrong.append(_told("special_file", path, "is a socket, a pipe or a device", "remove it"))
        elif stat.S_ISREG(mode) and not os.access(os.path.join(os.fsencode(root), path), os.R_OK):
            wrong.append(_told("unreadable_file", path, "cannot be read", "make it readable"))
    if wrong:
        raise refuse(wrong)


def write_archive(root: Path, out: IO[bytes]) -> None:
    """Write the folder to `out`; raises Refused when a file changes while it is read."""
    with (
        gzip.GzipFile(filename="", fileobj=out, mode="wb", compresslevel=1, mtime=0) as packed,
        tarfile.open(
            fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT, encoding="utf-8", errors="surrogateescape"
        ) as archive,
    ):
        for path, entry in _entries(root):
            _add(archive, root, path, entry)


def _add(archive: tarfile.TarFile, root: Path, path: bytes, entry: os.stat_result) -> None:
    full = os.path.join(os.fsencode(root), path)
    info = tarfile.TarInfo(path.decode("utf-8", "surrogateescape"))
    info.mode = stat.S_IMODE(entry.st_mode)
    info.mtime = int(entry.st_mtime)
    if stat.S_ISLNK(entry.st_mode):
        info.type = tarfile.SYMTYPE
        info.linkname = os.readlink(full).decode("utf-8", "surrogateescape")
        archive.addfile(info)
    elif stat.S_ISDIR(entry.st_mode):
        info.type = tarfile.DIRTYPE
        archive.addfile(info)
    else:
        _add_file(archive, info, full, path)


def _add_file(archive: tarfile.TarFile, info: tarfile.TarInfo, full: bytes, path: bytes) -> None:
    with open(full, "rb", opener=_open_no_follow) as file:
        info.size = os.fstat(file.fileno()).st_size
        try:
            archive.addfile(info, file)
        except OSError as error:
            if isinstance(error, ConnectionError):
                raise
            raise refuse([_told("changed_file", path, "changed while it was sent", "deploy again")]) from error


def _open_no_follow(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW)


def _entries(root: Path) -> list[tuple[bytes, os.stat_result]]:
    """Paths below the root as bytes, folders before their content, in a fixed order; no link is followed."""
    found: list[tuple[bytes, os.stat_result]] = []
    waiting = [b""]
    top = os.fsencode(root)
    while waiting:
        folder = waiting.pop()
        for entry in _listing(os.path.join(top, folder), folder):
            if entry.name == _LEFT_OUT:
                continue
            path = os.path.join(folder, entry.name)
            found.append((path, entry.stat(follow_symlinks=False)))
            if entry.is_dir(follow_symlinks=False):
                waiting.append(path)
    return found


def _listing(full: bytes, folder: bytes) -> list[os.DirEntry[bytes]]:
    try:
        with os.scandir(full) as listing:
            return sorted(listing, key=lambda e: e.name)
    except PermissionError as error:
        raise refuse([_told("unreadable_folder", folder or b".", "cannot be read", "make it readable")]) from error


def _told(code: str, path: bytes, what: str, fix: str) -> Detail:
    shown = path.decode("utf-8", "backslashreplace")
    return Detail(code, shown, f"{shown} {what}", fix)
