"""What the store keeps: apps, releases, deployments, jobs, events. Times are UTC seconds since the epoch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

from windlass.domain.release import DeploymentStatus


@dataclass(frozen=True)
class App:
    """`running` False: the operator stopped it, and a reboot leaves it stopped. `warm`: generation kept running.

    `closed`: for maintenance; only the addresses and networks of `passes` get through.
    """

    name: str
    created_at: float
    live: int | None = None
    running: bool = True
    removing: bool = False
    warm: int | None = None
    warm_until: float = 0.0
    scale: Mapping[str, int] = field(default_factory=dict)
    stopped_services: tuple[str, ...] = ()
    project: str = "default"
    closed: bool = False
    passes: tuple[str, ...] = ()


class AppLine(NamedTuple):
    """What lists need of an app."""

    name: str
    created_at: float
    live: int | None
    running: bool
    project: str


class ReleaseState(StrEnum):
    PREPARING = "preparing"
    READY = "ready"  # built, never live yet
    LIVE = "live"
    RETIRED = "retired"
    FAILED = "failed"


@dataclass(frozen=True)
class Release:
    """`images`: service -> image ID. The snapshot itself is kept encrypted, apart."""

    app: str
    number: int
    state: ReleaseState
    created_at: float
    source: str = ""  # "upload" or the Git URL without credentials
    ref: str = ""
    commit: str = ""
    author: str = ""  # of the commit: name and address
    message: str = ""  # its first line
    committed_at: float | None = None
    tree: str = ""  # digest of the source tree
    watched: str = ""  # digest of the files that the app watches, and of the patterns; "" when it watches all
    fingerprint: str = ""
    images: Mapping[str, str] = field(default_factory=dict)
    live_at: float | None = None
    kept: bool = True  # images still there: can be rolled back to


@dataclass(frozen=True)
class StepRecord:
    name: str
    status: str  # running done failed undone skipped
    started_at: float
    ended_at: float | None = None
    parts: tuple[Mapping[str, Any], ...] = ()  # {"name", "seconds"}
    result: Mapping[str, Any] = field(default_factory=dict)  # for resuming; holds no secret


@dataclass(frozen=True)
class Deployment:
    id: str
    app: str
    kind: str  # deploy | rollback
    status: DeploymentStatus
    created_at: float
    release: int | None = None
    previous: int | None = None
    started_at: float | None = None
    live_at: float | None = None
    ended_at: float | None = None
    error: Mapping[str, Any] | None = None
    report: Mapping[str, Any] = field(default_factory=dict)  # the 3 a.m. screen of a failed deployment
    options: Mapping[str, Any] = field(default_factory=dict)
    steps: tuple[StepRecord, ...] = ()


@dataclass(frozen=True)
class Event:
    """`kind`: step, line, state, health, note, error … `data` is redacted before it is stored."""

    id: int
    at: float
    app: str
    deployment: str
    kind: str
    data: Mapping[str, Any]


@dataclass(frozen=True)
class Job:
    """A piece of work that survives a crash. One job per `lock_key` runs at a time."""

    id: str
    kind: str
    lock_key: str
    args: Mapping[str, Any]
    state: str  # queued running done failed cancelled
    created_at: float
    run_at: float
    owner: str = ""
    lease_until: float = 0.0
    cancel: bool = False
    attempt: int = 0


@dataclass(frozen=True)
class Lease:
    """What a heartbeat learns: `lost` means another worker owns the job now, so stop without touching anything."""

    lost: bool
    cancel: bool


@dataclass(frozen=True)
class Resource:
    """A thing this instance made. `kind`: container network volume image. `ref`: the engine's ID or name."""

    kind: str
    ref: str
    name: str
    app: str
    release: int | None
    deployment: str
