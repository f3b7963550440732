"""API: tokens for programs, and the log of every change."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from windlass.domain.rights import Permission
from windlass.usecases import auditing, tokens
from windlass.usecases.tokens import DEFAULT_S, TokenWish
from windlass.web.inputs import Document, Pages, Who, World
from windlass.web.needs import for_whom_it_concerns, needs
from windlass.web.routing import guarded_router
from windlass.wire.people import TokenBody

router = guarded_router("access")


@router.get("/tokens")
@for_whom_it_concerns()
def list_tokens(outside: World, who: Who, pages: Pages) -> Document:
    """The caller's tokens; all of them for an admin. What was shown once is not kept."""
    return pages.told(tokens.tokens_document(outside, who, pages.page()))


@router.post("/tokens", status_code=201)
@for_whom_it_concerns("token.create", told=("name", "scopes", "seconds", "app", "project"))
def create_token(outside: World, who: Who, body: TokenBody) -> Document:
    """Make a token, shown only now. It never may more than the one who made it."""
    seconds = DEFAULT_S if body.seconds is None else body.seconds or None
    return tokens.create_token(outside, who, TokenWish(body.name, body.scopes, seconds, body.app, body.project))


@router.delete("/tokens/{id}")
@for_whom_it_concerns("token.revoke")
def revoke_token(id: str, outside: World, who: Who) -> Document:
    """Take a token back, by its id or name; it is refused from now on."""
    return tokens.revoke_token(outside, who, id)


@router.get("/audit")
@needs(Permission.AUDIT_READ)
def audit(
    outside: World,
    pages: Pages,
    before: Annotated[int | None, Query(ge=1, lt=1 << 62, description="The same as `cursor`")] = None,
    app: str = "",
) -> Document:
    """Who changed what, newest first."""
    page = pages.page(auditing.PAGE)
    return pages.told(auditing.entries_document(outside, page.number or before, app, page.limit))


@router.get("/audit/verify")
@needs(Permission.AUDIT_READ)
def verify_audit(outside: World) -> Document:
    """Reads the whole log, and tells whether an entry was changed, removed or put in."""
    return auditing.verify_document(outside)
