"""Brings what is to be deployed into a folder: an upload, a commit of a repository, or an image as its own project."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from windlass.domain import sources
from windlass.domain.errors import NotFound, Refused
from windlass.domain.names import shown
from windlass.domain.previews import fork_item
from windlass.domain.sources import Source
from windlass.ports.outside import Outside
from windlass.ports.sources import ANYBODY, Access, Commit

COMPOSE_FILE = "compose.yaml"


@dataclass(frozen=True)
class Wanted:
    """`kind`: upload, git or image. `own`: it is the app's own source, which has a way in."""

    app: str
    kind: str
    url: str = ""
    ref: str = ""
    upload: Path | None = None
    commit: str = ""
    own: bool = False


def obtain(outside: Outside, wanted: Wanted, folder: Path, cancelled: Callable[[], bool] = lambda: False) -> Commit:
    """Into the folder, which is empty or not there. Raises what Git, the upload or the way in say against it."""
    if wanted.kind == "image":
        outside.trees.put(folder, COMPOSE_FILE, sources.generated_compose(wanted.url), is_executable=False)
        return Commit("")
    if wanted.kind == "git":
        access = _own_access(outside, wanted) if wanted.own else ANYBODY
        return outside.git.fetch(wanted.url, wanted.ref, folder, access=access, cancelled=cancelled)
    if wanted.upload is not None:
        outside.trees.unpack(wanted.upload, folder)
    return Commit(wanted.commit)


def _own_access(outside: Outside, wanted: Wanted) -> Access:
    """Its token and key are for its address only, which may have been changed since it was asked for."""
    source = source_of(outside, wanted.app)
    _refuse_strangers(outside, wanted.app)
    if source.url != wanted.url:
        raise NotFound(
            f"{shown(wanted.app)} has another source since this was asked for",
            code="source_changed",
            hint=f"windlass deploy --app {shown(wanted.app)}",
        )
    return access_to(outside, source)


def _refuse_strangers(outside: Outside, app: str) -> None:
    """Nobody deploys the request of a fork while its consent is not there, or not there any more."""
    preview = outside.store.previews.find(app)
    if preview is None or not preview.fork:
        return
    item = fork_item(preview.number)
    if item not in outside.store.consents.all(preview.base):
        raise Refused(
            f"{shown(app)} comes from a fork, and no owner has consented to it",
            code="preview_waits",
            hint=f"windlass consent {shown(preview.base)} {item}",
        )


def source_of(outside: Outside, app: str) -> Source:
    """Raises NotFound source_not_set."""
    found = outside.store.sources.find(app)
    if found is None:
        outside.store.apps.get(app)
        raise NotFound(
            f"{shown(app)} has no source",
            code="source_not_set",
            hint=f"windlass source set {shown(app)} URL --branch main",
        )
    return found


def access_to(outside: Outside, source: Source) -> Access:
    """The way in to an app's source; a server that is seen for the first time is remembered."""
    secrets = outside.store.sources.secrets(source.app)

    def pin(host_keys: str) -> None:
        outside.store.sources.update(source.app, host_keys=host_keys)

    return Access(
        user=source.user,
        token=secrets.get(sources.TOKEN, "") if source.auth is sources.Auth.TOKEN else "",
        key=secrets.get(sources.KEY, "") if source.auth is sources.Auth.KEY else "",
        host_keys=source.host_keys,
        pin=pin,
        submodules=source.submodules,
        lfs=source.lfs,
        folder=source.path,
    )
