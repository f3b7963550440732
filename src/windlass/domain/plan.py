"""What a deployment will do, as values: printed, stored, tested, resumed, and carried out by one executor.

Every operation is idempotent: carried out a second time after a crash it finds its work done. `undo` of a step
takes back whatever of that step happened, also when it happened only in part.
Containers are named, not numbered by ID: `<project>-<service>-<n>`; the executor looks the ID up among the
recorded ones of this instance.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, get_args

from pydantic import (
    SerializerFunctionWrapHandler,
    TypeAdapter,
    ValidatorFunctionWrapHandler,
    WrapSerializer,
    WrapValidator,
)

from windlass.domain.fronts import Front
from windlass.domain.release import Probe
from windlass.domain.smoke import SmokeStep


@dataclass(frozen=True)
class EnsureNetwork:
    """Create it with a free subnet of windlass's pool that holds `size` containers, unless it is there.

    `fixed`: its lower half is for containers with fixed addresses, the engine gives out the upper one.
    """

    name: str
    size: int
    internal: bool = False
    key: str = ""
    project: str = ""
    fixed: bool = False


@dataclass(frozen=True)
class EnsureVolume:
    name: str
    key: str = ""
    project: str = ""
    driver: str = ""
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class CreateServices:
    """`docker compose create` of these services from release `release`'s base or generation model; starts nothing.

    `app_url`: what `$WINDLASS_APP_URL` stands for in their commands and environment; "" leaves both alone.
    `peer`: the container in whose network they live instead of in networks of their own. `hosts` are this machine.
    """

    release: int
    base: bool
    services: tuple[str, ...]
    recreate: bool = False
    app_url: str = ""
    peer: str = ""
    hosts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Attach:
    """Connect a created container to a network before it starts; `index` ≥ 0 asks for a fixed address."""

    container: str
    network: str
    aliases: tuple[str, ...] = ()
    links: tuple[tuple[str, str], ...] = ()  # (container, alias)
    index: int = -1
    again: bool = False  # it is connected already: leave and join anew, to get the fixed address


@dataclass(frozen=True)
class Detach:
    container: str
    network: str


@dataclass(frozen=True)
class Deliver:
    """Write the service's secret and config files into its containers."""

    release: int
    service: str
    containers: tuple[str, ...]


@dataclass(frozen=True)
class Start:
    """Start these containers with restart policy `no`, run their post_start hooks."""

    release: int
    service: str
    containers: tuple[str, ...]


@dataclass(frozen=True)
class Gate:
    """Wait until every container passes the probe; a container that ends or restarts fails it at once."""

    service: str
    containers: tuple[str, ...]
    probe: Probe


@dataclass(frozen=True)
class Together:
    """Operations that do not wait for each other."""

    operations: tuple[Operation, ...]


@dataclass(frozen=True)
class Sequence:
    """`part`: how its time is called in the step; "" leaves that to its first operation."""

    operations: tuple[Operation, ...]
    part: str = ""


@dataclass(frozen=True)
class RunJob:
    """Wait for the container's end; anything but exit 0 fails. One that ended with 0 before is not run again.

    `optional`: its failure is told and nothing more, as all that need it say `required: false`.
    """

    service: str
    container: str
    within_s: float
    optional: bool = False


@dataclass(frozen=True)
class RunTask:
    """Start the task's created container, tell its output line by line, and wait for its end; it is never run twice.

    Anything but exit 0 fails, and so does the end of its time. One that ended with 0 before is done.
    """

    release: int
    service: str


@dataclass(frozen=True)
class RunChecklist:
    """Run these tasks side by side; all that do not end with 0 are refused together."""

    release: int
    services: tuple[str, ...]


@dataclass(frozen=True)
class SetRestart:
    containers: tuple[str, ...]
    policy: str


@dataclass(frozen=True)
class SwitchRoutes:
    """Put the app's routes on this release and confirm them; `fallback` is the warm generation behind it."""

    release: int
    fallback: int | None = None


@dataclass(frozen=True)
class WithdrawRoutes:
    """The app has no live release any more."""


@dataclass(frozen=True)
class Stop:
    """pre_stop hooks, SIGTERM, `grace_s`, SIGKILL. `wait` False: begin it and go on.

    `begun`: only bring to an end what was begun, so that what is started afterwards is not still on its way out.
    """

    release: int
    service: str
    containers: tuple[str, ...]
    grace_s: float
    wait: bool = True
    begun: bool = False


