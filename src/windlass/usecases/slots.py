"""An app's slot outside of deployments: held by whoever changes what runs, so that no deployment begins meanwhile."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from windlass.domain.errors import Conflict
from windlass.domain.names import shown
from windlass.domain.records import Job
from windlass.ports.outside import Outside
from windlass.ports.store import LeaseLost

LEASE_S = 20.0
KIND = "operation"


class Unhurried:
    """The control of work that nobody cancels: it is short, and each part of it is safe to leave half done."""

    def check(self) -> None:
        return

    def check_lease(self) -> None:
        return


@contextmanager
def hold_slot(outside: Outside, app: str, what: str) -> Iterator[None]:
    """Raises Conflict `deployment_running` or `operation_running` when someone else is at work on this app.

    The slot is a running job of the app's lock. One that a crash left is freed at the next start, or when its lease is
    over: there is nothing in it to be resumed, for what should run is told by the live release.
    """
    refuse_unfinished(outside, app)
    now, id = outside.clock.now(), f"{KIND}-{secrets.token_hex(6)}"
    owner = f"{outside.owner}:{id}"
    job = Job(id, KIND, app, {"what": what}, "running", now, now, owner=owner, lease_until=now + LEASE_S)
    _take(outside, job)
    over = threading.Event()
    keeper = threading.Thread(target=_keep, args=(outside, job, over), name=f"slot-{app}", daemon=True)
    keeper.start()
    try:
        refuse_unfinished(outside, app)
        yield
    finally:
        over.set()
        keeper.join()
        with suppress(LeaseLost):
            outside.store.jobs.finish(id, owner, "done")


def _take(outside: Outside, job: Job) -> None:
    try:
        outside.store.jobs.enqueue(job)
    except Conflict as taken:
        refuse_unfinished(outside, job.lock_key)
        raise Conflict(
            f"another command is at work on {shown(job.lock_key)}; nothing was touched",
            code="operation_running",
            hint="try again when it has ended",
        ) from taken


def refuse_unfinished(outside: Outside, app: str) -> None:
    """Raises Conflict `deployment_running` while a deployment of the app waits or runs."""
    unfinished = outside.store.deployments.unfinished(app)
    if unfinished:
        name = shown(app)
        raise Conflict(
            f"a deployment of {name} is {unfinished[-1].status.value}; nothing was touched",
            code="deployment_running",
            hint=f"wait for its end (windlass status {name}), or end it with: windlass cancel {name}",
        )


def _keep(outside: Outside, job: Job, over: threading.Event) -> None:
    while not over.wait(LEASE_S / 4):
        outside.store.jobs.heartbeat(job.id, job.owner, outside.clock.now(), LEASE_S)
