"""From a push to what is served: real Git servers by token and by key, webhooks over TCP, polls, and no secret seen."""

from __future__ import annotations

import base64
import http.client
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.domain.hookpayloads import Sent, github, gitlab_signed
from tests.e2e.projects import IMAGE, edit, shape
from tests.e2e.station import Station, eventually, free_port
from tests.e2e.truth import assert_nothing_lost
from tests.e2e.watching import Watch
from tests.gitservers import HttpGit, SshGit, git

pytestmark = [pytest.mark.real, pytest.mark.timeout(400)]

TOKEN = "glpat-t0p-s3cret-4711"


class Hooked(Station):
    """Its API is on TCP too, as Git servers need it."""

    def __init__(self) -> None:
        super().__init__()
        self.tcp = free_port()


@pytest.fixture(scope="module")
def hooked() -> Iterator[Hooked]:
    made = Hooked()
    try:
        made.up("--listen", f"127.0.0.1:{made.tcp}")
        yield made
    finally:
        made.remove()


@pytest.fixture
def work(hooked: Hooked) -> Path:
    """A checkout of the app's project, on main."""
    folder = shape(hooked.folder / f"work{len(hooked.apps)}", "no-base")
    git(folder, "init", "--quiet", "-b", "main")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "one")
    return folder


def publish(work: Path, root: Path) -> Path:
    """The repository on the server, from which `git push` comes."""
    bare = root / "team" / "shop.git"
    bare.parent.mkdir(parents=True, exist_ok=True)
    git(work, "clone", "--quiet", "--bare", str(work), str(bare))
    git(work, "remote", "add", "origin", str(bare))
    return bare


def push(work: Path, version: str, message: str = "") -> str:
    """A commit with that version, on the server's main."""
    edit(work / "Dockerfile", "VERSION=v1" if version == "v2" else "VERSION=v2", f"VERSION={version}")
    git(work, "commit", "--quiet", "-am", message or f"version {version}")
    git(work, "push", "--quiet", "origin", "main")
    return git(work, "rev-parse", "HEAD")


def post(station: Hooked, app: str, sent: Sent) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", station.tcp, timeout=30)
    try:
        connection.request("POST", f"/hooks/{app}", sent.body, dict(sent.headers))
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def ended(station: Station, deployment: str) -> dict[str, Any]:
    return [document for _, document in station.follow(deployment)][-1]


def test_private_by_token_pushed_and_live_under_load(hooked: Hooked, work: Path, tmp_path: Path) -> None:
    app = hooked.app("token")
    publish(work, tmp_path)
    basic = base64.b64encode(f"oauth2:{TOKEN}".encode()).decode()
    with HttpGit(tmp_path, "oauth2", TOKEN) as server:
        url = f"{server.address}/team/shop.git"
        hooked.ok("source", "set", app, url)
        refused = hooked.run("deploy", "--app", app)
        assert "git_auth" in refused.codes, str(refused)
        words = ("--status", "gitea", "--watch", "*", "--watch", "!*.md")
        shown = hooked.begin("source", "set", app, url, "--token-stdin", *words, "--json", stdin=TOKEN).wait()
        assert (shown.code, TOKEN in shown.out + shown.err) == (0, False)
        with Watch(hooked, TOKEN, basic) as watch:
            assert hooked.ok("deploy", "--app", app)["status"] == "live"
        assert (watch.found, watch.looks > 3) == (set(), True)
        hooked.wait_served(app, version="v1")
        secret = hooked.ok("hook", "show", app, "--reveal")["secret"]
        commit = push(work, "v2", "two: Ümlaut")
        with hooked.load(app, websockets=0) as load:
            load.expect_switch()
            status, told = post(hooked, app, github(secret))
            assert (status, told["result"]) == (202, "queued"), told
            document = ended(hooked, told["deployments"][0]["deployment"])
            report = load.stop()
        assert document["status"] == "live", document
        assert_nothing_lost(report)
        assert hooked.get(app).version == "v2"
        newest = hooked.releases(app)[0]
        facts = (newest["commit"], newest["author"], newest["message"], newest["by"])
        assert facts == (commit, "Ann <ann@example.com>", "two: Ümlaut", "hook:github")
        assert post(hooked, app, github(secret))[0] == 409
        assert post(hooked, app, github("whsec_" + "x" * 40))[0] == 422
        place = f"/api/v1/repos/team/shop/statuses/{commit}"
        assert eventually(lambda: (place, f"token {TOKEN}") in server.seen, 20), server.seen[-3:]
        (work / "README.md").write_text("words")
        git(work, "add", ".")
        git(work, "commit", "--quiet", "-m", "words")
        git(work, "push", "--quiet", "origin", "main")
        _, told = post(hooked, app, github(secret, message="words").changed(x_github_delivery="2"))
        document = ended(hooked, told["deployments"][0]["deployment"])
        assert (document["status"], document["release"]) == ("unchanged", newest["release"])


