"""What an app comes from: set, shown, removed; the keys and tokens for it are never shown."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field, replace
from typing import Any

from windlass.domain import names
from windlass.domain.errors import Conflict, Usage
from windlass.domain.names import shown
from windlass.domain.sources import (
    DEFAULT_BRANCH,
    KEY,
    STATUS_TOKEN,
    TOKEN,
    Auth,
    Source,
    SourceKind,
    StatusHost,
    check_source,
    git_host,
    image_of,
    is_local,
    is_ssh,
)
from windlass.ports.outside import Outside
from windlass.usecases.admission import new_app
from windlass.usecases.fetching import source_of
from windlass.usecases.polling import begin_polling

GENERATE = "generate"


@dataclass(frozen=True)
class Setting:
    """What is asked for. With `url` all of it is new; without one, None is as before, or as production has it.

    `key`: a private key, or `generate`. `public`: no token or key any more; without it, token or key the way in stays
    as it was while the server is the same. `local`: paths of this machine are allowed.
    """

    app: str
    url: str = ""
    branch: str | None = None
    path: str | None = None
    compose: tuple[str, ...] | None = None
    watch: tuple[str, ...] | None = None
    submodules: bool | None = None
    lfs: bool | None = None
    poll_s: float | None = None
    user: str = ""
    token: str = field(default="", repr=False)
    key: str = field(default="", repr=False)
    public: bool = False
    status: str | None = None
    status_token: str = field(default="", repr=False)
    local: bool = False


def set_source(outside: Outside, setting: Setting) -> dict[str, Any]:
    """Keep it, for the next deploy. The app need not be there yet. Raises Refused with all that is wrong."""
    app = names.docker_name(names.app_name(setting.app))
    model = _model(outside, app)
    source, secrets, gone = _with_access(outside, _wished(outside, app, setting, model), setting, model)
    source = check_source(source, allow_file=setting.local)
    _ensure_app(outside, app)
    outside.store.sources.set(source, secrets, gone)
    facts = {"url": source.url, "branch": source.branch, "auth": source.auth.value}
    outside.store.events.add(source.set_at, app, "", "source", facts)
    begin_polling(outside, source)
    return describe_source(source)


def show_source(outside: Outside, app: str) -> dict[str, Any]:
    """Raises NotFound source_not_set."""
    return describe_source(source_of(outside, names.docker_name(names.app_name(app))))


def remove_source(outside: Outside, app: str) -> dict[str, Any]:
    """The app goes on; its token and key are forgotten."""
    name = names.docker_name(names.app_name(app))
    source_of(outside, name)
    outside.store.sources.remove(name)
    outside.store.events.add(outside.clock.now(), name, "", "source", {"removed": True})
    return {"app": shown(name)}


def trust_source(outside: Outside, app: str) -> dict[str, Any]:
    """Forget the server's SSH keys: those it shows next time are taken, and remembered."""
    name = names.docker_name(names.app_name(app))
    source_of(outside, name)
    source = outside.store.sources.update(name, host_keys="")
    outside.store.events.add(outside.clock.now(), name, "", "source", {"host_keys": "forgotten"})
    return describe_source(source) if source else {"app": shown(name)}


def describe_source(source: Source) -> dict[str, Any]:
    """As the API shows it: without secrets."""
    return {
        "app": shown(source.app),
        "kind": source.kind.value,
        "url": source.url,
        "branch": source.branch,
        "path": source.path,
        "compose": list(source.compose),
        "watch": list(source.watch),
        "submodules": source.submodules,
        "lfs": source.lfs,
        "poll": source.poll_s,
        "auth": source.auth.value,
        "user": source.user,
        "public_key": source.public_key,
        "host_keys": fingerprints(source.host_keys),
        "status": source.status.value,
        "seen": source.seen,
        "problem": source.problem,
        "set_at": source.set_at,
    }


def fingerprints(host_keys: str) -> list[str]:
    """Of the lines of a known_hosts file, as `ssh-keygen -l` prints them."""
    found = []
    for line in host_keys.splitlines():
        words = line.split()
        if len(words) >= 3:
            digest = hashlib.sha256(base64.b64decode(words[2] + "==")).digest()
            found.append(f"{words[1]} SHA256:{base64.b64encode(digest).decode().rstrip('=')}")
    return found


def _model(outside: Outside, app: str) -> Source | None:
    """The source of before; for a new environment the one of production."""
    own = outside.store.sources.find(app)
    if own is not None:
        return own
    return outside.store.sources.find(app.partition("--")[0])


