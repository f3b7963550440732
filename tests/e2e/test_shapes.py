"""The shapes of projects that an own start could break, each through real deploys of a first and a second version."""

from __future__ import annotations

import contextlib
import ipaddress
import secrets
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from tests.e2e.projects import edit, shape
from tests.e2e.station import Station, eventually, free_pool
from tests.e2e.truth import assert_true_and_tidy

from windlass.cli.load_report import describe

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]


def both_under_load(station: Station, app: str, name: str, *words: object, **load: Any) -> None:
    """Version 1, then version 2 under load, without a failed request."""
    station.deploy(shape(station.folder / app, name), app, *words)
    assert station.wait_served(app).status == 200
    with station.load(app, **{"rate": 60.0, "websockets": 0, **load}) as running:
        running.expect_switch()
        station.deploy(shape(station.folder / app, name, "v2"), app, *words)
        report = running.stop()
    assert (report.failed, report.streams_cut, report.mixed) == (0, 0, 0), describe(report)
    assert_true_and_tidy(station, app)


def plan_of(station: Station, app: str) -> dict[str, str]:
    return {s["name"]: s["strategy"] for s in station.status(app)["services"]}


def test_no_base(shared: Station) -> None:
    app = shared.app("nobase")
    both_under_load(shared, app, "no-base")
    assert plan_of(shared, app) == {"web": "rolling"}
    assert shared.get(app).version == "v2"


def test_plain_nginx_with_a_folder_of_the_repository(shared: Station) -> None:
    app = shared.app("nginx")
    both_under_load(shared, app, "plain-nginx", get_path="/", post_path=None, streams_per_s=0.0)
    assert "v2" in shared.get(app).text


def test_two_networks_one_internal(shared: Station) -> None:
    app = shared.app("nets")
    both_under_load(shared, app, "two-nets")
    assert shared.get(app).text.strip() == "web v2 > api v2 > db"
    (db,), (api,), (web,) = (shared.serving(app, name) for name in ("db", "api", "web"))
    assert shared.get(app, "/reach?host=db&port=5432").text.startswith("no")
    for network in db.attrs["NetworkSettings"]["Networks"].values():
        assert shared.get(app, f"/reach?host={network['IPAddress']}&port=5432").text.startswith("no")
    with internet() as address:
        assert [can_reach(c, address) for c in (web, api, db)] == [True, True, False], (
            "db is on an internal network alone"
        )


def can_reach(container: Any, address: str) -> bool:
    words = ["timeout", "3", "bash", "-c", f"exec 3<>/dev/tcp/{address}/8000"]
    return bool(container.exec_run(words).exit_code == 0)


