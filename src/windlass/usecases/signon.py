"""Log-in by an OpenID provider: set up, bound to users, begun in the browser and finished when it comes back."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from windlass.domain.credentials import secret_text
from windlass.domain.errors import Conflict, NotFound, Refused, WindlassError
from windlass.domain.oidc import (
    LoginRefused,
    Provider,
    authorization_url,
    bound_user,
    check_claims,
    flow_of,
    identities_of,
    identity,
    new_flow,
    new_name,
    valid_issuer,
    without_user,
)
from windlass.domain.people import User
from windlass.domain.rights import DEFAULT_PROJECT, role_named
from windlass.ports.oidc import OidcClient
from windlass.ports.outside import Outside
from windlass.usecases.auditing import record
from windlass.usecases.logins import SECRET_BYTES, begin_session, count_source, forget_source


def provider_document(outside: Outside) -> dict[str, Any]:
    """{"issuer" or null, "client_id", "callback": to be registered there, "role", "items": [{"identity", "user"}]}."""
    return _document(outside.store.sign_on.get())


def has_provider(outside: Outside) -> bool:
    return outside.store.sign_on.get() is not None


def set_provider(outside: Outside, wish: Provider) -> dict[str, Any]:
    """It is asked first; who is bound stays so for the same issuer. Raises Usage, LoginRefused, OutOfReach."""
    valid_issuer(wish.issuer)
    valid_issuer(wish.url)
    if wish.role:
        role_named(wish.role)
    _client(outside).discover(wish.issuer)

    def change(before: Provider | None) -> Provider:
        same = before is not None and before.issuer == wish.issuer
        return replace(wish, bindings=before.bindings if before is not None and same else {})

    return _document(outside.store.sign_on.change(change))


def remove_provider(outside: Outside) -> dict[str, Any]:
    return _document(outside.store.sign_on.change(lambda _: None))


def bind(outside: Outside, user: str, text: str) -> dict[str, Any]:
    """Let this identity log in as the user. Raises Usage, NotFound, Conflict identity_taken."""
    outside.store.users.get(user)
    key = identity(text)

    def change(before: Provider | None) -> Provider:
        known = _needed(before)
        if known.bindings.get(key, user) != user:
            raise Conflict("somebody else logs in by this identity", code="identity_taken", hint="windlass oidc show")
        return replace(known, bindings={**known.bindings, key: user})

    return _document(outside.store.sign_on.change(change))


def unbind(outside: Outside, user: str) -> dict[str, Any]:
    """No identity logs in as the user any more."""
    return _document(outside.store.sign_on.change(lambda known: known and _without(known, user)))


# ---- the log-in -----------------------------------------------------------------------------------------------------


def begin(outside: Outside) -> tuple[str, str]:
    """The cookie by which the browser is known again, and where it goes. Raises NotFound, OutOfReach, LoginRefused."""
    provider = _needed(outside.store.sign_on.get())
    flow = new_flow(secret_text(secrets.token_bytes(SECRET_BYTES)), outside.clock.now())
    return flow.cookie, authorization_url(provider, _client(outside).discover(provider.issuer), flow)


def finish(outside: Outside, cookie: str, query: Mapping[str, str], source: str) -> str:
    """Begin a session; its cookie. Raises LoginRefused, OutOfReach, Locked; tries count by where they come from."""
    provider = _needed(outside.store.sign_on.get())
    flow = flow_of(cookie, query.get("state", ""), outside.clock.now())
    count_source(outside, source)
    try:
        if "code" not in query:
            raise LoginRefused("the provider did not let you in", code="oidc_denied", hint="log in again")
        client = _client(outside)
        endpoints = client.discover(provider.issuer)
        token = client.exchange(provider, endpoints, query["code"], flow.verifier)
        claims = client.read(endpoints, token)
        check_claims(claims, provider, flow.nonce, outside.clock.now())
        user = _user(outside, provider, claims, source)
    except WindlassError as error:
        record(outside, "", source, "login.failed", data={"user": "", "wrong": error.code})
        raise
    forget_source(outside, source)
    return begin_session(outside, user, source, by="oidc")


def _user(outside: Outside, provider: Provider, claims: Mapping[str, Any], source: str) -> User:
    """Who is known by an address is known by the subject from then on: an address may be given to somebody else."""
    keys = identities_of(claims)
    key, name = bound_user(provider, keys)
    found = outside.store.users.find(name) if name else None
    if found is None:
        return _made(outside, provider, claims, source)
    if key != keys[0]:
        record(outside, found.name, source, "oidc.bind", data={"user": found.name})
        _rebind(outside, key, keys[0], found.name)
    return found


def _made(outside: Outside, provider: Provider, claims: Mapping[str, Any], source: str) -> User:
    """A new user, where the provider's people become one; never one that is there already."""
    if not provider.role:
        words = "the provider knows you, but you are no user here"
        raise LoginRefused(words, code="oidc_unknown", hint="an admin: windlass oidc bind NAME ADDRESS")
    name = new_name(claims)
    if outside.store.users.find(name) is not None:
        words = "a user of your name is here already, and not bound to the provider"
        raise LoginRefused(words, code="oidc_name", hint="an admin: windlass oidc bind NAME ADDRESS")
    record(outside, name, source, "user.add", data={"user": name, "by": "oidc", "role": provider.role})
    user = User(name, outside.clock.now())
    outside.store.users.add(user)
    outside.store.users.set_role(name, DEFAULT_PROJECT, role_named(provider.role))
    _rebind(outside, "", identities_of(claims)[0], name)
    return user


def _rebind(outside: Outside, old: str, new: str, user: str) -> None:
    def change(before: Provider | None) -> Provider | None:
        if before is None:
            return None
        kept = {key: name for key, name in before.bindings.items() if key != old}
        return replace(before, bindings={**kept, new: user})

    outside.store.sign_on.change(change)


def _without(provider: Provider, user: str) -> Provider:
    return replace(provider, bindings=without_user(provider, user))


def _needed(provider: Provider | None) -> Provider:
    if provider is None:
        raise NotFound("there is no OpenID provider to log in by", code="oidc_not_set", hint="windlass oidc set")
    return provider


def _client(outside: Outside) -> OidcClient:
    if outside.oidc is None:
        raise Refused("this windlass asks no OpenID provider", code="oidc_not_here")
    return outside.oidc


def _document(provider: Provider | None) -> dict[str, Any]:
    if provider is None:
        return {"issuer": None, "client_id": "", "url": "", "callback": "", "role": "", "items": []}
    return {
        "issuer": provider.issuer,
        "client_id": provider.client_id,
        "url": provider.url,
        "callback": provider.callback,
        "role": provider.role,
        "items": [{"identity": key, "user": user} for key, user in sorted(provider.bindings.items())],
    }
