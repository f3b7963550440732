"""The signatures of webhooks: which Git server's they are, and whether the app's secret made them."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

GITLAB_S = 300.0  # how far the clocks may differ
GITEE_S = 3600.0
SECRET_PREFIX = "whsec_"
SHORTEST_SECRET = 16

_HEX = re.compile(r"[0-9a-f]{64}")
_UNPRINTABLE = re.compile(r"[^\x21-\x7e]")
_LONGEST_MARK = 200

WRONG = "the signature is not the one that the app's secret makes"
MISSING = "it is not signed"


@dataclass(frozen=True)
class Signed:
    """`refusal` "": it comes from the Git server. `marks`: what this delivery is known by."""

    provider: str = ""
    event: str = ""
    marks: tuple[str, ...] = ()
    refusal: str = ""


@dataclass(frozen=True)
class _Delivery:
    headers: Mapping[str, str]
    body: bytes
    secret: str
    now: float

    def __getitem__(self, name: str) -> str:
        return self.headers.get(name, "")


def make_secret(random: bytes) -> str:
    """In the one form that all of them take: GitLab's signing tokens are written so."""
    return SECRET_PREFIX + base64.b64encode(random).decode()


def verify(headers: Mapping[str, str], body: bytes, secret: str, now: float) -> Signed:
    """Told by the headers whose it is; each is checked in its own way only, and none without a secret."""
    delivery = _Delivery(headers, body, secret, now)
    for header, provider, check in _KNOWN:
        if header in headers:
            signed = Signed(provider, delivery[header])
            if len(secret) < SHORTEST_SECRET:
                return replace(signed, refusal="the app has no secret for webhooks")
            return check(delivery, signed)
    return Signed(refusal="it is of no Git server that is known here")


def _gitea(delivery: _Delivery, signed: Signed) -> Signed:
    prefix = "x-forgejo-" if "x-forgejo-event" in delivery.headers else "x-gitea-"
    return _signed_body(delivery, signed, delivery[prefix + "signature"], delivery[prefix + "delivery"])


def _github(delivery: _Delivery, signed: Signed) -> Signed:
    shown = _prefixed(delivery["x-hub-signature-256"])
    return _signed_body(delivery, signed, shown, delivery["x-github-delivery"])


def _bitbucket(delivery: _Delivery, signed: Signed) -> Signed:
    shown = _prefixed(delivery["x-hub-signature"])
    return _signed_body(delivery, signed, shown, delivery["x-request-uuid"] or delivery["x-request-id"])


def _gitlab(delivery: _Delivery, signed: Signed) -> Signed:
    """A signing token where there is one; else the secret token, which GitLab sends as it is."""
    if "webhook-signature" in delivery.headers:
        return _standard(delivery, signed)
    shown = delivery["x-gitlab-token"]
    if not shown:
        return replace(signed, refusal=MISSING)
    if not _same(shown, delivery.secret):
        return replace(signed, refusal=WRONG)
    id = delivery["idempotency-key"] or delivery["x-gitlab-event-uuid"]
    return _marked(signed, id)


def _standard(delivery: _Delivery, signed: Signed) -> Signed:
    """By the specification Standard Webhooks: id, time and body are signed together."""
    id, at = delivery["webhook-id"], delivery["webhook-timestamp"]
    if not at.isdecimal() or len(at) > 12 or abs(delivery.now - int(at)) > GITLAB_S:
        return replace(signed, refusal="it is too old, or the clocks differ")
    text = f"{id}.{at}.".encode("utf-8", "surrogateescape") + delivery.body
    made = base64.b64encode(hmac.digest(_standard_key(delivery.secret), text, "sha256")).decode()
    shown = [word.removeprefix("v1,") for word in delivery["webhook-signature"].split() if word.startswith("v1,")]
    if not any([_same(one, made) for one in shown[:10]]):
        return replace(signed, refusal=WRONG if shown else MISSING)
    return _marked(signed, id)


def _standard_key(secret: str) -> bytes:
    try:
        return base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except binascii.Error:
        return secret.encode()


def _gitee(delivery: _Delivery, signed: Signed) -> Signed:
    """The signature covers the time alone, so it is good for one delivery; a password sent in clear is none."""
    shown, at = delivery["x-gitee-token"], delivery["x-gitee-timestamp"]
    if not shown:
        return replace(signed, refusal=MISSING)
    if not at.isdecimal() or len(at) > 15 or abs(delivery.now - int(at) / 1000) > GITEE_S:
        return replace(signed, refusal="it is too old, or the clocks differ")
    made = base64.b64encode(hmac.digest(delivery.secret.encode(), f"{at}\n{delivery.secret}".encode(), "sha256"))
    if _same(shown, delivery.secret):
        return replace(signed, refusal="it shows a password; choose the signature key in Gitee's settings")
    if not _same(shown, made.decode()):
        return replace(signed, refusal=WRONG)
    return replace(signed, marks=(f"{signed.provider}:sign:{_digest(shown.encode())}",))


def _signed_body(delivery: _Delivery, signed: Signed, shown: str, id: str) -> Signed:
    """HMAC-SHA256 of the body, in hex. The id is not signed: so the signature is remembered beside it."""
    if not shown:
        return replace(signed, refusal=MISSING)
    made = hmac.digest(delivery.secret.encode(), delivery.body, "sha256").hex()
    if not _HEX.fullmatch(shown) or not _same(shown, made):
        return replace(signed, refusal=WRONG)
    marked = _marked(signed, id)
    return marked if marked.refusal else replace(marked, marks=(*marked.marks, f"{signed.provider}:sign:{made}"))


def _marked(signed: Signed, id: str) -> Signed:
    if not id or len(id) > _LONGEST_MARK or _UNPRINTABLE.search(id):
        return replace(signed, refusal="it has no delivery id")
    return replace(signed, marks=(f"{signed.provider}:{id}",))


def _prefixed(shown: str) -> str:
    """The hex after `sha256=`; anything else is no signature of ours."""
    return shown.removeprefix("sha256=") if shown.startswith("sha256=") else shown and "-"


def _same(shown: str, made: str) -> bool:
    return hmac.compare_digest(shown.encode("utf-8", "surrogateescape"), made.encode())


def _digest(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()


Check = Callable[[_Delivery, Signed], Signed]

# Gitea and Forgejo send GitHub's headers too, for old receivers: so they are asked first.
_KNOWN: tuple[tuple[str, str, Check], ...] = (
    ("x-forgejo-event", "gitea", _gitea),
    ("x-gitea-event", "gitea", _gitea),
    ("x-gitlab-event", "gitlab", _gitlab),
    ("x-gitee-event", "gitee", _gitee),
    ("x-event-key", "bitbucket", _bitbucket),
    ("x-github-event", "github", _github),
)
