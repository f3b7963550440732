"""Protected apps: to which only maintainers deploy, and for which a second person may have to approve."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from windlass.domain import names
from windlass.domain.errors import Conflict, NotAllowed, Usage
from windlass.domain.names import shown
from windlass.domain.people import Project
from windlass.domain.records import Deployment

WAIT_S = 86400.0
SHORTEST_S, LONGEST_S = 60.0, 30 * 86400.0


@dataclass(frozen=True)
class Protection:
    """`approval_s`: how long a deployment waits for a second person, 0 when none is asked."""

    protected: bool = False
    approval_s: float = 0.0


class ApprovalState(StrEnum):
    WAITING = "waiting"
    APPROVED = "approved"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"


@dataclass(frozen=True)
class Approval:
    """Asked for by `asked_by`, "" when that is nobody: a webhook or a poll. `digest`: of what is to be deployed."""

    deployment: str
    asked_by: str
    asked_at: float
    expires_at: float
    digest: str
    state: ApprovalState = ApprovalState.WAITING
    decided_by: str = ""
    decided_at: float | None = None
    note: str = ""


def protection_of(app: str, own: Protection | None, project: Project | None) -> Protection:
    """What counts for an app (as in the store): its own, and that of its environment in the project; the stricter."""
    is_named = project is not None and names.split_app(shown(app))[1] in project.protected
    found = [own] if own is not None else []
    if project is not None and is_named:
        found.append(Protection(True, project.approval_s))
    waits = [p.approval_s for p in found if p.protected and p.approval_s]
    return Protection(any(p.protected for p in found), min(waits, default=0.0))


def waiting_time(seconds: float) -> float:
    """Raises Usage duration_invalid."""
    if not SHORTEST_S <= seconds <= LONGEST_S:
        raise Usage("an approval is waited for between a minute and 30 days", code="duration_invalid")
    return seconds


def digest_of(deployment: Deployment, held: bytes, upload: str) -> str:
    """Of everything that was asked for: nothing of it can be exchanged after it was approved.

    `held`: the values given with it. `upload`: digest of the folder that was sent, "" for none.
    """
    request = [deployment.app, deployment.kind, deployment.release, deployment.options, upload]
    values = hashlib.sha256(held).hexdigest()
    return hashlib.sha256(json.dumps([request, values], sort_keys=True).encode()).hexdigest()


def check_second_person(approval: Approval, app: str, user: str) -> None:
    """Raises NotAllowed approval_own: a token is its user here."""
    if user == approval.asked_by:
        raise NotAllowed(
            f"{user} asked for this deployment of {shown(app)}; another maintainer has to approve it",
            code="approval_own",
            hint=f"another maintainer: windlass approve {approval.deployment}",
        )


def check_waiting(approval: Approval | None, deployment: str, now: float) -> Approval:
    """Raises Conflict approval_not_needed, or approval_over when it was decided already or its time is over."""
    if approval is None:
        raise Conflict(
            f"the deployment {deployment} waits for no approval",
            code="approval_not_needed",
            hint="windlass status APP tells what waits",
        )
    over = approval.state is not ApprovalState.WAITING
    if over or approval.expires_at <= now:
        words = approval.state.value if over else ApprovalState.EXPIRED.value
        raise Conflict(
            f"the deployment {deployment} waits for no approval any more: {words}",
            code="approval_over",
            hint="deploy it again",
        )
    return approval


def ended_words(state: ApprovalState, by: str, note: str) -> Mapping[str, Any]:
    """The error of a deployment that was never begun."""
    said = f": {note}" if note else ""
    code, message, hint = {
        ApprovalState.REJECTED: ("approval_rejected", f"{by} rejected it{said}", ""),
        ApprovalState.EXPIRED: ("approval_expired", "nobody approved it in time", "deploy it again"),
        ApprovalState.SUPERSEDED: ("superseded", "a newer deployment took its place", ""),
    }.get(state, ("cancelled", note or "cancelled before it began", ""))
    return {"code": code, "message": f"{message}; nothing was touched", "hint": hint, "details": []}
