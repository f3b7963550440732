"""Whether a path that a Compose file names stays inside the project's folder."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

_REMOTE = re.compile(
    r"[A-Za-z][A-Za-z0-9+.-]*://|[\w.-]+@[\w.-]+:|(github|gitlab|bitbucket)\.(com|org)/|oci:|git:|docker-image:"
)


def is_remote(path: str) -> bool:
    """A URL, or what Compose takes for one."""
    return _REMOTE.match(path.strip()) is not None


def has_variable(path: str) -> bool:
    """Whether Compose would put something in; also for `$$`, which it turns into `$`."""
    return "$" in path


def inside(folder: str, path: str) -> str | None:
    """`path`, seen from `folder`, as a path from the project's top ("." for the top); None when it leads outside."""
    if not path or path.startswith(("/", "~", "\\")) or "\0" in path or re.match(r"[A-Za-z]:[\\/]", path):
        return None
    found: list[str] = []
    for part in (*PurePosixPath(folder).parts, *PurePosixPath(path.replace("\\", "/")).parts):
        if part == "..":
            if not found:
                return None
            found.pop()
        elif part != ".":
            found.append(part)
    return "/".join(found) or "."


def below(root: str, path: str) -> str | None:
    """An absolute path as a path from the project's top; None when it lies outside."""
    if not PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
        return None
    try:
        return str(PurePosixPath(path).relative_to(PurePosixPath(root)))
    except ValueError:
        return None


def folder_of(path: str) -> str:
    return str(PurePosixPath(path).parent)
