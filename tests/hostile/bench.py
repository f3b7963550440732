"""windlass as strangers meet it, in a world without an engine: the API on its socket, and programs that only look."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx2
from tests.hostile.programs import Programs, Seen, programs
from tests.usecases import worlds
from tests.usecases.worlds import World, make_world
from tests.web.conftest import serving

from windlass.adapters.compose import ComposeProgram
from windlass.adapters.git import GitCli
from windlass.ports.engine import ImageFacts
from windlass.ports.outside import Outside
from windlass.web.options import WebOptions
from windlass.web.server import build_app
from windlass.web.serving import Listeners

HOST = "unix:///nonexistent/docker.sock"
MODEL: dict[str, Any] = {
    "name": "shop",
    "services": {"web": {"image": "nginx:1", "expose": ["80"], "networks": {"default": None}}},
    "networks": {"default": {"name": "any_default"}},
}

# Of whoever started windlass: nothing of it may reach a child.
STRANGE = {
    "GIT_DIR": "/tmp/evil", "GIT_SSH_COMMAND": "id", "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "core.pager",
    "GIT_CONFIG_VALUE_0": "id", "GIT_EXTERNAL_DIFF": "id", "COMPOSE_FILE": "/etc/evil.yaml", "COMPOSE_PROFILES": "*",
    "COMPOSE_PROJECT_NAME": "evil", "DOCKER_DEFAULT_PLATFORM": "evil", "DOCKER_CONTEXT": "evil",
    "BASH_ENV": "/tmp/evil", "PYTHONSTARTUP": "/tmp/evil",
    "BUILDX_BUILDER": "evil", "BUILDKIT_HOST": "tcp://evil", "WINDLASS_TOKEN": "t0ken",
}  # fmt: skip
FOR_GIT = {
    *("GIT_CONFIG_NOSYSTEM", "GIT_CONFIG_GLOBAL", "GIT_TERMINAL_PROMPT", "GIT_ASKPASS", "GIT_ATTR_NOSYSTEM"),
    *("GIT_SSL_CAINFO", "GIT_SSH_COMMAND", "GIT_SSH_VARIANT", "CURL_CA_BUNDLE", "SSH_ASKPASS_REQUIRE"),
}
FOR_COMPOSE = {
    *("COMPOSE_DISABLE_ENV_FILE", "COMPOSE_EXPERIMENTAL_GIT_REMOTE", "COMPOSE_EXPERIMENTAL_OCI_REMOTE"),
    *("COMPOSE_BAKE", "DOCKER_BUILDKIT", "DOCKER_HOST", "DOCKER_CONFIG", "DOCKER_CERT_PATH", "DOCKER_TLS_VERIFY"),
}


class Compose(ComposeProgram):
    """The real adapter; what it would have created appears in the engine that is only in memory."""

    def __init__(self, program: Path, world: World) -> None:
        super().__init__(HOST, program=program)
        self._made = worlds.Compose(world.engine)

    def create(self, project: str, model: Any, directory: Path, services: Any, recreate: bool) -> None:
        super().create(project, model, directory, services, recreate)
        self._made.create(project, model, directory, services, recreate)


@dataclass
class Bench:
    world: World
    programs: Programs
    api: httpx2.Client
    outside: Outside
    usual: dict[str, list[Seen]] = field(default_factory=dict)  # by field: what is started for a harmless word

    def ask(self, method: str, path: str, body: Any = None) -> httpx2.Response:
        """With a body as JSON may be written: also what is no text."""
        content = None if body is None else json.dumps(body).encode()
        return self.api.request(method, path, content=content, headers={"content-type": "application/json"})

    def upload(self, verb: str, files: dict[str, bytes], **parameters: Any) -> httpx2.Response:
        """A folder as it is sent: `verb` is deployments or plan."""
        form = {"data": {"parameters": json.dumps(parameters)}, "files": {"source": ("x.tar", tar_of(files))}}
        return self.api.post(f"/api/v1/apps/shop/{verb}", **form)  # type: ignore[arg-type]


def tar_of(files: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            with suppress(UnicodeEncodeError):
                archive.addfile(entry, io.BytesIO(content))
    return made.getvalue()


@contextmanager
def bench_in(folder: Path) -> Iterator[Bench]:
    (folder / "home").mkdir()
    world = make_world(folder / "home")
    world.engine.add_image("nginx:1", ImageFacts("sha256:nginx"))
    outside = replace(world.outside, compose=Compose(folder / "docker-compose", world), git=GitCli())
    app = build_app(outside, WebOptions())
    try:
        with programs(folder) as started, serving(app, Listeners(folder / "api.sock")) as served:
            started.model = MODEL
            transport = httpx2.HTTPTransport(uds=str(served.socket))
            with httpx2.Client(transport=transport, base_url="http://windlass", timeout=60) as api:
                yield Bench(world, started, api, outside)
    finally:
        world.store.close()
