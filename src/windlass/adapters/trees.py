"""The folders of windlass's home: sources of releases, kept files, data of the apps."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from pathspec import GitIgnoreSpec

from windlass.adapters.tar import TarLimits, unpack_tar
from windlass.domain.errors import Failed, Refused
from windlass.domain.names import docker_name, relative_path, shown
from windlass.ports.sources import PathFacts

_CHUNK = 1 << 20


@contextlib.contextmanager
def writing(what: str) -> Iterator[None]:
    """Says in our words that the disk is full, or that we may not write there."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise Failed(
                f"the disk is full: {what} could not be written; what runs is untouched",
                code="disk_full",
                hint="windlass doctor shows what takes room; free some and deploy again",
            ) from error
        raise Failed(f"{what} could not be written: {error.strerror or error}", code="not_writable") from error


class FolderTrees:
    """ports.sources.Trees: `apps/<app>/{releases/<n>,files/<sha256>,data}` and `uploads` below the home."""

    def __init__(self, home: Path, limits: TarLimits | None = None) -> None:
        self._home = home
        self._limits = limits or TarLimits()

    def app(self, app: str) -> Path:
        return self._folder(self._apps() / docker_name(shown(app)))

    def source(self, app: str, number: int) -> Path:
        self._folder(self.app(app) / "releases")
        return self.app(app) / "releases" / str(int(number))

    def data(self, app: str) -> Path:
        return self._folder(self.app(app) / "data")

    def uploads(self) -> Path:
        return self._folder(self._home / "uploads")

    def unpack(self, upload: Path, into: Path) -> None:
        with writing("the upload"), self._new(into) as folder, upload.open("rb") as archive:
            unpack_tar(archive, folder, self._limits)

    def digest(self, root: Path, globs: Sequence[str] = ()) -> str:
        """SHA-256 over paths, contents, links and executable bits; folders and times do not count."""
        whole = hashlib.sha256("\0".join(globs).encode("utf-8", "surrogateescape"))
        watched = GitIgnoreSpec.from_lines(globs).match_file if globs else None
        for path in sorted(_files(root), key=os.fsencode):
            if watched is not None and not watched(path.relative_to(root)):
                continue
            whole.update(_digest_of(path, os.fsencode(path.relative_to(root))))
        return whole.hexdigest()

    def digest_file(self, path: Path) -> str:
        if not path.is_file():
            return ""
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def read(self, path: Path, limit: int = 1 << 20) -> bytes | None:
        if not self._stays_inside(path) or not path.is_file():
            return None
        with path.open("rb") as file:
            content = file.read(limit + 1)
        if len(content) > limit:
            raise Refused(f"{path.name} is larger than {limit} bytes", code="file_too_large")
        return content

    def put(self, root: Path, name: str, content: bytes, *, is_executable: bool) -> None:
        path = root / relative_path(name)
        if self.leads_outside(root, str(path.parent.relative_to(root))):
            raise Refused(f"the file {name} would lie outside the project", code="path_outside")
        if path.is_dir() and not path.is_symlink():
            raise Refused(f"the file {name} cannot be written: a folder is there", code="path_invalid")
        with writing(f"the file {name}"):
            path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            with aside(path) as holder:
                new = holder / "new"
                new.write_bytes(content)
                new.chmod(0o755 if is_executable else 0o644)
                new.replace(path)  # a link is replaced, and not followed

    def leads_outside(self, root: Path, name: str) -> bool:
        return not (root / name).resolve().is_relative_to(root.resolve())

    def look(self, path: Path) -> PathFacts:
        if not self._stays_inside(path) or not path.exists():
            return PathFacts(False)
        return PathFacts(True, path.is_file(), path.is_dir() and not any(path.iterdir()))

    def data_path(self, app: str, name: str, seed: Path | None) -> Path:
        top = self.data(app)
        path = top / relative_path(name)
        # Containers write here: a link of theirs must not lead a later mount elsewhere.
        if path.resolve() != top.resolve() / relative_path(name):
            raise Refused(f"the app's data folder has a link at {name!r}, which is not followed", code="path_invalid")
        if path.exists():
            return path
        with writing(f"the data folder {name}"):
            path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            if seed is None or not seed.exists():
                path.mkdir(mode=0o755, exist_ok=True)
            else:
                self._copy(seed, path)
        return path

    def keep_file(self, app: str, path: Path) -> Path:
        source = path.resolve()
        if not self._stays_inside(path) or not source.exists():
            raise Refused(f"{path.name} is not in the project, or leads outside it", code="path_invalid")
        digest = self.digest(source) if source.is_dir() else _digest_of(source, b"").hex()
        kept = self._folder(self._folder(self.app(app) / "files") / digest) / path.name
        if not kept.exists():
            with writing(f"a copy of {path.name}"):
                self._copy(source, kept)
        return kept

    def discard(self, path: Path) -> None:
        if path.parent != self.uploads():
            raise Refused(f"{path} is not an upload", code="path_invalid")
        if path.is_dir() and not path.is_symlink():
            self._remove(path)
        else:
            path.unlink(missing_ok=True)

    def forget(self, path: Path) -> None:
        if not path.parent.resolve().is_relative_to(self._apps().resolve()):
            raise Refused(f"{path} is not in windlass's home", code="path_invalid")
        with writing(f"{path.name} (to be removed)"):
            path.unlink(missing_ok=True)

    def sweep(self, keep: Collection[Path], before: float) -> None:
        for path in self.uploads().iterdir():
            if path not in keep and path.lstat().st_mtime < before:
                self.discard(path)

    def remove_source(self, app: str, number: int) -> None:
        """With what a killed attempt left beside it."""
        folder = self.source(app, number)
        self._remove(folder)
        self._remove(folder.parent / f".new-{folder.name}")

    def remove_app(self, app: str, data: bool) -> None:
        folder = self.app(app)
        for name in ("releases", "files", *(("data",) if data else ())):
            self._remove(folder / name)
        with contextlib.suppress(OSError):
            folder.rmdir()

    def _apps(self) -> Path:
        return self._folder(self._home / "apps")

    def _folder(self, path: Path) -> Path:
        """Ours alone; what is mounted into containers from below is reached by its own mode."""
        with writing(f"the folder {path}"):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        return path

    def _stays_inside(self, path: Path) -> bool:
        """For a path of a kept source: that links on the way do not lead out of that source."""
        apps = self._home / "apps"
        if not path.is_relative_to(apps):
            return True
        root = apps.joinpath(*path.relative_to(apps).parts[:3])
        return path.resolve().is_relative_to(root.resolve())

    @contextlib.contextmanager
    def _new(self, target: Path) -> Iterator[Path]:
        """A folder that takes its place only when it is whole."""
        if target.exists() and any(target.iterdir()):
            raise Failed(f"the folder {target} is not empty", code="folder_not_empty")
        with aside(target) as folder:
            yield folder
            if target.exists():
                target.rmdir()
            folder.rename(target)

    def _copy(self, source: Path, target: Path) -> None:
        """Whole or not at all."""
        with aside(target) as holder:
            copy = holder / "copy"
            if source.is_dir():
                shutil.copytree(source, copy, symlinks=True)
            else:
                shutil.copy2(source, copy)
            copy.rename(target)

    def _remove(self, path: Path) -> None:
        try:
            shutil.rmtree(path)
        except FileNotFoundError:
            return
        except OSError as error:
            raise Failed(
                f"{path} could not be removed: {error.strerror or error}",
                code="not_removed",
                hint="remove it by hand; it belongs to another user",
            ) from error


@contextlib.contextmanager
def aside(target: Path) -> Iterator[Path]:
    """A folder beside the target to prepare it in; what an earlier, killed attempt left there goes first."""
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder = target.parent / f".new-{target.name}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _files(root: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(root):
        yield from (Path(folder, name) for name in files)
        yield from (path for name in folders if (path := Path(folder, name)).is_symlink())


def _digest_of(path: Path, name: bytes) -> bytes:
    one = hashlib.sha256(len(name).to_bytes(8, "big") + name)
    if path.is_symlink():
        one.update(b"link" + os.fsencode(os.readlink(path)))
        return one.digest()
    with path.open("rb") as file:
        one.update(b"x" if os.fstat(file.fileno()).st_mode & 0o100 else b"-")
        while chunk := file.read(_CHUNK):
            one.update(chunk)
    return one.digest()
