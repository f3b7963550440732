"""Webhooks: shown to the operator, and received from Git servers; a push deploys the environments of its branch."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from windlass.domain import names
from windlass.domain.errors import Conflict, Refused
from windlass.domain.hooks import KEPT_S, Verdict, Word, judge
from windlass.domain.hooksigns import make_secret
from windlass.domain.names import shown
from windlass.domain.previews import is_preview
from windlass.domain.sources import HOOK, Source, SourceKind
from windlass.ports.outside import Outside
from windlass.usecases import previews
from windlass.usecases.auditing import record
from windlass.usecases.requests import DeployRequest, request_deploy

PATH = "/hooks/"
SECRET_BYTES = 32


class HookRefused(Refused):
    default_code = "hook_refused"


@dataclass(frozen=True)
class Delivery:
    """What came. `headers` with names in small letters; `source`: from where."""

    app: str
    headers: Mapping[str, str]
    body: bytes
    source: str


def show_hook(outside: Outside, app: str, base: str, *, reveal: bool, renew: bool) -> dict[str, Any]:
    """{"app", "url", "secret" or null, "notes"}; a secret is made when there is none. `base`: where we are reached."""
    name = names.docker_name(names.app_name(app))
    secret = outside.store.sources.keep_secret(name, HOOK, make_secret(secrets.token_bytes(SECRET_BYTES)), renew=renew)
    notes = []
    if not base:
        notes.append("the control plane listens on its unix socket alone: windlass up --hooks-host HOST")
    if outside.store.sources.find(name) is None:
        notes.append(f"there is no source yet: windlass source set {shown(name)} URL --branch main")
    url = f"{base.rstrip('/')}{PATH}{shown(name)}"
    return {"app": shown(name), "url": url, "secret": secret if reveal else None, "notes": notes}


def receive_hook(outside: Outside, delivery: Delivery) -> dict[str, Any]:
    """{"result", "reason", "deployments": [{"app", "deployment"}]}.

    `result`: pong, ignored, queued; of a request's preview also closed, or waiting for consent.

    Raises HookRefused for a delivery that is not proved, in the same words whether or not there is such an app;
    Conflict hook_replayed for one that was received before.
    """
    app = names.docker_name(names.app_name(delivery.app))
    secret = outside.store.sources.secrets(app).get(HOOK) or secrets.token_hex(SECRET_BYTES)
    now = outside.clock.now()
    verdict = judge(delivery.headers, delivery.body, secret, now)
    if verdict.word is Word.REFUSED:
        _write_down(outside, delivery, verdict, {"failed": verdict.reason})
        raise HookRefused(f"the webhook is refused: {verdict.reason}", hint=f"windlass hook show {shown(app)}")
    if outside.store.sources.is_marked(app, verdict.marks):
        _write_down(outside, delivery, verdict, {"failed": "it was received before"})
        raise Conflict("this delivery was received before", code="hook_replayed")
    answer = _carry_out(outside, delivery, verdict, app)
    outside.store.sources.mark(app, verdict.marks, now, now - KEPT_S)  # not before: what failed may be sent again
    return answer


def _carry_out(outside: Outside, delivery: Delivery, verdict: Verdict, app: str) -> dict[str, Any]:
    if verdict.word is Word.PING:
        return _answer("pong")
    if verdict.word is Word.PULL_REQUEST and verdict.request is not None:
        return _follow_request(outside, delivery, verdict, app)
    if verdict.word is not Word.PUSH:
        return _answer("ignored", verdict.reason)
    meant = targets(outside.store.sources.all(), app, verdict.branch)
    if not meant:
        return _answer("ignored", f"nothing is deployed from the branch {verdict.branch}")
    _write_down(outside, delivery, verdict, {"branch": verdict.branch, "apps": [shown(s.app) for s in meant]})
    by = f"hook:{verdict.provider}"
    queued = [request_deploy(outside, DeployRequest(shown(s.app), "source", trigger="hook", by=by)) for s in meant]
    return _answer("queued", deployments=[{"app": shown(d.app), "deployment": d.id} for d in queued])


def _follow_request(outside: Outside, delivery: Delivery, verdict: Verdict, app: str) -> dict[str, Any]:
    """Written down when it comes to anything."""
    request = verdict.request
    if request is None or "--" in app:
        return _answer("ignored", "previews are made by the webhook of the app itself")
    followed = previews.follow(outside, app, request, f"hook:{verdict.provider}")
    if followed.result != "ignored":
        said = {"request": request.number, "change": request.change.value, "fork": request.fork}
        _write_down(outside, delivery, verdict, {**said, "result": followed.result})
    made = [followed.deployment] if followed.deployment is not None else []
    deployments = [{"app": shown(d.app), "deployment": d.id} for d in made]
    return _answer(followed.result, followed.reason, deployments)


def targets(sources: Sequence[Source], app: str, branch: str) -> list[Source]:
    """Whom a push to the branch concerns: the app, and at production's hook its other environments too."""
    own = [s for s in sources if (s.app == app or s.app.startswith(app + "--")) and not is_preview(s.app)]
    return [s for s in own if s.kind is SourceKind.GIT and s.branch == branch]


def _answer(result: str, reason: str = "", deployments: Sequence[Mapping[str, str]] = ()) -> dict[str, Any]:
    return {"result": result, "reason": reason, "deployments": list(deployments)}


def _write_down(outside: Outside, delivery: Delivery, verdict: Verdict, data: Mapping[str, Any]) -> None:
    app = names.docker_name(names.app_name(delivery.app))
    if outside.store.apps.find(app) is not None:
        who = f"hook ({verdict.provider or 'unknown'})"
        what = "hook.request" if verdict.request is not None else "hook.push"
        record(outside, who, delivery.source, what, app=app, data=data)
