"""Compose with the engine: builds, pulls and containers, and that values arrive in them byte for byte."""

import contextlib
import hashlib
import json
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import docker
import pytest

from windlass.adapters.compose import ComposeProgram
from windlass.domain.errors import Cancelled, Failed, Refused
from windlass.ports.sources import BuildFailed, ComposeSource

pytestmark = pytest.mark.real

DOCKER_HOST = "unix:///var/run/docker.sock"
COMPOSE = ComposeProgram(DOCKER_HOST)
AWKWARD = [
    "p@ss w'o\"r$d{}\\#é",
    "",
    " lead and trail ",
    "a\nb\r\nc\r\n",
    "$ $$ ${X} ${X:?no} $X",
    '# no comment \\n \\$ \\" ends in \\',
    "\t\x01\x7f\x1b[0m\u2028\N{BYTE ORDER MARK}😀",
]


@pytest.fixture
def engine() -> Iterator[docker.DockerClient]:
    with contextlib.closing(docker.DockerClient(DOCKER_HOST)) as client:
        yield client


@pytest.fixture
def name(engine: docker.DockerClient) -> Iterator[str]:
    """Of a project; its containers and images are removed afterwards."""
    chosen = f"wlt-{secrets.token_hex(4)}"
    yield chosen
    for container in engine.containers.list(all=True, filters={"label": f"com.docker.compose.project={chosen}"}):
        container.remove(force=True, v=True)
    for image in engine.images.list(filters={"reference": f"{chosen}/*"}):
        for tag in image.tags:
            if tag.startswith(chosen):
                engine.images.remove(tag, force=True)


def quiet(line: str) -> None:
    assert "\x1b" not in line


def build_model(folder: Path, name: str, dockerfiles: Mapping[str, str]) -> dict[str, Any]:
    services = {}
    for service, text in dockerfiles.items():
        (folder / service).mkdir()
        (folder / service / "Dockerfile").write_text(text)
        services[service] = {"image": f"{name}/{service}:r1", "build": {"context": str(folder / service)}}
    return {"name": name, "services": services}


BROKEN = [
    ("FROM python:3-slim\nRUN echo before; echo the-reason >&2; exit 3\n", "the-reason"),
    ("FROM localhost:9/no/such:image\n", "localhost:9"),
]


@pytest.mark.parametrize(("dockerfile", "words"), BROKEN)
def test_a_failing_build_names_service_and_lines(tmp_path: Path, name: str, dockerfile: str, words: str) -> None:
    model = build_model(tmp_path, name, {"good": "FROM scratch\nCOPY . /\n", "bad": dockerfile})
    with pytest.raises(BuildFailed) as caught:
        COMPOSE.build(name, model, tmp_path, quiet)
    assert caught.value.service == "bad"
    assert words in "\n".join(caught.value.lines)
    assert len(caught.value.lines) <= 20


def test_a_build_can_be_cancelled(tmp_path: Path, name: str) -> None:
    seen: list[str] = []
    model = build_model(tmp_path, name, {"slow": "FROM python:3-slim\nRUN echo begun $RANDOM; sleep 60\n"})
    with pytest.raises(Cancelled):
        COMPOSE.build(name, model, tmp_path, seen.append, cancelled=lambda: any("begun" in line for line in seen))


def test_images_that_cannot_be_pulled_are_all_named(tmp_path: Path, name: str) -> None:
    images = {"a": "localhost:9/x:1", "b": "localhost:9/y:2", "c": "localhost:9/x:1"}
    model = {"name": name, "services": {service: {"image": image} for service, image in images.items()}}
    with pytest.raises(Refused) as caught:
        COMPOSE.pull(name, model, tmp_path, quiet)
    assert [(d.code, d.name) for d in caught.value.details] == [
        ("image_unavailable", "localhost:9/x:1"),
        ("image_unavailable", "localhost:9/y:2"),
    ]


