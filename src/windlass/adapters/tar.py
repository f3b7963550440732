"""Unpacks an archive from a stranger: nothing of it lands outside, and every wrong entry is named at once."""

from __future__ import annotations

import os
import shutil
import stat
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO

from windlass.domain.errors import Detail, Refused, refuse

_SHOWN = 20
_HINT = "the project's folder may hold files, folders, and links that stay inside it"


@dataclass(frozen=True)
class TarLimits:
    """`size` in bytes, unpacked."""

    size: int = 2 << 30
    entries: int = 200_000


@dataclass
class _Unpacking:
    root: Path
    limits: TarLimits
    wrong: list[Detail] = field(default_factory=list)
    links: list[tuple[str, str]] = field(default_factory=list)  # made last, so that nothing is written through them
    entries: int = 0
    size: int = 0

    def refuse(self, name: str, why: str) -> None:
        if len(self.wrong) < _SHOWN:
            self.wrong.append(Detail("upload_unsafe", name, f"{name!r} {why}"))

    def count(self, size: int) -> None:
        self.entries, self.size = self.entries + 1, self.size + size
        if self.entries > self.limits.entries or self.size > self.limits.size:
            raise Refused(
                f"the project is too large: more than {self.limits.size >> 20} MiB or {self.limits.entries} files",
                code="upload_too_large",
                hint="leave out what is not needed by listing it in .dockerignore or .gitignore",
            )


def unpack_tar(archive: IO[bytes], root: Path, limits: TarLimits) -> None:
    """Unpack a tar or tar.gz into the folder. Raises Refused upload_unsafe, upload_too_large, upload_unreadable."""
    work = _Unpacking(root, limits)
    try:
        with tarfile.open(fileobj=archive, mode="r|*") as tar:
            for member in tar:
                _take(tar, member, work)
    except (tarfile.TarError, EOFError, zlib.error, UnicodeError) as error:
        raise Refused(f"the upload is not a whole tar archive: {error}", code="upload_unreadable") from error
    for name, target in work.links:
        _make_link(name, target, work)
    work.wrong += [
        Detail("upload_unsafe", name, f"the link {name!r} leads outside the project") for name in unsafe_links(root)
    ][: _SHOWN - len(work.wrong)]
    if work.wrong:
        raise refuse(work.wrong, hint=_HINT)


def _take(tar: tarfile.TarFile, member: tarfile.TarInfo, work: _Unpacking) -> None:
    work.count(member.size if member.isreg() else 0)
    name = _safe_name(member.name)
    if name is None:
        work.refuse(member.name, "leads outside the project")
    elif name == ".":
        return
    elif member.issym():
        work.links.append((name, member.linkname))
    elif not (member.isreg() or member.isdir() or member.islnk()):
        work.refuse(member.name, "is a device, a pipe or something else that is neither file nor folder")
    else:
        try:
            _write(tar, member, name, work)
        except (FileExistsError, NotADirectoryError, IsADirectoryError):
            work.refuse(member.name, "comes twice, as different things")
        except (FileNotFoundError, ValueError):
            work.refuse(member.name, "is a link to something that is not in the project")


def _safe_name(name: str) -> str | None:
    path = PurePosixPath(name)
    return None if path.is_absolute() or ".." in path.parts or "\0" in name else str(path)


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, name: str, work: _Unpacking) -> None:
    target = work.root / name
    if member.isdir():
        target.mkdir(mode=0o755, parents=True, exist_ok=True)
        return
    target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    if member.islnk():
        _copy_hard_link(member, target, work)
        return
    source = tar.extractfile(member)
    if source is None:
        raise ValueError(name)
    with target.open("xb") as file:
        shutil.copyfileobj(source, file, 1 << 20)
        os.fchmod(file.fileno(), _mode(member.mode))


def _copy_hard_link(member: tarfile.TarInfo, target: Path, work: _Unpacking) -> None:
    name = _safe_name(member.linkname)
    if name is None or not (work.root / name).is_file():
        raise ValueError(member.linkname)
    work.count((work.root / name).stat().st_size)
    shutil.copy2(work.root / name, target, follow_symlinks=False)


def _mode(mode: int) -> int:
    """Without set-uid and without write for others; the owner can always read and write."""
    return (mode & 0o755) | stat.S_IRUSR | stat.S_IWUSR


def _make_link(name: str, target: str, work: _Unpacking) -> None:
    path = work.root / name
    try:
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        if path.is_symlink():
            path.unlink()
        path.symlink_to(target)
    except (FileExistsError, NotADirectoryError, ValueError):
        work.refuse(name, "comes twice, as different things")


def unsafe_links(root: Path) -> list[str]:
    """Links below the folder that lead out of it, after following all of them; absolute ones always do."""
    top = os.path.realpath(root)
    found = []
    for path in _links(root):
        target = os.readlink(path)
        reached = os.path.realpath(path)
        if os.path.isabs(target) or not (reached == top or reached.startswith(top + os.sep)):
            found.append(str(path.relative_to(root)))
    return sorted(found)


def _links(root: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(root):
        for name in (*folders, *files):
            path = Path(folder, name)
            if path.is_symlink():
                yield path
