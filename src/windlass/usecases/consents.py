"""What an app wishes of the machine beyond the ordinary, and what the operator allowed it; never read from Git."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from windlass.domain.consentitems import unknown_items
from windlass.domain.errors import Detail, NotFound, Refused, Usage, refuse
from windlass.domain.names import shown
from windlass.domain.previews import PreviewState, base_of, fork_item, forks_of, is_preview
from windlass.domain.redact import clean
from windlass.ports.outside import Outside
from windlass.usecases.liveapp import docker_name
from windlass.usecases.previews import let_forks_in

ITEM_LENGTH = 1000


def list_wishes(outside: Outside, app: str) -> dict[str, Any]:
    """{"items": [{"item", "service", "message", "given"}]} of the latest deployment that was read.

    Consents that nothing wishes any more are listed too, so that they can be taken back. Raises NotFound.
    """
    name = docker_name(app)
    outside.store.apps.get(name)
    given = outside.store.consents.all(name)
    items = [
        {**wish, "given": wish["item"] in given} for wish in [*(_wishes(outside, name) or ()), *_forks(outside, name)]
    ]
    wished = {item["item"] for item in items}
    items += [
        {"item": item, "service": "", "message": "given earlier; nothing wishes it now", "given": True}
        for item in given
        if item not in wished
    ]
    return {"items": items}


def give(outside: Outside, app: str, items: Sequence[str]) -> dict[str, Any]:
    """Allow them from the next deployment on; the requests of forks are deployed at once.

    Raises Usage, NotFound (the app), Refused for what it does not wish and for a preview, Conflict preview_limit.
    """
    name = docker_name(app)
    outside.store.apps.get(name)
    wanted = _checked(items)
    if is_preview(name):
        raise _no_consent(name)
    forks = forks_of(wanted)
    wishes = _wishes(outside, name)
    known = None if wishes is None else {w["item"] for w in wishes} | set(outside.store.consents.all(name))
    asked = {fork["item"] for fork in _forks(outside, name)}
    items_of_app = [item for item in wanted if forks_of([item]) == []]
    unknown = [*unknown_items(items_of_app, known, shown(name)), *_unknown_forks(name, forks, asked)]
    if unknown:
        raise refuse(unknown)
    now = outside.clock.now()
    outside.store.consents.give(name, wanted, now)
    outside.store.events.add(now, name, "", "consent", {"given": wanted})
    let_forks_in(outside, name, forks, "consent")
    return list_wishes(outside, app)


def revoke(outside: Outside, app: str, items: Sequence[str]) -> dict[str, Any]:
    """Take them back; what runs goes on as it is, and the next deployment is refused. Raises Usage, NotFound."""
    name = docker_name(app)
    outside.store.apps.get(name)
    wanted = _checked(items)
    missing = [item for item in wanted if item not in outside.store.consents.all(name)]
    if missing:
        raise NotFound(
            f"not given to {shown(name)}: {', '.join(missing)}",
            code="consent_not_found",
            hint=f"windlass consent {shown(name)}",
        )
    outside.store.consents.revoke(name, wanted)
    outside.store.events.add(outside.clock.now(), name, "", "consent", {"revoked": wanted})
    return list_wishes(outside, app)


def _forks(outside: Outside, app: str) -> list[dict[str, Any]]:
    """The requests of forks that are known."""
    found = [preview for preview in outside.store.previews.of(app) if preview.fork]
    words = {PreviewState.WAITING: "waits", PreviewState.OPEN: "has a preview"}
    return [
        {"item": fork_item(p.number), "service": "", "message": f"request {p.number}, of a fork, {words[p.state]}"}
        for p in found
    ]


def _unknown_forks(app: str, forks: Sequence[int], asked: set[str]) -> list[Detail]:
    fix = f"windlass previews list {shown(app)}"
    return [
        Detail("consent_unknown", fork_item(n), f"no request {n} of a fork is known to {shown(app)}", fix)
        for n in forks
        if fork_item(n) not in asked
    ]


def _no_consent(app: str) -> Refused:
    base = base_of(app)
    return Refused(
        f"{shown(app)} is a preview: to those no consent is given",
        code="preview_refused",
        hint=f"try it in an environment of its own: windlass source set {base}@staging --branch BRANCH",
    )


def _checked(items: Sequence[str]) -> list[str]:
    wanted = list(dict.fromkeys(items))
    wrong = [i for i in wanted if not i.strip() or len(i) > ITEM_LENGTH or clean(i) != i or "\n" in i or "\t" in i]
    if not wanted or wrong:
        raise Usage(
            "consent is given to items by name; empty ones and control characters are not names",
            code="consent_invalid",
            hint="windlass consent APP lists them",
        )
    return wanted


def _wishes(outside: Outside, app: str) -> list[dict[str, Any]] | None:
    """One entry per item and service, of the newest deployment whose source was read; None before the first."""
    for deployment in outside.store.deployments.of_app(app):
        kept = deployment.options.get("wishes")
        if kept is not None:
            found = [{key: str(w.get(key, "")) for key in ("item", "service", "message")} for w in kept]
            return list({(w["item"], w["service"]): w for w in found}.values())
    return None
