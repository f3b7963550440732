"""What windlass remembers of protected apps, and of deployments that wait for a second person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from windlass.domain.protection import Approval, Protection
from windlass.domain.records import Deployment, Job
from windlass.domain.release import DeploymentStatus


class Approvals(Protocol):
    """Each change is one transaction: a deployment waits, or it is queued, or it has ended."""

    def protection(self, app: str) -> Protection | None:
        """The app's own; None when it has none."""
        ...

    def protect(self, app: str, protection: Protection | None) -> None:
        """Raises NotFound."""
        ...

    def ask(self, deployment: Deployment, approval: Approval, end: Job, held: bytes) -> None:
        """Keep a deployment that waits; `end` is the job that ends its waiting. Raises NotFound for no such app."""
        ...

    def find(self, deployment: str) -> Approval | None: ...
    def waiting(self, app: str = "") -> list[Deployment]:
        """Deployments that wait, oldest first; of every app when none is named."""
        ...

    def approve(self, job: Job, by: str, at: float, note: str) -> bool:
        """Queue the deployment that `job` runs; False when it waits no more, or a newer one was asked for."""
        ...

    def end(self, decided: Approval, status: DeploymentStatus, error: Mapping[str, Any]) -> Deployment | None:
        """End a deployment that waits, with what was decided; None when it does not wait any more."""
        ...
