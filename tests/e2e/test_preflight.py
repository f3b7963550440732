"""The list of checks with a real engine: all in order, each fault named with its way out, all of them in one run."""

from __future__ import annotations

import io
import json
import socket
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from tests.e2e.projects import IMAGE, WEB, web, write
from tests.e2e.station import Result, Station, free_port
from tests.e2e.truth import assert_untouched

from windlass.domain.checks import CHECKS

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]

STRONG, WEAK = "c7Xq-29vLm_Zt4RwPb8", "postgres"
GPU = "deploy: {resources: {reservations: {devices: [{driver: nvidia, count: 1, capabilities: [gpu]}]}}}"


def ask(station: Station, app: str, compose: str, *words: str, verb: str = "plan", **files: str) -> Result:
    folder = write(station.folder / app, {"compose.yaml": compose, **files})
    return station.run(verb, folder, "--app", app, *words)


def checks(result: Result) -> dict[str, list[dict[str, str]]]:
    found: dict[str, list[dict[str, str]]] = {}
    for check in result.document["checks"]:
        found.setdefault(check["name"], []).append(check)
    return found


def postgres(port: int, password: str, extra: str = "") -> str:
    return (
        f"services:\n  db:\n    image: postgres:16-alpine\n    ports: ['{port}:5432']\n"
        f"    environment: {{POSTGRES_PASSWORD: '{password}'}}\n{extra}"
    )


