"""What goes over the wire between the command line and the API, for both ends: paths, errors, exit codes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from windlass.domain.errors import (
    Cancelled,
    Conflict,
    Detail,
    Failed,
    NotAllowed,
    NotFound,
    OutOfReach,
    Refused,
    SwitchedBack,
    Usage,
    WindlassError,
)

API = "/api/v1"
EXIT_HEADER = "windlass-exit-code"
KEY_HEADER = "idempotency-key"
RUNNING_CODE = "idempotency_running"  # the first request with this key is being carried out still
PARAMETERS_FIELD = "parameters"
SOURCE_FIELD = "source"

EVENT_END = "end"  # the last message of a stream; of a deployment's: its final document
EVENT_WAITING = "waiting"  # {"waiting": {"position", "reason"} or null}, whenever that changes
EVENT_ERROR = "failure"  # instead of it: an error document

EXIT_OF_STATUS: Mapping[str, int] = {
    "live": 0,
    "unchanged": 0,
    "queued": 0,
    "running": 0,
    "refused": 3,
    "failed": 4,
    "switched_back": 5,
    "cancelled": 6,
    "superseded": 6,
}

_BY_EXIT: Mapping[int, type[WindlassError]] = {
    c.exit_code: c for c in (Usage, Refused, Failed, SwitchedBack, Cancelled, NotFound, OutOfReach, NotAllowed)
}
_BY_STATUS: Mapping[int, type[WindlassError]] = {
    400: Usage,
    401: NotAllowed,
    403: NotAllowed,
    404: NotFound,
    405: Usage,
    409: Conflict,
    413: Refused,
    422: Refused,
    503: OutOfReach,
}


def error_document(error: WindlassError) -> dict[str, Any]:
    return {"error": error.as_dict(), **error.beside}


def error_from(document: Any, status: int, exit_code: int | None) -> WindlassError:
    """The error that the other end raised, from its document, its HTTP status and the exit code it named."""
    found = document.get("error") if isinstance(document, dict) else None
    if not isinstance(found, dict):
        return _kind(status, exit_code)(f"the answer was HTTP {status} without an explanation", code="bad_answer")
    details = [
        Detail(**{k: str(d.get(k, "")) for k in ("code", "name", "message", "fix")})
        for d in found.get("details") or ()
        if isinstance(d, dict)
    ]
    error = _kind(status, exit_code)(
        str(found.get("message", "")),
        code=str(found.get("code", "")),
        hint=str(found.get("hint", "")),
        details=details,
    )
    error.beside = {k: v for k, v in document.items() if k != "error"}
    return error


def exit_code_of(status: str) -> int:
    """The exit code of a command that ends with a deployment in this status."""
    return EXIT_OF_STATUS.get(status, 1)


def _kind(status: int, exit_code: int | None) -> type[WindlassError]:
    by_status = _BY_STATUS.get(status)
    if by_status is not None and exit_code in (None, by_status.exit_code):
        return by_status
    return _BY_EXIT.get(exit_code or 0, WindlassError)
