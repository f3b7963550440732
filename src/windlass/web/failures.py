"""The one place where errors become answers."""

from __future__ import annotations

from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import ValidationError
from starlette.exceptions import HTTPException

from windlass.domain.errors import Detail, NotFound, Usage, WindlassError
from windlass.wire import EXIT_HEADER, error_document

EXPECTED = (WindlassError, RequestValidationError, ValidationError, HTTPException)
"""Everything that has an answer of its own; whatever else comes is answered with 500."""


def answer_of(error: BaseException) -> JSONResponse:
    """The answer to a request that ended with this error."""
    status, ours = _translated(error)
    headers = {EXIT_HEADER: str(ours.exit_code)}
    if isinstance(error, HTTPException):
        headers |= error.headers or {}
    return JSONResponse(error_document(ours), status_code=status, headers=headers)


def _translated(error: BaseException) -> tuple[int, WindlassError]:
    if isinstance(error, WindlassError):
        return error.http_status, error
    if isinstance(error, RequestValidationError | ValidationError):
        return Usage.http_status, _invalid(error)
    if isinstance(error, HTTPException) and error.status_code == 404:
        return 404, NotFound("there is no such path in the API", code="path_not_found")
    if isinstance(error, HTTPException):
        return error.status_code, Usage(str(error.detail), code=f"http_{error.status_code}")
    words = "windlass met something it did not expect; its log says more, and the apps go on"
    return 500, WindlassError(words, hint="windlass doctor")


def _invalid(error: RequestValidationError | ValidationError) -> Usage:
    """What is wrong where; the value itself is not repeated, it may be a secret."""
    details = [
        Detail("invalid", ".".join(str(part) for part in found["loc"]), str(found["msg"])) for found in error.errors()
    ]
    words = details[0].message if len(details) == 1 else f"{len(details)} values are invalid"
    return Usage(f"the request is invalid: {words}", code="invalid_request", details=details)
