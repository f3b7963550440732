"""Where an app's releases come from: a Git repository's branch, or an image; and what a push has to do with it."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from urllib.parse import urlsplit

from windlass.domain import names
from windlass.domain.errors import Detail, Refused, WindlassError, refuse

IMAGE_PREFIX = "image:"
DEFAULT_BRANCH = "main"
SHORTEST_POLL_S = 10.0
LONGEST_POLL_S = 7 * 86400.0
SKIP_MARKS = ("[skip deploy]", "[deploy skip]")

MADE_HERE = b"# made by windlass: the project has no Compose file of its own"

TOKEN = "git.token"
KEY = "git.key"
STATUS_TOKEN = "status.token"
HOOK = "hook"

_MOST_GLOBS = 100
_LONGEST_GLOB = 300
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_USERS = {"bitbucket.org": "x-token-auth"}


class SourceKind(StrEnum):
    GIT = "git"
    IMAGE = "image"


class Auth(StrEnum):
    """How a repository lets windlass in; `none` by SSH means the keys of this machine's user."""

    NONE = "none"
    TOKEN = "token"
    KEY = "key"


class StatusHost(StrEnum):
    """Who is told how a commit's deployment ended."""

    NONE = ""
    GITHUB = "github"
    GITLAB = "gitlab"
    GITEA = "gitea"


@dataclass(frozen=True)
class Source:
    """`url` without credentials, or the image. `path`: the folder of the repository that is the project.

    `host_keys`: the server's SSH keys as they were first seen, as lines of a known_hosts file. `seen`: the commit that
    was last looked at. `problem`: why the last poll failed. `set_at` names this setting: a poll of an older one ends.
    """

    app: str
    kind: SourceKind
    url: str
    set_at: float
    branch: str = ""
    path: str = ""
    compose: tuple[str, ...] = ()
    watch: tuple[str, ...] = ()
    submodules: bool = False
    lfs: bool = False
    poll_s: float = 0.0
    auth: Auth = Auth.NONE
    user: str = ""
    public_key: str = ""
    host_keys: str = ""
    status: StatusHost = StatusHost.NONE
    seen: str = ""
    problem: str = ""


def check_source(source: Source, *, allow_file: bool = False) -> Source:
    """The source in its one true spelling. Raises Refused with everything that is wrong with it."""
    if source.kind is SourceKind.IMAGE:
        names.image_ref(source.url)
        return source
    problems = _wrong_names(source, allow_file)
    problems += _wrong_watch(source.watch) + _wrong_poll(source.poll_s) + _wrong_auth(source)
    if problems:
        raise refuse(problems)
    return source


def _wrong_names(source: Source, allow_file: bool) -> list[Detail]:
    checks: list[tuple[Callable[[str], str], str]] = [
        (partial(names.git_url, allow_file=allow_file), source.url),
        (names.git_ref, source.branch),
        *((names.compose_path, path) for path in source.compose),
        *((names.relative_path, path) for path in (source.path,) if path),
    ]
    problems = []
    for check, value in checks:
        try:
            check(value)
        except WindlassError as error:
            problems.append(Detail(error.code, names.without_credentials(value)[:80], error.message, error.hint))
    return problems


def _wrong_watch(globs: Sequence[str]) -> list[Detail]:
    if len(globs) > _MOST_GLOBS:
        return [Detail("watch_invalid", "watch", f"{len(globs)} patterns are more than {_MOST_GLOBS}")]
    return [
        Detail("watch_invalid", glob[:80], f"{glob[:80]!r} is not a pattern of paths", "write it as backend/**")
        for glob in globs
        if not glob.strip() or len(glob) > _LONGEST_GLOB or _CONTROL.search(glob)
    ]


def _wrong_poll(seconds: float) -> list[Detail]:
    if seconds == 0 or SHORTEST_POLL_S <= seconds <= LONGEST_POLL_S:
        return []
    return [Detail("poll_invalid", "poll", f"a repository is asked every {SHORTEST_POLL_S:g} s at most", "--poll 60s")]


def _wrong_auth(source: Source) -> list[Detail]:
    by_ssh = is_ssh(source.url)
    if source.auth is Auth.TOKEN and not source.url.startswith(("https://", "http://")):
        return [Detail("auth_mismatch", "token", "a token goes with an https address", "--deploy-key generate")]
    if source.auth is Auth.KEY and not by_ssh:
        return [Detail("auth_mismatch", "key", "a deploy key goes with an SSH address", "use git@host:path.git")]
    return []


def is_ssh(url: str) -> bool:
    return url.startswith("ssh://") or ("://" not in url and not url.startswith("/"))


def is_local(url: str) -> bool:
    """A path of this machine."""
    return url.startswith(("/", "file://"))


def git_host(url: str) -> str:
    """The server's name, in small letters, without user and port; "" for a local path."""
    if is_local(url):
        return ""
    if "://" not in url:
        return url.partition(":")[0].rpartition("@")[2].lower()
    return (urlsplit(url).hostname or "").lower()


def token_user(url: str) -> str:
    """The user name that goes with an access token where any name, or one certain name, is taken."""
    return _USERS.get(git_host(url), "oauth2")


def submodule_url(parent: str, url: str) -> str:
    """The address of a submodule: as written, or by the rules of `git submodule` relative to its repository's."""
    if not url.startswith(("./", "../")):
        return url
    if "://" in parent:
        scheme, _, rest = parent.partition("://")
        server, _, path = rest.partition("/")
        return f"{scheme}://{server}{_joined('/' + path, url, parent)}"
    if parent.startswith("/"):
        return _joined(parent, url, parent)
    server, _, path = parent.partition(":")
    return f"{server}:{_joined('/' + path.lstrip('/'), url, parent).lstrip('/')}"


def _joined(path: str, url: str, parent: str) -> str:
    ups = sum(part == ".." for part in url.split("/"))
    if ups > len([part for part in path.split("/") if part]):
        raise Refused(
            f"the submodule {url!r} leads out of {names.without_credentials(parent)}",
            code="git_url_invalid",
            hint="write its whole address in .gitmodules",
        )
    return posixpath.normpath(posixpath.join(path.rstrip("/"), url))


def https_of(url: str) -> str:
    """The https address of a repository that is named by SSH, as every known host serves it."""
    if "://" in url:
        parts = urlsplit(url)
        return f"https://{parts.hostname}{parts.path}"
    server, _, path = url.partition(":")
    return f"https://{server.rpartition('@')[2]}/{path.lstrip('/')}"


def image_of(word: str) -> str:
    """The image in `image:REF`; "" when the word is something else."""
    return word.removeprefix(IMAGE_PREFIX) if word.startswith(IMAGE_PREFIX) else ""


def asks_to_skip(message: str) -> bool:
    """Whether a commit's message says that it is not to be deployed."""
    text = message.lower()
    return any(mark in text for mark in SKIP_MARKS)


def generated_compose(image: str = "") -> bytes:
    """The Compose file of a project that is an image, or a Dockerfile alone."""
    what = f'    image: "{names.image_ref(image)}"\n' if image else "    build: .\n"
    return MADE_HERE + b"\nservices:\n  app:\n" + what.encode()