def _wished(outside: Outside, app: str, setting: Setting, model: Source | None) -> Source:
    """Without a way in yet."""
    now = outside.clock.now()
    image = image_of(setting.url)
    if image:
        return Source(app, SourceKind.IMAGE, image, now)
    if setting.url:
        return _said(setting, Source(app, SourceKind.GIT, names.without_credentials(setting.url), now, DEFAULT_BRANCH))
    if model is None or model.kind is not SourceKind.GIT:
        raise Usage(
            f"{shown(app)} has no repository yet, so its address has to be named",
            code="source_url_missing",
            hint=f"windlass source set {shown(app)} URL",
        )
    bare = replace(model, auth=Auth.NONE, user="", public_key="", host_keys="", seen="", problem="")
    return _said(setting, replace(bare, app=app, set_at=now))


def _said(setting: Setting, source: Source) -> Source:
    """What is asked for in place of what is there."""
    given: dict[str, Any] = {
        "branch": setting.branch,
        "path": None if setting.path is None else _folder(setting.path),
        "compose": _paths(setting.compose),
        "watch": _filled(setting.watch),
        "submodules": setting.submodules,
        "lfs": setting.lfs,
        "poll_s": setting.poll_s,
        "user": setting.user,
        "status": None if setting.status is None else _status_host(setting.status),
    }
    return replace(source, **{name: value for name, value in given.items() if value is not None})


def _filled(words: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """One empty word clears the list."""
    return () if words == ("",) else words


def _paths(words: tuple[str, ...] | None) -> tuple[str, ...] | None:
    found = _filled(words)
    return None if found is None else tuple(names.compose_path(path) for path in found)


def _folder(path: str) -> str:
    """Empty for the whole repository."""
    found = names.compose_path(path) if path else ""
    return "" if found == "." or not found.strip("/") else found


def _status_host(text: str) -> StatusHost:
    try:
        return StatusHost(text)
    except ValueError:
        known = ", ".join(host for host in StatusHost if host)
        raise Usage(f"{text!r} is not one of {known}", code="status_host_invalid") from None


Kept = tuple[Source, dict[str, str], tuple[str, ...]]


def _with_access(outside: Outside, source: Source, setting: Setting, model: Source | None) -> Kept:
    """The source with its way in, the secrets to keep for it, and the names of those to forget."""
    user, password = names.credentials(setting.url)
    token = setting.token or password
    if (token and setting.key) or (setting.public and (token or setting.key)):
        raise Usage("give one of a token, a deploy key and --public", code="auth_ambiguous")
    secrets = {STATUS_TOKEN: setting.status_token} if setting.status_token else {}
    if setting.key:
        return _with_key(outside, source, setting.key, secrets)
    if token:
        named = replace(source, auth=Auth.TOKEN, user=setting.user or user)
        return named, {**secrets, TOKEN: token}, (KEY,)
    if model is None or setting.public or not _may_take_over(model, source):
        return source, secrets, (TOKEN, KEY, *(() if setting.status_token else (STATUS_TOKEN,)))
    kept = replace(
        source, auth=model.auth, user=setting.user or model.user, public_key=model.public_key, host_keys=model.host_keys
    )
    return kept, {**_inherited(outside, model, source), **secrets}, ()


def _with_key(outside: Outside, source: Source, key: str, secrets: dict[str, str]) -> Kept:
    comment = f"windlass-{source.app}"
    made = outside.git.make_key(comment) if key == GENERATE else outside.git.read_key(key)
    before = outside.store.sources.find(source.app)
    pinned = before.host_keys if before is not None and _same_server(before, source) else ""
    named = replace(source, auth=Auth.KEY, public_key=made.public, host_keys=pinned)
    return named, {**secrets, KEY: made.private}, (TOKEN,)


def _may_take_over(model: Source, source: Source) -> bool:
    """An app keeps its way in while the server is the same; another environment gets it for the very repository."""
    return _same_server(model, source) if model.app == source.app else model.url == source.url


def _same_server(model: Source, source: Source) -> bool:
    """Where a token or key of the one may be shown for the other."""
    if SourceKind.IMAGE in (model.kind, source.kind) or is_local(model.url) or is_local(source.url):
        return False
    return (_place(model.url), is_ssh(model.url)) == (_place(source.url), is_ssh(source.url))


def _place(url: str) -> str:
    """The server with its port and scheme."""
    if "://" not in url:
        return git_host(url)
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.partition('/')[0].rpartition('@')[2].lower()}"


def _inherited(outside: Outside, model: Source, source: Source) -> dict[str, str]:
    """An environment that takes over production's source takes its way in as well."""
    if model.app == source.app:
        return {}
    kept = outside.store.sources.secrets(model.app)
    return {name: kept[name] for name in (TOKEN, KEY, STATUS_TOKEN) if name in kept}


def _ensure_app(outside: Outside, app: str) -> None:
    known = outside.store.apps.find(app)
    if known is None:
        outside.store.apps.add(new_app(outside, app))
    elif known.removing:
        raise Conflict(f"{shown(app)} is being removed", code="removing", hint=f"windlass status {shown(app)}")
