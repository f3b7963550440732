"""Where projects come from and how they are read and built: Compose, Git, folders."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

Line = Callable[[str], None]


@dataclass(frozen=True)
class ComposeSource:
    """A project folder to be read by Compose. `files` empty: Compose's own discovery. `values` fill `${…}`."""

    directory: Path
    project: str
    files: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()
    values: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ComposeVariable:
    """`required`: by `${X:?}`, or by `${X?}`, which takes a blank value (`may_be_blank`)."""

    name: str
    required: bool
    default: str
    may_be_blank: bool = True


@dataclass(frozen=True)
class Resolved:
    """`document` is `docker compose config --format json`; `unset` are the variables that became blank."""

    document: Mapping[str, Any]
    unset: tuple[str, ...]
    warnings: tuple[str, ...]


class Compose(Protocol):
    """The Compose plugin. A model is given on standard input; the environment of the child is clean."""

    def version(self) -> str: ...
    def read_env(self, text: str) -> dict[str, str]:
        """The variables of a `.env` file's text, by Compose's own syntax; raises Refused (env_file_invalid)."""
        ...

    def variables(self, source: ComposeSource) -> list[ComposeVariable]: ...
    def resolve(self, source: ComposeSource, *, env_files: bool = True, interpolate: bool = True) -> Resolved:
        """Raises Refused (code compose_invalid) with Compose's own words and the line."""
        ...

    def build(
        self,
        project: str,
        model: Mapping[str, Any],
        directory: Path,
        on_line: Line,
        *,
        values: Mapping[str, str] | None = None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> None:
        """Build every service that has `build`; raises BuildFailed with the last lines, Cancelled.

        `values`: for build secrets that the model takes from the environment.
        """
        ...

    def pull(
        self,
        project: str,
        model: Mapping[str, Any],
        directory: Path,
        on_line: Line,
        *,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> None:
        """Pull every service's image; raises Refused (code image_unavailable), one detail per image."""
        ...

    def create(
        self, project: str, model: Mapping[str, Any], directory: Path, services: Sequence[str], recreate: bool
    ) -> None: ...


class BuildFailed(Exception):
    """`lines`: the last lines of the build."""

    def __init__(self, service: str, lines: Sequence[str]) -> None:
        super().__init__(f"the build of {service or 'an image'} failed")
        self.service = service
        self.lines = tuple(lines)


@dataclass(frozen=True)
class Commit:
    """`author`: name and address. `message`: the whole of it."""

    sha: str
    author: str = ""
    message: str = ""
    at: float = 0.0


def _forget(host_keys: str) -> None:
    pass


@dataclass(frozen=True)
class Access:
    """How a repository lets us in, and what of it is wanted.

    `key`: a private key of OpenSSH; without one SSH uses the keys of this machine's user. `host_keys`: the server's, as
    lines of a known_hosts file; when there are none yet, those it shows are taken and told to `pin`.
    `folder`: this folder of the repository alone.
    """

    user: str = ""
    token: str = field(default="", repr=False)
    key: str = field(default="", repr=False)
    host_keys: str = ""
    pin: Callable[[str], None] = _forget
    submodules: bool = False
    lfs: bool = False
    folder: str = ""


@dataclass(frozen=True)
class DeployKey:
    private: str = field(repr=False)
    public: str


ANYBODY = Access()


class Git(Protocol):
    def fetch(
        self,
        url: str,
        ref: str,
        into: Path,
        *,
        access: Access = ANYBODY,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Commit:
        """Check `ref` (branch, tag or commit; "" = the remote's HEAD) out into the empty folder, without `.git`."""
        ...

    def head(self, url: str, branch: str, *, access: Access = ANYBODY) -> str:
        """The commit that the branch points to now; raises Refused (git_ref_not_found) when there is none."""
        ...

    def resolve(self, url: str, ref: str, *, access: Access = ANYBODY) -> str:
        """The commit that a branch, tag or whole commit id ("" = the remote's HEAD) means now; raises the same."""
        ...

    def make_key(self, comment: str) -> DeployKey: ...
    def read_key(self, private: str) -> DeployKey:
        """Raises Refused (deploy_key_invalid)."""
        ...


@dataclass(frozen=True)
class PathFacts:
    """`empty`: a folder without entries."""

    exists: bool
    is_file: bool = False
    empty: bool = False


class Trees(Protocol):
    """Folders of windlass's home: sources of releases, files of the base, data of the apps."""

    def app(self, app: str) -> Path: ...
    def source(self, app: str, number: int) -> Path: ...
    def data(self, app: str) -> Path: ...
    def unpack(self, upload: Path, into: Path) -> None:
        """Unpack an uploaded tar; raises Refused for what leads outside, a device, a size over the limit."""
        ...

    def digest(self, root: Path, globs: Sequence[str] = ()) -> str:
        """Of all files; with `globs` (as in .gitignore) of those that match, and of the patterns themselves."""
        ...

    def digest_file(self, path: Path) -> str:
        """Of one file's bytes; "" when there is no such file."""
        ...

    def read(self, path: Path, limit: int = 1 << 20) -> bytes | None:
        """The file's bytes, None when there is no such file; raises Refused (file_too_large) beyond `limit`."""
        ...

    def put(self, root: Path, name: str, content: bytes, *, is_executable: bool) -> None:
        """Write a file below `root`, in the place of what is there; raises Refused for a path that leads outside."""
        ...

    def look(self, path: Path) -> PathFacts: ...
    def leads_outside(self, root: Path, name: str) -> bool:
        """Whether the path below `root`, after following links, lies outside of it."""
        ...

    def data_path(self, app: str, name: str, seed: Path | None) -> Path:
        """The app's own place for a bind called `name`: made once as a folder, or as a copy of `seed`."""
        ...

    def discard(self, path: Path) -> None:
        """Remove a file or folder under uploads(); one that is gone is no error."""
        ...

    def forget(self, path: Path) -> None:
        """Remove one file from a kept source; one that is gone is no error."""
        ...

    def keep_file(self, app: str, path: Path) -> Path:
        """Copy a file or folder under files/<sha256>/ of the app, once, and return the copy."""
        ...

    def sweep(self, keep: Collection[Path], before: float) -> None:
        """Remove every upload that was last written before that time, but those of `keep`."""
        ...

    def remove_source(self, app: str, number: int) -> None: ...
    def remove_app(self, app: str, data: bool) -> None: ...
    def uploads(self) -> Path: ...
