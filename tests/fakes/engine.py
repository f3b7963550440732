"""A Docker Engine in memory. It passes the same tests as the real one (tests/ports/test_engine.py)."""

from __future__ import annotations

import ipaddress
import itertools
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from windlass.domain.errors import Conflict, NotFound, OutOfReach
from windlass.ports.engine import (
    AddressTaken,
    ConnectOptions,
    Container,
    EdgeContainer,
    EngineEvent,
    EngineFacts,
    ExecOptions,
    ExecResult,
    HolderContainer,
    ImageFacts,
    LogLine,
    NetworkFacts,
    RegistryAnswer,
    VolumeFacts,
)

RESTARTED = ("always", "unless-stopped", "on-failure")


@dataclass
class FakeContainer:
    """What the engine knows of one. `exits`: the code it ends with at once when started; None: it stays up."""

    now: Container
    exits: int | None = None
    endpoints: dict[str, ConnectOptions] = field(default_factory=dict)  # by name of the network
    files: dict[str, bytes] = field(default_factory=dict)
    modes: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    log: list[LogLine] = field(default_factory=list)
    executed: list[tuple[str, ...]] = field(default_factory=list)
    answer: Callable[[Sequence[str]], ExecResult] = lambda argv: ExecResult(0, "")


@dataclass
class FakeNetwork:
    facts: NetworkFacts
    ip_range: str = ""


