"""Asks an OpenID provider, over HTTP and without following it anywhere, and checks what it has signed."""

from __future__ import annotations

import base64
import http.client
import json
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from windlass.domain.errors import OutOfReach, Refused
from windlass.domain.oidc import ALGORITHMS, Endpoints, LoginRefused, Provider, endpoints_of

TIMEOUT_S = 10.0
KEPT_S = 600.0
_LIMIT = 1 << 20


class HttpOidc:
    """ports.oidc.OidcClient. What a provider says of itself is kept for a while; its keys are asked for anew."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[float, Endpoints]] = {}

    def discover(self, issuer: str) -> Endpoints:
        at, known = self._known.get(issuer, (0.0, None))
        if known is not None and time.monotonic() - at < KEPT_S:
            return known
        document = _ask(issuer.rstrip("/") + "/.well-known/openid-configuration")
        found = endpoints_of(issuer, document)
        self._known = {issuer: (time.monotonic(), found)}
        return found

    def exchange(self, provider: Provider, endpoints: Endpoints, code: str, verifier: str) -> str:
        fields = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": provider.callback,
            "code_verifier": verifier,
        }
        headers = {}
        if endpoints.basic:
            words = f"{quote(provider.client_id, safe='')}:{quote(provider.secret, safe='')}"
            headers["Authorization"] = f"Basic {base64.b64encode(words.encode()).decode()}"
        else:
            fields |= {"client_id": provider.client_id, "client_secret": provider.secret}
        answer = _ask(endpoints.token, urlencode(fields).encode(), headers)
        token = answer.get("id_token") if isinstance(answer, dict) else None
        if not isinstance(token, str):
            raise LoginRefused("the provider gave no identity token", code="oidc_token")
        return token

    def read(self, endpoints: Endpoints, token: str) -> Mapping[str, Any]:
        keys = _ask(endpoints.keys)
        try:
            from joserfc import jwt
            from joserfc.errors import JoseError
            from joserfc.jwk import KeySet
        except ImportError as error:
            words = "log-in by OpenID needs a library that is not installed"
            raise Refused(words, code="oidc_extra_missing", hint="pip install 'windlass[oidc]'") from error
        try:
            known = KeySet.import_key_set(keys)
            return dict(jwt.decode(token, known, algorithms=list(ALGORITHMS)).claims)
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise LoginRefused("the provider's token is not signed by it", code="oidc_signature") from error


def _ask(url: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> Any:
    """What it answers, as JSON."""
    import urllib.error
    import urllib.request  # needed rarely, and not small

    class Nowhere(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_: Any) -> None:
            return None

    known = {"User-Agent": "windlass", "Accept": "application/json", **(headers or {})}
    request = urllib.request.Request(url, data=body, headers=known)
    try:
        with urllib.request.build_opener(Nowhere()).open(request, timeout=TIMEOUT_S) as answer:
            return json.loads(answer.read(_LIMIT))
    except urllib.error.HTTPError as error:
        with error:
            raise LoginRefused(f"the provider answered HTTP {error.code}", code="oidc_provider") from error
    except ValueError as error:
        raise LoginRefused("the provider's answer cannot be read", code="oidc_provider") from error
    except (OSError, http.client.HTTPException) as error:
        raise OutOfReach("the provider does not answer; log in by password", code="oidc_away") from error
