"""What main.py tells the API about this control plane."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


def _nothing() -> dict[str, Any]:
    return {}


@dataclass(frozen=True)
class WebOptions:
    """`control` describes the running control plane (version, process, edge). `upload_limit` is in bytes."""

    upload_limit: int = 1 << 30
    control: Callable[[], dict[str, Any]] = field(default=_nothing)
