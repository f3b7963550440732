"""Previews of an app: turned on and off, brought about by webhooks, and taken away when their time is over."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from windlass.domain import names
from windlass.domain.errors import Conflict, NotFound, WindlassError
from windlass.domain.names import shown
from windlass.domain.previews import (
    Preview,
    PreviewRules,
    PreviewState,
    checked_rules,
    fork_item,
    preview_app,
    values_app,
)
from windlass.domain.pullrequests import Change, PullRequest
from windlass.domain.records import App, Deployment, Job
from windlass.domain.sources import KEY, STATUS_TOKEN, TOKEN, Source, SourceKind
from windlass.ports.outside import Outside
from windlass.usecases.admission import new_app
from windlass.usecases.auditing import record
from windlass.usecases.previewends import KIND, end_all, end_later, end_now
from windlass.usecases.removal import remove
from windlass.usecases.requests import DeployRequest, request_deploy
from windlass.usecases.routes import default_host

__all__ = ["KIND", "Followed", "Wish", "describe", "end", "follow", "let_forks_in", "turn_off", "turn_on"]

MOST_WAITING = 50
RETRY_S = 30.0


@dataclass(frozen=True)
class Followed:
    """What a request came to. `result`: queued, waiting, closed or ignored."""

    result: str
    reason: str = ""
    deployment: Deployment | None = None


@dataclass(frozen=True)
class Wish:
    """The rules that are asked for; None: as it was, or as rules begin."""

    app: str
    limit: int | None = None
    keep_s: float | None = None
    memory: int | None = None
    cpus: float | None = None
    pids: int | None = None


# --- what the operator does ------------------------------------------------------------------------------------------


def describe(outside: Outside, app: str) -> dict[str, Any]:
    """{"app", "on", "limit", "keep", "memory", "cpus", "pids", "values", "items": [one per known request]}."""
    name = _known(outside, app)
    rules = outside.store.previews.rules(name)
    said = rules or PreviewRules(name)
    return {
        "app": shown(name),
        "on": rules is not None,
        "limit": said.most,
        "keep": said.keep_s,
        "memory": said.memory,
        "cpus": said.cpus,
        "pids": said.pids,
        "values": shown(values_app(name)),
        "items": [_item(outside, preview) for preview in outside.store.previews.of(name)],
    }


def turn_on(outside: Outside, wish: Wish) -> dict[str, Any]:
    """Or change the rules, for what is deployed from now on. Raises Refused, Conflict preview_values_taken."""
    name = _known(outside, wish.app)
    before = outside.store.previews.rules(name) or PreviewRules(name)
    said: dict[str, Any] = {
        "most": wish.limit,
        "keep_s": wish.keep_s,
        "memory": wish.memory,
        "cpus": wish.cpus,
        "pids": wish.pids,
    }
    wanted = checked_rules(replace(before, **{key: value for key, value in said.items() if value is not None}))
    values = values_app(name)
    known = outside.store.apps.find(values)
    if outside.store.sources.find(values) is not None or (known is not None and known.live is not None):
        raise Conflict(
            f"{shown(values)} is an environment of its own; its variables would be given to every preview",
            code="preview_values_taken",
            hint=f"move it to an environment of another name; then windlass previews on {shown(name)}",
        )
    outside.store.previews.set_rules(wanted)
    outside.store.events.add(outside.clock.now(), name, "", "previews", {"on": True, "limit": wanted.most})
    return describe(outside, name)


def turn_off(outside: Outside, app: str) -> dict[str, Any]:
    """The previews that are there are taken away with their data."""
    name = _known(outside, app)
    outside.store.previews.drop_rules(name)
    ended = end_all(outside, name)
    outside.store.events.add(outside.clock.now(), name, "", "previews", {"on": False, "ended": [*map(shown, ended)]})
    return describe(outside, name)


def let_forks_in(outside: Outside, base: str, numbers: list[int], by: str) -> list[Deployment]:
    """An owner has consented to these requests: those that wait are brought about. Raises Conflict preview_limit."""
    rules, source = outside.store.previews.rules(base), outside.store.sources.find(base)
    waiting = [p for p in outside.store.previews.of(base) if p.number in numbers and p.state is PreviewState.WAITING]
    if rules is None or source is None:
        return []
    return [_open(outside, _prolonged(outside, p, rules), rules, source, by) for p in waiting]


def _known(outside: Outside, app: str) -> str:
    name = names.docker_name(names.app_name(app))
    outside.store.apps.get(name)
    return name


def _item(outside: Outside, preview: Preview) -> dict[str, Any]:
    known = outside.store.apps.find(preview.app)
    is_there = known is not None and known.live is not None
    port = "" if outside.http_port == 80 else f":{outside.http_port}"
    return {
        "app": shown(preview.app),
        "number": preview.number,
        "fork": preview.fork,
        "state": preview.state.value,
        "live": known.live if known is not None else None,
        "url": f"http://{default_host(preview.app, outside.domain)}{port}" if is_there else "",
        "opened_at": preview.opened_at,
        "until": preview.until,
    }


# --- what a webhook brings -------------------------------------------------------------------------------------------


def follow(outside: Outside, base: str, request: PullRequest, by: str) -> Followed:
    """`base` as in the store. Raises Conflict when the preview is just being removed."""
    rules, source = outside.store.previews.rules(base), outside.store.sources.find(base)
    if rules is None or source is None or source.kind is not SourceKind.GIT:
        why = "it has no repository" if rules is not None else f"windlass previews on {shown(base)}"
        return Followed("ignored", f"no previews are made of {shown(base)}: {why}")
    app = preview_app(base, request.number)
    known = outside.store.previews.find(app)
    if request.change is Change.CLOSED:
        return _close(outside, base, request, known)
    if known is None and outside.store.sources.find(app) is not None:
        return Followed("ignored", f"{shown(app)} is there already, and was made by hand")
    return _follow_push(outside, _wanted(outside, base, request, known), rules, source, by)


def _wanted(outside: Outside, base: str, request: PullRequest, known: Preview | None) -> Preview:
    """A request that ever was a fork's stays one, whatever a later delivery says."""
    now, app = outside.clock.now(), preview_app(base, request.number)
    fork = request.fork or (known is not None and known.fork)
    waits = fork and fork_item(request.number) not in outside.store.consents.all(base)
    state = PreviewState.WAITING if waits else PreviewState.OPEN
    return Preview(app, base, request.number, request.ref, fork, state, known.opened_at if known else now, now)


