"""How a commit's deployment is told to the Git server: the one request that each of them takes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit

from windlass.domain.release import DeploymentStatus
from windlass.domain.sources import Source, StatusHost, git_host, is_local

CONTEXT = "windlass"
_LONGEST = 140  # characters of a description that all of them take

_GOOD = frozenset({DeploymentStatus.LIVE, DeploymentStatus.UNCHANGED})
_GITLAB_WORDS: Mapping[bool, str] = {True: "success", False: "failed"}
_OTHER_WORDS: Mapping[bool, str] = {True: "success", False: "failure"}


@dataclass(frozen=True)
class Outcome:
    """`app` as people write it; `target`: where the app is reached."""

    app: str
    commit: str
    status: DeploymentStatus
    release: int | None = None
    target: str = ""
    words: str = ""


@dataclass(frozen=True)
class Call:
    """A POST to be made. The token is in `headers`."""

    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes


def status_call(source: Source, token: str, outcome: Outcome) -> Call | None:
    """None when nobody is to be told, or it cannot be said to whom."""
    repository = _repository(source.url)
    if source.status is StatusHost.NONE or not token or not outcome.commit or not repository:
        return None
    is_good = outcome.status in _GOOD
    text = _description(outcome)[:_LONGEST]
    target = {"target_url": outcome.target} if outcome.target else {}
    base = _base(source.url)
    context = f"{CONTEXT}/{outcome.app}"
    if source.status is StatusHost.GITLAB:
        url = f"{base}/api/v4/projects/{quote(repository, safe='')}/statuses/{outcome.commit}"
        said = {"state": _GITLAB_WORDS[is_good], "name": context, "description": text, **target}
        return _call(url, {"PRIVATE-TOKEN": token}, said)
    said = {"state": _OTHER_WORDS[is_good], "context": context, "description": text, **target}
    if source.status is StatusHost.GITEA:
        url = f"{base}/api/v1/repos/{quote(repository)}/statuses/{outcome.commit}"
        return _call(url, {"Authorization": f"token {token}"}, said)
    api = "https://api.github.com" if git_host(source.url) == "github.com" else f"{base}/api/v3"
    headers = {"Authorization": f"Bearer {token}", "Accept": "application/vnd.github+json"}
    return _call(f"{api}/repos/{quote(repository)}/statuses/{outcome.commit}", headers, said)


def _call(url: str, headers: Mapping[str, str], said: Mapping[str, str]) -> Call:
    return Call(url, {**headers, "Content-Type": "application/json"}, json.dumps(said).encode())


def _description(outcome: Outcome) -> str:
    release = f"release {outcome.release} " if outcome.release else ""
    words = {
        DeploymentStatus.LIVE: f"{release}is live",
        DeploymentStatus.UNCHANGED: "nothing changed, it is live",
        DeploymentStatus.SWITCHED_BACK: f"{release}was switched back",
    }.get(outcome.status, f"{release}{outcome.status.value}")
    return f"{words}: {outcome.words}" if outcome.words else words


def _repository(url: str) -> str:
    """`team/shop`, as the server names it; "" for a local path."""
    if is_local(url):
        return ""
    path = urlsplit(url).path if "://" in url else url.partition(":")[2]
    return path.strip("/").removesuffix(".git")


def _base(url: str) -> str:
    """The server's own address: an SSH one is taken to be served by https under the same name."""
    if url.startswith(("https://", "http://")):
        parts = urlsplit(url)
        return f"{parts.scheme}://{parts.netloc}"
    return f"https://{git_host(url)}"
