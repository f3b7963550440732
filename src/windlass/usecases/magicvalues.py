"""Makes the values that other tools make up at the first deploy."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import string
import uuid
from collections.abc import Iterable, Mapping

from windlass.domain.dialects.magic import Kind, Secret

_WORD = string.ascii_letters + string.digits
_SYMBOLS = _WORD + "-._~"  # in a URL they stand for themselves
_TOKEN_ROLES = {Kind.ANON_TOKEN: "anon", Kind.SERVICE_TOKEN: "service_role"}
_SIGNING_KEY = "SERVICE_PASSWORD_JWT"
_TOKEN_LIFE_S = 100 * 365 * 24 * 3600


def make_secrets(asked: Iterable[Secret], given: Mapping[str, str], now: float) -> dict[str, str]:
    """New values for those that have none."""
    wanted = [s for s in asked if s.name not in given]
    if any(s.kind in _TOKEN_ROLES for s in wanted) and _SIGNING_KEY not in given:
        wanted.append(Secret(_SIGNING_KEY, Kind.WORD, 64))
    made = {s.name: _random(s) for s in wanted if s.kind not in _TOKEN_ROLES}
    key = {**made, **given}.get(_SIGNING_KEY, "")
    made |= {s.name: _token(key, _TOKEN_ROLES[s.kind], int(now)) for s in wanted if s.kind in _TOKEN_ROLES}
    return made


def _random(secret: Secret) -> str:
    if secret.kind is Kind.BASE64:
        return base64.b64encode(secrets.token_bytes(secret.size)).decode()
    if secret.kind is Kind.HEX:
        return secrets.token_hex(secret.size)
    if secret.kind is Kind.UUID:
        return str(uuid.UUID(bytes=secrets.token_bytes(16), version=4))
    alphabet = _SYMBOLS if secret.kind is Kind.SYMBOLS else _WORD
    # A letter first: names of users that begin with a digit need quotes in SQL.
    text = secrets.choice(string.ascii_letters) + "".join(secrets.choice(alphabet) for _ in range(secret.size - 1))
    return text.lower() if secret.kind is Kind.SMALL_WORD else text


def _token(key: str, role: str, now: int) -> str:
    """A JSON web token, signed with HMAC-SHA256."""
    header = {"typ": "JWT", "alg": "HS256"}
    claims = {"iss": "supabase", "iat": now, "exp": now + _TOKEN_LIFE_S, "role": role}
    body = ".".join(_encoded(json.dumps(part, separators=(",", ":")).encode()) for part in (header, claims))
    return f"{body}.{_encoded(hmac.digest(key.encode(), body.encode(), hashlib.sha256))}"


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")
