"""API: deploy, plan, roll back, cancel, and what became of a deployment."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Header, Request
from sse_starlette.sse import EventSourceResponse
from starlette.concurrency import run_in_threadpool

from windlass.domain.checks import skip_names
from windlass.domain.errors import Usage
from windlass.domain.names import compose_path, git_ref, git_url
from windlass.domain.records import Deployment
from windlass.domain.rights import Caller, Permission
from windlass.ports.outside import Outside
from windlass.usecases import approvals, preview, requests, views
from windlass.usecases.admission import Place, admit
from windlass.usecases.auditing import actor_of
from windlass.web.inputs import App, Document, Pages, Who, World
from windlass.web.needs import needs
from windlass.web.routing import guarded_router
from windlass.web.stream import deployment_messages, respond
from windlass.web.uploads import Incoming, receive
from windlass.wire.answers import PLAN
from windlass.wire.bodies import DeployBody, RollbackBody
from windlass.wire.people import DecisionBody

router = guarded_router("deployments")

DEPLOYMENTS = 50

_FORM: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {"type": "object", "description": "A Git source: parameters alone."}},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["source"],
                    "properties": {
                        "parameters": {"type": "string", "description": "The parameters as JSON."},
                        "source": {
                            "type": "string",
                            "format": "binary",
                            "description": "The folder as .tar or .tar.gz.",
                        },
                    },
                }
            },
        },
    }
}

_PLAN: dict[int | str, dict[str, Any]] = {200: {"content": {"application/json": {"schema": PLAN}}}}


@router.post("/apps/{app}/deployments", status_code=202, openapi_extra=_FORM)
@needs(Permission.APP_DEPLOY, "app.deploy", told=("source_kind", "url", "ref", "commit", "force"))
async def deploy(app: App, request: Request, outside: World, who: Who) -> Document:
    """Deploy an upload or a Git source; answers at once with the queued deployment."""
    async with receive(request, outside, request.app.state.options.upload_limit) as incoming:
        wanted = await run_in_threadpool(_wanted, outside, app, incoming, who)
        deployment = await run_in_threadpool(requests.request_deploy, outside, wanted)
        incoming.keep = True
    return await run_in_threadpool(views.deployment_document, outside, deployment.id)


@router.post("/apps/{app}/plan", openapi_extra=_FORM, responses=_PLAN)
@needs(Permission.APP_DEPLOY, "app.plan", told=("source_kind", "url", "ref", "commit"))
async def plan(app: App, request: Request, outside: World, who: Who) -> Document:
    """What a deploy would do, and every reason why it would be refused."""
    async with receive(request, outside, request.app.state.options.upload_limit) as incoming:
        wanted = await run_in_threadpool(_wanted, outside, app, incoming, who)
        return await run_in_threadpool(preview.plan, outside, wanted)


@router.get("/apps/{app}/deployments")
@needs(Permission.APP_READ)
def list_deployments(app: App, outside: World, pages: Pages) -> Document:
    """The deployments of an app, newest first."""
    return pages.told(views.deployments_document(outside, app, pages.page(DEPLOYMENTS)))


@router.post("/apps/{app}/rollback", status_code=202)
@needs(Permission.APP_DEPLOY, "app.rollback", told=("to", "without_approval"))
def rollback(app: App, outside: World, who: Who, body: RollbackBody) -> Document:
    """Bring an earlier release live again."""
    if body.without_approval:
        admit(outside, who, Permission.APP_DEPLOY_UNAPPROVED, Place(app=app))
    by, user = actor_of(who), who.name
    return _told(outside, requests.request_rollback(outside, app, body.to, by, user, body.without_approval))


@router.post("/apps/{app}/cancel", status_code=202)
@needs(Permission.APP_DEPLOY, "app.cancel")
def cancel(app: App, outside: World) -> Document:
    """Cancel the deployment under way; what it did is taken back before its slot is free."""
    return _told(outside, requests.cancel(outside, app))


@router.post("/deployments/{id}/approve", status_code=202)
@needs(Permission.APP_DEPLOY_PROTECTED, "deployment.approve", told=("note",))
def approve(id: str, outside: World, who: Who, body: DecisionBody) -> Document:
    """Let a deployment begin that waits for a second person; not for the one who asked for it."""
    return _told(outside, approvals.approve(outside, who, id, body.note))


@router.post("/deployments/{id}/reject", status_code=202)
@needs(Permission.APP_DEPLOY_PROTECTED, "deployment.reject", told=("note",))
def reject(id: str, outside: World, who: Who, body: DecisionBody) -> Document:
    """End a deployment that waits for a second person."""
    return _told(outside, approvals.reject(outside, who, id, body.note))


@router.get("/deployments/{id}")
@needs(Permission.APP_READ)
def deployment(id: str, outside: World) -> Document:
    """A deployment: status, steps, error."""
    return views.deployment_document(outside, id)


@router.get("/deployments/{id}/events", response_class=EventSourceResponse)
@needs(Permission.APP_READ)
async def deployment_events(
    id: str,
    request: Request,
    outside: World,
    last_event_id: Annotated[str | None, Header()] = None,
) -> EventSourceResponse:
    """Server-sent events of a deployment, from after `Last-Event-ID`; the last one, `end`, is its document."""
    await run_in_threadpool(outside.store.deployments.get, id)
    feed = request.app.state.feed
    return respond(deployment_messages(outside, feed, id, event_number(last_event_id)), feed)


def event_number(text: str | None) -> int:
    """The number in a `Last-Event-ID`; 0 when there is none."""
    if not text:
        return 0
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise Usage("Last-Event-ID is not a number of an event")
    return int(text)


def _told(outside: Outside, deployment: Deployment) -> Document:
    return views.deployment_document(outside, deployment.id)


def _wanted(outside: Outside, app: str, incoming: Incoming, who: Caller) -> requests.DeployRequest:
    """Values that come with a deployment are the app's when it is live: to send some takes the right to set them."""
    body = incoming.body
    _check_source(body, incoming, who.kind == "owner")
    if body.values or body.env:
        admit(outside, who, Permission.ENV_WRITE, Place(app=app))
    return requests.DeployRequest(
        app=app,
        source_kind=body.source_kind,
        upload=incoming.upload,
        url=body.url,
        ref=body.ref,
        commit=body.commit,
        compose=tuple(compose_path(path) for path in body.compose),
        profiles=tuple(body.profiles),
        values=_values(outside, body),
        pull=body.pull,
        force=body.force,
        yes=body.yes,
        dirty=body.dirty,
        skip_tests=body.skip_tests,
        skip_verify=body.skip_verify,
        skip_build=body.skip_build,
        no_backup=body.no_backup,
        by=actor_of(who),
        user=who.name,
        skip_checks=skip_names(body.skip_checks),
    )


def _check_source(body: DeployBody, incoming: Incoming, owner: bool) -> None:
    """A repository on this machine's disk is for its owner: others could read what is not theirs."""
    if body.source_kind == "git":
        git_url(body.url, allow_file=owner)
        if body.ref:
            git_ref(body.ref)
        if incoming.upload is not None:
            raise Usage("a Git source comes without a file", code="source_invalid")
    elif body.source_kind in ("image", "source"):
        if incoming.upload is not None:
            raise Usage("an image or the app's own source comes without a file", code="source_invalid")
    elif body.source_kind != "upload" or incoming.upload is None:
        words = "source_kind is upload with a file, git or image with a url, or source"
        raise Usage(words, code="source_invalid")


def _values(outside: Outside, body: DeployBody) -> dict[str, str]:
    """Files first, in order; what was set by name wins."""
    found: dict[str, str] = {}
    for text in body.env:
        found |= outside.compose.read_env(text)
    return found | body.values