@dataclass(frozen=True)
class Drain:
    """Wait until the edge holds no connection to these containers, at most `limit_s`."""

    targets: tuple[tuple[str, int], ...]  # (container, port)
    limit_s: float


@dataclass(frozen=True)
class CountAnswers:
    """Remember what the edge has answered so far: the old version is measured by what it does from now on."""


@dataclass(frozen=True)
class HoldNetwork:
    """Create a container `name` that does nothing but stand in the networks of this service; it is not started.

    `hosts` lead to itself there, for the edge is reached on its loopback.
    """

    release: int
    service: str
    name: str
    hosts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reached:
    """Carry these out while the edge is reached on the loopback of this running container's network."""

    container: str
    operations: tuple[Operation, ...]


@dataclass(frozen=True)
class Proof:
    """One smoke step; the operations of a command, and those that take away what it leaves."""

    step: SmokeStep
    operations: tuple[Operation, ...] = ()
    after: tuple[Operation, ...] = ()


@dataclass(frozen=True)
class Watch:
    """The bake: probes go on, and any crash among these containers fails the deployment, as does a failed step.

    It lasts `seconds`, and until all steps have passed. The answers of `routed` services are compared with those they
    gave in release `previous`; None: there is nothing to compare with.
    """

    seconds: float
    probes: tuple[tuple[str, Probe], ...]  # container, probe
    release: int
    steps: tuple[Proof, ...] = ()
    previous: int | None = None
    routed: tuple[str, ...] = ()
    front: Front = Front()


@dataclass(frozen=True)
class KeepWarm:
    """Leave generation `release` running for `seconds`; a later job stops it."""

    release: int
    seconds: float


@dataclass(frozen=True)
class RemoveContainers:
    containers: tuple[str, ...]


@dataclass(frozen=True)
class RemoveGeneration:
    """Remove containers, networks and per-release volumes of one generation; `images` also its image tags."""

    release: int
    images: bool = False


@dataclass(frozen=True)
class RemoveNetworks:
    """Networks that this deployment added; one that is gone, or still in use, is no error."""

    names: tuple[str, ...]


@dataclass(frozen=True)
class PutBackBase:
    """Bring these base services back to what release `release` says (None: remove them)."""

    services: tuple[str, ...]
    release: int | None


@dataclass(frozen=True)
class KeepReleases:
    """Drop images and files of releases beyond the number kept."""

    live: int


_Each = (
    EnsureNetwork
    | EnsureVolume
    | CreateServices
    | Attach
    | Detach
    | Deliver
    | Start
    | Gate
    | Together
    | Sequence
    | RunJob
    | RunTask
    | RunChecklist
    | SetRestart
    | SwitchRoutes
    | WithdrawRoutes
    | Stop
    | Drain
    | CountAnswers
    | HoldNetwork
    | Reached
    | Watch
    | KeepWarm
    | RemoveContainers
    | RemoveGeneration
    | RemoveNetworks
    | PutBackBase
    | KeepReleases
)
_KIND = "op"
_CLASSES: dict[str, type[Any]] = {kind.__name__: kind for kind in get_args(_Each)}


def _named(operation: Any, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
    """Several operations have the same fields: a kept one says which it is."""
    return {_KIND: type(operation).__name__, **write(operation)}


def _read_named(document: Any, read: ValidatorFunctionWrapHandler) -> Any:
    """One kept before operations were named is told by its fields."""
    if not isinstance(document, Mapping) or _KIND not in document:
        return read(document)
    kind = _CLASSES.get(document[_KIND])
    if kind is None:
        raise ValueError(f"no such operation: {document[_KIND]}")
    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind].validate_python({k: v for k, v in document.items() if k != _KIND})


_ADAPTERS: dict[type[Any], TypeAdapter[Any]] = {}
Operation = Annotated[_Each, WrapSerializer(_named), WrapValidator(_read_named)]


@dataclass(frozen=True)
class StepPlan:
    """What one of the steps from `build` on does; `build`: when the images are there. `undo` goes in this order too."""

    name: str
    operations: tuple[Operation, ...] = ()
    undo: tuple[Operation, ...] = ()


@dataclass(frozen=True)
class Plan:
    app: str
    release: int
    previous: int | None
    steps: tuple[StepPlan, ...] = ()
    downtime: tuple[str, ...] = field(default_factory=tuple)  # why "no failed request" does not hold, if so

    def step(self, name: str) -> StepPlan:
        return next((s for s in self.steps if s.name == name), StepPlan(name))