@contextmanager
def foreign_image(station: Station, name: str, architecture: str) -> Iterator[None]:
    """An image of a few bytes that is made for another processor."""
    layer = _tar({"hello": b"hello"})
    config = {
        "architecture": architecture, "os": "linux", "config": {"Cmd": ["/hello"]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{_digest(layer)}"]},
    }  # fmt: skip
    manifest = [{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]
    files = {
        "config.json": json.dumps(config).encode(),
        "layer.tar": layer,
        "manifest.json": json.dumps(manifest).encode(),
    }
    client = station.engine.client
    client.images.load(_tar(files))
    try:
        yield
    finally:
        client.images.remove(name, force=True)


def _tar(files: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return made.getvalue()


def _digest(content: bytes) -> str:
    import hashlib

    return hashlib.sha256(content).hexdigest()


def test_all_in_order(shared: Station) -> None:
    app = shared.app("order")
    result = ask(shared, app, WEB)
    assert result.code == 0, str(result)
    assert [c["name"] for c in result.document["checks"]] == [name for name in CHECKS if name != "checklist"]
    doubts = [c for c in result.document["checks"] if c["status"] != "ok"]
    assert all(c["name"] in ("disk", "memory", "clock") for c in doubts), doubts
    assert "present: web" in checks(result)["images"][0]["message"]
    shown = shared.begin("plan", shared.folder / app, "--app", app).wait().out
    assert "✓ address-pool" in shown
    assert_untouched(shared, app)


def test_the_deployment_keeps_the_list_as_one_event(shared: Station) -> None:
    app = shared.app("event")
    folder = write(shared.folder / app, {"compose.yaml": WEB, "windlass.yaml": "verify: {bake: 1s}\n"})
    done = shared.begin("deploy", folder, "--app", app, "--skip-check", "clock").wait()
    assert done.code == 0, str(done)
    assert "not checked: clock" in done.out
    [event] = [e for e in shared.events(app) if e["kind"] == "checks"]
    items = {item["name"]: item["status"] for item in event["data"]["items"]}
    assert items["clock"] == "skipped"
    assert items["architecture"] == items["images"] == items["reachability"] == "ok"
    told = shared.begin("events", app).wait().out
    assert "not checked: clock" in told
    again = shared.ok("deploy", folder, "--app", app, "--skip-check", "clock")
    assert again["status"] == "unchanged"


def test_an_image_for_another_processor(shared: Station) -> None:
    app = shared.app("arch")
    name = f"{app}/web:1"
    compose = WEB.replace(IMAGE, name)
    with foreign_image(shared, name, "s390x"):
        result = ask(shared, app, compose)
        assert result.code == 3, str(result)
        assert result.error["code"] == "image_architecture"
        [found] = checks(result)["architecture"]
        assert f"{name} is made for s390x and cannot run on this machine" in found["message"]
        assert "linux/" in found["fix"]
        deployed = ask(shared, app, compose, verb="deploy")
        assert (deployed.code, deployed.document["status"]) == (3, "refused"), str(deployed)
        assert deployed.error["code"] == "image_architecture"
        skipped = ask(shared, app, compose, "--skip-check", "architecture")
        assert skipped.code == 0, str(skipped)
        assert checks(skipped)["architecture"][0]["status"] == "skipped"
    assert_untouched(shared, app)


def test_a_base_image_for_another_processor_is_found_after_the_build(shared: Station) -> None:
    app = shared.app("archbuild")
    name = f"{app}/base:1"
    with foreign_image(shared, name, "s390x"):
        compose = "services:\n  web: {build: ., expose: ['80']}\n"
        result = ask(shared, app, compose, verb="deploy", Dockerfile=f"FROM --platform=linux/s390x {name}\nLABEL a=b\n")
    assert (result.code, result.document["status"]) == (3, "refused"), str(result)
    assert result.error["code"] == "image_architecture"
    assert [s["name"] for s in result.document["steps"]][-1] == "build"
    assert_untouched(shared, app)


def test_an_image_that_nobody_has(shared: Station) -> None:
    app = shared.app("noimage")
    result = ask(shared, app, f"services:\n  web: {{image: 'localhost:1/{app}:none'}}\n")
    assert result.code == 3, str(result)
    assert result.error["code"] == "image_unavailable"
    [found] = checks(result)["images"]
    assert f"localhost:1/{app}:none" in found["message"]
    assert "connection refused" in found["message"]
    assert_untouched(shared, app)


def test_a_registry_that_says_nothing_does_not_hold_the_plan_up(shared: Station) -> None:
    app = shared.app("silent")
    with socket.socket() as registry:
        registry.bind(("127.0.0.1", 0))
        registry.listen()
        image = f"127.0.0.1:{registry.getsockname()[1]}/{app}:1"
        result = ask(shared, app, f"services:\n  web: {{image: '{image}', expose: ['80']}}\n")
    assert result.code == 0, str(result)
    [found] = checks(result)["images"]
    assert (found["status"], image in found["message"]) == ("warning", True), found


def test_no_dockerfile(shared: Station) -> None:
    result = ask(shared, shared.app("nofile"), "services:\n  web: {build: ., expose: ['80']}\n")
    assert (result.code, result.error["code"]) == (3, "build_impossible"), str(result)
    assert "no Dockerfile" in result.error["message"]


def test_a_gpu_that_is_not_there(shared: Station) -> None:
    app = shared.app("gpu")
    result = ask(shared, app, web(GPU))
    assert result.code == 3, str(result)
    assert {"consent_missing", "gpu_missing"} == result.codes
    assert "nvidia" in checks(result)["gpu"][0]["message"]
    assert checks(ask(shared, app, web(GPU), "--skip-check", "gpu"))["gpu"][0]["status"] == "skipped"


def test_a_database_that_everybody_reaches(shared: Station) -> None:
    app, port = shared.app("open"), free_port()
    weak = ask(shared, app, postgres(port, WEAK))
    assert (weak.code, weak.error["code"]) == (3, "exposed_without_password"), str(weak)
    assert f"127.0.0.1:{port}:5432" in weak.error["details"][0]["fix"]
    strong = ask(shared, app, postgres(port, STRONG))
    assert strong.code == 0, str(strong)
    assert [c["status"] for c in checks(strong)["exposure"]] == ["warning", "ok"]
    assert STRONG not in strong.out + strong.err
    shown = shared.begin("plan", shared.folder / app, "--app", app).wait().out
    assert f"! exposure  services.db.ports: db (PostgreSQL) is reached from everywhere on port {port}" in shown
    closed = ask(shared, app, postgres(port, WEAK).replace(f"'{port}", f"'127.0.0.1:{port}"))
    assert closed.code == 0, str(closed)
    assert [c["status"] for c in checks(closed)["exposure"]] == ["ok"]
    assert_untouched(shared, app)


def test_a_warning_is_seen_by_who_deploys(shared: Station) -> None:
    app, port = shared.app("warned"), free_port()
    folder = write(shared.folder / app, {"compose.yaml": postgres(port, STRONG), "windlass.yaml": "verify: {bake: 1s}"})
    done = shared.begin("deploy", folder, "--app", app).wait()
    assert done.code == 0, str(done)
    assert f"db (PostgreSQL) is reached from everywhere on port {port}" in done.out
    assert STRONG not in done.out


@pytest.mark.parametrize("name", ["compose", "consent", "ports", "nonsense", "checklist"])
@pytest.mark.parametrize("verb", ["plan", "deploy"])
def test_what_cannot_be_skipped(shared: Station, verb: str, name: str) -> None:
    result = ask(shared, shared.app("skip"), WEB, "--skip-check", name, verb=verb)
    assert (result.code, result.error["code"]) == (2, "skip_unknown"), str(result)
    assert "reachability:VARIABLE" in result.error["hint"]


def test_the_api_refuses_them_too(shared: Station) -> None:
    body = json.dumps({"source_kind": "git", "url": "https://127.0.0.1:1/a.git", "skip_checks": ["compose"]}).encode()
    answer = shared.api(f"/api/v1/apps/{shared.app('api')}/plan", body, {"Content-Type": "application/json"})
    assert (answer.status, "skip_unknown" in answer.text) == (400, True), answer


EVERYTHING = """
services:
  web:
    image: localhost:1/{app}:none
    privileged: true
    networks: [gone]
    volumes: ['gone:/data']
    {gpu}
  api:
    build: ./api
  foreign:
    image: {foreign}
  db:
    image: postgres:16-alpine
    ports: ['{port}:5432']
    environment: {{POSTGRES_PASSWORD: {weak}}}
  store:
    image: redis:7-alpine
    volumes: ['data:/data']
networks: {{gone: {{external: true}}}}
volumes: {{data: , gone: {{external: true}}}}
"""
MANIFEST = """
env: {KEY: {required: true, secret: true}}
services: {store: {strategy: rolling}}
"""
CODES = {
    "image_unavailable", "image_architecture", "consent_missing", "network_missing", "volume_missing", "gpu_missing",
    "build_impossible", "port_taken", "exposed_without_password", "variable_missing", "strategy_unsafe",
}  # fmt: skip


@pytest.mark.parametrize("verb", ["plan", "deploy"])
def test_every_reason_in_one_run(shared: Station, verb: str) -> None:
    app, port = shared.app("all"), free_port()
    foreign = f"{app}/foreign:1"
    given: dict[str, Any] = {"app": app, "gpu": GPU, "foreign": foreign, "port": port, "weak": WEAK}
    compose = EVERYTHING.format(**given)
    with foreign_image(shared, foreign, "arm"), socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("0.0.0.0", port))
        holder.listen()
        result = ask(shared, app, compose, verb=verb, **{"windlass.yaml": MANIFEST})
    assert result.code == 3, str(result)
    assert result.codes >= CODES, str(CODES - result.codes)
    assert all(d["fix"] for d in result.error["details"]), result.error["details"]
    if verb == "plan":
        assert {c["name"] for c in result.document["checks"] if c["status"] == "refused"} >= {
            "contract", "consent", "placement", "ports", "networks", "volumes", "build", "images", "architecture",
            "gpu", "exposure",
        }  # fmt: skip
        assert checks(result)["address-pool"][0]["status"] == "ok"
    else:
        [event] = [e for e in shared.events(app) if e["kind"] == "checks"]
        assert len(event["data"]["items"]) > len(CODES)
    assert_untouched(shared, app)
