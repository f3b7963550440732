"""Commands of windlass.yaml that run to their end: once, in the new image, before anything changes for a visitor."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.projects import edit, shape, write
from tests.e2e.station import Result, Station, eventually, station
from tests.e2e.truth import assert_true_and_tidy
from tests.e2e.victim import FINAL

from windlass.cli.load import BackgroundLoad
from windlass.cli.load_report import describe

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

REDIS = "\n  redis:\n    image"
# Writes down in the base what it does: NAME began | done | rolled-back VERSION.
RUN = """\
import os, signal, sys, time
from resp import Redis

name, seconds, code = sys.argv[1], float(sys.argv[2]), int(sys.argv[3])

def told(word):
    with Redis() as redis:
        redis.do("RPUSH", "runs", f"{name} {word} {os.environ['VERSION']}")

def roll_back(*_):
    told("rolled-back")
    sys.exit(143)

signal.signal(signal.SIGTERM, roll_back)
told("began")
print(f"{name} alters the table", flush=True)
time.sleep(seconds)
if code:
    print("relation users does not exist", file=sys.stderr, flush=True)
    sys.exit(code)
told("done")
"""
# 0 when the base cannot be found, else 9; a number is the exit code itself.
LOOK = """\
import os, socket, sys

print("looks at", os.environ["VERSION"], "of", os.listdir("/files"))
if sys.argv[1].isdigit():
    sys.exit(int(sys.argv[1]))
try:
    socket.create_connection(("redis", 6379), 2)
except OSError:
    sys.exit(0)