def test_values_survive_from_the_file_to_the_container(tmp_path: Path, name: str, engine: docker.DockerClient) -> None:
    values = {f"V{n}": value for n, value in enumerate(AWKWARD)}
    environment = {key: "${" + key + "}" for key in values} | {"HOME": None, "PATH": None}
    text = {"services": {"a": {"image": "python:3-slim", "network_mode": "none", "environment": environment}}}
    (tmp_path / "compose.yaml").write_text(json.dumps(text))
    document = COMPOSE.resolve(ComposeSource(tmp_path, name, values=values)).document
    COMPOSE.create(name, document, tmp_path, ["a"], False)
    found = environment_of(engine, f"{name}-a-1")
    assert {key: found[key] for key in values} == values
    assert not {"HOME", "PATH"} & set(found)


def environment_of(engine: docker.DockerClient, container: str) -> dict[str, str]:
    return dict(item.split("=", 1) for item in engine.containers.get(container).attrs["Config"]["Env"] if "=" in item)


def test_creates_again_only_when_told(tmp_path: Path, name: str, engine: docker.DockerClient) -> None:
    service = {"image": "python:3-slim", "network_mode": "none"}
    model = {"name": name, "services": {"a": service}}
    COMPOSE.create(name, model, tmp_path, ["a"], False)
    first = engine.containers.get(f"{name}-a-1").id
    changed = {"name": name, "services": {"a": service | {"environment": {"A": "1"}}}}
    COMPOSE.create(name, changed, tmp_path, ["a"], False)
    assert engine.containers.get(f"{name}-a-1").id == first
    COMPOSE.create(name, changed, tmp_path, ["a"], True)
    assert engine.containers.get(f"{name}-a-1").id != first


def test_a_built_image_is_created_without_the_services_it_depends_on(
    tmp_path: Path, name: str, engine: docker.DockerClient
) -> None:
    model = build_model(tmp_path, name, {"web": 'FROM scratch\nCOPY . /\nCMD ["/x"]\n', "db": "FROM scratch\n"})
    model["services"]["web"] |= {"depends_on": {"db": {"condition": "service_started"}}, "network_mode": "none"}
    web_only = {"name": name, "services": {"web": model["services"]["web"] | {"depends_on": {}}}}
    COMPOSE.build(name, web_only, tmp_path, quiet)
    COMPOSE.create(name, model, tmp_path, ["web"], False)
    labels = {"label": f"com.docker.compose.project={name}"}
    assert [c.name for c in engine.containers.list(all=True, filters=labels)] == [f"{name}-web-1"]


def test_a_build_gets_its_secret_from_the_values(tmp_path: Path, name: str, engine: docker.DockerClient) -> None:
    text = "FROM python:3-slim\nRUN --mount=type=secret,id=key sha256sum /run/secrets/key > /sum\n"
    model = build_model(tmp_path, name, {"web": text})
    model["services"]["web"]["build"]["secrets"] = [{"source": "key"}]
    model["secrets"] = {"key": {"environment": "KEY"}}
    seen: list[str] = []
    COMPOSE.build(name, model, tmp_path, seen.append, values={"KEY": "s3cret $x"})
    assert not [line for line in seen if "s3cret" in line]
    sums = engine.containers.run(
        f"{name}/web:r1", ["cat", "/sum"], network_mode="none", remove=True, name=f"{name}-sum"
    )
    assert sums.decode().startswith(hashlib.sha256(b"s3cret $x").hexdigest())


CREATE_FAILS = [
    ({"image": "localhost:9/no:1", "network_mode": "none"}, {}, "image_missing"),
    ({"image": "python:3-slim", "networks": ["n"]}, {"networks": {"n": {"external": True, "name": "no"}}}, "network"),
    (
        {"image": "python:3-slim", "network_mode": "none", "volumes": ["v:/v"]},
        {"volumes": {"v": {"external": True, "name": "wlt-no-such"}}},
        "volume",
    ),
]


@pytest.mark.parametrize(("service", "rest", "code"), CREATE_FAILS)
def test_why_containers_are_not_created(
    tmp_path: Path, name: str, service: dict[str, Any], rest: dict[str, Any], code: str
) -> None:
    with pytest.raises(Failed) as caught:
        COMPOSE.create(name, {"name": name, "services": {"a": service}, **rest}, tmp_path, ["a"], False)
    assert caught.value.code.startswith(code)
