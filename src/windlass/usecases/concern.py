"""Whether a commit that came by itself, by webhook or poll, is to be deployed; what is kept of every commit."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from windlass.domain.errors import Refused
from windlass.domain.sources import asks_to_skip
from windlass.ports.sources import Commit
from windlass.usecases.fetching import Wanted
from windlass.usecases.preparation import Preparation, Unchanged

_LONGEST_LINE = 200


def commit_facts(commit: Commit) -> dict[str, Any]:
    """What a release says of its commit."""
    first = next(iter(commit.message.splitlines()), "")
    return {
        "commit": commit.sha,
        "author": commit.author[:_LONGEST_LINE],
        "message": first[:_LONGEST_LINE],
        "committed_at": commit.at or None,
    }


def keep_commit(prep: Preparation, wanted: Wanted, commit: Commit) -> None:
    """With the deployment, which outlives a refused release; and as what was last seen of the branch."""
    outside, deployment = prep.work.outside, prep.deployment
    options = {**deployment.options, "commit": commit.sha}
    prep.deployment = outside.store.deployments.update(deployment.id, options=options)
    source = outside.store.sources.find(wanted.app) if wanted.own else None
    ref = options.get("ref") if options.get("pinned") else wanted.ref
    if source is not None and ref == source.branch and commit.sha:
        outside.store.sources.update(wanted.app, seen=commit.sha)


def leave_out_skipped(prep: Preparation, commit: Commit) -> None:
    """Raises Unchanged, or Refused when nothing is live yet, for a push whose message asks for it."""
    if prep.deployment.options.get("trigger") and asks_to_skip(commit.message):
        _leave_out(prep, "the commit's message says that it is not to be deployed")


def leave_out_unconcerned(prep: Preparation, folder: Path, written: Sequence[str]) -> None:
    """Raises Unchanged for a push that changes none of the files that the app watches.

    They are compared with those of the live release, and not with what a webhook says that was changed.
    """
    outside, app = prep.work.outside, prep.deployment.app
    source = outside.store.sources.find(app)
    globs = (source.watch if source is not None else ()) or tuple(written)
    watched = outside.trees.digest(folder, globs) if globs else ""
    outside.store.releases.update(app, prep.number, watched=watched)
    live = outside.store.apps.get(app).live
    if not prep.deployment.options.get("trigger") or live is None or not watched:
        return
    if outside.store.releases.get(app, live).watched == watched:
        _leave_out(prep, f"nothing changed of what the app watches: {', '.join(globs)[:_LONGEST_LINE]}")


def _leave_out(prep: Preparation, why: str) -> None:
    prep.journal.note("note", {"text": f"not deployed: {why}"})
    live = prep.work.outside.store.apps.get(prep.deployment.app).live
    if live is None:
        raise Refused(f"not deployed: {why}", code="deploy_skipped", hint="windlass deploy --app APP")
    raise Unchanged(live)
