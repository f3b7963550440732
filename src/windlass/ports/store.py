"""What windlass remembers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol

from windlass.domain.queueing import Standing
from windlass.domain.records import (
    App,
    AppLine,
    Deployment,
    Event,
    Job,
    Lease,
    Release,
    ReleaseState,
    Resource,
    StepRecord,
)
from windlass.domain.release import DeploymentStatus
from windlass.domain.sources import Source
from windlass.ports.answers import Answers
from windlass.ports.approvals import Approvals
from windlass.ports.audit import AuditLog
from windlass.ports.figures import Figures
from windlass.ports.oidc import SignOn
from windlass.ports.people import Links, LoginAttempts, Projects, Sessions, Tokens, Users
from windlass.ports.previews import Previews


class Apps(Protocol):
    def add(self, app: App) -> None: ...
    def get(self, name: str) -> App:
        """Raises NotFound."""
        ...

    def find(self, name: str) -> App | None: ...
    def all(self) -> list[App]:
        """By name."""
        ...

    def lines(self) -> list[AppLine]:
        """By name; cheap also with a thousand apps."""
        ...

    def update(self, name: str, **changes: Any) -> App: ...
    def remove(self, name: str) -> None:
        """With everything that belongs to it but its audit trail."""
        ...


class Releases(Protocol):
    def add(self, app: str, created_at: float, source: str, ref: str) -> Release:
        """With the app's next number."""
        ...

    def get(self, app: str, number: int) -> Release: ...
    def all(self, app: str) -> list[Release]:
        """Newest first."""
        ...

    def newest_at(self) -> float:
        """When the newest release of all apps was made; 0.0 when there is none."""
        ...

    def update(self, app: str, number: int, **changes: Any) -> Release: ...
    def set_state(self, app: str, number: int, state: ReleaseState) -> None: ...
    def drop(self, app: str, number: int) -> None: ...
    def save_snapshot(self, app: str, number: int, document: bytes) -> None: ...
    def snapshot(self, app: str, number: int) -> bytes:
        """Decrypted; raises NotFound."""
        ...

    def live_snapshots(self, apps: Collection[str]) -> dict[tuple[str, int], bytes]:
        """App and release -> decrypted, of those that are live; asked at once, however many there are."""
        ...


class Deployments(Protocol):
    def add(
        self, deployment: Deployment, job: Job, held: bytes = b"", instead: Mapping[str, Any] | None = None
    ) -> list[Deployment]:
        """Deployment and job in one transaction; `held` is what only this deployment may know, kept encrypted.

        `instead`: those of the app that wait end as superseded in the same transaction, with this error; gives them.
        """
        ...

    def end_waiting(self, id: str, status: DeploymentStatus, at: float, error: Mapping[str, Any]) -> Deployment | None:
        """End it together with its job, in one transaction; None when the job does not wait any more."""
        ...

    def held(self, id: str) -> bytes:
        """Decrypted; empty when nothing is held."""
        ...

    def hold(self, id: str, held: bytes) -> None: ...
    def drop_held(self, id: str) -> None: ...

    def get(self, id: str) -> Deployment: ...
    def of_app(self, app: str, limit: int = 50, before: str = "") -> list[Deployment]:
        """Newest first; with the id `before` only those older than it."""
        ...

    def unfinished(self, app: str | None = None) -> list[Deployment]: ...
    def under_way(self) -> list[tuple[str, DeploymentStatus]]:
        """App and status of each that is unfinished, oldest first."""
        ...

    def update(self, id: str, **changes: Any) -> Deployment: ...
    def finish(self, id: str, status: DeploymentStatus, at: float, error: Mapping[str, Any] | None) -> Deployment: ...
    def step(self, id: str, name: str) -> StepRecord | None: ...
    def save_step(self, id: str, step: StepRecord) -> None: ...


NO_LIMITS: Mapping[str, int] = MappingProxyType({})


