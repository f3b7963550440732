"""Git, by its own program, for addresses and contents that nobody vouches for."""

from __future__ import annotations

import re
import secrets
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from windlass.adapters.gitaccess import way_to
from windlass.adapters.gitmodules import Parent, fill_submodules
from windlass.adapters.gitremote import GitRules, Remote, explain
from windlass.adapters.process import Result, never
from windlass.adapters.tar import unsafe_links
from windlass.adapters.trees import aside, writing
from windlass.domain import names
from windlass.domain.errors import Detail, Failed, Refused, refuse
from windlass.domain.sources import is_local, is_ssh
from windlass.ports.sources import ANYBODY, Access, Commit, DeployKey

_FULL_SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_SHORT_SHA = re.compile(r"[0-9a-f]{7,63}")
_LONGEST_MESSAGE = 4000
_NO_SHALLOW = r"does not support shallow"
_SEARCHABLE = rf"not our ref|unadvertised object|remote ref|{_NO_SHALLOW}"
_FETCHED = "FETCH_HEAD^{commit}"
_EVERYTHING = ("+refs/heads/*:refs/windlass/heads/*", "+refs/tags/*:refs/windlass/tags/*")


class GitCli:
    """ports.sources.Git."""

    def __init__(self, rules: GitRules | None = None) -> None:
        self._rules = rules or GitRules()

    def fetch(
        self, url: str, ref: str, into: Path, *, access: Access = ANYBODY, cancelled: Callable[[], bool] = never
    ) -> Commit:
        """Raises Refused git_url_invalid, git_ref_not_found, git_auth, git_host_key_changed, git_repository_not_found,
        git_folder_not_found, git_lfs_missing, upload_unsafe; OutOfReach git_unreachable."""
        self._check(url, ref)
        if access.folder:
            names.relative_path(access.folder)
        if into.exists() and any(into.iterdir()):
            raise Failed(f"the folder {into} is not empty", code="folder_not_empty")
        with writing("the source"), aside(into) as work, way_to(url, access) as way:
            remote = Remote(url, work / "git", self._rules, cancelled, way)
            remote.begin()
            commit = _read_commit(remote, _bring(remote, ref))
            tree = work / "tree"
            tree.mkdir(mode=0o755)
            check_out(remote, commit.sha, tree, access)
            if access.submodules:
                fill_submodules(Parent(remote, commit.sha, tree, access), _fetch_submodule)
            kept = _folder_of(tree, access.folder, remote)
            _refuse_unsafe(kept)
            if into.exists():
                into.rmdir()
            kept.rename(into)
        return commit

    def head(self, url: str, branch: str, *, access: Access = ANYBODY) -> str:
        """Raises as `fetch` does."""
        return self._ask(url, branch, (f"refs/heads/{branch}" if branch else "HEAD",), access)

    def resolve(self, url: str, ref: str, *, access: Access = ANYBODY) -> str:
        """Raises as `fetch` does."""
        if _FULL_SHA.fullmatch(ref):
            return ref
        named = (f"refs/heads/{ref}", f"refs/tags/{ref}^{{}}", f"refs/tags/{ref}", ref) if ref else ("HEAD",)
        return self._ask(url, ref, named, access)

    def _ask(self, url: str, ref: str, wanted: Sequence[str], access: Access) -> str:
        """The commit of the first of these names that the server has."""
        self._check(url, ref)
        rules = replace(self._rules, timeout_s=self._rules.ask_timeout_s)
        with tempfile.TemporaryDirectory(prefix="windlass-") as folder, way_to(url, access) as way:
            remote = Remote(url, Path(folder) / "git", rules, never, way)
            listed = remote.git("ls-remote", "--quiet", "--", remote.bare_url, *wanted)
            found = {name: sha for sha, _, name in (line.partition("\t") for line in listed.splitlines())}
            sha = next((found[name] for name in wanted if name in found), "")
            if not _FULL_SHA.fullmatch(sha):
                raise _not_found(remote, ref)
        return sha

    def make_key(self, comment: str) -> DeployKey:
        from windlass.adapters import deploykeys  # costs a megabyte, and is needed when a source is set

        return deploykeys.make_key(comment)

    def read_key(self, private: str) -> DeployKey:
        """Raises Refused deploy_key_invalid."""
        from windlass.adapters import deploykeys

        return deploykeys.read_key(private)

    def _check(self, url: str, ref: str) -> None:
        names.git_url(url, allow_file=self._rules.allow_local, allow_http=self._rules.allow_http)
        if ref:
            names.git_ref(ref)


def check_out(remote: Remote, sha: str, tree: Path, access: Access) -> None:
    """The files of a commit; those of LFS instead of what stands for them, when they are wanted."""
    settings: tuple[str, ...] = ()
    if access.lfs:
        if shutil.which("git-lfs") is None:
            raise Refused(
                f"{remote.bare_url} is to be fetched with LFS, and git-lfs is not installed on this machine",
                code="git_lfs_missing",
                hint="apt-get install git-lfs, or windlass source set … without --lfs",
            )
        settings = lfs_settings(remote.bare_url)
    words = tuple(word for setting in settings for word in ("-c", setting))
    remote.git(*words, "--work-tree", str(tree), "checkout", "--quiet", "--force", "--detach", sha)


