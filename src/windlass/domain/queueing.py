"""Why a deployment waits, and behind how many others: told from where its job stands in the queue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from windlass.domain.names import shown
from windlass.domain.records import Job

DEPLOYMENT = "deployment"
COOLING = "cool"
OPERATION = "operation"

STARTS = "starts as soon as the Docker Engine answers"


@dataclass(frozen=True)
class Limits:
    """At once on this server: so many deployments, and so many of them building images."""

    deploys: int = 4
    builds: int = 2


@dataclass(frozen=True)
class Standing:
    """`ahead`: jobs of its kind that are queued before it. `running`: jobs of its kind. `lock`: jobs that have to end
    before it starts, because they have its lock. `line`: before it in the line of builds; None: it is not in that."""

    job: Job
    ahead: int = 0
    running: int = 0
    lock: tuple[Job, ...] = ()
    line: tuple[Job, ...] | None = None


@dataclass(frozen=True)
class Waiting:
    """`position` 1: the next."""

    position: int
    reason: str

    def as_dict(self) -> dict[str, Any]:
        return {"position": self.position, "reason": self.reason}


def waiting(standing: Standing, limits: Limits, *, begun: bool) -> Waiting | None:
    """None for one that is at work. `begun`: it has done something since its job was started."""
    state = standing.job.state
    if state == "queued":
        return Waiting(standing.ahead + 1, _why_queued(standing, limits))
    if state != "running":
        return None
    line = standing.line or ()
    if standing.line is not None and len(line) >= limits.builds:
        return Waiting(len(line) - limits.builds + 1, _why_in_line(line[: limits.builds]))
    return None if begun else Waiting(1, STARTS)


def _why_queued(standing: Standing, limits: Limits) -> str:
    if standing.lock:
        return _behind(standing.lock[0])
    if standing.running >= limits.deploys:
        return f"{standing.running} of {limits.deploys} deployments at once on this server"
    return "is about to start" if not standing.ahead else f"{standing.ahead} before it are about to start"


def _behind(job: Job) -> str:
    if job.kind == DEPLOYMENT:
        return f"behind deployment {job.id} of this app"
    if job.kind == COOLING:
        return "the app's former release is being stopped"
    what = str(job.args.get("what") or "")
    return f"another command is at work on this app: {what}" if what else "another command is at work on this app"


def _why_in_line(building: Sequence[Job]) -> str:
    """`building`: those that have all the places."""
    who = ", ".join(f"{job.id} of {shown(job.lock_key)}" for job in building)
    return f"waits for a build slot: {who} {'builds' if len(building) == 1 else 'build'}"
