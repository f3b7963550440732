"""Every error that windlass tells a person about.

WindlassError                 1  500
├── Usage                     2  400   the call itself is wrong
├── Refused                   3  422   checked, and nothing was touched
├── Failed                    4  409   failed before the switch; the previous release, if any, serves
├── SwitchedBack              5  409   failed after the switch; the previous release serves again
├── Cancelled                 6  409   cancelled, or superseded by a newer deployment
├── NotFound                  7  404   no such app, release, service …
├── Conflict                  3  409   something else is under way, or the state does not allow it
├── OutOfReach                8  503   control plane, engine or server does not answer
└── NotAllowed                9  403   no right to do this

The first number is the exit code of the command, the second the HTTP status. `code` is stable and for programs,
`message` says what happened and where, `hint` is the next command or step, `details` lists every reason at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


def _sendable(text: str) -> str:
    """What is told may quote a stranger's word, and that need not be text that can be sent."""
    return text.encode("utf-8", "backslashreplace").decode()


@dataclass(frozen=True)
class Detail:
    """One reason among several: `name` is the place in the user's file or the thing it is about."""

    code: str
    name: str
    message: str
    fix: str = ""

    def as_dict(self) -> dict[str, str]:
        words = {"code": self.code, "name": self.name, "message": self.message, "fix": self.fix}
        return {key: _sendable(text) for key, text in words.items()}


class WindlassError(Exception):
    """An error with words for a person and a code for a program."""

    exit_code = 1
    http_status = 500
    default_code = "unexpected"

    def __init__(self, message: str, *, code: str = "", hint: str = "", details: Sequence[Detail] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.hint = hint
        self.details = tuple(details)
        self.beside: dict[str, Any] = {}  # what the answer tells beside the error

    def as_dict(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "message": _sendable(self.message),
            "hint": _sendable(self.hint),
            "details": [d.as_dict() for d in self.details],
        }


class Usage(WindlassError):
    exit_code, http_status, default_code = 2, 400, "usage"


class Refused(WindlassError):
    """Its `details` are never empty: a single reason stands there too."""

    exit_code, http_status, default_code = 3, 422, "refused"

    def __init__(self, message: str, *, code: str = "", hint: str = "", details: Sequence[Detail] = ()) -> None:
        super().__init__(message, code=code, hint=hint, details=details)
        self.details = self.details or (Detail(self.code, "", message, hint),)


class Failed(WindlassError):
    exit_code, http_status, default_code = 4, 409, "failed"


class SwitchedBack(WindlassError):
    exit_code, http_status, default_code = 5, 409, "switched_back"


class Cancelled(WindlassError):
    exit_code, http_status, default_code = 6, 409, "cancelled"


class NotFound(WindlassError):
    exit_code, http_status, default_code = 7, 404, "not_found"


class Conflict(WindlassError):
    exit_code, http_status, default_code = 3, 409, "conflict"


class OutOfReach(WindlassError):
    exit_code, http_status, default_code = 8, 503, "out_of_reach"


class NotAllowed(WindlassError):
    exit_code, http_status, default_code = 9, 403, "not_allowed"


def refuse(details: Sequence[Detail], *, message: str = "", hint: str = "") -> Refused:
    """One refusal that carries every reason; its code is the first reason's."""
    first = details[0]
    words = message or (first.message if len(details) == 1 else f"{len(details)} reasons, nothing was touched")
    return Refused(words, code=first.code, hint=hint or first.fix, details=details)