def _follow_push(outside: Outside, wanted: Preview, rules: PreviewRules, source: Source, by: str) -> Followed:
    preview = _prolonged(outside, wanted, rules)
    if preview.state is PreviewState.OPEN:
        try:
            return Followed("queued", deployment=_open(outside, preview, rules, source, by))
        except Conflict as error:
            if error.code != "preview_limit":
                raise
            return Followed("ignored", error.message)
    if not outside.store.previews.keep(preview, MOST_WAITING):
        return Followed("ignored", f"{MOST_WAITING} requests of forks wait already")
    end_later(outside, preview, preview.until)
    item = f"windlass consent {shown(preview.base)} {fork_item(preview.number)}"
    return Followed("waiting", f"the request comes from a fork and waits for an owner's consent: {item}")


def _prolonged(outside: Outside, preview: Preview, rules: PreviewRules) -> Preview:
    return replace(preview, until=outside.clock.now() + rules.keep_s)


def _open(outside: Outside, preview: Preview, rules: PreviewRules, source: Source, by: str) -> Deployment:
    """Its end is queued before anything of it is made. Raises Conflict preview_limit."""
    wanted = replace(preview, state=PreviewState.OPEN)
    if not outside.store.previews.keep(wanted, rules.most):
        raise Conflict(
            f"{shown(preview.base)} has {rules.most} previews already, and may not have more",
            code="preview_limit",
            hint=f"close a request, or windlass previews on {shown(preview.base)} --limit {rules.most + 1}",
        )
    end_later(outside, wanted, wanted.until)
    _ensure_app(outside, wanted)
    _set_source(outside, wanted, source)
    return request_deploy(outside, DeployRequest(shown(wanted.app), "source", trigger="hook", by=by))


def _ensure_app(outside: Outside, preview: Preview) -> App:
    known = outside.store.apps.find(preview.app)
    if known is None:
        known = new_app(outside, preview.app)
        outside.store.apps.add(known)
    elif known.removing:
        raise Conflict(f"{shown(preview.app)} is being removed; send it again later", code="removing")
    return known


def _set_source(outside: Outside, preview: Preview, source: Source) -> None:
    """The app's own, but for the ref. A fork says where its submodules are: none are fetched with the app's token."""
    own = replace(
        source,
        app=preview.app,
        branch=preview.ref,
        set_at=outside.clock.now(),
        poll_s=0.0,
        submodules=source.submodules and not preview.fork,
        seen="",
        problem="",
    )
    kept = outside.store.sources.secrets(source.app)
    secrets = {name: kept[name] for name in (TOKEN, KEY, STATUS_TOKEN) if name in kept}
    outside.store.sources.set(own, secrets, (TOKEN, KEY, STATUS_TOKEN))


def _close(outside: Outside, base: str, request: PullRequest, known: Preview | None) -> Followed:
    """The consent goes too: a request that is opened again is looked at again."""
    outside.store.consents.revoke(base, [fork_item(request.number)])
    if known is None:
        return Followed("ignored", "there is no preview of it")
    end_now(outside, known)
    return Followed("closed", f"{shown(known.app)} is taken away")


# --- the end ---------------------------------------------------------------------------------------------------------


def end(outside: Outside, job: Job) -> None:
    """Take it away with its data; what could not be done is tried again. One that was prolonged has another job."""
    preview = outside.store.previews.find(str(job.args["app"]))
    now = outside.clock.now()
    if preview is None or preview.until > now:
        return
    try:
        remove(outside, shown(preview.app), True)
    except NotFound:
        pass
    except WindlassError as error:
        text = f"the preview's time is over, and it could not be removed yet: {error.message}"
        outside.store.events.add(now, preview.app, "", "warning", {"text": text})
        end_later(outside, preview, now + RETRY_S, int(job.args["attempt"]) + 1)
        return
    if outside.store.apps.find(preview.base) is not None:
        record(outside, "preview", "", "preview.end", app=preview.base, data={"app": shown(preview.app)})
    outside.store.previews.forget(preview)
