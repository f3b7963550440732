"""Tokens for programs: made with a scope and an end, shown once, and taken back."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from windlass.domain import names
from windlass.domain.credentials import hash_secret, token_text
from windlass.domain.errors import NotAllowed, NotFound, Usage
from windlass.domain.names import shown
from windlass.domain.paging import Page, cut
from windlass.domain.people import Token, project_name, token_name
from windlass.domain.rights import Caller, Permission, may, scope_named
from windlass.ports.outside import Outside
from windlass.usecases.logins import SECRET_BYTES

DEFAULT_S = 90 * 86400.0
LONGEST_S = 10 * 366 * 86400.0


@dataclass(frozen=True)
class TokenWish:
    """`seconds`: how long it is good, None for ever. `app` and `project`: confined to these, "" to none."""

    name: str
    scopes: Sequence[str]
    seconds: float | None = DEFAULT_S
    app: str = ""
    project: str = ""


def create_token(outside: Outside, caller: Caller, wish: TokenWish) -> dict[str, Any]:
    """{"id", "name", "token": shown only now, …}. It never may more than the one who made it, now and later.

    Raises Usage, NotAllowed for a token that is confined itself.
    """
    if caller.limits is not None:
        raise NotAllowed("a confined token cannot make tokens", code="token_confined", hint="log in, or ask an admin")
    _check(wish)
    text = token_text(secrets.token_bytes(SECRET_BYTES))
    now = outside.clock.now()
    token = Token(
        id=secrets.token_hex(5),
        name=wish.name,
        user="" if caller.name == "owner" else caller.name,
        hash=hash_secret(text),
        scopes=tuple(dict.fromkeys(wish.scopes)),
        created_at=now,
        expires_at=None if wish.seconds is None else now + wish.seconds,
        project=wish.project,
        app=names.docker_name(wish.app) if wish.app else "",
    )
    outside.store.tokens.add(token)
    return {**_token(token), "token": text}


def tokens_document(outside: Outside, caller: Caller, page: Page) -> dict[str, Any]:
    """One's own; all of them for who manages tokens. The oldest first."""
    seen = [t for t in outside.store.tokens.all() if _may_see(caller, t)]
    shown, more = cut(seen, page, lambda token: f"{token.created_at:020.6f}-{token.id}")
    return {"items": [_token(t) for t in shown], "next": more}


def own_tokens(outside: Outside, caller: Caller) -> list[dict[str, Any]]:
    """Those that the caller made and may take back."""
    return [_token(t) for t in outside.store.tokens.all() if t.user == caller.name and caller.limits is None]


def revoke_token(outside: Outside, caller: Caller, id: str) -> dict[str, Any]:
    """By its id, or by its name when only one has it. Raises NotFound."""
    own = [t for t in outside.store.tokens.all() if _may_see(caller, t)]
    found = [t for t in own if t.id == id] or [t for t in own if t.name == id]
    if len(found) != 1:
        what = "is the name of several tokens; give the id" if found else "is no token"
        raise NotFound(f"{id[:80]!r} {what}", code="token_not_found", hint="windlass token list")
    outside.store.tokens.remove(found[0].id)
    return _token(found[0])


def adopt_token(outside: Outside, hash: str) -> None:
    """A token that an earlier windlass kept in a file of its own is one like the others from now on."""
    if hash and outside.store.tokens.by_hash(hash) is None:
        now = outside.clock.now()
        outside.store.tokens.add(Token(secrets.token_hex(5), "first", "", hash, ("all",), now))


def _may_see(caller: Caller, token: Token) -> bool:
    return may(caller, Permission.TOKENS_MANAGE) or (token.user == caller.name and caller.limits is None)


def _check(wish: TokenWish) -> None:
    token_name(wish.name)
    if not wish.scopes:
        hint = "windlass token create NAME --scope deployer"
        raise Usage("a token needs a scope: what it may", code="scope_missing", hint=hint)
    for word in wish.scopes:
        scope_named(word)
    if wish.app:
        names.app_name(wish.app)
    if wish.project:
        project_name(wish.project)
    if wish.seconds is not None and not 0 < wish.seconds <= LONGEST_S:
        raise Usage("a token is good for at most ten years, or for ever", code="duration_invalid")


def _token(token: Token) -> dict[str, Any]:
    return {
        "id": token.id,
        "name": token.name,
        "user": token.user or "owner",
        "scopes": list(token.scopes),
        "app": shown(token.app) or None,
        "project": token.project or None,
        "created_at": token.created_at,
        "expires_at": token.expires_at,
        "used_at": token.used_at,
    }
