"""One remote repository and the commands that Git is given for it: what it may do, what it is told, what it answers."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from windlass.adapters.gitaccess import Way
from windlass.adapters.process import Command, Result, memory, run, surroundings
from windlass.domain import names
from windlass.domain.errors import Failed, OutOfReach, Refused, WindlassError

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


@dataclass(frozen=True)
class GitRules:
    """`allow_local`: paths and file:// as addresses; `allow_http`: http:// also to other machines."""

    allow_local: bool = False
    allow_http: bool = False
    timeout_s: float = 300.0
    ask_timeout_s: float = 30.0


@dataclass(frozen=True)
class Remote:
    """One address, the way there, and the empty repository into which it is fetched."""

    url: str
    folder: Path
    rules: GitRules
    cancelled: Callable[[], bool]
    way: Way = Way()

    @property
    def bare_url(self) -> str:
        return names.without_credentials(self.url)

    def begin(self) -> None:
        self.git("init", "--quiet", "--bare", "--template=", "--", str(self.folder))

    def git(self, *arguments: str) -> str:
        return self.checked(self.ask(*arguments)).text

    def ask(self, *arguments: str) -> Result:
        command = Command(
            git_argv(self.folder, arguments, transports(self.url)),
            cwd=self.folder.parent,
            environment=environment() | self.way.variables,
            files=(self.way.configuration,),
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
        "GIT_ASKPASS": "false",  # an empty answer would do for Git; Git LFS would send it again and again
        "SSH_ASKPASS_REQUIRE": "never",
        "GIT_ATTR_NOSYSTEM": "1",
    }


_ANSWERS: tuple[tuple[str, type[WindlassError], str, str], ...] = (
    (
        r"REMOTE HOST IDENTIFICATION HAS CHANGED|host key .*has (just been )?changed",
        Refused,
        "git_host_key_changed",
        "somebody may stand between; when the new key is proved to be the server's: windlass source trust APP",
    ),
    (
        r"Authentication failed|could not read (Username|Password)|Permission denied|error: 40[13]|Access denied",
        Refused,
        "git_auth",
        "let windlass in: windlass source set APP URL --token-stdin (https), or --deploy-key generate (SSH);"
        " windlass source show APP shows the public half of its key",
    ),
    (
        r"error: 30[12378]|unable to update url base from redirection",
        Refused,
        "git_moved",
        "give the address that it has now (often it only lacks .git at the end): a token is not taken along elsewhere",
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
