"""What main.py tells the API about this control plane."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


def _nothing() -> dict[str, Any]:
    return {}


@dataclass(frozen=True)
class WebOptions:
    """`token_hash`: SHA-256 (hex) of the token that TCP callers show; "" lets no one in.

    `control` describes the running control plane (version, process, edge). `upload_limit` is in bytes.
    """

    token_hash: str = ""
    upload_limit: int = 1 << 30
    control: Callable[[], dict[str, Any]] = field(default=_nothing)