sys.exit(9)
"""


def project(home: Station, app: str, version: str, settings: str) -> Path:
    """A web service with files, a worker, a base; `settings` are added to its windlass.yaml."""
    folder = shape(home.folder / app, "worker-queue", version, "verify: {bake: 1s}\n" + settings)
    write(folder, {"run.py": RUN, "look.py": LOOK})
    edit(folder / "compose.yaml", "    expose:", "    volumes: [files:/files]\n    expose:")
    edit(folder / "compose.yaml", "volumes:\n  redis:\n", "volumes:\n  redis:\n  files:\n")
    edit(folder / "compose.yaml", "    build: .\n    volumes", "    build: .\n    deploy: {replicas: 2}\n    volumes")
    return folder


def job(name: str, seconds: float = 0.1, code: int = 0, extra: str = "") -> str:
    return f"{{service: api, command: [python, run.py, {name}, {seconds}, {code}]{extra}}}"


def look(what: object) -> str:
    return f"{{service: api, command: [python, look.py, {what}]}}"


def runs(home: Station, app: str) -> list[str]:
    """What the jobs wrote down, in order."""
    said = home.ok("exec", app, "redis", "--", "redis-cli", "--raw", "LRANGE", "runs", "0", "-1")
    return [line for line in str(said["output"]).splitlines() if line]


def load_on(home: Station, app: str) -> BackgroundLoad:
    return home.load(app, websockets=0, streams_per_s=0.0)


def lines(home: Station, app: str, title: str) -> list[str]:
    said = [e["data"] for e in home.events(app) if e["kind"] == "line"]
    return [str(data["text"]) for data in said if data.get("service") == title]


@pytest.fixture(scope="module")
def home() -> Iterator[Station]:
    with station() as made:
        yield made


@pytest.fixture(scope="module")
def serving(home: Station) -> str:
    """An app whose first release is live, made without any job."""
    app = home.app("serve")
    home.deploy(project(home, app, "v1", ""), app)
    return app


def assert_serves(home: Station, app: str, version: str) -> None:
    assert home.wait_served(app).version == version
    assert_true_and_tidy(home, app)


# --- when all goes well ----------------------------------------------------------------------------------------------


def test_each_runs_once_at_its_time(home: Station) -> None:
    """Tests before there is a base, on networks of their own and without its files; jobs in the order written."""
    app = home.app("order")
    settings = (
        f"checklist: [{{name: licence, {look(0)[1:]}]\ntest: [{look('base')}]\nrelease: [{job('b')}, {job('a')}]\n"
    )
    folder = project(home, app, "v1", settings)
    labelled = "\n  seed:\n    build: .\n    command: [python, run.py, seed, '0.1', '0']\n"
    labelled += "    labels: {windlass.job: release}\n"
    edit(folder / "compose.yaml", REDIS, labelled + REDIS)
    planned = home.ok("plan", folder, "--app", app)
    assert [(t["phase"], t["service"]) for t in planned["tasks"]] == [
        ("checklist", "api"), ("test", "api"), ("release", "api"), ("release", "api"), ("release", "seed"),
    ]  # fmt: skip
    document = home.deploy(folder, app)
    wanted = ["seed began v1", "seed done v1", "b began v1", "b done v1", "a began v1", "a done v1"]
    assert runs(home, app) == wanted
    build = next(s for s in document["steps"] if s["name"] == "build")
    assert {"images", "checklist", "test"} <= {p["name"] for p in build["parts"]}
    assert lines(home, app, "test: python look.py base") == ["looks at v1 of []"]
    assert lines(home, app, "release: python run.py b 0.1 0") == ["b alters the table"]
    assert {s["name"] for s in home.status(app)["services"]} == {"api", "worker", "redis", "seed"}
    assert not [c for c in home.leftovers(app)["containers"] if "checklist" in c or "windlass-test" in c]
    assert home.ok("deploy", folder, "--app", app)["status"] == "unchanged"
    assert runs(home, app) == wanted
    home.deploy(folder, app, "--force", "--skip-tests")
    assert runs(home, app) == 2 * wanted
    home.ok("rollback", app)
    assert runs(home, app) == 2 * wanted
    home.ok("remove", app, "--data", "--yes")
    assert not any(home.leftovers(app).values())


# --- migrations that go wrong ----------------------------------------------------------------------------------------


def attempt(home: Station, app: str, settings: str, *words: object) -> Result:
    """Deploy version 2 with these settings under load; nobody may notice."""
    folder = project(home, app, "v2", settings)
    with load_on(home, app) as load:
        result = home.run("deploy", folder, "--app", app, *words)
        report = load.stop()
    assert (report.failed, report.streams_cut) == (0, 0), f"{result}\n{describe(report)}"
    return result


def since(home: Station, app: str, known: list[str]) -> list[str]:
    return runs(home, app)[len(known) :]


def test_a_migration_that_fails(home: Station, serving: str) -> None:
    known = runs(home, serving)
    result = attempt(home, serving, f"release: [{job('first')}, {job('second', 0.1, 3)}, {job('never')}]\n")
    assert (result.code, result.document["status"], result.error["code"]) == (4, "failed", "job_failed"), result
    report = result.document["report"]
    assert (report["exit_code"], report["serving"]) == (3, home.status(serving)["live"])
    assert report["command"] == "python run.py second 0.1 3"
    assert report["log"] == ["second alters the table", "relation users does not exist"]
    assert since(home, serving, known) == ["first began v2", "first done v2", "second began v2"]
    assert_serves(home, serving, "v1")


def test_a_migration_that_hangs(home: Station, serving: str) -> None:
    """It is told to end, and may roll back."""
    known = runs(home, serving)
    result = attempt(home, serving, f"release: [{job('slow', 60, 0, ', within: 1s')}]\n")
    assert (result.code, result.error["code"]) == (4, "job_timeout"), result
    assert since(home, serving, known) == ["slow began v2", "slow rolled-back v2"]
    assert_serves(home, serving, "v1")


def begin(home: Station, app: str, settings: str) -> str:
    """The deployment of version 2, whose command has begun to say something."""
    deployment = str(home.ok("deploy", project(home, app, "v2", settings), "--app", app, "--detach")["deployment"])
    for kind, data in home.follow(deployment):
        told = data.get("data", data)
        if kind == "line" and "python" in str(told.get("service", "")):
            return deployment
    raise AssertionError("the command said nothing")


def document_of(home: Station, deployment: str) -> dict[str, Any]:
    found: dict[str, Any] = home.api(f"/api/v1/deployments/{deployment}").json()
    return found


def decided(home: Station, deployment: str) -> dict[str, Any]:
    assert eventually(lambda: document_of(home, deployment)["status"] in FINAL, 60)
    return document_of(home, deployment)


def test_windlass_is_killed_during_a_migration(home: Station, serving: str) -> None:
    """Taken back when it is up again: the job gets its time to roll back, and is not begun a second time."""
    known = runs(home, serving)
    with load_on(home, serving) as load:
        deployment = begin(home, serving, f"release: [{job('long', 60)}, {job('never')}]\n")
        assert home.kill() > 0
        home.up()
        document = decided(home, deployment)
        report = load.stop()
    assert (report.failed, report.streams_cut) == (0, 0), describe(report)
    assert (document["status"], document["error"]["code"]) == ("failed", "interrupted")
    assert since(home, serving, known) == ["long began v2", "long rolled-back v2"]
    assert_serves(home, serving, "v1")


def test_a_migration_is_cancelled(home: Station, serving: str) -> None:
    known = runs(home, serving)
    deployment = begin(home, serving, f"release: [{job('long', 60)}]\n")
    home.ok("cancel", serving)
    assert decided(home, deployment)["status"] == "cancelled"
    assert since(home, serving, known) == ["long began v2", "long rolled-back v2"]
    assert_serves(home, serving, "v1")


def test_the_engine_is_asked_to_kill_the_migration(home: Station, serving: str) -> None:
    """Somebody kills its container: failed, and not begun again."""
    known = runs(home, serving)
    deployment = begin(home, serving, f"release: [{job('long', 60)}]\n")
    next(c for c in home.containers(serving) if "windlass-release" in c.name).kill()
    document = decided(home, deployment)
    assert (document["status"], document["error"]["code"]) == ("failed", "job_failed")
    assert since(home, serving, known) == ["long began v2"]
    assert_serves(home, serving, "v1")


# --- tests and checklists that go wrong ------------------------------------------------------------------------------


def test_a_test_that_fails(home: Station, serving: str) -> None:
    result = attempt(home, serving, f"test: [{look(0)}, {look(7)}]\nrelease: [{job('never')}]\n")
    assert (result.code, result.document["status"], result.error["code"]) == (4, "failed", "test_failed"), result
    report = result.document["report"]
    assert (report["exit_code"], report["command"], report["log"]) == (7, "python look.py 7", ["looks at v2 of []"])
    assert "build" in [s["name"] for s in result.document["steps"]]
    assert "base" not in [s["name"] for s in result.document["steps"]]
    assert_serves(home, serving, "v1")


def test_a_first_deploy_whose_test_fails_leaves_nothing(home: Station) -> None:
    app = home.app("never")
    result = home.run("deploy", project(home, app, "v1", f"test: [{look(1)}]\n"), "--app", app)
    assert (result.code, result.error["code"]) == (4, "test_failed"), result
    assert {**home.leftovers(app), "files": []} == dict.fromkeys(home.leftovers(app), [])


def test_all_of_a_checklist_that_fail_are_told_at_once(home: Station, serving: str) -> None:
    items = [f"{{name: {name}, {look(code)[1:]}" for name, code in (("fonts", 2), ("fine", 0), ("licence", 5))]
    missing = "{name: tool, service: api, command: [no-such-tool]}"
    result = attempt(home, serving, f"checklist: [{', '.join(items)}, {missing}]\n")
    assert (result.code, result.document["status"], result.codes) == (3, "refused", {"checklist_failed"}), result
    found = {d["name"]: d["message"] for d in result.error["details"]}
    assert set(found) == {"checklist:fonts", "checklist:licence", "checklist:tool"}
    assert "exit code 5" in found["checklist:licence"]
    assert "looks at v2" in found["checklist:licence"]
    assert_serves(home, serving, "v1")
    skips = [word for name in ("fonts", "licence", "tool") for word in ("--skip-check", f"checklist:{name}")]
    planned = home.ok("plan", home.folder / serving, "--app", serving, *skips)
    assert [t["skipped"] for t in planned["tasks"]] == [True, False, True, True]
    assert home.deploy(home.folder / serving, serving, *skips)["flags"] == [
        f"--skip-check checklist:{name}" for name in ("fonts", "licence", "tool")
    ]
    home.deploy(project(home, serving, "v1", ""), serving)


def test_windlass_is_killed_during_a_test(home: Station, serving: str) -> None:
    deployment = begin(home, serving, f"test: [{{service: api, command: [python, -c, {HANG!r}]}}]\n")
    assert home.kill() > 0
    home.up()
    document = decided(home, deployment)
    assert (document["status"], document["error"]["code"]) == ("failed", "interrupted")
    assert_serves(home, serving, "v1")


HANG = "import time; print('hangs', flush=True); time.sleep(60)"


def test_what_cannot_run_is_refused_with_everything_else(home: Station, serving: str) -> None:
    folder = project(
        home, serving, "v2", "release: [{service: apy, command: [x]}]\ntest: [{service: db, command: [y]}]\n"
    )
    edit(folder / "compose.yaml", REDIS, "\n  windlass-release-1:\n    image: no/such:1\n" + REDIS)
    edit(folder / "windlass.yaml", "verify:", "routes: [{service: webb}]\nverify:")
    result = home.run("deploy", folder, "--app", serving)
    assert result.code == 3, result
    assert {"task_service_unknown", "task_name_taken"} <= result.codes, result
    assert "did you mean api?" in str(result.error["details"])


def test_a_service_of_another_profile_is_there_for_commands_alone(home: Station, serving: str) -> None:
    """With its own image, file and secret; it is never started itself."""
    folder = project(home, serving, "v1", "release: [{service: tools, command: [run.py, tools, '0.1', '0']}]\n")
    tools = "\n  tools:\n    build: .\n    profiles: [tools]\n    entrypoint: [python]\n    secrets: [key]\n"
    tools += "    volumes: [./look.py:/look.py:ro]\n    depends_on: [api]\n    command: [-c, 'raise SystemExit(1)']\n"
    edit(folder / "compose.yaml", REDIS, tools + REDIS)
    edit(folder / "compose.yaml", "\nvolumes:\n", "\nsecrets:\n  key: {file: key.txt}\n\nvolumes:\n")
    write(folder, {"key.txt": "k-4711"})
    known = runs(home, serving)
    home.deploy(folder, serving)
    assert since(home, serving, known) == ["tools began v1", "tools done v1"]
    assert {s["name"] for s in home.status(serving)["services"]} == {"api", "worker", "redis"}
    kept = home.home / "apps" / serving / "releases"
    assert not list(kept.glob("*/**/key.txt"))


# --- flags -----------------------------------------------------------------------------------------------------------


def git(folder: Path, *words: str) -> None:
    own = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
    subprocess.run(["git", "-C", str(folder), *own, *words], check=True, capture_output=True)


def test_flags_are_kept_in_the_record(home: Station) -> None:
    app = home.app("flags")
    folder = project(home, app, "v1", f"clean: true\ntest: [{look(1)}]\n")
    git(folder, "init", "--quiet")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "first")
    refused = home.run("deploy", folder, "--app", app, "--skip-build")
    assert (refused.code, refused.codes) == (3, {"no_image_to_reuse"}), refused
    home.deploy(folder, app, "--skip-tests", "--no-backup")
    write(folder, {"look.py": "import sys; sys.exit(0)"})
    dirty = home.run("deploy", folder, "--app", app)
    assert (dirty.code, dirty.codes) == (3, {"tree_dirty"}), dirty
    document = home.deploy(folder, app, "--force", "--skip-build", "--skip-tests", "--skip-verify")
    assert "bake" not in {p["name"] for s in document["steps"] for p in s["parts"]}
    assert document["dirty"]
    first, last = sorted(home.releases(app), key=lambda r: r["release"])
    assert (first["flags"], first["by"], first["status"]) == (["--skip-tests", "--no-backup"], "owner", "live")
    assert (last["flags"], last["dirty"]) == (["--force", "--skip-tests", "--skip-verify", "--skip-build"], True)
    assert first["images"]["api"] == last["images"]["api"]
    assert len(first["commit"]) == 40
    assert last["commit"] == ""
    log = [e for e in home.events(app) if e["deployment"] == document["deployment"] and e["kind"] in ("state", "note")]
    assert log[0]["data"]["flags"] == document["flags"]
    assert any("not committed" in str(e["data"].get("text")) for e in log)
