"""The edge's container: what it is started with, and how it is brought up."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from windlass.adapters.edge import mount
from windlass.adapters.edge.api import EdgeApi
from windlass.adapters.edge.files import EdgeFiles
from windlass.adapters.edge.image import ensure_image, tag
from windlass.adapters.loopbackports import free_port, is_held
from windlass.adapters.netns import why_closed
from windlass.domain.errors import Failed, NotFound, OutOfReach, Refused, WindlassError
from windlass.ports.engine import Container, EdgeContainer, Engine
from windlass.ports.machine import PortHolder

SPEC_LABEL = "windlass.edge-spec"
START_LIMIT_S = 20.0
STOP_GRACE_S = 15.0
_PAUSE_S = 0.02


@dataclass(frozen=True)
class Address:
    """Which instance's edge this is, and where it listens."""

    instance: str
    http_port: int


class EdgeRunner:
    """Brings the edge's container up and takes it down. Not for several threads at once."""

    def __init__(
        self, engine: Engine, files: EdgeFiles, address: Address, holder: Callable[[int], PortHolder | None]
    ) -> None:
        self._engine = engine
        self._files = files
        self._address = address
        self._holder = holder
        self.name = f"windlass-edge-{address.instance}"

    def find(self) -> Container | None:
        try:
            return self._engine.container(self.name)
        except NotFound:
            return None

    def bring_up(self) -> tuple[str, bool]:
        """The edge's version, once it runs and answers; and whether it had to be started."""
        here = self.find()
        as_wanted = here is not None and here.labels.get(SPEC_LABEL) == self._spec().labels[SPEC_LABEL]
        as_wanted = as_wanted and here is not None and self._reads_ours(here)
        if here is not None and as_wanted and here.state == "running":
            return self._await_answer(here.id), False
        ensure_image(self._engine)
        if not as_wanted:
            self.take_down()
            here = None
        self._refuse_held_port()
        if here is not None and is_held(self._files.api_port()):
            self._engine.remove(here.id)
            here = None
        if here is None:
            self._choose_api_port()
            made = self._engine.run_edge(self._spec())
        else:
            made = here.id
            self._engine.start(made)
        return self._await_answer(made), True

    def _reads_ours(self, here: Container) -> bool:
        """A home that was restored beside a running edge takes over the folder which that edge has mounted."""
        if why_closed(here.pid, here.id) or mount.reads(here.pid, self._files.dynamic):
            return True
        return mount.take_over(here.pid, self._files.dynamic)

    def take_down(self) -> None:
        here = self.find()
        if here is not None:
            self._engine.stop(here.id, STOP_GRACE_S)
            self._engine.remove(here.id)

    def _spec(self) -> EdgeContainer:
        plain = EdgeContainer(
            name=self.name,
            image=tag(),
            argv=edge_argv(self._address.http_port, self._files.api_port()),
            environment={},
            labels={"windlass.instance": self._address.instance, "windlass.role": "edge"},
            binds=(f"{self._files.dynamic}:/dynamic:ro",),
        )
        told = json.dumps([plain.image, plain.argv, plain.binds])
        return replace(plain, labels={**plain.labels, SPEC_LABEL: hashlib.sha256(told.encode()).hexdigest()[:16]})

    def _choose_api_port(self) -> None:
        """Not one of outgoing connections: after a reboot it must still be free."""
        before = self._files.api_port()
        port = free_port(before)
        if port != before:
            self._files.write_api_port(port)

    def _refuse_held_port(self) -> None:
        held = self._holder(self._address.http_port)
        if held is not None:
            raise _port_taken(self._address.http_port, held)

    def _await_answer(self, ref: str) -> str:
        """The version; raises when the container can not stay up."""
        deadline = time.monotonic() + START_LIMIT_S
        before = self._engine.container(ref).restarts
        while True:
            try:
                return EdgeApi(self._files.api_port()).version()
            except OutOfReach as error:
                here = self._engine.container(ref)
                if here.restarts > before + 1 or time.monotonic() > deadline:
                    raise self._why_not_up(ref) from error
            time.sleep(_PAUSE_S)

    def last_error(self) -> str:
        """What the edge itself last complained about, "" when it did not."""
        try:
            said = [line.text for line in self._engine.logs(self.name, tail=50) if " ERR " in line.text]
        except WindlassError:
            return ""
        return said[-1].partition(" ERR ")[2] if said else ""

    def _why_not_up(self, ref: str) -> Failed | Refused:
        said = [line.text for line in self._engine.logs(ref, tail=20)]
        if any("address already in use" in line and f":{self._address.http_port}:" in line for line in said):
            self._engine.remove(ref)
            return _port_taken(self._address.http_port, self._holder(self._address.http_port))
        last = f": {said[-1]}" if said else ""
        return Failed(f"the edge does not come up{last}", code="edge_not_started", hint="windlass doctor")


def edge_argv(http_port: int, api_port: int) -> tuple[str, ...]:
    web = "--entryPoints.web"
    return (
        f"{web}.address=:{http_port}",
        # Long uploads and streams: a limit on reading a request would cut them.
        f"{web}.transport.respondingTimeouts.readTimeout=0s",
        f"{web}.transport.lifeCycle.graceTimeOut=10s",
        # `X_Real_User` must not reach an app beside `X-Real-User`.
        f"{web}.http.aliasHeadersStrategy=delete",
        f"--entryPoints.traefik.address=127.0.0.1:{api_port}",
        "--entryPoints.traefik.transport.lifeCycle.graceTimeOut=1s",
        "--api.insecure=true",
        "--api.dashboard=false",
        # Counted by service alone and on the API's own port: what a new version is compared with the old one by.
        "--metrics.prometheus=true",
        "--metrics.prometheus.entryPoint=traefik",
        "--metrics.prometheus.addEntryPointsLabels=false",
        "--metrics.prometheus.addRoutersLabels=false",
        "--metrics.prometheus.addServicesLabels=true",
        "--metrics.prometheus.buckets=1",
        "--providers.file.directory=/dynamic",
        "--providers.file.watch=true",
        "--providers.providersThrottleDuration=20ms",
        "--global.checkNewVersion=false",
        "--global.sendAnonymousUsage=false",
        "--log.level=WARN",
        "--log.noColor=true",
    )


def _port_taken(port: int, held: PortHolder | None) -> Refused:
    by = f"{held.process} (process {held.pid})" if held is not None else "another program"
    return Refused(
        f"the edge needs port {port}, but {by} listens there",
        code="port_taken",
        hint="stop that program, or take another port: windlass up --http PORT",
    )
