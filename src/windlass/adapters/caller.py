"""Tells other people's HTTP services something, and follows them nowhere: a token is for the one it was given for."""

from __future__ import annotations

import http.client
import threading
from typing import Any

from windlass.domain.commitstatus import Call
from windlass.domain.errors import Failed, OutOfReach, WindlassError
from windlass.domain.names import without_credentials

TIMEOUT_S = 15.0
WHOLE_S = 30.0
_SHOWN = 200


class HttpCaller:
    """ports.caller.Caller. `whole_s`: for all of a call; the limit of the library is one for each piece of it."""

    def __init__(self, whole_s: float = WHOLE_S) -> None:
        self._whole_s = whole_s

    def post(self, call: Call) -> None:
        ended: list[WindlassError | None] = []
        thread = threading.Thread(target=lambda: ended.append(_outcome(call)), name="call", daemon=True)
        thread.start()
        thread.join(self._whole_s)
        if not ended:
            place = without_credentials(call.url)
            raise OutOfReach(f"{place} has not answered within {self._whole_s:g} s", code="call_unanswered")
        if ended[0] is not None:
            raise ended[0]


def _outcome(call: Call) -> WindlassError | None:
    try:
        _post(call)
    except WindlassError as error:
        return error
    return None


def _post(call: Call) -> None:
    import urllib.error
    import urllib.request  # needed rarely, and not small

    class Nowhere(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_: Any) -> None:
            return None

    request = urllib.request.Request(call.url, data=call.body, headers={**call.headers, "User-Agent": "windlass"})
    place = without_credentials(call.url)
    try:
        with urllib.request.build_opener(Nowhere()).open(request, timeout=TIMEOUT_S) as answer:
            answer.read(_SHOWN)
    except urllib.error.HTTPError as error:
        with error:
            raise Failed(f"{place} answered HTTP {error.code}", code="call_refused") from error
    except (OSError, http.client.HTTPException) as error:
        raise OutOfReach(f"{place} does not answer: {error}", code="call_unanswered") from error
