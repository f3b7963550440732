"""Log-in by an OpenID provider: what is kept of it, what goes to it, and what of its answer has to be right."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

from windlass.domain.errors import NotAllowed, Usage
from windlass.domain.people import user_name

CALLBACK = "/login/oidc/callback"
FLOW_S = 600.0
LEEWAY_S = 60.0
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "ES256", "ES384")  # never one by a shared secret, never none

_MAIL = re.compile(r"[^\s@<>\"]{1,64}@[^\s@<>\"]{1,190}")
_SUBJECT = re.compile(r"[\x21-\x7e]{1,255}")
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class LoginRefused(NotAllowed):
    """The provider's answer is not believed, or leads to no user."""

    default_code = "oidc_refused"


@dataclass(frozen=True)
class Provider:
    """`url`: where people reach windlass. `role`: what a person without a user becomes, "" lets none in.

    `bindings`: `sub:…` or `mail:…` -> user. Subjects are the provider's, and do not change.
    """

    issuer: str
    client_id: str
    secret: str = field(repr=False)
    url: str
    role: str = ""
    bindings: Mapping[str, str] = field(default_factory=dict)

    @property
    def callback(self) -> str:
        return self.url.rstrip("/") + CALLBACK


@dataclass(frozen=True)
class Endpoints:
    authorization: str
    token: str
    keys: str
    basic: bool = True  # the client's secret goes in the header


@dataclass(frozen=True)
class Flow:
    """What one log-in is known by. All of it follows from the browser's cookie, so nothing is kept meanwhile."""

    cookie: str
    begun_at: float

    @property
    def state(self) -> str:
        return self._derived("state")

    @property
    def nonce(self) -> str:
        return self._derived("nonce")

    @property
    def verifier(self) -> str:
        return self._derived("verifier")

    def _derived(self, what: str) -> str:
        return _b64(hmac.new(self.cookie.encode(), what.encode(), hashlib.sha256).digest())


def new_flow(secret: str, now: float) -> Flow:
    return Flow(f"{int(now)}.{secret}", float(int(now)))


def flow_of(cookie: str, state: str, now: float) -> Flow:
    """The one that this browser began. Raises LoginRefused for another's, or when it took too long."""
    begun, _, secret = cookie.partition(".")
    if not secret or not (begun.isascii() and begun.isdigit() and len(begun) < 12):
        raise LoginRefused("this log-in was not begun here", code="oidc_state", hint="log in again")
    flow = Flow(cookie, float(begun))
    if not hmac.compare_digest(flow.state.encode(), state.encode()):
        raise LoginRefused("this log-in was not begun here", code="oidc_state", hint="log in again")
    if not 0 <= now - flow.begun_at <= FLOW_S:
        raise LoginRefused("this log-in took too long", code="oidc_expired", hint="log in again")
    return flow


def authorization_url(provider: Provider, endpoints: Endpoints, flow: Flow) -> str:
    """Where the browser is sent: with PKCE, state and nonce."""
    query = {
        "response_type": "code",
        "client_id": provider.client_id,
        "redirect_uri": provider.callback,
        "scope": "openid email profile",
        "state": flow.state,
        "nonce": flow.nonce,
        "code_challenge": _b64(hashlib.sha256(flow.verifier.encode()).digest()),
        "code_challenge_method": "S256",
    }
    return f"{endpoints.authorization}{'&' if '?' in endpoints.authorization else '?'}{urlencode(query)}"


def endpoints_of(issuer: str, document: Any) -> Endpoints:
    """From the provider's description of itself. Raises LoginRefused oidc_provider."""
    if not isinstance(document, dict) or document.get("issuer") != issuer:
        raise LoginRefused("the provider describes itself as another one", code="oidc_provider")
    found = [str(document.get(name) or "") for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")]
    for place in found:
        if not _is_safe(place):
            raise LoginRefused("the provider names an endpoint without TLS, or none", code="oidc_provider")
    methods = document.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
    return Endpoints(found[0], found[1], found[2], "client_secret_basic" in methods)


def check_claims(claims: Mapping[str, Any], provider: Provider, nonce: str, now: float) -> None:
    """Of a token whose signature is right. Raises LoginRefused with what is wrong."""
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    said_nonce, expires = claims.get("nonce"), claims.get("exp")
    begun = claims.get("iat", now)
    wrong = {
        "oidc_issuer": claims.get("iss") != provider.issuer,
        "oidc_audience": provider.client_id not in audiences
        or (len(audiences) > 1 and claims.get("azp") != provider.client_id),
        "oidc_nonce": not isinstance(said_nonce, str) or not hmac.compare_digest(said_nonce.encode(), nonce.encode()),
        "oidc_expired": not isinstance(expires, int | float) or expires + LEEWAY_S <= now,
        "oidc_not_yet": not isinstance(begun, int | float) or begun - LEEWAY_S > now,
        "oidc_subject": not isinstance(claims.get("sub"), str) or not _SUBJECT.fullmatch(str(claims.get("sub"))),
    }
    for code, is_wrong in wrong.items():
        if is_wrong:
            raise LoginRefused("the provider's token is not for this log-in", code=code, hint="log in again")


def identities_of(claims: Mapping[str, Any]) -> tuple[str, ...]:
    """By which names the person may be bound: the subject, and an e-mail address that the provider has verified."""
    mail = str(claims.get("email") or "").lower()
    is_verified = claims.get("email_verified") is True and _MAIL.fullmatch(mail)
    return (f"sub:{claims['sub']}", *([f"mail:{mail}"] if is_verified else []))


def identity(text: str) -> str:
    """As it is kept: an e-mail address, or `sub:` and the subject. Raises Usage identity_invalid."""
    kind, _, rest = text.partition(":")
    if kind == "sub" and _SUBJECT.fullmatch(rest):
        return text
    if _MAIL.fullmatch(text):
        return f"mail:{text.lower()}"
    raise Usage(
        f"{text[:80]!r} is no identity: an e-mail address, or sub: and the provider's subject", code="identity_invalid"
    )


def new_name(claims: Mapping[str, Any]) -> str:
    """For a person who becomes a user. Raises LoginRefused when the provider's names will not do."""
    mail = str(claims.get("email") or "") if claims.get("email_verified") is True else ""
    for found in (claims.get("preferred_username"), mail.partition("@")[0]):
        try:
            return user_name(str(found or "").lower())
        except Usage:
            continue
    raise LoginRefused("the provider tells no name that a user can have", code="oidc_name", hint="ask an admin")


def valid_issuer(text: str) -> str:
    """Raises Usage issuer_invalid: an https address without query, or http on this machine."""
    if not _is_safe(text) or "?" in text or "#" in text:
        raise Usage(f"{text[:200]!r} is no issuer: an https:// address is", code="issuer_invalid")
    return text


def without_user(provider: Provider, user: str) -> Mapping[str, str]:
    return {key: name for key, name in provider.bindings.items() if name != user}


def bound_user(provider: Provider, keys: Sequence[str]) -> tuple[str, str]:
    """The key and the user it is bound to; ("", "") when there is none."""
    return next(((key, provider.bindings[key]) for key in keys if key in provider.bindings), ("", ""))


def _is_safe(url: str) -> bool:
    parts = urlsplit(url)
    is_here = parts.scheme == "http" and parts.hostname in _LOOPBACK
    return bool(parts.netloc) and "@" not in parts.netloc and (parts.scheme == "https" or is_here)


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
