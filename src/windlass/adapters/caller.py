"""Tells other people's HTTP services something, and follows them nowhere: a token is for the one it was given for."""

from __future__ import annotations

import http.client
from typing import Any

from windlass.domain.commitstatus import Call
from windlass.domain.errors import Failed, OutOfReach
from windlass.domain.names import without_credentials

TIMEOUT_S = 15.0
_SHOWN = 200


class HttpCaller:
    """ports.caller.Caller."""

    def post(self, call: Call) -> None:
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