def test_private_by_a_deploy_key_and_a_host_key_that_changed(hooked: Hooked, work: Path, tmp_path: Path) -> None:
    app = hooked.app("key")
    bare = publish(work, tmp_path)
    with SshGit(tmp_path / "sshd") as server:
        url = server.url(bare)
        public = hooked.ok("source", "set", app, url, "--deploy-key", "generate")["public_key"]
        assert "git_auth" in hooked.run("deploy", "--app", app).codes
        server.let_in(public)
        with Watch(hooked, "OPENSSH PRIVATE KEY") as watch:
            assert hooked.ok("deploy", "--app", app)["status"] == "live"
        assert (watch.found, watch.looks > 3) == (set(), True)
        assert hooked.ok("source", "show", app)["host_keys"][0].startswith("ssh-ed25519 SHA256:")
        secret = hooked.ok("hook", "show", app, "--reveal")["secret"]
        push(work, "v2")
        server.stop()
        server.make_host_key()
        server.start()
        status, told = post(hooked, app, gitlab_signed(secret, at=time.time()))
        assert status == 202, told
        document = ended(hooked, told["deployments"][0]["deployment"])
        assert (document["status"], document["error"]["code"]) == ("refused", "git_host_key_changed")
        assert hooked.get(app).version == "v1"
        hooked.ok("source", "trust", app)
        assert hooked.ok("deploy", "--app", app)["status"] == "live"
        assert hooked.get(app).version == "v2"


def test_a_poll_finds_the_push_of_an_environment(hooked: Hooked, work: Path, tmp_path: Path) -> None:
    app = hooked.app("poll")
    publish(work, tmp_path)
    git(work, "push", "--quiet", "origin", "main:develop")
    staging = f"{app}@staging"
    hooked.apps.append(staging.replace("@", "--"))
    with HttpGit(tmp_path) as server:
        hooked.ok("source", "set", app, f"{server.address}/team/shop.git")
        shown = hooked.ok("source", "set", app, "--env", "staging", "--branch", "develop", "--poll", "10s")
        assert (shown["app"], shown["branch"], shown["poll"]) == (staging, "develop", 10.0)
        first = hooked.ok("deploy", "--app", staging)
        assert first["status"] == "live", first
        edit(work / "Dockerfile", "VERSION=v1", "VERSION=v2")
        git(work, "commit", "--quiet", "-am", "two")
        git(work, "push", "--quiet", "origin", "main:develop")
        sha = git(work, "rev-parse", "HEAD")
        assert eventually(lambda: hooked.releases(staging)[0]["commit"] == sha, 60, 1.0)
        assert eventually(lambda: bool(hooked.releases(staging)[0]["live"]), 90, 1.0), hooked.releases(staging)
        assert hooked.releases(staging)[0]["by"] == "poll"
        hooked.ok("source", "remove", staging)


def test_a_dockerfile_alone_and_an_image_alone_are_apps(hooked: Hooked, tmp_path: Path) -> None:
    app = hooked.app("docker")
    folder = shape(hooked.folder / "alone", "no-base")
    for file in folder.glob("*compose*"):
        file.unlink()
    edit(folder / "Dockerfile", "WORKDIR /app", "WORKDIR /app\nEXPOSE 8000")
    assert any("Dockerfile" in note for note in hooked.ok("plan", folder, "--app", app)["notes"])
    assert hooked.deploy(folder, app)["status"] == "live"
    assert hooked.get(app, "/health").status == 200
    image = hooked.app("image")
    hooked.ok("source", "set", image, f"image:{IMAGE}")
    assert hooked.ok("deploy", "--app", image)["status"] == "live"
    assert hooked.get(image).status == 200
    assert hooked.releases(image)[0]["source"] == f"image:{IMAGE}"