def lfs_settings(url: str) -> tuple[str, ...]:
    """Where LFS files are is told by the repository's address alone, whatever its `.lfsconfig` says."""
    place = url if is_ssh(url) or is_local(url) else f"{url.rstrip('/').removesuffix('.git')}.git/info/lfs"
    return (
        f"remote.origin.url={url}",
        f"lfs.url={place}",
        "filter.lfs.process=git-lfs filter-process",
        "filter.lfs.smudge=git-lfs smudge -- %f",
        "filter.lfs.required=true",
        "lfs.locksverify=false",
        "lfs.ssh.automultiplex=false",
        "lfs.transfer.maxretries=3",
        "lfs.transfer.maxretrydelay=2",
        "lfs.concurrenttransfers=4",
    )


def _fetch_submodule(parent: Parent, url: str, sha: str, place: Path) -> Remote:
    """Another repository into a folder of the first one's files."""
    remote = replace(parent.remote, url=url, folder=parent.remote.folder.with_name(f"git{secrets.token_hex(4)}"))
    remote.begin()
    found = _read_commit(remote, _bring(remote, sha))
    check_out(remote, found.sha, place, parent.access)
    return remote


def _folder_of(tree: Path, folder: str, remote: Remote) -> Path:
    """The part of the repository that is the project; links on the way to it count as absent."""
    place = tree / names.relative_path(folder) if folder else tree
    if not place.is_dir() or place.resolve() != tree.resolve() / place.relative_to(tree):
        raise Refused(
            f"{remote.bare_url} has no folder {folder!r}",
            code="git_folder_not_found",
            hint="name one that is there: windlass source set … --path DIR",
        )
    return place


def _bring(remote: Remote, ref: str) -> str:
    """Fetch what the ref names; the name under which it is here."""
    if _FULL_SHA.fullmatch(ref):
        result = remote.ask(*_fetch_argv(remote, ref, depth=True))
        return _FETCHED if not result.code else _search(remote, ref, result)
    wanted = ("refs/heads/" + ref, "refs/tags/" + ref, ref) if ref else ("HEAD",)
    if ref.startswith("refs/"):  # said in full: nobody's branch of such a name stands for it
        wanted = (ref,)
    listed = remote.git("ls-remote", "--quiet", "--", remote.bare_url, *wanted)
    there = {line.partition("\t")[2] for line in listed.splitlines()}
    found = next((name for name in wanted if name in there), "")
    if found:
        _fetch(remote, found)
        return _FETCHED
    if _SHORT_SHA.fullmatch(ref):
        return _search(remote, ref, None)
    raise _not_found(remote, ref)


def _fetch(remote: Remote, ref: str) -> None:
    """The last commit alone; with its history from a server of plain files, which cannot give less."""
    result = remote.ask(*_fetch_argv(remote, ref, depth=True))
    if result.code and re.search(_NO_SHALLOW, "\n".join(result.errors)):
        result = remote.ask(*_fetch_argv(remote, ref))
    remote.checked(result)


def _fetch_argv(remote: Remote, *refs: str, depth: bool = False) -> tuple[str, ...]:
    shallow = ("--depth=1",) if depth else ()
    return ("fetch", "--quiet", "--no-tags", "--force", *shallow, "--", remote.bare_url, *refs)


def _search(remote: Remote, sha: str, first: Result | None) -> str:
    """For a commit that the server does not give by its number: all branches and tags, and look there."""
    if first is not None and not re.search(_SEARCHABLE, "\n".join(first.errors)):
        raise explain(first, remote.bare_url)
    remote.git(*_fetch_argv(remote, *_EVERYTHING))
    if remote.ask("rev-parse", "--verify", "--quiet", "--end-of-options", sha + "^{commit}").code:
        raise _not_found(remote, sha)
    return sha + "^{commit}"


def _not_found(remote: Remote, ref: str) -> Refused:
    what = f"no branch, tag or commit {ref!r}" if ref else "no commit yet"
    return Refused(
        f"{remote.bare_url} has {what}", code="git_ref_not_found", hint="name one that is there with --ref, or push it"
    )


def _read_commit(remote: Remote, name: str) -> Commit:
    text = remote.git("log", "-1", "--no-show-signature", "--format=%H%x00%an <%ae>%x00%ct%x00%B", name, "--")
    sha, author, at, message = text.rstrip("\n").split("\0", 3)
    return Commit(sha, author, message.strip()[:_LONGEST_MESSAGE], float(at))


def _refuse_unsafe(tree: Path) -> None:
    wrong = [Detail("upload_unsafe", n, f"the link {n!r} leads outside the repository") for n in unsafe_links(tree)]
    if wrong:
        raise refuse(wrong, hint="replace the links by what they lead to")
