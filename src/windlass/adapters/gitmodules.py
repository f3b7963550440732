"""Submodules of a fetched repository: each address is checked like the first one's before Git hears of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from windlass.adapters.gitremote import Remote
from windlass.domain import names
from windlass.domain.errors import Refused
from windlass.domain.sources import git_host, https_of, is_local, is_ssh, submodule_url
from windlass.ports.sources import Access

MOST = 64
DEEPEST = 6
_GITLINK = "160000"


@dataclass(frozen=True)
class Parent:
    """A repository whose files are in `tree`."""

    remote: Remote
    sha: str
    tree: Path
    access: Access
    depth: int = 0


Fetch = Callable[[Parent, str, str, Path], Remote]


def fill_submodules(parent: Parent, fetch: Fetch) -> None:
    """Fetch each into its place, and theirs. Raises Refused for an address or place that is not allowed."""
    _fill(parent, fetch, [MOST])


def _fill(parent: Parent, fetch: Fetch, left: list[int]) -> None:
    links = _links(parent)
    if not links:
        return
    urls = _urls(parent)
    for path, sha in links.items():
        left[0] -= 1
        if left[0] < 0 or parent.depth >= DEEPEST:
            words = f"{parent.remote.bare_url} has more than {MOST} submodules, or deeper ones than {DEEPEST}"
            raise Refused(words, code="submodules_too_many")
        url = _address(parent, path, urls.get(path, ""))
        place = _place(parent, path)
        remote = fetch(parent, url, sha, place)
        _fill(replace(parent, remote=remote, sha=sha, tree=place, depth=parent.depth + 1), fetch, left)


def _links(parent: Parent) -> dict[str, str]:
    """Path -> commit."""
    found = {}
    for entry in parent.remote.git("ls-tree", "-r", "-z", "--full-tree", parent.sha).split("\0"):
        facts, _, path = entry.partition("\t")
        words = facts.split()
        if path and words[0] == _GITLINK:
            found[path] = words[2]
    return found


def _urls(parent: Parent) -> dict[str, str]:
    """Path -> address, as `.gitmodules` says."""
    pattern = r"^submodule\..*\.(path|url)$"
    blob = f"{parent.sha}:.gitmodules"
    result = parent.remote.ask("config", "--blob", blob, "--null", "--get-regexp", pattern)
    known: dict[str, dict[str, str]] = {}
    for entry in result.text.split("\0") if not result.code else ():
        key, _, value = entry.partition("\n")
        name, _, what = key.rpartition(".")
        known.setdefault(name, {})[what] = value
    return {one["path"]: one.get("url", "") for one in known.values() if "path" in one}


def _address(parent: Parent, path: str, written: str) -> str:
    if not written:
        raise Refused(
            f"the submodule {path!r} of {parent.remote.bare_url} has no address in .gitmodules",
            code="git_url_invalid",
            hint="git submodule add ADDRESS PATH, and commit .gitmodules",
        )
    own, access = parent.remote.url, parent.access
    url = submodule_url(names.without_credentials(own), written)
    if access.token and is_ssh(url) and git_host(url) == git_host(own):
        url = https_of(url)  # the token opens it there
    names.git_url(url, allow_file=is_local(own) and parent.remote.rules.allow_local, allow_http=False)
    foreign = git_host(url) != git_host(own)
    if url.startswith("http://") and not own.startswith("http://"):
        raise _not_allowed(path, url, "is not encrypted")
    if is_ssh(url) and foreign and (access.key or access.token or not is_ssh(own)):
        raise _not_allowed(path, url, "is reached by SSH on another server, for which the app has no key")
    return url


def _not_allowed(path: str, url: str, why: str) -> Refused:
    return Refused(
        f"the submodule {path!r} at {names.without_credentials(url)} {why}",
        code="git_url_invalid",
        hint="give it an https address in .gitmodules",
    )


def _place(parent: Parent, path: str) -> Path:
    """Git has made an empty folder there; anything else is not touched."""
    place = parent.tree / names.relative_path(path)
    inside = place.resolve() == parent.tree.resolve() / path
    if not inside or not place.is_dir() or any(place.iterdir()):
        raise Refused(f"the submodule {path!r} cannot be put into its place", code="upload_unsafe")
    return place
