"""Pull requests through the public edge: a real Git server, signed webhooks, previews that come and go."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker.errors
import pytest
from tests.domain.hookpayloads import Sent, github
from tests.domain.requestpayloads import request_sent
from tests.e2e.projects import edit, shape
from tests.e2e.station import Station, eventually
from tests.e2e.web import ask
from tests.gitservers import HttpGit, git

from windlass.wire import EXIT_HEADER

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

HOST = "hooks.localhost"
CLAIM = "verify: {bake: 0s}\nroutes: [{host: shop.example.com, service: web, port: 8000}]\n"
LIVE = "production-only-4711"
WISHES = """services:
  web:
    image: nginx:alpine
    privileged: true
    volumes: ["shared:/data"]
volumes:
  shared: {external: true, name: somebody-elses}
"""


@pytest.fixture(scope="module")
def hooked() -> Iterator[Station]:
    """Its webhooks come through the edge; the API is on the unix socket alone."""
    made = Station()
    try:
        made.up("--hooks-host", HOST)
        yield made
    finally:
        made.remove()


class Repository:
    """A checkout, and the bare one on the server that it pushes to."""

    def __init__(self, folder: Path, root: Path) -> None:
        self.work = shape(folder, "no-base", settings=CLAIM)
        edit(self.work / "compose.yaml", 'expose: ["8000"]', 'ports: ["18000:8000"]\n    environment: [SECRET, TRIAL]')
        git(self.work, "init", "--quiet", "-b", "main")
        self.commit("one")
        self.bare = root / "team" / "shop.git"
        self.bare.parent.mkdir(parents=True)
        git(self.work, "clone", "--quiet", "--bare", str(self.work), str(self.bare))

    def commit(self, message: str) -> None:
        git(self.work, "add", "--all")
        git(self.work, "commit", "--quiet", "--allow-empty", "-m", message)

    def push(self, number: int) -> None:
        """As what the server shows of the request."""
        git(self.work, "push", "--quiet", "--force", str(self.bare), f"HEAD:refs/pull/{number}/head")


def post(station: Station, app: str, sent: Sent) -> tuple[int, dict[str, Any]]:
    connection = http.client.HTTPConnection(station.engine.address, station.http_port, timeout=30)
    try:
        connection.request("POST", f"/hooks/{app}", sent.body, {**sent.headers, "Host": HOST})
        answer = connection.getresponse()
        text = answer.read()
        is_json = answer.getheader("content-type", "").startswith("application/json")
        return answer.status, json.loads(text) if is_json else {}
    finally:
        connection.close()


def ended(station: Station, told: dict[str, Any]) -> dict[str, Any]:
    return [document for _, document in station.follow(told["deployments"][0]["deployment"])][-1]


def served(station: Station, host: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection(station.engine.address, station.http_port, timeout=15)
    answer = ask(connection, "/", None, {"Host": host, "Connection": "close"})
    return answer.status, answer.text


def is_gone(station: Station, app: str) -> bool:
    """Of what is just going the engine may say that it is not there."""
    try:
        return not any(station.leftovers(app).values())
    except docker.errors.NotFound:
        return False


def test_a_preview_comes_with_its_request_and_goes_with_it(hooked: Station, tmp_path: Path) -> None:
    app = hooked.app("pull")
    preview = f"{app}--pr-12"
    hooked.apps.append(preview)
    repository = Repository(hooked.folder / "work", tmp_path)
    with HttpGit(tmp_path) as server:
        hooked.ok("source", "set", app, f"{server.address}/team/shop.git")
        hooked.ok("env", "set", app, f"SECRET={LIVE}")
        hooked.ok("env", "set", f"{app}@preview", "TRIAL=yes")
        shown = hooked.ok("hook", "show", app, "--reveal")
        assert shown["url"] == f"http://{HOST}:{hooked.http_port}/hooks/{app}"
        secret = shown["secret"]
        repository.push(12)
        assert post(hooked, app, request_sent("github", secret=secret, delivery="0"))[1]["result"] == "ignored"
        assert hooked.ok("previews", "on", app, "--memory", "128MiB")["on"]
        status, told = post(hooked, app, request_sent("github", secret=secret, delivery="1"))
        assert (status, told["result"]) == (202, "queued"), told
        assert ended(hooked, told)["status"] == "live", hooked.events(f"{app}@pr-12")[-5:]
        own = f"pr-12.{app}.localhost"
        assert (served(hooked, own)[0], "v1" in served(hooked, own)[1]) == (200, True)
        assert served(hooked, "shop.example.com")[0] == 404
        (container,) = [c for c in hooked.containers(preview) if c.status == "running"]
        limits = container.attrs["HostConfig"]
        assert (limits["Memory"], limits["NanoCpus"], limits["PidsLimit"]) == (128 << 20, 10**9, 256)
        assert not limits["PortBindings"]
        environment = "\n".join(container.attrs["Config"]["Env"])
        assert ("TRIAL=yes" in environment, LIVE in environment) == (True, False)
        before = container.id
        edit(repository.work / "Dockerfile", "VERSION=v1", "VERSION=v2")
        repository.commit("two")
        repository.push(12)
        _, told = post(hooked, app, request_sent("github", "pushed", secret=secret, delivery="2"))
        assert ended(hooked, told)["status"] == "live"
        (container,) = [c for c in hooked.containers(preview) if c.status == "running"]
        assert container.id != before
        assert "v2" in served(hooked, own)[1]
        status, told = post(hooked, app, request_sent("github", "closed", secret=secret, delivery="3"))
        assert (status, told["result"]) == (200, "closed")
        assert eventually(lambda: is_gone(hooked, preview), 60, 0.2), hooked.leftovers(preview)
        assert eventually(lambda: hooked.ok("previews", "list", app)["items"] == [], 30, 0.2)
        assert served(hooked, own)[0] == 404


def test_a_fork_waits_and_what_it_wishes_is_refused(hooked: Station, tmp_path: Path) -> None:
    app = hooked.app("fork")
    hooked.apps.append(f"{app}--pr-7")
    repository = Repository(hooked.folder / "fork", tmp_path)
    (repository.work / "compose.yaml").write_text(WISHES)
    repository.commit("wishes")
    repository.push(7)
    with HttpGit(tmp_path) as server:
        hooked.ok("source", "set", app, f"{server.address}/team/shop.git")
        hooked.ok("previews", "on", app)
        secret = hooked.ok("hook", "show", app, "--reveal")["secret"]
        status, told = post(hooked, app, request_sent("github", number=7, fork=True, secret=secret, delivery="1"))
        assert (status, told["result"], told["deployments"]) == (200, "waiting", [])
        assert hooked.run("status", f"{app}@pr-7").code == 7
        hooked.ok("consent", app, "fork:7")
        assert hooked.run("consent", f"{app}@pr-7", "privileged:web").error["code"] == "preview_refused"
        status, told = post(hooked, app, request_sent("github", "pushed", 7, True, secret=secret, delivery="2"))
        document = ended(hooked, told)
        assert (document["status"], document["release"]) == ("refused", None)
        said = [detail["message"] for detail in document["error"]["details"]]
        assert any("root may on this machine" in words for words in said), said
        assert any("somebody-elses" in words for words in said), said
        assert hooked.containers(f"{app}--pr-7") == []
        post(hooked, app, request_sent("github", "merged", 7, True, secret=secret, delivery="3"))
        assert eventually(lambda: hooked.run("status", f"{app}@pr-7").code == 7, 60, 0.2)


TRICKS = (
    "GET /hooks/{app}", "GET /health", "GET /ready", "GET /", "GET /login", "GET /api/v1/apps", "GET /metrics",
    "POST /api/v1/tokens", "POST /hooks", "POST /hooks/", "POST //hooks/{app}", "POST /hooks//{app}",
    "POST /hooks/{app}/", "POST /hooks/../api/v1/tokens", "POST /hooks/{app}/../../api/v1/tokens",
    "POST /hooks/%2e%2e/api/v1/tokens", "POST /hooks/..%2fapi%2fv1%2ftokens", "POST /hooks/{app}%2f..%2f..%2flogin",
    "POST /hooks/%2e%2e%2flogin", "POST /hooks/..%5clogin", "POST /%68ooks/../login", "POST /hooks/{app}%00",
    "POST /hooks/{app};/../../login", "POST /hooks/{app}%252f..%252f..%252flogin", "PUT /hooks/{app}",
    "POST http://127.0.0.1/api/v1/tokens", "POST /hooks/%ff", "POST /HOOKS/{app}", "POST /hooks/" + "a" * 200,
)  # fmt: skip


def raw(station: Station, text: bytes) -> bytes:
    with socket.create_connection((station.engine.address, station.http_port), timeout=30) as connection:
        connection.sendall(text)
        found = b""
        while piece := connection.recv(65536):
            found += piece
    return found


def test_no_other_way_leads_in(hooked: Station) -> None:
    app = hooked.app("door")
    hooked.ok("env", "set", app, "A=1")
    secret = hooked.ok("hook", "show", app, "--reveal")["secret"]
    ping = github(secret).changed(x_github_event="ping")
    assert post(hooked, app, ping)[1]["result"] == "pong"
    for trick in TRICKS:
        method, path = trick.format(app=app).split(" ", 1)
        head = f"{method} {path} HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{{}}"
        answer = raw(hooked, head.encode())
        if EXIT_HEADER.encode() in answer.lower():  # the edge had taken it for a hook's plain path
            assert b'"hook_refused"' in answer, (trick, answer)
        else:
            assert answer.split(b" ")[1] in (b"400", b"404"), (trick, answer)
    here, elsewhere = f"Host: {HOST}\r\n", f"Host: {app}.localhost\r\n"
    for fields, status in (
        (elsewhere, b"404"),
        (f"{here}Content-Length: {(5 << 20) + 1}\r\n", b"413"),
        (f"{here}Transfer-Encoding: chunked\r\n", b"413"),
    ):
        body = "4\r\n{{}}\r\n0\r\n\r\n" if "chunked" in fields else ""
        text = f"POST /hooks/{app} HTTP/1.1\r\n{fields}Connection: close\r\n\r\n{body}"
        assert raw(hooked, text.encode()).split(b" ")[1] == status, fields


def test_it_comes_back_with_the_control_plane(hooked: Station) -> None:
    app = hooked.app("back")
    hooked.ok("env", "set", app, "A=1")
    secret = hooked.ok("hook", "show", app, "--reveal")["secret"]
    ping = github(secret).changed(x_github_event="ping")
    hooked.down()
    assert post(hooked, app, ping)[0] in (502, 503, 504)
    hooked.up()
    assert eventually(lambda: post(hooked, app, ping)[0] in (200, 409), 30, 0.1)
    hooked.up("--hooks-host", "")
    assert post(hooked, app, ping)[0] == 404
