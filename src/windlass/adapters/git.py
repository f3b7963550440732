"""Git, by its own program, for addresses and contents that nobody vouches for."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from windlass.adapters.process import Command, Result, memory, never, run, surroundings
from windlass.adapters.tar import unsafe_links
from windlass.adapters.trees import aside, writing
from windlass.domain import names
from windlass.domain.errors import Detail, Failed, OutOfReach, Refused, WindlassError, refuse
from windlass.ports.sources import Commit

_HARDENED = (
    "protocol.allow=never",
    "protocol.https.allow=always",
    "protocol.ssh.allow=always",
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.askPass=",
    "credential.helper=",
    "submodule.recurse=false",
    "fetch.recurseSubmodules=false",
    "gc.auto=0",
    "advice.detachedHead=false",
)
_FULL_SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_SHORT_SHA = re.compile(r"[0-9a-f]{7,63}")
_NO_SHALLOW = r"does not support shallow"
_SEARCHABLE = rf"not our ref|unadvertised object|remote ref|{_NO_SHALLOW}"
_FETCHED = "FETCH_HEAD^{commit}"
_EVERYTHING = ("+refs/heads/*:refs/windlass/heads/*", "+refs/tags/*:refs/windlass/tags/*")


@dataclass(frozen=True)
class GitRules:
    """`allow_local`: paths and file:// as addresses; `allow_http`: http:// also to other machines."""

    allow_local: bool = False
    allow_http: bool = False
    timeout_s: float = 300.0


class GitCli:
    """ports.sources.Git."""

    def __init__(self, rules: GitRules | None = None) -> None:
        self._rules = rules or GitRules()

    def fetch(self, url: str, ref: str, into: Path, *, cancelled: Callable[[], bool] = never) -> Commit:
        """Raises Refused git_url_invalid, git_ref_not_found, git_auth, git_repository_not_found, upload_unsafe;
        OutOfReach git_unreachable."""
        rules = self._rules
        names.git_url(url, allow_file=rules.allow_local, allow_http=rules.allow_http)
        if ref:
            names.git_ref(ref)
        if into.exists() and any(into.iterdir()):
            raise Failed(f"the folder {into} is not empty", code="folder_not_empty")
        with writing("the source"), aside(into) as work:
            remote = _Remote(url, work / "git", rules, cancelled)
            remote.git("init", "--quiet", "--bare", "--template=", "--", str(remote.folder))
            commit = _read_commit(remote, _bring(remote, ref))
            tree = work / "tree"
            tree.mkdir(mode=0o755)
            remote.git("--work-tree", str(tree), "checkout", "--quiet", "--force", "--detach", commit.sha)
            _refuse_unsafe(tree)
            if into.exists():
                into.rmdir()
            tree.rename(into)
        return commit


@dataclass(frozen=True)
class _Remote:
    """One address, and the empty repository into which it is fetched."""

    url: str
    folder: Path
    rules: GitRules
    cancelled: Callable[[], bool]

    @property
    def bare_url(self) -> str:
        return names.without_credentials(self.url)

    def git(self, *arguments: str) -> str:
        return self.checked(self.ask(*arguments)).text

    def ask(self, *arguments: str) -> Result:
        command = Command(
            git_argv(self.folder, arguments, transports(self.url)),
            cwd=self.folder.parent,
            environment=environment(),
            files=(configuration(self.url),),
            timeout_s=self.rules.timeout_s,
        )
        try:
            return run(command, cancelled=self.cancelled)
        except TimeoutError as error:
            raise OutOfReach(f"{self.bare_url}: {error}", code="git_unreachable") from error

    def checked(self, result: Result) -> Result:
        if result.code:
            raise explain(result, self.bare_url)
        return result


def git_argv(folder: Path, arguments: Sequence[str], transports: Sequence[str]) -> tuple[str, ...]:
    settings = (*_HARDENED, *(f"protocol.{name}.allow=always" for name in transports))
    place = () if arguments[0] == "init" else ("--git-dir", str(folder))
    return ("git", *(word for setting in settings for word in ("-c", setting)), *place, *arguments)


def transports(url: str) -> tuple[str, ...]:
    """What this address needs beyond https and ssh; it was checked before."""
    if url.startswith("http://"):
        return ("http",)
    return ("file",) if url.startswith(("/", "file://")) else ()


def environment() -> dict[str, str]:
    """Nothing of this user's Git but where his keys and certificates are."""
    own = surroundings() | surroundings("GIT_SSL_CAINFO", "CURL_CA_BUNDLE")
    return own | {
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": memory(0),
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "true",
        "SSH_ASKPASS_REQUIRE": "never",
        "GIT_ATTR_NOSYSTEM": "1",
    }


