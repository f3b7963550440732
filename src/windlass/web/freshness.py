"""ETags: who asks again and again is told that nothing has changed, instead of everything anew."""

from __future__ import annotations

import hashlib

from fastapi import Request, Response

_TAG_BYTES = 16


def told_once(request: Request, response: Response, secret: bool) -> Response:
    """The answer with its ETag, or 304 for a caller who has it already. One with secrets is never to be kept."""
    if response.status_code != 200 or not response.headers.get("content-type", "").startswith("application/json"):
        return response
    if secret:
        response.headers["cache-control"] = "no-store"
        return response
    tag = f'"{hashlib.blake2b(response.body, digest_size=_TAG_BYTES).hexdigest()}"'
    response.headers["etag"] = tag
    response.headers["cache-control"] = "private, no-cache"
    if not _has(request.headers.getlist("if-none-match"), tag):
        return response
    kept = {name: response.headers[name] for name in ("etag", "cache-control", "link") if name in response.headers}
    return Response(status_code=304, headers=kept)


def _has(headers: list[str], tag: str) -> bool:
    shown = [word.strip().removeprefix("W/") for header in headers for word in header.split(",")]
    return tag in shown or "*" in shown
