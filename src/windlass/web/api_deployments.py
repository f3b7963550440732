"""API: deploy, plan, roll back, cancel, and what became of a deployment."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Request
from sse_starlette.sse import EventSourceResponse
from starlette.concurrency import run_in_threadpool

from windlass.domain.checks import skip_names
from windlass.domain.errors import Usage
from windlass.domain.names import compose_path, git_ref, git_url
from windlass.domain.records import Deployment
from windlass.ports.outside import Outside
from windlass.usecases import preview, requests, views
from windlass.web.guard import is_owner
from windlass.web.inputs import App, Document, World
from windlass.web.stream import deployment_messages, respond
from windlass.web.uploads import Incoming, receive
from windlass.wire.bodies import DeployBody, RollbackBody

router = APIRouter(tags=["deployments"])

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


@router.post("/apps/{app}/deployments", status_code=202, openapi_extra=_FORM)
async def deploy(app: App, request: Request, outside: World) -> Document:
    """Deploy an upload or a Git source; answers at once with the queued deployment."""
    async with receive(request, outside, request.app.state.options.upload_limit) as incoming:
        wanted = await run_in_threadpool(_wanted, outside, app, incoming, is_owner(request.scope))
        deployment = await run_in_threadpool(requests.request_deploy, outside, wanted)
        incoming.keep = True
    return await run_in_threadpool(views.deployment_document, outside, deployment.id)


@router.post("/apps/{app}/plan", openapi_extra=_FORM)
async def plan(app: App, request: Request, outside: World) -> Document:
    """What a deploy would do, and every reason why it would be refused."""
    async with receive(request, outside, request.app.state.options.upload_limit) as incoming:
        wanted = await run_in_threadpool(_wanted, outside, app, incoming, is_owner(request.scope))
        return await run_in_threadpool(preview.plan, outside, wanted)


@router.get("/apps/{app}/deployments")
def list_deployments(app: App, outside: World) -> Document:
    """The deployments of an app, newest first."""
    return views.deployments_document(outside, app)


@router.post("/apps/{app}/rollback", status_code=202)
def rollback(app: App, request: Request, outside: World, body: RollbackBody) -> Document:
    """Bring an earlier release live again."""
    by = _asking(is_owner(request.scope))
    return _told(outside, requests.request_rollback(outside, app, body.to, by))


@router.post("/apps/{app}/cancel", status_code=202)
def cancel(app: App, outside: World) -> Document:
    """Cancel the deployment under way; what it did is taken back before its slot is free."""
    return _told(outside, requests.cancel(outside, app))


@router.get("/deployments/{id}")
def deployment(id: str, outside: World) -> Document:
    """A deployment: status, steps, error."""
    return views.deployment_document(outside, id)


@router.get("/deployments/{id}/events", response_class=EventSourceResponse)
async def deployment_events(
    id: str,
    request: Request,
    outside: World,
    last_event_id: Annotated[str | None, Header()] = None,
) -> EventSourceResponse:
    """Server-sent events of a deployment, from after `Last-Event-ID`; the last one, `end`, is its document."""
    await run_in_threadpool(outside.store.deployments.get, id)
    return respond(deployment_messages(outside, request.app.state.feed, id, event_number(last_event_id)))


def event_number(text: str | None) -> int:
    """The number in a `Last-Event-ID`; 0 when there is none."""
    if not text:
        return 0
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise Usage("Last-Event-ID is not a number of an event")
    return int(text)


def _told(outside: Outside, deployment: Deployment) -> Document:
    return views.deployment_document(outside, deployment.id)


def _wanted(outside: Outside, app: str, incoming: Incoming, owner: bool) -> requests.DeployRequest:
    body = incoming.body
    _check_source(body, incoming, owner)
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
        by=_asking(owner),
        skip_checks=skip_names(body.skip_checks),
    )


def _asking(owner: bool) -> str:
    """Who it is, for the record: who came by the unix socket, or who had a token."""
    return "owner" if owner else "token"


def _check_source(body: DeployBody, incoming: Incoming, owner: bool) -> None:
    """A repository on this machine's disk is for its owner: others could read what is not theirs."""
    if body.source_kind == "git":
        git_url(body.url, allow_file=owner)
        if body.ref:
            git_ref(body.ref)
        if incoming.upload is not None:
            raise Usage("a Git source comes without a file", code="source_invalid")
    elif body.source_kind != "upload" or incoming.upload is None:
        raise Usage("source_kind is upload with a file, or git with a url", code="source_invalid")


def _values(outside: Outside, body: DeployBody) -> dict[str, str]:
    """Files first, in order; what was set by name wins."""
    found: dict[str, str] = {}
    for text in body.env:
        found |= outside.compose.read_env(text)
    return found | body.values
