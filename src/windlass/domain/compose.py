"""A Compose project as `docker compose config` resolved it, in typed values.

`raw` keeps the resolved mapping as Compose printed it, with `$` written `$$`; every other field is unescaped.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Condition(StrEnum):
    STARTED = "service_started"
    HEALTHY = "service_healthy"
    COMPLETED = "service_completed_successfully"


@dataclass(frozen=True)
class Dependency:
    service: str
    condition: Condition = Condition.STARTED
    required: bool = True


@dataclass(frozen=True)
class Mount:
    """One entry of `volumes:`; `kind` is volume, bind, tmpfs (or what Compose says), `source` "" when anonymous."""

    kind: str
    source: str
    target: str
    read_only: bool = False


@dataclass(frozen=True)
class Port:
    """One entry of `ports:`; `published` is "" when the engine picks the host port, else a port or a range."""

    target: int
    published: str = ""
    host_ip: str = ""
    protocol: str = "tcp"


@dataclass(frozen=True)
class Healthcheck:
    """`test` as written: ("CMD", …), ("CMD-SHELL", …) or ("NONE",). Times in seconds."""

    test: tuple[str, ...]
    interval_s: float = 30.0
    timeout_s: float = 30.0
    start_period_s: float = 0.0
    retries: int = 3


@dataclass(frozen=True)
class Hook:
    """A `post_start` or `pre_stop` command."""

    command: tuple[str, ...]
    user: str = ""
    working_dir: str = ""
    privileged: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Grant:
    """A secret or config given to a service: `source` names it in the model, `target` is the path inside."""

    kind: str
    source: str
    target: str
    uid: str = ""
    gid: str = ""
    mode: int = 0o444


@dataclass(frozen=True)
class Service:
    name: str
    image: str = ""
    build: Mapping[str, Any] | None = None
    command: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    ports: tuple[Port, ...] = ()
    expose: tuple[int, ...] = ()
    mounts: tuple[Mount, ...] = ()
    networks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # network key -> aliases
    links: tuple[str, ...] = ()
    depends_on: tuple[Dependency, ...] = ()
    healthcheck: Healthcheck | None = None
    restart: str = "no"
    replicas: int = 1
    replicas_written: bool = False
    update_order: str = ""
    stop_grace_s: float = 10.0
    grace_written: bool = False
    network_mode: str = ""
    container_name: str = ""
    volumes_from: tuple[str, ...] = ()
    grants: tuple[Grant, ...] = ()
    post_start: tuple[Hook, ...] = ()
    pre_stop: tuple[Hook, ...] = ()
    raw: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Network:
    key: str
    name: str
    external: bool = False
    internal: bool = False
    raw: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Volume:
    key: str
    name: str
    external: bool = False
    raw: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Model:
    """The whole project. `secrets` and `configs` are the raw top-level definitions."""

    services: Mapping[str, Service]
    networks: Mapping[str, Network] = field(default_factory=dict)
    volumes: Mapping[str, Volume] = field(default_factory=dict)
    secrets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    configs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    raw: Mapping[str, Any] = field(default_factory=dict)
