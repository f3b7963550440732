"""Other people's HTTP services, which are told something."""

from __future__ import annotations

from typing import Protocol

from windlass.domain.commitstatus import Call


class Caller(Protocol):
    def post(self, call: Call) -> None:
        """Raises OutOfReach when nobody answers in time, Failed (code call_refused) for any answer but 2xx."""
        ...
