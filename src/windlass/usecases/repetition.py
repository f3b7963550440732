"""A request that is sent twice with the same key is carried out once, and answered twice."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from dataclasses import dataclass
from typing import Any

from windlass.domain.errors import Conflict, Refused, Usage
from windlass.domain.rights import Caller
from windlass.ports.answers import Progress
from windlass.ports.outside import Outside

KEPT_S = 86400.0
LARGEST = 1 << 20  # bytes of an answer that is kept
LOST = "idempotency_answer_lost"

_KEY = re.compile(r"[!-~]{1,200}", re.ASCII)


@dataclass(frozen=True)
class Answer:
    """What was answered to a request; `body` None when it was too large to be kept."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes | None


def repetition_id(caller: Caller, key: str) -> str:
    """Names the key of this caller. Raises Usage for one that cannot be one."""
    if not _KEY.fullmatch(key):
        words = "the Idempotency-Key is 1 to 200 visible ASCII characters"
        raise Usage(words, code="idempotency_key_invalid", hint="send a new random one with each request")
    whole = json.dumps([caller.kind, caller.name, caller.token, key])
    return hashlib.sha256(whole.encode()).hexdigest()


def begin(outside: Outside, id: str) -> bytes | None:
    """None: carry it out, then `keep` or `drop`. Otherwise what was kept, for `answer_of`.

    Raises Conflict while the first one runs, or when nobody knows how it ended.
    """
    now = outside.clock.now()
    known = outside.store.answers.begin(id, now, now - KEPT_S)
    if known is None:
        return None
    if known.progress is Progress.RUNNING:
        words = "the first request with this Idempotency-Key is still being carried out"
        raise Conflict(words, code="idempotency_running", hint="send it again in a moment")
    if known.progress is Progress.CUT_OFF:
        words = "windlass was stopped while it carried out the first request with this Idempotency-Key"
        raise Conflict(words, code=LOST, hint="look at what it came to, then send it with another key")
    return known.answer


def keep(outside: Outside, id: str, fingerprint: str, answer: Answer) -> None:
    """For a day, encrypted."""
    body = answer.body
    document: dict[str, Any] = {
        "fingerprint": fingerprint,
        "status": answer.status,
        "headers": list(answer.headers),
        "body": None if body is None or len(body) > LARGEST else base64.b64encode(body).decode(),
    }
    outside.store.answers.keep(id, json.dumps(document).encode())


def drop(outside: Outside, id: str) -> None:
    """Nothing was changed: the same key may be used again."""
    outside.store.answers.drop(id)


def answer_of(kept: bytes, fingerprint: str) -> Answer:
    """The first answer. Raises Refused idempotency_mismatch for another request, Conflict for an answer too large."""
    document = json.loads(kept)
    if not hmac.compare_digest(document["fingerprint"], fingerprint):
        raise Refused(
            "another request came with this Idempotency-Key before; nothing was touched",
            code="idempotency_mismatch",
            hint="send a new random key with each new request",
        )
    if document["body"] is None:
        raise Conflict("it was carried out, and its answer was too large to be kept", code=LOST)
    headers = tuple((str(name), str(value)) for name, value in document["headers"])
    return Answer(int(document["status"]), headers, base64.b64decode(document["body"]))