class FakeEngine:
    """`away` makes every call fail as if the engine were stopped. `calls` lists what was asked, in order."""

    def __init__(self) -> None:
        self.all: dict[str, FakeContainer] = {}
        self.nets: dict[str, FakeNetwork] = {}
        self.vols: dict[str, VolumeFacts] = {}
        self.images: dict[str, ImageFacts] = {}  # by tag
        self.registry: dict[str, RegistryAnswer] = {}  # by image as it is written
        self.runtimes: tuple[str, ...] = ("runc",)
        self.memory: dict[str, int] = {}  # bytes, by name of the container
        self.past: list[EngineEvent] = []
        self.calls: list[tuple[str, ...]] = []
        self.away = False
        self._ids = (f"{number:064x}" for number in itertools.count(1))
        self._changed = threading.Condition(threading.RLock())

    # ---- what Compose, a program in a container or the world does --------------------------------------------------

    def add_container(
        self,
        name: str,
        *,
        labels: Mapping[str, str] | None = None,
        image: str = "",
        networks: Iterable[str] = (),
        exits: int | None = None,
        mounts: Sequence[str] = (),
    ) -> str:
        """As `docker create` does; returns the ID."""
        with self._changed:
            if any(c.now.name == name for c in self.all.values()):
                raise Conflict(f"the name {name} is in use")
            ref = next(self._ids)
            made = Container(
                id=ref, name=name, image_id=image, state="created", labels=dict(labels or {}), mounts=tuple(mounts)
            )
            self.all[ref] = FakeContainer(made, exits, {net: ConnectOptions() for net in networks})
            self._refresh(self.all[ref])
            self._tell("container", "create", self.all[ref].now)
            return ref

    def add_image(self, tag: str, facts: ImageFacts | None = None) -> str:
        made = facts or ImageFacts(id=f"sha256:{next(self._ids)}")
        self.images[_tagged(tag)] = made
        return made.id

    def end(self, ref: str, code: int = 1, oom: bool = False) -> None:
        """The container's program ends by itself; the restart policy brings it back."""
        with self._changed:
            found = self._get(ref)
            self._ended(found, code, oom)
            policy = found.now.restart_policy.partition(":")[0]
            if policy in RESTARTED and (code or policy != "on-failure"):
                found.now = replace(found.now, restarts=found.now.restarts + 1)
                self._run(found)

    def write(self, ref: str, text: str, stream: str = "stdout") -> None:
        """The container's program prints a line."""
        with self._changed:
            self._get(ref).log.append(LogLine(_stamp(time.time()), stream, text))
            self._changed.notify_all()

    # ---- containers ------------------------------------------------------------------------------------------------

    def facts(self) -> EngineFacts:
        self._asked("facts")
        return EngineFacts(
            "20.10.24", "1.41", "amd64", 2, 4 << 30, "/var/lib/docker", "overlay2", runtimes=self.runtimes
        )

    def containers(self, labels: Mapping[str, str]) -> list[Container]:
        self._asked("containers")
        with self._changed:
            return [c.now for c in self.all.values() if _matches(c.now.labels, labels)]

    def container(self, ref: str) -> Container:
        self._asked("container", ref)
        return self._get(ref).now

    def start(self, ref: str) -> None:
        self._asked("start", ref)
        with self._changed:
            found = self._get(ref)
            if found.now.state != "running":
                self._run(found)

    def stop(self, ref: str, grace_s: float) -> None:
        self._asked("stop", ref)
        with self._changed:
            found = self._get(ref)
            if found.now.state == "running":
                self._ended(found, 0, False)

    def kill(self, ref: str, signal: str = "SIGKILL") -> None:
        self._asked("kill", ref, signal)
        with self._changed:
            found = self._get(ref)
            if found.now.state == "running" and signal == "SIGKILL":
                self._ended(found, 137, False)

    def remove(self, ref: str) -> None:
        self._asked("remove", ref)
        with self._changed:
            found = self._find(ref)
            if found is None:
                return
            if found.now.state == "running":
                self._ended(found, 137, False)
            del self.all[found.now.id]
            self._tell("container", "destroy", found.now)

    def rename(self, ref: str, name: str) -> None:
        self._asked("rename", ref, name)
        with self._changed:
            found = self._get(ref)
            if any(c.now.name == name for c in self.all.values() if c is not found):
                raise Conflict(f"the name {name} is in use")
            found.now = replace(found.now, name=name)

    def set_restart(self, ref: str, policy: str) -> None:
        self._asked("set_restart", ref, policy)
        with self._changed:
            found = self._get(ref)
            found.now = replace(found.now, restart_policy=policy)

    def wait(self, ref: str, timeout_s: float) -> int:
        self._asked("wait", ref)
        with self._changed:
            found = self._get(ref)
            if not self._changed.wait_for(lambda: found.now.state != "running", timeout_s):
                raise TimeoutError(f"container {ref} has not ended within {timeout_s:g} s")
            return found.now.exit_code

    def put_file(self, ref: str, path: str, content: bytes, mode: int, uid: int, gid: int) -> None:
        self._asked("put_file", ref, path)
        with self._changed:
            self._get(ref).files[path] = content
            self._get(ref).modes[path] = (mode, uid, gid)

    def exec(self, ref: str, argv: Sequence[str], options: ExecOptions | None = None) -> ExecResult:
        self._asked("exec", ref, *argv)
        found = self._get(ref)
        if found.now.state != "running":
            raise Conflict(f"container {ref} is not running", code="not_running")
        found.executed.append(tuple(argv))
        return found.answer(argv)

    def logs(self, ref: str, tail: int | None = None, since: float | None = None) -> list[LogLine]:
        self._asked("logs", ref)
        with self._changed:
            lines = [line for line in self._get(ref).log if since is None or line.at >= _stamp(since)]
        return lines if tail is None else lines[max(len(lines) - tail, 0) :]

    def follow(self, ref: str, since: float | None, stop: Callable[[], bool]) -> Iterator[LogLine]:
        self._asked("follow", ref)
        found, seen = self._get(ref), 0
        while True:
            with self._changed:
                ended = found.now.state != "running"
                fresh = found.log[seen:]
                if not fresh and not ended:
                    self._changed.wait(0.02)
            seen += len(fresh)
            for line in fresh:
                if since is None or line.at >= _stamp(since):
                    yield line
            if stop() or (ended and not fresh):
                return

    def stats(self, ref: str) -> Mapping[str, Any]:
        self._asked("stats", ref)
        self._get(ref)
        names = ("cpu_percent", "memory_bytes", "memory_limit_bytes", "pids", "rx_bytes", "tx_bytes")
        return dict.fromkeys(names, 0)

    def memory_used(self, ref: str) -> int:
        self._asked("memory_used", ref)
        return self.memory.get(self._get(ref).now.name, 0)

    def run_edge(self, spec: EdgeContainer) -> str:
        self._asked("run_edge", spec.name)
        facts = self.image(spec.image)
        if facts is None:
            raise NotFound(f"no such image: {spec.image}")
        ref = self.add_container(spec.name, labels=spec.labels, image=facts.id)
        self.set_restart(ref, "unless-stopped")
        self.start(ref)
        return ref

    def create_holder(self, spec: HolderContainer) -> str:
        self._asked("create_holder", spec.name)
        facts = self.image(spec.image)
        if facts is None:
            raise NotFound(f"no such image: {spec.image}")
        if self._network(spec.network) is None:
            raise NotFound(f"no such network: {spec.network}")
        return self.add_container(spec.name, labels=spec.labels, image=facts.id, networks=[spec.network])

    # ---- networks and volumes --------------------------------------------------------------------------------------

    def networks(self) -> list[NetworkFacts]:
        self._asked("networks")
        with self._changed:
            return [replace(net.facts, members=self._members(net.facts.name)) for net in self.nets.values()]

    def create_network(
        self, name: str, subnet: str, internal: bool, labels: Mapping[str, str], ip_range: str = ""
    ) -> str:
        self._asked("create_network", name, subnet)
        with self._changed:
            if any(net.facts.name == name for net in self.nets.values()):
                raise Conflict(f"network {name} is there already")
            wanted = ipaddress.ip_network(subnet)
            if any(wanted.overlaps(ipaddress.ip_network(s)) for net in self.nets.values() for s in net.facts.subnets):
                raise AddressTaken(f"network {name}: {subnet} overlaps another one")
            ref = next(self._ids)
            self.nets[ref] = FakeNetwork(NetworkFacts(ref, name, (subnet,), internal, dict(labels)), ip_range)
            return ref

    def remove_network(self, ref: str) -> None:
        self._asked("remove_network", ref)
        with self._changed:
            found = self._network(ref)
            if found is None:
                return
            if self._members(found.facts.name):
                raise Conflict(f"network {ref} has active endpoints", code="in_use")
            del self.nets[found.facts.id]

    def connect(self, network: str, container: str, options: ConnectOptions) -> None:
        self._asked("connect", network, container)
        with self._changed:
            found, net = self._get(container), self._network(network)
            if net is None:
                raise NotFound(f"no such network: {network}")
            if found.now.state == "running" and net.facts.name in found.endpoints:
                return
            found.endpoints[net.facts.name] = options
            self._refresh(found)

    def disconnect(self, network: str, container: str) -> None:
        self._asked("disconnect", network, container)
        with self._changed:
            found, net = self._find(container), self._network(network)
            if found is not None and net is not None:
                found.endpoints.pop(net.facts.name, None)
                self._refresh(found)

    def volumes(self) -> list[VolumeFacts]:
        self._asked("volumes")
        return list(self.vols.values())

    def create_volume(
        self, name: str, labels: Mapping[str, str], driver: str = "", options: Mapping[str, str] | None = None
    ) -> None:
        self._asked("create_volume", name)
        self.vols.setdefault(name, VolumeFacts(name, dict(labels)))

    def remove_volume(self, name: str) -> None:
        self._asked("remove_volume", name)
        if any(name in c.now.mounts for c in self.all.values()):
            raise Conflict(f"volume {name} is in use", code="in_use")
        self.vols.pop(name, None)

    # ---- images and events -----------------------------------------------------------------------------------------

    def image(self, ref: str) -> ImageFacts | None:
        self._asked("image", ref)
        return self.images.get(_tagged(ref)) or next((i for i in self.images.values() if i.id == ref), None)

    def ask_registry(self, image: str, limit_s: float) -> RegistryAnswer:
        self._asked("ask_registry", image)
        return self.registry.get(image, RegistryAnswer("unreachable", said="no such host"))

    def tag(self, image: str, tag: str) -> None:
        self._asked("tag", image, tag)
        found = self.image(image)
        if found is None:
            raise NotFound(f"no such image: {image}")
        self.images[_tagged(tag)] = found

    def untag(self, tag: str) -> None:
        self._asked("untag", tag)
        self.images.pop(_tagged(tag), None)

    def import_image(self, tar: Iterator[bytes], tag: str, changes: Sequence[str]) -> str:
        self._asked("import_image", tag)
        for _ in tar:
            pass
        return self.add_image(tag)

    def events(self, labels: Mapping[str, str], since: float, stop: Callable[[], bool]) -> Iterator[EngineEvent]:
        self._asked("events")
        seen = 0
        while not stop():
            with self._changed:
                self._asked("events")
                fresh = self.past[seen:]
                if not fresh:
                    self._changed.wait(0.02)
            seen += len(fresh)
            for event in fresh:
                if event.at >= since and _matches(event.labels, labels):
                    yield event

    # ---- inside ----------------------------------------------------------------------------------------------------

    def _asked(self, *call: str) -> None:
        if self.away:
            raise OutOfReach("the Docker Engine does not answer", code="engine_unreachable", hint="windlass doctor")
        if call[0] != "events":
            self.calls.append(call)

    def _find(self, ref: str) -> FakeContainer | None:
        return self.all.get(ref) or next((c for c in self.all.values() if c.now.name == ref), None)

    def _get(self, ref: str) -> FakeContainer:
        found = self._find(ref)
        if found is None:
            raise NotFound(f"no such container: {ref}")
        return found

    def _network(self, ref: str) -> FakeNetwork | None:
        return self.nets.get(ref) or next((n for n in self.nets.values() if n.facts.name == ref), None)

    def _members(self, name: str) -> tuple[str, ...]:
        return tuple(c.now.id for c in self.all.values() if name in c.endpoints and c.now.state == "running")

    def _run(self, found: FakeContainer) -> None:
        found.now = replace(found.now, state="running", exit_code=0, oom_killed=False, pid=4711)
        found.now = replace(found.now, started_at=_stamp(time.time()))
        self._refresh(found)
        self._tell("container", "start", found.now)
        if found.exits is not None:
            self._ended(found, found.exits, False)

    def _ended(self, found: FakeContainer, code: int, oom: bool) -> None:
        found.now = replace(found.now, state="exited", exit_code=code, oom_killed=oom, pid=0)
        self._refresh(found)
        self._tell("container", "die", found.now, code)

    def _refresh(self, found: FakeContainer) -> None:
        """Addresses: those asked for, else the lowest free ones, and none at all unless it runs."""
        held = dict(found.now.addresses)
        found.now = replace(found.now, addresses={})
        given = {}
        for name, options in found.endpoints.items():
            free = held.get(name) or options.address or self._free(name)
            given[name] = free if found.now.state == "running" else ""
        found.now = replace(found.now, addresses=given)

    def _free(self, name: str) -> str:
        net = self._network(name)
        if net is None:
            return ""
        taken = {c.now.addresses.get(name) for c in self.all.values()}
        gateway = str(next(ipaddress.ip_network(net.facts.subnets[0]).hosts()))
        pool = ipaddress.ip_network(net.ip_range or net.facts.subnets[0])
        usable: Iterable[Any] = pool if net.ip_range else pool.hosts()
        return next(str(a) for a in usable if str(a) not in taken and str(a) != gateway)

    def _tell(self, kind: str, action: str, about: Container, code: int | None = None) -> None:
        with self._changed:
            labels = {**about.labels, "name": about.name}
            self.past.append(EngineEvent(kind, action, about.id, about.name, labels, code, time.time()))
            self._changed.notify_all()


def _tagged(ref: str) -> str:
    return ref if ":" in ref.rpartition("/")[2] else f"{ref}:latest"


def _matches(labels: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    return all(key in labels and value in ("", labels[key]) for key, value in wanted.items())


def _stamp(at: float) -> str:
    seconds, rest = divmod(at, 1)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{int(rest * 1e9):09d}Z"
