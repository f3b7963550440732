"""A release: the immutable snapshot that a deployment brings live, and the words for its parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from windlass.domain.compose import Dependency, Hook
from windlass.domain.routeoptions import PLAIN, RouteOptions
from windlass.domain.smoke import SmokeStep
from windlass.domain.tasks import Phase, Task


class Role(StrEnum):
    HTTP = "http"
    WORKER = "worker"
    SCHEDULER = "scheduler"
    STORE = "store"
    INFRA = "infra"
    JOB = "job"
    OTHER = "other"


class Strategy(StrEnum):
    """How a new release replaces this service."""

    ROLLING = "rolling"  # beside the old one, in the generation
    RECREATE = "recreate"  # in the generation, but swapped one for one at the switch
    KEEP = "keep"  # in the base, touched only when itself changed
    JOB = "job"  # run to exit 0


@dataclass(frozen=True)
class Placement:
    """Where a service goes and why; printed by the plan."""

    service: str
    role: Role
    strategy: Strategy
    reason: str

    @property
    def in_base(self) -> bool:
        return self.strategy is Strategy.KEEP


class ProbeKind(StrEnum):
    HTTP = "http"
    TCP = "tcp"
    EXEC = "exec"
    UPTIME = "uptime"


@dataclass(frozen=True)
class Check:
    """One way to ask a container whether it is ready.

    http: GET `path` on `port`; declared: 200–399 is ready, undeclared: < 500. exec: `command` exits 0
    (`shell`: by the container's /bin/sh). uptime: `seconds` running without a restart. `host`: the Host header to
    send, "" for the container's address.
    """

    kind: ProbeKind
    port: int = 0
    path: str = "/"
    declared: bool = False
    command: tuple[str, ...] = ()
    shell: bool = False
    seconds: float = 10.0
    timeout_s: float = 5.0
    host: str = ""


@dataclass(frozen=True)
class Probe:
    """All of `checks`, in order, must pass before `within_s` is over."""

    checks: tuple[Check, ...]
    within_s: float = 60.0


@dataclass(frozen=True)
class Delivery:
    """A secret or config that windlass writes into a container before it starts; `content` is base64."""

    target: str
    content: str
    mode: int = 0o444
    uid: int = 0
    gid: int = 0


@dataclass(frozen=True)
class Part:
    """One service of a release, ready to be run. `networks`: user network key -> aliases written in the file."""

    name: str
    role: Role
    strategy: Strategy
    reason: str
    image: str
    image_id: str
    probe: Probe
    replicas: int = 1
    restart: str = "no"
    grace_s: float = 10.0
    drain_s: float = 10.0
    needs: tuple[Dependency, ...] = ()
    networks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    base_links: Mapping[str, str] = field(default_factory=dict)  # alias -> base service
    host_network: bool = False
    peer: str = ""  # shares the network namespace of this service
    aliases: tuple[str, ...] = ()  # further names in the generation (container_name)
    ports: tuple[int, ...] = ()
    deliveries: tuple[Delivery, ...] = ()
    post_start: tuple[Hook, ...] = ()
    pre_stop: tuple[Hook, ...] = ()
    digest: str = ""  # of its own definition and image; a base service is touched only when it changed
    task: Task | None = None  # a command that runs to its end once, in a phase of the deployment

    @property
    def in_base(self) -> bool:
        return self.strategy is Strategy.KEEP

    @property
    def phase(self) -> Phase | None:
        return self.task.phase if self.task else None

    @property
    def is_extra(self) -> bool:
        """A command of windlass.yaml, and no service of the app."""
        return self.task is not None and self.task.is_extra


@dataclass(frozen=True)
class UserNetwork:
    key: str
    name: str  # of the shared network that belongs to the base, or of the external one
    external: bool = False
    internal: bool = False
    create: bool = False  # external, but windlass.yaml lets windlass make it


@dataclass(frozen=True)
class VolumeSpec:
    """`per_release`: filled by a job and only read by rolling services, so each release has its own copy."""

    key: str
    name: str
    external: bool = False
    per_release: bool = False
    driver: str = ""
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Route:
    """One rule of the edge. `host` "" is the app's default host."""

    host: str
    service: str
    port: int
    path: str = "/"
    priority: int = 0
    options: RouteOptions = PLAIN


@dataclass(frozen=True)
class Snapshot:
    """What a release is made of: enough to run it again without source or build. Stored encrypted.

    `variables`: the app's, as they were; None for a release made before they were kept.
    """

    app: str
    number: int
    parts: Mapping[str, Part]
    networks: Mapping[str, UserNetwork]
    volumes: tuple[VolumeSpec, ...]
    routes: tuple[Route, ...]
    base_model: Mapping[str, Any]
    generation_model: Mapping[str, Any]
    bake_s: float = 10.0
    keep_warm_s: float = 0.0
    notes: tuple[str, ...] = ()
    fingerprint: str = ""
    variables: Mapping[str, str] | None = None
    smoke: tuple[SmokeStep, ...] = ()

    def base(self) -> tuple[Part, ...]:
        return tuple(p for p in self.parts.values() if p.in_base)

    def generation(self) -> tuple[Part, ...]:
        return tuple(p for p in self.parts.values() if not p.in_base)

    def services(self) -> tuple[Part, ...]:
        """Those of the Compose file; without the commands of windlass.yaml."""
        return tuple(p for p in self.parts.values() if not p.is_extra)

    def tasks(self, phase: Phase) -> tuple[Part, ...]:
        """Commands of windlass.yaml for this phase, in the order written."""
        return tuple(p for p in self.parts.values() if p.is_extra and p.phase is phase)


def base_project(app: str) -> str:
    return app


def generation_project(app: str, number: int) -> str:
    return f"{app}-g{number}"


def generation_network(app: str, number: int, key: str) -> str:
    """The leading 0 sorts it first: the engine takes names and the gateway from the first network by name."""
    return f"0-{app}-g{number}-{key}"


def names_network(app: str) -> str:
    return f"{app}_windlass-names"


def container_name(project: str, service: str, index: int = 1) -> str:
    return f"{project}-{service}-{index}"


def image_tag(app: str, service: str, number: int) -> str:
    return f"windlass/{app}/{service.lower()}:r{number}"


class DeploymentStatus(StrEnum):
    AWAITING = "awaiting"  # a second person's approval: nothing is begun, and nothing else waits for it
    QUEUED = "queued"
    RUNNING = "running"
    LIVE = "live"
    UNCHANGED = "unchanged"
    FAILED = "failed"
    SWITCHED_BACK = "switched_back"
    CANCELLED = "cancelled"
    REFUSED = "refused"
    SUPERSEDED = "superseded"

    @property
    def is_final(self) -> bool:
        return self is not DeploymentStatus.AWAITING and not self.is_in_line

    @property
    def is_in_line(self) -> bool:
        """Whether a job of the queue is there for it."""
        return self in (DeploymentStatus.QUEUED, DeploymentStatus.RUNNING)

    @property
    def shown(self) -> str:
        """For people and programs: what waits is queued, and `waiting` tells for whom."""
        return DeploymentStatus.QUEUED.value if self is DeploymentStatus.AWAITING else self.value


STEPS = ("source", "resolve", "check", "build", "base", "release", "start", "switch", "verify", "retire")