class Jobs(Protocol):
    """The queue. Every write of a running job is fenced: `owner` must still hold it, else LeaseLost."""

    def enqueue(self, job: Job) -> None:
        """Raises Conflict lock_taken for a job that is to run at once while another of its lock runs."""
        ...

    def claim(self, owner: str, now: float, lease_s: float, limits: Mapping[str, int] = NO_LIMITS) -> Job | None:
        """The oldest due job whose lock is free, or a running one whose lease is over (attempt + 1).

        `attempt` is 0 for a job that starts, more for one that is resumed after its owner was lost. `limits`: kind ->
        how many of it may run at once, whoever runs them.
        """
        ...

    def heartbeat(self, id: str, owner: str, now: float, lease_s: float) -> Lease:
        """Prolong the lease; one that is lost is told by the answer, not raised."""
        ...

    def lease(self, id: str, owner: str) -> Lease:
        """As `heartbeat`, and nothing is prolonged."""
        ...

    def finish(self, id: str, owner: str, state: str) -> None:
        """`state`: done, failed or cancelled."""
        ...

    def release(self, id: str, owner: str) -> None:
        """Give a running job back unfinished, to be resumed by the next claim."""
        ...

    def request_cancel(self, id: str) -> Job | None:
        """A queued job is cancelled at once, a running one is asked to; None when there is no such job."""
        ...

    def get(self, id: str) -> Job | None: ...
    def release_owner(self, alive: Callable[[str], bool]) -> int:
        """End the leases of owners that are not alive any more, so that their jobs can be claimed at once."""
        ...

    def revive(self, job: Job) -> None:
        """Queue a job that has ended, or is not known any more; one that waits or runs is left as it is."""
        ...

    def next_due(self, limits: Mapping[str, int] = NO_LIMITS) -> float | None:
        """When `claim` may next have something, unless `wait` ends before; None when nothing is queued or runs."""
        ...

    def position(self, id: str) -> int:
        """How many jobs of the same lock have to end before this one starts."""
        ...

    def standing(self, id: str, now: float) -> Standing | None:
        """Why it waits, if it does; None when there is no such job."""
        ...

    def join_line(self, id: str) -> None:
        """The last place in the line of builds for a job that runs; one that has a place keeps it. Its end frees it."""
        ...

    def in_front(self, id: str, now: float) -> int:
        """How many are before it in the line; 0 for a job without a place."""
        ...

    def leave_line(self, id: str) -> None: ...
    def changes(self) -> int:
        """A number for `wait`, to be read before looking for work, so that nothing is missed in between."""
        ...

    def wait(self, seen: int, timeout_s: float) -> bool:
        """Until a job was queued, ended or cancelled since `changes()` gave `seen`; False when time is over.

        Hears this process, and on PostgreSQL every other one.
        """
        ...

    def wake(self) -> None:
        """End every `wait` now."""
        ...


class LeaseLost(Exception):
    """Another worker took the job over."""


class Events(Protocol):
    def add(self, at: float, app: str, deployment: str, kind: str, data: Mapping[str, Any]) -> Event: ...
    def after(
        self, id: int, *, app: str = "", deployment: str = "", kind: str = "", limit: int = 500
    ) -> list[Event]: ...
    def wait(self, id: int, timeout_s: float) -> bool:
        """Until an event later than `id` was added; False when time is over. Another process' are seen at the end."""
        ...


class Variables(Protocol):
    """Values of an app's variables, encrypted at rest."""

    def all(self, app: str) -> dict[str, str]: ...
    def names(self, app: str) -> dict[str, float]:
        """Name -> time of the last change."""
        ...

    def set(self, app: str, values: Mapping[str, str], at: float) -> None: ...
    def unset(self, app: str, names: Sequence[str]) -> None: ...


@dataclass(frozen=True)
class SealedPlace:
    """An encrypted value: its table and row, and `words` that tell it to people."""

    table: str
    key: tuple[str | int, ...]
    words: str


@dataclass(frozen=True)
class KeyUse:
    """Ids of the master keys, which tell nothing of the keys: the `current` one seals, `older` ones open still.

    `counts`: id -> values under it, also of a key that is not here. `changed_at`: of the key file.
    """

    current: str
    older: tuple[str, ...]
    counts: Mapping[str, int]
    changed_at: float | None = None


