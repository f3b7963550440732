"""windlass from Python: `from windlass.client import Client`. The command line uses this very client.

Errors are those of windlass.domain.errors. What a name stands for is loaded when it is first used: the command line
begins with this package, and is typed all day long.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from windlass.client.target import Target
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

if TYPE_CHECKING:
    from windlass.client.client import Client
    from windlass.client.messages import Message

__all__ = [
    "Cancelled",
    "Client",
    "Conflict",
    "Detail",
    "Failed",
    "Message",
    "NotAllowed",
    "NotFound",
    "OutOfReach",
    "Refused",
    "SwitchedBack",
    "Target",
    "Usage",
    "WindlassError",
]


def __getattr__(name: str) -> Any:
    if name == "Client":
        from windlass.client.client import Client

        return Client
    if name == "Message":
        from windlass.client.messages import Message

        return Message
    raise AttributeError(f"module {__name__} has no {name}")
