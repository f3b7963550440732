"""What reaches the host is refused until the operator consents, item by item; and only that item."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.e2e.projects import WEB, web, write
from tests.e2e.station import Station
from tests.e2e.truth import assert_untouched

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]

QUICK = {"windlass.yaml": "verify: {bake: 1s}\n"}
BUILD = "services:\n  web:\n    expose: ['80']\n    build:\n      context: .\n"
CONTEXTS = BUILD + "      additional_contexts: {more: 'docker-image://nginx:alpine'}\n"
BIND_VOLUME = "volumes: {vol: {driver_opts: {type: none, o: bind, device: /}}}\n"

# Compose file -> the item that needs consent.
WISHES = {
    "privileged:web": web("privileged: true"),
    "cap_add:web:SYS_ADMIN": web("cap_add: [SYS_ADMIN]"),
    "security_opt:web:seccomp:unconfined": web("security_opt: ['seccomp:unconfined']"),
    "devices:web:/dev/kmsg": web("devices: ['/dev/kmsg:/dev/kmsg']"),
    "network_mode:web:host": web("network_mode: host"),
    "pid:web:host": web("pid: host"),
    "ipc:web:host": web("ipc: host"),
    "uts:web:host": web("uts: host"),
    "userns_mode:web:host": web("userns_mode: host"),
    "cgroup:web:host": web("cgroup: host"),
    "network_mode:web:container:other": web("network_mode: 'container:other'"),
    "pid:web:container:other": web("pid: 'container:other'"),
    "bind:/etc": web("volumes: ['/etc:/host:ro']"),
    "bind:/var/run/docker.sock": web("volumes: ['/var/run/docker.sock:/var/run/docker.sock']"),
    "driver_opts:vol:device=/,o=bind,type=none": web("volumes: ['vol:/v']") + BIND_VOLUME,
    "cgroup_parent:web:/x": web("cgroup_parent: /x"),
    "runtime:web:runsc": web("runtime: runsc"),
    "sysctls:web:net.ipv4.ip_forward": web("sysctls: {net.ipv4.ip_forward: 1}"),
    "build_network:web:host": BUILD + "      network: host\n",
    "build_entitlements:web:security.insecure": BUILD + "      entitlements: [security.insecure]\n",
    "build_ssh:web": BUILD + "      ssh: [default]\n",
    "build_context:web:more": CONTEXTS,
    "volumes_from:web:container:other": web("volumes_from: ['container:other']"),
}  # fmt: skip


@pytest.mark.parametrize("item", WISHES)
def test_a_wish_needs_consent(shared: Station, item: str) -> None:
    app = shared.app("wish")
    result = shared.run("deploy", wish(shared, app, item), "--app", app, "--yes")
    assert result.code == 3, str(result)
    wanted = [d for d in result.error["details"] if d["code"] == "consent_missing"]
    assert any(item in d["fix"] for d in wanted), str(result)
    assert_untouched(shared, app)
    shared.ok("consent", app, item)
    planned = shared.run("plan", shared.folder / app, "--app", app)
    assert not any(item in d["fix"] for d in planned.error.get("details", ())), str(planned)


def wish(station: Station, app: str, item: str) -> Path:
    return write(station.folder / app, {"compose.yaml": WISHES[item], "Dockerfile": "FROM nginx:alpine\n"})


def test_consent_is_listed_and_taken_back(shared: Station) -> None:
    app, item = shared.app("wish"), "privileged:web"
    folder = wish(shared, app, item)
    assert shared.run("plan", folder, "--app", app).code == 3
    shared.run("deploy", folder, "--app", app)
    assert item in {i["item"] for i in shared.ok("consent", app)["items"]}
    shared.ok("consent", app, item)
    assert shared.run("plan", folder, "--app", app).code == 0
    shared.ok("consent", app, item, "--revoke")
    assert shared.run("plan", folder, "--app", app).code == 3


def test_the_repository_cannot_consent(shared: Station) -> None:
    app = shared.app("wish")
    files = {"compose.yaml": web("privileged: true"), "windlass.yaml": "consent: ['privileged:web']\n"}
    result = shared.run("deploy", write(shared.folder / app, files), "--app", app, "--yes")
    assert result.code == 3
    assert result.codes & {"unknown_key"}


def test_anothers_network_and_volume(shared: Station) -> None:
    owner, thief = shared.app("owner"), shared.app("thief")
    compose = WEB + "  db: {image: 'redis:7-alpine', volumes: ['data:/data']}\nvolumes: {data: }\n"
    shared.deploy(write(shared.folder / owner, {"compose.yaml": compose, **QUICK}), owner)
    stolen = web("volumes: ['data:/data']", "networks: [net]") + (
        f"volumes: {{data: {{external: true, name: {owner}_data}}}}\n"
        f"networks: {{net: {{external: true, name: {owner}_default}}}}\n"
    )
    result = shared.run("deploy", write(shared.folder / thief, {"compose.yaml": stolen}), "--app", thief)
    assert result.code == 3, str(result)
    fixes = " ".join(d["fix"] for d in result.error["details"])
    assert f"volume:{owner}_data" in fixes
    assert f"network:{owner}_default" in fixes
    assert_untouched(shared, thief)
    shared.ok("remove", owner, "--data", "--yes")


def test_labels_of_an_image_are_no_ownership(shared: Station) -> None:
    """An image and a user's labels that say windlass.app=other leave both apps what they are."""
    other, app = shared.app("other"), shared.app("labels")
    shared.deploy(write(shared.folder / other, {"compose.yaml": WEB, **QUICK}), other)
    dockerfile = f"FROM nginx:alpine\nLABEL windlass.app={other} windlass.instance=foreign windlass.release=1\n"
    compose = BUILD + f"    labels: {{windlass.app: {other}, windlass.service: x}}\n"
    shared.deploy(write(shared.folder / app, {"compose.yaml": compose, "Dockerfile": dockerfile, **QUICK}), app)
    (container,) = shared.serving(app, "web")
    assert container.labels["windlass.app"] == app
    assert container.labels["windlass.instance"] == shared.instance
    before = {c.id for c in shared.containers(other)}
    shared.ok("remove", app, "--data", "--yes")
    assert {c.id for c in shared.containers(other)} == before
    assert shared.get(other).status == 200
    shared.ok("remove", other, "--data", "--yes")
