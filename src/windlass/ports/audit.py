"""The log of every change."""

from __future__ import annotations

from typing import Protocol

from windlass.domain.auditchain import AuditEntry
from windlass.domain.errors import Detail


class AuditLog(Protocol):
    """Only ever grows. What is appended is on the disk before `append` returns."""

    def append(self, entry: AuditEntry) -> AuditEntry:
        """With its number and code. Raises OutOfReach: then the change must not be made."""
        ...

    def entries(self, *, before: int | None = None, app: str = "", limit: int = 100) -> list[AuditEntry]:
        """Newest first, from below number `before`."""
        ...

    def check(self) -> tuple[int, list[Detail]]:
        """Reads the whole log: the newest number, and everything that is wrong."""
        ...
