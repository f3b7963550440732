"""Apps, plain Compose stacks and other windlass homes on one engine leave each other alone."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from tests.e2e.projects import WEB, edit, shape, web, write
from tests.e2e.station import Station, station

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

STACK = """
services:
  web:
    build: .
    expose: ["8000"]
    networks: [default, meeting]
    depends_on: [db]
  db:
    image: redis:7-alpine
    networks: [default, meeting]
networks:
  meeting: {external: true, name: MEETING}
"""
RESOLVE = "import socket; print(*sorted({i[4][0] for i in socket.getaddrinfo('NAME', None, socket.AF_INET)}))"


def addresses(containers: list[Any]) -> set[str]:
    for container in containers:
        container.reload()
    return {n["IPAddress"] for c in containers for n in c.attrs["NetworkSettings"]["Networks"].values()} - {""}


def resolved(container: Any, name: str) -> set[str]:
    done = container.exec_run(["python", "-c", RESOLVE.replace("NAME", name)])
    assert done.exit_code == 0, done.output
    return set(done.output.decode().split())


@pytest.fixture(params=["00-wlt-first", "zz-wlt-last"])
def meeting(request: pytest.FixtureRequest, shared: Station) -> Iterator[str]:
    """An external network, by name before or after the apps' own: the engine asks networks in that order."""
    name = f"{request.param}-{shared.instance}"
    network = shared.engine.client.networks.create(name, driver="bridge")
    yield name
    network.remove()


@pytest.fixture
def plain(shared: Station, meeting: str) -> Iterator[list[Any]]:
    """A stack with the same names, by Docker Compose alone."""
    folder = shape(shared.folder / "plain", "no-base")
    (folder / "compose.yaml").write_text(STACK.replace("MEETING", meeting))
    project = f"wlt-plain-{shared.instance}"
    argv = ["docker", "compose", "--project-name", project, "--file", str(folder / "compose.yaml")]
    subprocess.run([*argv, "up", "-d", "--build"], check=True, capture_output=True, timeout=120)
    filters = {"label": f"com.docker.compose.project={project}"}
    client = shared.engine.client
    yield client.containers.list(filters=filters)
    for container in client.containers.list(all=True, filters=filters):
        container.remove(force=True, v=True)
    for network in client.networks.list(filters=filters):
        network.remove()
    client.images.remove(f"{project}-web", force=True)


def test_nobody_resolves_anothers_names(shared: Station, meeting: str, plain: list[Any]) -> None:
    apps = [shared.app("meet"), shared.app("meet")]
    try:
        for version in ("v1", "v2"):
            for app in apps:
                folder = shape(shared.folder / app, "no-base", version)
                (folder / "compose.yaml").write_text(STACK.replace("MEETING", meeting))
                shared.deploy(folder, app)
            for app in apps:
                for name in ("web", "db"):
                    own = addresses(shared.serving(app, name))
                    for container in shared.serving(app, "web"):
                        found = resolved(container, name)
                        assert found, f"{app}: {name}"
                        assert found <= own, f"{app}: {name} is {found}, own are {own}"
        others = {a for app in apps for a in addresses(shared.containers(app))}
        (outside,) = [c for c in plain if c.labels["com.docker.compose.service"] == "web"]
        assert not resolved(outside, "web") & others
    finally:
        for app in apps:
            shared.ok("remove", app, "--data", "--yes")


def test_a_missing_external_network_is_made_when_allowed(shared: Station) -> None:
    app = shared.app("create")
    name = f"wlt-made-{shared.instance}"
    compose = web(f"networks: [{name}]") + f"networks: {{{name}: {{external: true}}}}\n"
    files = {"compose.yaml": compose, "windlass.yaml": f"networks: {{{name}: create}}\nverify: {{bake: 1s}}\n"}
    shared.deploy(write(shared.folder / app, files), app)
    assert shared.get(app).status == 200
    shared.ok("remove", app, "--data", "--yes")
    for network in shared.engine.client.networks.list(names=[name]):
        network.remove()


def test_two_homes_on_one_engine(shared: Station) -> None:
    app = shared.app("home")
    shared.deploy(write(shared.folder / app, {"compose.yaml": WEB, "windlass.yaml": "verify: {bake: 1s}\n"}), app)
    before = {c.id for c in shared.containers()}
    with station() as other:
        second = other.app("home")
        files = {"compose.yaml": WEB, "windlass.yaml": "verify: {bake: 1s}\n"}
        other.deploy(write(other.folder / second, files), second)
        assert other.get(second).status == 200
        assert other.get(app).status == 404
        assert shared.get(second).status == 404
        same = other.run("deploy", other.folder / second, "--app", app)
        assert same.code in (3, 4), str(same)
        assert app in str(same.error)
        other.run("remove", app, "--data", "--yes")
        other.ok("remove", second, "--data", "--yes")
        other.ok("down", "--edge")
        assert not other.containers()
    assert {c.id for c in shared.containers()} == before
    assert shared.get(app).status == 200


def test_remove_keeps_volumes_and_with_data_nothing(shared: Station) -> None:
    app = shared.app("gone")
    folder = shape(shared.folder / app, "sqlite-app")
    shared.deploy(folder, app)
    shared.get(app, "/notes", b"kept")
    shared.ok("remove", app, "--yes")
    left = shared.leftovers(app)
    assert left["volumes"] == [f"{app}_data"]
    assert {kind: names for kind, names in left.items() if names and kind not in ("volumes", "files")} == {}
    assert shared.get(app).status == 404
    shared.deploy(folder, app)
    assert "kept" in shared.get(app, "/notes").text, "deployed again it finds its data"
    shared.ok("remove", app, "--data", "--yes")
    assert not any(shared.leftovers(app).values()), shared.leftovers(app)
    assert shared.run("status", app).code == 7


def test_the_user_cannot_remove_by_accident(shared: Station) -> None:
    app = shared.app("safe")
    shared.deploy(write(shared.folder / app, {"compose.yaml": WEB, "windlass.yaml": "verify: {bake: 1s}\n"}), app)
    refused = shared.run("remove", app)
    assert refused.code == 2, str(refused)
    assert shared.get(app).status == 200


def test_two_apps_cannot_have_one_host(shared: Station) -> None:
    first, second = shared.app("host"), shared.app("host")
    manifest = f"routes: [{{host: {first}.example.com, service: web, port: 80}}]\nverify: {{bake: 1s}}\n"
    files = {"compose.yaml": WEB, "windlass.yaml": manifest}
    shared.deploy(write(shared.folder / first, files), first)
    refused = shared.run("deploy", write(shared.folder / second, files), "--app", second)
    assert refused.code == 3, str(refused)
    assert "host_taken" in refused.codes
    assert first in str(refused.error)


def test_routes_by_host_and_path(shared: Station) -> None:
    app = shared.app("routes")
    folder = shape(shared.folder / app, "no-base")
    (folder / "compose.yaml").write_text(
        "services:\n  web: {build: ., expose: ['8000']}\n  other: {image: 'nginx:alpine', expose: ['80']}\n"
    )
    manifest = "routes:\n  - {service: web, port: 8000}\n  - {path: /index.html, service: other, port: 80}\n"
    (folder / "windlass.yaml").write_text(manifest + "verify: {bake: 1s}\n")
    shared.deploy(folder, app)
    assert shared.get(app).version == "v1"
    assert "nginx" in shared.get(app, "/index.html").text
    edit(folder / "windlass.yaml", "/index.html", "/health")
    shared.deploy(folder, app)
    assert shared.get(app, "/health").version == ""