def configuration(url: str) -> bytes:
    """What Git reads as its user's configuration: the credentials of the address, which are in no argv so."""
    lines = ["[safe]", "directory = *"] if "file" in transports(url) else []
    user, password = names.credentials(url)
    if user or password:
        place = urlsplit(names.without_credentials(url))
        secret = base64.b64encode(f"{user}:{password}".encode()).decode()
        lines += [f'[http "{place.scheme}://{place.netloc}/"]', f'extraHeader = "Authorization: Basic {secret}"']
    return "\n".join([*lines, ""]).encode()


def _bring(remote: _Remote, ref: str) -> str:
    """Fetch what the ref names; the name under which it is here."""
    if _FULL_SHA.fullmatch(ref):
        result = remote.ask(*_fetch_argv(remote, ref, depth=True))
        return _FETCHED if not result.code else _search(remote, ref, result)
    wanted = ("refs/heads/" + ref, "refs/tags/" + ref, ref) if ref else ("HEAD",)
    listed = remote.git("ls-remote", "--quiet", "--", remote.bare_url, *wanted)
    there = {line.partition("\t")[2] for line in listed.splitlines()}
    found = next((name for name in wanted if name in there), "")
    if found:
        _fetch(remote, found)
        return _FETCHED
    if _SHORT_SHA.fullmatch(ref):
        return _search(remote, ref, None)
    raise _not_found(remote, ref)


def _fetch(remote: _Remote, ref: str) -> None:
    """The last commit alone; with its history from a server of plain files, which cannot give less."""
    result = remote.ask(*_fetch_argv(remote, ref, depth=True))
    if result.code and re.search(_NO_SHALLOW, "\n".join(result.errors)):
        result = remote.ask(*_fetch_argv(remote, ref))
    remote.checked(result)


def _fetch_argv(remote: _Remote, *refs: str, depth: bool = False) -> tuple[str, ...]:
    shallow = ("--depth=1",) if depth else ()
    return ("fetch", "--quiet", "--no-tags", "--force", *shallow, "--", remote.bare_url, *refs)


def _search(remote: _Remote, sha: str, first: Result | None) -> str:
    """For a commit that the server does not give by its number: all branches and tags, and look there."""
    if first is not None and not re.search(_SEARCHABLE, "\n".join(first.errors)):
        raise explain(first, remote.bare_url)
    remote.git(*_fetch_argv(remote, *_EVERYTHING))
    if remote.ask("rev-parse", "--verify", "--quiet", "--end-of-options", sha + "^{commit}").code:
        raise _not_found(remote, sha)
    return sha + "^{commit}"


def _not_found(remote: _Remote, ref: str) -> Refused:
    what = f"no branch, tag or commit {ref!r}" if ref else "no commit yet"
    return Refused(
        f"{remote.bare_url} has {what}", code="git_ref_not_found", hint="name one that is there with --ref, or push it"
    )


def _read_commit(remote: _Remote, name: str) -> Commit:
    text = remote.git("log", "-1", "--no-show-signature", "--format=%H%x00%an <%ae>%x00%ct%x00%s", name, "--")
    sha, author, at, message = text.rstrip("\n").split("\0", 3)
    return Commit(sha, author, message, float(at))


def _refuse_unsafe(tree: Path) -> None:
    wrong = [Detail("upload_unsafe", n, f"the link {n!r} leads outside the repository") for n in unsafe_links(tree)]
    if wrong:
        raise refuse(wrong, hint="replace the links by what they lead to")


_ANSWERS: tuple[tuple[str, type[WindlassError], str, str], ...] = (
    (
        r"Authentication failed|could not read (Username|Password)|Permission denied|error: 40[13]|Access denied",
        Refused,
        "git_auth",
        "give user and token in the address, or put this machine's SSH key on the server",
    ),
    (
        r"Host key verification failed",
        Refused,
        "git_auth",
        "add the server's key to known_hosts, once it is proved to be the right one",
    ),
    (
        r"[Rr]epository .*not found|not appear to be a git repository|error: 404|does not exist",
        Refused,
        "git_repository_not_found",
        "check the address; private repositories look absent without credentials",
    ),
    (r"transport .* not allowed", Refused, "git_url_invalid", "use https:// or ssh://"),
    (r"No space left on device", Failed, "disk_full", "windlass doctor shows what takes room"),
    (
        r"unable to access|Could not resolve|Connection (refused|timed out|reset|closed)|Failed to connect|early EOF"
        r"|No route to host|hung up|Network is unreachable",
        OutOfReach,
        "git_unreachable",
        "check the network from this machine, and deploy again",
    ),
)


def explain(result: Result, bare_url: str) -> WindlassError:
    """What Git said, as one of our errors."""
    said = [line for line in result.errors if line and not line.startswith("hint:")]
    text = "\n".join(said)
    words = next((line for line in reversed(said) if line.startswith("fatal:")), said[-1] if said else "Git failed")
    for pattern, kind, code, hint in _ANSWERS:
        if re.search(pattern, text):
            return kind(f"{bare_url}: {words.removeprefix('fatal: ')}", code=code, hint=hint)
    return Failed(f"{bare_url}: {words.removeprefix('fatal: ')}", code="git_failed")
