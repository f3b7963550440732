"""What registries say of images, asked by a real engine: one that answers, one with a log-in, one that is not there."""

from __future__ import annotations

import base64
import hashlib
import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from windlass.adapters.engine import open_engine
from windlass.domain.errors import Usage

pytestmark = pytest.mark.real

URL = "unix:///var/run/docker.sock"
LOG_IN = "Basic " + base64.b64encode(b"me:let-me-in-4711").decode()
_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
_ONE = "application/vnd.docker.distribution.manifest.v2+json"


def manifest_list(*architectures: str) -> bytes:
    entries = [
        {
            "mediaType": _ONE,
            "size": 1,
            "digest": "sha256:" + "a" * 64,
            "platform": {"os": "linux", "architecture": architecture},
        }
        for architecture in architectures
    ]
    return json.dumps({"schemaVersion": 2, "mediaType": _LIST, "manifests": entries}).encode()


@dataclass
class Registry:
    """`private/app:1` is there for two processors, and for who is logged in."""

    port: int

    def image(self, name: str) -> str:
        return f"127.0.0.1:{self.port}/{name}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        allowed = self.headers.get("Authorization") == LOG_IN
        if self.path == "/v2/":
            self._send(200 if allowed else 401, b"{}", "application/json")
        elif self.path.startswith("/v2/private/") and not allowed:
            self._send(401, _error("UNAUTHORIZED", "authentication required"), "application/json")
        elif self.path.startswith("/v2/private/app/manifests/"):
            self._send(200, manifest_list("amd64", "arm64", "unknown"), _LIST)
        else:
            self._send(404, _error("MANIFEST_UNKNOWN", "manifest unknown"), "application/json")

    def _send(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Docker-Distribution-Api-Version", "registry/2.0")
        self.send_header("Docker-Content-Digest", "sha256:" + hashlib.sha256(body).hexdigest())
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if status == 401:
            self.send_header("WWW-Authenticate", 'Basic realm="test"')
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None: ...


def _error(code: str, message: str) -> bytes:
    return json.dumps({"errors": [{"code": code, "message": message}]}).encode()


@pytest.fixture
def registry() -> Iterator[Registry]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield Registry(server.server_port)
    server.shutdown()
    server.server_close()


def log_in(folder: Path, registry: Registry, auth: str) -> None:
    encoded = auth.removeprefix("Basic ")
    (folder / "config.json").write_text(json.dumps({"auths": {f"127.0.0.1:{registry.port}": {"auth": encoded}}}))


def test_the_log_in_of_a_pull_is_used_and_read_anew(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    engine = open_engine(URL)
    image = registry.image("private/app:1")
    assert engine.ask_registry(image, 10).state == "denied"
    log_in(tmp_path, registry, LOG_IN)
    answer = engine.ask_registry(image, 10)
    assert (answer.state, answer.architectures) == ("there", ("amd64", "arm64")), answer
    log_in(tmp_path, registry, base64.b64encode(b"me:wrong").decode())
    assert engine.ask_registry(image, 10).state == "denied"


def test_what_is_not_there(registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    log_in(tmp_path, registry, LOG_IN)
    answer = open_engine(URL).ask_registry(registry.image("private/other:1"), 10)
    assert (answer.state, "manifest unknown" in answer.said) == ("missing", True), answer


def test_a_registry_that_is_not_there() -> None:
    answer = open_engine(URL).ask_registry("127.0.0.1:1/x:1", 10)
    assert (answer.state, "connection refused" in answer.said) == ("unreachable", True), answer


def test_a_registry_that_says_nothing_is_given_up() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        answer = open_engine(URL).ask_registry(f"127.0.0.1:{silent.getsockname()[1]}/x:1", 0.5)
    assert answer.state == "silent", answer


@pytest.mark.parametrize("image", ["../x", "a b", "x?y=1", ""])
def test_what_can_be_no_image_is_never_asked_for(image: str) -> None:
    with pytest.raises(Usage):
        open_engine(URL).ask_registry(image, 1)
