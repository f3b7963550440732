"""A Docker Engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True)
class Container:
    """A container as the engine says. `state`: created running paused restarting exited dead."""

    id: str
    name: str
    image_id: str
    state: str
    labels: Mapping[str, str]
    exit_code: int = 0
    oom_killed: bool = False
    error: str = ""
    restarts: int = 0
    started_at: str = ""
    pid: int = 0
    health: str = ""
    addresses: Mapping[str, str] = field(default_factory=dict)  # network name -> IPv4 address, "" until it starts
    restart_policy: str = "no"
    mounts: tuple[str, ...] = ()  # names of the volumes mounted


@dataclass(frozen=True)
class ImageFacts:
    id: str
    ports: tuple[int, ...] = ()  # TCP ports exposed
    volumes: tuple[str, ...] = ()
    healthcheck: tuple[str, ...] = ()
    healthcheck_start_s: float = 0.0
    healthcheck_timeout_s: float = 30.0
    architecture: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    created: str = ""
    size: int = 0  # bytes, layers that it shares with others among them


@dataclass(frozen=True)
class RegistryAnswer:
    """What a registry says of an image. `state`: there missing denied unreachable silent; `said`: in its words.

    `architectures`: those that it is there for, none when the registry does not tell.
    """

    state: str
    architectures: tuple[str, ...] = ()
    said: str = ""


@dataclass(frozen=True)
class NetworkFacts:
    id: str
    name: str
    subnets: tuple[str, ...]
    internal: bool
    labels: Mapping[str, str]
    members: tuple[str, ...] = ()  # container IDs (only running ones are known to the engine)


@dataclass(frozen=True)
class VolumeFacts:
    name: str
    labels: Mapping[str, str]


@dataclass(frozen=True)
class EngineFacts:
    version: str
    api: str
    architecture: str
    cpus: int
    memory: int
    root: str
    storage: str
    live_restore: bool | None = None  # containers go on while the engine restarts; None: it does not say
    runtimes: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()  # that it has found to hand out, such as nvidia.com/gpu=0


@dataclass(frozen=True)
class EngineEvent:
    kind: str  # container network volume image
    action: str  # create start die oom kill destroy …
    id: str
    name: str
    labels: Mapping[str, str]
    exit_code: int | None
    at: float


@dataclass(frozen=True)
class ExecResult:
    exit_code: int
    output: str


@dataclass(frozen=True)
class LogLine:
    at: str  # RFC 3339, from the engine
    stream: str  # stdout stderr
    text: str


@dataclass(frozen=True)
class EdgeContainer:
    """What the engine needs to run a container of windlass's own (the edge)."""

    name: str
    image: str
    argv: tuple[str, ...]
    environment: Mapping[str, str]
    labels: Mapping[str, str]
    binds: tuple[str, ...]


@dataclass(frozen=True)
class HolderContainer:
    """A container that only holds a place in networks, with no rights. `hosts`: `name:address`."""

    name: str
    image: str
    argv: tuple[str, ...]
    labels: Mapping[str, str]
    network: str
    hosts: tuple[str, ...] = ()
    dns: tuple[str, ...] = ()
    search: tuple[str, ...] = ()


class Engine(Protocol):
    """A Docker Engine. Everything raises OutOfReach when it does not answer, NotFound when the thing is not there."""

    def facts(self) -> EngineFacts: ...

    def containers(self, labels: Mapping[str, str]) -> list[Container]:
        """All containers, also stopped ones, that carry all of `labels` (value "" matches any)."""
        ...

    def container(self, ref: str) -> Container: ...
    def start(self, ref: str) -> None: ...
    def stop(self, ref: str, grace_s: float) -> None: ...
    def kill(self, ref: str, signal: str = "SIGKILL") -> None: ...
    def remove(self, ref: str) -> None:
        """Remove the container by force, with its anonymous volumes; one that is gone already is no error."""
        ...

    def rename(self, ref: str, name: str) -> None: ...
    def set_restart(self, ref: str, policy: str) -> None: ...
    def wait(self, ref: str, timeout_s: float) -> int:
        """The exit code; raises TimeoutError."""
        ...

    def put_file(self, ref: str, path: str, content: bytes, mode: int, uid: int, gid: int) -> None: ...
    def exec(self, ref: str, argv: Sequence[str], options: ExecOptions | None = None) -> ExecResult:
        """Raises TimeoutError when the command has not ended in time."""
        ...

    def logs(self, ref: str, tail: int | None = None, since: float | None = None) -> list[LogLine]: ...
    def follow(self, ref: str, since: float | None, stop: Callable[[], bool]) -> Iterator[LogLine]: ...
    def stats(self, ref: str) -> Mapping[str, Any]:
        """{"cpu_percent", "memory_bytes", "memory_limit_bytes", "pids", "rx_bytes", "tx_bytes"}."""
        ...

    def memory_used(self, ref: str) -> int:
        """Bytes, without what the kernel only keeps for it; takes up to a second."""
        ...

    def run_edge(self, spec: EdgeContainer) -> str:
        """Create and start it: host network, restart unless-stopped. Returns its ID."""
        ...

    def create_holder(self, spec: HolderContainer) -> str:
        """Create it, and do not start it. Returns its ID."""
        ...

    def networks(self) -> list[NetworkFacts]: ...
    def create_network(
        self, name: str, subnet: str, internal: bool, labels: Mapping[str, str], ip_range: str = ""
    ) -> str:
        """Raises AddressTaken when the subnet overlaps another one, Conflict when the name is there.

        `ip_range`: the part of `subnet` from which containers without a fixed address get theirs; "" is all of it.
        """
        ...

    def remove_network(self, ref: str) -> None: ...
    def connect(self, network: str, container: str, options: ConnectOptions) -> None: ...
    def disconnect(self, network: str, container: str) -> None: ...

    def volumes(self) -> list[VolumeFacts]: ...
    def create_volume(
        self, name: str, labels: Mapping[str, str], driver: str = "", options: Mapping[str, str] | None = None
    ) -> None: ...
    def remove_volume(self, name: str) -> None: ...

    def image(self, ref: str) -> ImageFacts | None: ...
    def ask_registry(self, image: str, limit_s: float) -> RegistryAnswer:
        """What the image's registry says of it, with the log-ins that a pull uses; nothing is pulled."""
        ...

    def tag(self, image: str, tag: str) -> None: ...
    def untag(self, tag: str) -> None:
        """Remove the tag, and the image with it when nothing else needs it; a tag that is gone is no error."""
        ...

    def import_image(self, tar: Iterator[bytes], tag: str, changes: Sequence[str]) -> str: ...
    def events(self, labels: Mapping[str, str], since: float, stop: Callable[[], bool]) -> Iterator[EngineEvent]: ...


@dataclass(frozen=True)
class ExecOptions:
    user: str = ""
    working_dir: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    privileged: bool = False
    timeout_s: float = 30.0


@dataclass(frozen=True)
class ConnectOptions:
    aliases: tuple[str, ...] = ()
    address: str = ""
    links: tuple[tuple[str, str], ...] = ()


class AddressTaken(Exception):
    """The engine already has, or the host routes, a network that overlaps the asked subnet."""
