"""The whole of `ports.engine.Engine` on one connection."""

from __future__ import annotations

from windlass.adapters.engine.connection import Connection
from windlass.adapters.engine.containers import Containers
from windlass.adapters.engine.events import Events
from windlass.adapters.engine.files import Files
from windlass.adapters.engine.images import Images
from windlass.adapters.engine.logs import Logs
from windlass.adapters.engine.networks import Networks
from windlass.adapters.engine.processes import Processes
from windlass.adapters.engine.registry import Registries
from windlass.adapters.engine.statistics import Statistics
from windlass.adapters.engine.volumes import Volumes
from windlass.ports.engine import EngineFacts


class DockerEngine(Containers, Files, Processes, Logs, Statistics, Networks, Volumes, Images, Registries, Events):
    """May be used by many threads at once."""

    def __init__(self, url: str, timeout_s: float = 60.0) -> None:
        super().__init__(Connection(url, timeout_s))

    def facts(self) -> EngineFacts:
        with self._connection.call("the engine") as api:
            version, info = api.version(), api.info()
        return EngineFacts(
            version=version["Version"],
            api=version["ApiVersion"],
            architecture=version["Arch"],
            cpus=int(info["NCPU"]),
            memory=int(info["MemTotal"]),
            root=info["DockerRootDir"],
            storage=info["Driver"],
            live_restore=info.get("LiveRestoreEnabled"),
            runtimes=tuple(info.get("Runtimes") or ()),
            devices=tuple(str(d.get("ID")) for d in info.get("DiscoveredDevices") or ()),
        )