class Keys(Protocol):
    """The master keys, and everything they protect. At every moment each value opens under a key of the key file."""

    def alone(self) -> AbstractContextManager[None]:
        """For a rotation: raises Conflict rotation_running when one is at work in this process."""
        ...

    def use(self) -> KeyUse: ...
    def is_rotating(self) -> bool:
        """Whether older keys are in the key file; asks no database."""
        ...

    def check_file(self) -> None:
        """Raises Refused or OutOfReach with what keeps a next start from opening the values."""
        ...

    def add(self) -> None:
        """A new key seals from now on. It is safe on the disk when this returns. Raises Refused, OutOfReach."""
        ...

    def stale(self) -> list[SealedPlace]:
        """Every value that is not under the current key."""
        ...

    def reseal(self, places: Sequence[SealedPlace]) -> list[SealedPlace]:
        """Under the current key, in one transaction; gives those that do not open."""
        ...

    def drop_unused(self) -> bool:
        """Forget the older keys, unless a value is left under another key than the current one: False."""
        ...


class Sources(Protocol):
    """Where apps come from, and the secrets for it, which are encrypted at rest."""

    def set(self, source: Source, secrets: Mapping[str, str], gone: Sequence[str] = ()) -> None:
        """In place of the one before; `secrets` are kept with it, those named in `gone` are forgotten."""
        ...

    def find(self, app: str) -> Source | None: ...
    def all(self) -> list[Source]: ...
    def update(self, app: str, **changes: Any) -> Source | None:
        """None when there is no source any more."""
        ...

    def remove(self, app: str) -> None:
        """With its secrets, but for the one of the hook."""
        ...

    def secrets(self, app: str) -> dict[str, str]: ...
    def keep_secret(self, app: str, name: str, value: str, *, renew: bool = False) -> str:
        """Keep it unless there is one (or `renew`); gives the one that is kept. Raises NotFound for no such app."""
        ...

    def is_marked(self, app: str, marks: Sequence[str]) -> bool:
        """Whether a webhook brought something under one of these marks before."""
        ...

    def mark(self, app: str, marks: Sequence[str], at: float, forget_before: float) -> None:
        """Remember what a webhook brought; what was remembered before that time is forgotten."""
        ...


class SecretValues(Protocol):
    """Values of all apps, and secrets for where they come from: for the one who takes them out of a text."""

    def mark(self) -> str:
        """Another one when anything of it has changed."""
        ...

    def all(self) -> Mapping[str, str]: ...


class Consents(Protocol):
    def all(self, app: str) -> dict[str, float]: ...
    def give(self, app: str, items: Sequence[str], at: float) -> None: ...
    def revoke(self, app: str, items: Sequence[str]) -> None: ...


class Resources(Protocol):
    def record(self, resource: Resource) -> None: ...
    def forget(self, kind: str, ref: str) -> None: ...
    def of_app(self, app: str, kind: str = "") -> list[Resource]: ...
    def of_kinds(self, *kinds: str) -> list[Resource]:
        """Of all apps, in the order in which they were recorded."""
        ...

    def apps(self) -> set[str]:
        """Of whom something is recorded, also when they are gone."""
        ...

    def find(self, kind: str, name: str) -> Resource | None: ...


class Store(Protocol):
    @property
    def apps(self) -> Apps: ...
    @property
    def releases(self) -> Releases: ...
    @property
    def deployments(self) -> Deployments: ...
    @property
    def jobs(self) -> Jobs: ...
    @property
    def events(self) -> Events: ...
    @property
    def variables(self) -> Variables: ...
    @property
    def consents(self) -> Consents: ...
    @property
    def resources(self) -> Resources: ...
    @property
    def sources(self) -> Sources: ...
    @property
    def keys(self) -> Keys: ...
    @property
    def projects(self) -> Projects: ...
    @property
    def users(self) -> Users: ...
    @property
    def tokens(self) -> Tokens: ...
    @property
    def sessions(self) -> Sessions: ...
    @property
    def links(self) -> Links: ...
    @property
    def attempts(self) -> LoginAttempts: ...
    @property
    def approvals(self) -> Approvals: ...
    @property
    def sign_on(self) -> SignOn: ...
    @property
    def audit(self) -> AuditLog: ...
    @property
    def answers(self) -> Answers: ...
    @property
    def figures(self) -> Figures: ...
    @property
    def secret_values(self) -> SecretValues: ...
    @property
    def previews(self) -> Previews: ...
    def ready(self) -> bool: ...