@contextlib.contextmanager
def internet() -> Iterator[str]:
    """The address of a host beyond this machine: in a network namespace, reached over a link of its own."""
    name = f"wlt{secrets.token_hex(3)}"
    net = ipaddress.ip_network(free_pool())
    here, there = str(net[1]), str(net[2])
    inside = ["ip", "netns", "exec", name]
    for words in (
        ["ip", "netns", "add", name],
        ["ip", "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name],
        ["ip", "addr", "add", f"{here}/30", "dev", name],
        ["ip", "link", "set", name, "up"],
        [*inside, "ip", "addr", "add", f"{there}/30", "dev", "eth0"],
        [*inside, "ip", "link", "set", "eth0", "up"],
    ):
        subprocess.run(words, check=True, capture_output=True)
    server = subprocess.Popen([*inside, sys.executable, "-c", LISTEN], stdout=subprocess.PIPE)
    try:
        assert server.stdout is not None
        assert server.stdout.readline()
        yield there
    finally:
        server.kill()
        server.communicate()
        subprocess.run(["ip", "netns", "del", name], check=True)


LISTEN = """
import socket
server = socket.create_server(("0.0.0.0", 8000))
print("ready", flush=True)
while True:
    server.accept()[0].close()
"""


class TestFeatures:
    """Secrets, configs, hooks, links, a filling job, a shared network, anonymous volumes, a proxy in front."""

    def test_all_of_them(self, shared: Station) -> None:
        app = shared.app("feat")
        secret = "given-by-the-environment-4712"
        shared.ok("env", "set", app, f"FEATURES_SECRET={secret}")
        shared.deploy(shape(shared.folder / app, "features"), app)
        self.assert_all(shared, app, "v1", secret)
        (drafts,) = shared.serving(app, "drafts")
        self.say(drafts, "kept over releases")
        shared.deploy(shape(shared.folder / app, "features", "v2"), app)
        self.assert_all(shared, app, "v2", secret)
        (drafts,) = shared.serving(app, "drafts")
        assert "kept over releases" in self.say(drafts, "second")
        gone = [c for c in shared.containers(app) if c.labels["com.docker.compose.service"] == "web"]
        stopped = [c for c in gone if c.status != "running"]
        assert stopped
        assert b"hook pre_stop" in stopped[0].logs()
        back = shared.ok("rollback", app)
        assert back["status"] == "live"
        self.assert_all(shared, app, "v1", secret)
        (drafts,) = shared.serving(app, "drafts")
        assert "second" in self.say(drafts, "third")

    def assert_all(self, station: Station, app: str, version: str, secret: str) -> None:
        answer = station.wait_served(app)
        found = answer.json()
        assert found["version"] == version
        assert found["secret_environment"] == secret
        assert found["secret_file"]
        assert found["config_content"].startswith("hello from compose, 5 $")
        assert found["site"] == f"filled by {version}\n"
        assert "post_start" in found["hooks"]
        assert station.get(app, "/peer").text == f"peer {version} > web {version}"

    def say(self, container: Any, text: str) -> str:
        code = (
            "import sys, urllib.request as r; "
            "r.urlopen('http://127.0.0.1:8000/', data=sys.argv[1].encode()).read(); "
            "print(r.urlopen('http://127.0.0.1:8000/').read().decode())"
        )
        done = container.exec_run(["python", "-c", code, text])
        assert done.exit_code == 0, done.output
        return str(done.output.decode())


def test_a_store_with_a_configuration_file(shared: Station) -> None:
    app = shared.app("conf")
    shared.deploy(shape(shared.folder / app, "store-config"), app)
    first = shared.get(app).json()
    shared.deploy(shape(shared.folder / app, "store-config", "v2"), app)
    second = shared.get(app).json()
    assert second["version"] == "v2"
    assert second["redis"] == first["redis"], "an unchanged store is not touched"
    folder = shape(shared.folder / app, "store-config", "v2")
    text = (folder / "redis.conf").read_text()
    (folder / "redis.conf").write_text(
        "\n".join(x for x in text.splitlines() if "maxmemory " not in x) + "\nmaxmemory 77mb\n"
    )
    shared.deploy(folder, app)
    third = shared.get(app).json()
    assert third["maxmemory"] == 77 << 20
    assert third["redis"] != second["redis"]
    assert third["visits"] > second["visits"], "its data is kept"
    shared.ok("rollback", app)
    assert shared.get(app).json()["version"] == "v2"
    assert_true_and_tidy(shared, app)


def test_a_scheduler_never_runs_twice(shared: Station) -> None:
    app = shared.app("beat")
    shared.deploy(shape(shared.folder / app, "scheduler"), app)
    shared.deploy(shape(shared.folder / app, "scheduler", "v2"), app)
    shared.ok("rollback", app)
    shared.ok("restart", app, "beat")
    lines = [line.split() for line in shared.get(app, "/beats").text.splitlines()]
    assert {host for _, host, _, _ in lines}
    running: set[tuple[str, str]] = set()
    versions = []
    for _, host, version, what in lines:
        if what == "start":
            assert not running, f"{host} started beside {running}"
            running.add((host, version))
            versions.append(version)
        elif what == "stop":
            running.discard((host, version))
        else:
            assert running == {(host, version)}
    assert versions[:3] == ["v1", "v2", "v1"]
    assert len(running) == 1


def test_a_bad_worker_takes_no_job_and_none_is_lost(shared: Station) -> None:
    """The bad version's api never gets healthy, so its worker, whose code is bad as well, must never have run."""
    app = shared.app("queue")
    shared.deploy(shape(shared.folder / app, "worker-queue"), app)
    over, asked = threading.Event(), Counter[int]()

    def order() -> None:
        while not over.is_set():
            answer = shared.get(app, "/jobs?n=2", b"")
            asked.update(answer.json()["jobs"] if answer.status == 200 else [])
            time.sleep(0.2)

    thread = threading.Thread(target=order)
    thread.start()
    try:
        bad = shape(shared.folder / f"{app}-bad", "worker-queue", "bad")
        edit(bad / "web.py", "serve({", "raise SystemExit('bad on purpose')\nserve({")
        failed = shared.run("deploy", bad, "--app", app)
        assert failed.code == 4, str(failed)
        shared.deploy(shape(shared.folder / app, "worker-queue", "v2"), app)
    finally:
        over.set()
        thread.join()
    assert eventually(lambda: len(shared.get(app, "/done").json()) >= len(asked), 60)
    done = shared.get(app, "/done").json()
    assert sorted(d["job"] for d in done) == sorted(asked), "each job once"
    assert {d["version"] for d in done} == {"v1", "v2"}
    state = shared.get(app).json()
    assert (state["jobs"], state["taken"]) == (0, 0)


def test_one_writer_is_swapped_not_doubled(shared: Station) -> None:
    app = shared.app("sqlite")
    shared.deploy(shape(shared.folder / app, "sqlite-app"), app)
    assert plan_of(shared, app) == {"web": "recreate"}
    assert shared.get(app, "/notes", b"kept").status == 200
    shared.deploy(shape(shared.folder / app, "sqlite-app", "v2"), app)
    shared.ok("rollback", app)
    assert "kept" in shared.get(app, "/notes").text
    lives = shared.get(app, "/lives").json()
    assert [life["version"] for life in lives] == ["v1", "v2", "v1"]
    for before, after in zip(lives, lives[1:], strict=False):
        assert before["stopped"] is not None
        assert before["stopped"] <= after["started"]


def test_a_bad_version_of_one_writer_gives_it_back(shared: Station) -> None:
    app = shared.app("sqlite")
    shared.deploy(shape(shared.folder / app, "sqlite-app"), app)
    shared.get(app, "/notes", b"kept")
    bad = shape(shared.folder / f"{app}-bad", "sqlite-app", "bad")
    edit(bad / "web.py", "def main() -> None:\n", "def main() -> None:\n    raise SystemExit('bad on purpose')\n")
    failed = shared.run("deploy", bad, "--app", app)
    assert failed.code in (4, 5), str(failed)
    assert shared.wait_served(app).version == "v1"
    assert "kept" in shared.get(app, "/notes").text
    assert_true_and_tidy(shared, app)


def test_a_volume_that_the_image_declares_is_kept(shared: Station) -> None:
    app = shared.app("imgvol")
    for version in ("v1", "v2"):
        folder = shape(shared.folder / app, "no-base", version)
        edit(folder / "Dockerfile", "CMD", "VOLUME /kept\nCMD")
        shared.deploy(folder, app)
        (web,) = shared.serving(app, "web")
        web.exec_run(["sh", "-c", f"echo {version} >> /kept/log"])
    assert web.exec_run(["cat", "/kept/log"]).output.decode().split() == ["v1", "v2"]
    assert plan_of(shared, app) == {"web": "recreate"}


def test_out_of_memory_is_said(shared: Station) -> None:
    app = shared.app("oom")
    folder = shape(shared.folder / app, "no-base")
    edit(folder / "compose.yaml", "    build: .\n", "    build: .\n    mem_limit: 32m\n")
    (folder / "web.py").write_text("print('hungry', flush=True)\nall = [bytes([1]) * 1048576 for _ in range(500)]\n")
    failed = shared.run("deploy", folder, "--app", app)
    assert failed.code == 4, str(failed)
    told = failed.document["report"]
    assert (told["service"], told["exit_code"], told["oom"]) == ("web", 137, True)
    assert "hungry" in told["log"]
    assert "memory" in failed.error["message"]


def test_conditions_of_dependencies(shared: Station) -> None:
    """A job before its user, a healthy one before its caller, an optional one that fails and hinders nobody."""
    app = shared.app("order")
    folder = shape(shared.folder / app, "no-base")
    (folder / "compose.yaml").write_text(ORDERED)
    shared.deploy(folder, app)
    log = shared.serving(app, "web")[0].exec_run(["cat", "/order/log"]).output.decode().split()
    assert log == ["first", "second", "web"]
    assert "profiled" not in plan_of(shared, app)
    shared.deploy(folder, app, "--profile", "more", "--force")
    assert "profiled" in plan_of(shared, app)


_STEP = "sh -c 'sleep 0.5; echo {} >> /order/log'"
ORDERED = f"""
x-one: &one
  build: .
  volumes: [order:/order]
services:
  first: {{<<: *one, command: "{_STEP.format("first")}"}}
  second:
    <<: *one
    command: "{_STEP.format("second")}"
    depends_on: {{first: {{condition: service_completed_successfully}}}}
  optional: {{build: ., command: "sh -c 'exit 3'"}}
  profiled: {{build: ., command: "sleep 1000", profiles: [more]}}
  web:
    <<: *one
    command: "sh -c 'grep -q web /order/log || echo web >> /order/log; exec python web.py'"
    expose: ["8000"]
    depends_on:
      second: {{condition: service_completed_successfully}}
      optional: {{condition: service_completed_successfully, required: false}}
volumes: {{order: }}
"""


def test_includes_extends_and_overrides(shared: Station) -> None:
    app = shared.app("parts")
    folder = shape(shared.folder / app, "no-base")
    (folder / "compose.yaml").write_text(
        "include: [parts/more.yaml]\nservices:\n  web:\n    extends: {file: one.yaml, service: any}\n"
    )
    (folder / "one.yaml").write_text("services:\n  any:\n    build: .\n    environment: {FROM: extended}\n")
    (folder / "compose.override.yaml").write_text(
        "services:\n  web:\n    expose: ['8000']\n    environment: {OVER: ridden}\n"
    )
    (folder / "parts").mkdir()
    (folder / "parts" / "more.yaml").write_text("services:\n  store:\n    image: redis:7-alpine\n")
    shared.deploy(folder, app)
    found = shared.serving(app, "web")[0].exec_run(["env"]).output.decode()
    assert "FROM=extended" in found
    assert "OVER=ridden" in found
    assert plan_of(shared, app) == {"web": "rolling", "store": "keep"}


def test_a_plan_starts_nothing_and_gives_reasons(shared: Station) -> None:
    app = shared.app("plan")
    planned = shared.ok("plan", shape(shared.folder / app, "worker-queue"), "--app", app)
    items = {i["service"]: i for i in planned["items"]}
    assert {n: i["strategy"] for n, i in items.items()} == {"api": "rolling", "worker": "rolling", "redis": "keep"}
    assert all(i["reason"] for i in items.values())
    assert not shared.containers(app)


def test_logs_of_all_services_interleaved(shared: Station) -> None:
    app = shared.app("logs")
    shared.deploy(shape(shared.folder / app, "worker-queue"), app)
    text = shared.begin("logs", app).wait().out
    assert "listens on 8000" in text
    assert "worker v1 starts" in text
    only = shared.begin("logs", app, "worker").wait().out
    assert "listens on 8000" not in only
    following = shared.begin("logs", app, "worker", "-f")
    assert eventually(lambda: following.process.poll() is None, 1)
    time.sleep(1)
    shared.ok("restart", app, "worker")
    time.sleep(2)
    following.process.terminate()
    assert following.wait().out.count("worker v1 starts") >= 2
