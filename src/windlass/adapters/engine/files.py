"""Files written into a container."""

from __future__ import annotations

import io
import tarfile
from pathlib import PurePosixPath

from docker.errors import APIError

from windlass.adapters.engine.connection import Speaker, checked
from windlass.domain.errors import Usage


class Files(Speaker):
    def put_file(self, ref: str, path: str, content: bytes, mode: int, uid: int, gid: int) -> None:
        """Missing parent folders are made (root, 0755); those that are there keep owner and mode."""
        target = PurePosixPath(path)
        if not target.is_absolute() or ".." in target.parts or target.name == "":
            raise Usage(f"{path!r} is not an absolute path of a file", code="invalid_path")
        file = tarfile.TarInfo(target.name)
        file.size, file.mode, file.uid, file.gid = len(content), mode, uid, gid
        with self._connection.call(f"container {ref}, file {path}") as api:
            # Only a folder that is missing may be named in the archive: the engine would reset the mode of another.
            for folder in target.parents:
                try:
                    api.put_archive(checked(ref), str(folder), _archive(target.relative_to(folder), file, content))
                except APIError as error:
                    if error.status_code != 404 or folder == target.parents[-1]:
                        raise
                else:
                    return


def _archive(path: PurePosixPath, file: tarfile.TarInfo, content: bytes) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for folder in reversed(path.parents[:-1]):
            entry = tarfile.TarInfo(str(folder))
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(entry)
        file.name = str(path)
        archive.addfile(file, io.BytesIO(content))
    return made.getvalue()
