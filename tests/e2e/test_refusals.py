"""Bad input: each kind has a code of its own, says where, ends with its exit code, and nothing is touched."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.e2e.projects import IMAGE, WEB, web, write
from tests.e2e.station import Result, Station, free_port
from tests.e2e.truth import assert_untouched

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]


@dataclass(frozen=True)
class Bad:
    """`files`: beside the Compose file `compose`. `says`: all of these words are in what is told."""

    code: str
    says: tuple[str, ...]
    compose: str = WEB
    files: dict[str, str] = field(default_factory=dict)
    words: tuple[str, ...] = ()
    exit_code: int = 3
    prepare: Callable[[Path], object] | None = None


def link_to(target: str, name: str) -> Callable[[Path], object]:
    return lambda folder: os.symlink(target, folder / name)


BAD = {
    # ---- what is wrong in the files
    "no Compose file": Bad("compose_missing", ("compose.yaml",), compose=""),
    "invalid YAML": Bad("yaml_invalid", ("compose.yaml:4",), compose="services:\n  web:\n   - {image: [\n"),
    "undefined volume": Bad("undefined_volume", ("data",), web("volumes: ['data:/data']")),
    "undefined network": Bad("undefined_network", ("back",), web("networks: [back]")),
    "missing env_file": Bad("env_file_missing", ("app.env",), web("env_file: app.env")),
    "three required variables": Bad(
        "variable_required",
        ("ONE", "TWO", "THREE"),
        web("environment:", "  A: ${ONE:?}", "  B: ${TWO:?set it}", "  C: ${THREE:?}"),
    ),
    "a blank port": Bad("variable_unset", ("PORT", "ports"), web("ports: ['${PORT}:80']")),
    "a blank password": Bad("variable_unset", ("SECRET",), web("environment:", "  DB_PASSWORD: ${SECRET}")),
    "unknown key": Bad("unknown_key", ("imagee", "did you mean"), "services:\n  web:\n    imagee: nginx\n"),
    "unknown key in windlass.yaml": Bad(
        "unknown_key", ("windlass.yaml:1:1", "routes"), files={"windlass.yaml": "route: []\n"}
    ),
    "unknown key deep in windlass.yaml": Bad(
        "unknown_key", ("probe", "windlass.yaml:3"), files={"windlass.yaml": "services:\n  web:\n    prob: {tcp: 80}\n"}
    ),
    "unknown service in windlass.yaml": Bad(
        "service_unknown", ("wbe",), files={"windlass.yaml": "services:\n  wbe: {strategy: keep}\n"}
    ),
    "another name in windlass.yaml": Bad("name_differs", ("other",), files={"windlass.yaml": "name: other\n"}),
    "an unsafe override": Bad(
        "strategy_unsafe",
        ("db", "rolling"),
        "services:\n  db:\n    image: postgres:16-alpine\n    volumes: ['data:/var/lib/postgresql/data']\n"
        "    environment: {POSTGRES_PASSWORD: x}\nvolumes: {data: }\n",
        {"windlass.yaml": "services:\n  db: {strategy: rolling}\n"},
    ),
    "two databases on one volume": Bad(
        "volume_shared_by_stores",
        ("data",),
        "services:\n"
        + "".join(f"  {n}: {{image: 'postgres:16-alpine', volumes: ['data:/var/lib/postgresql/data']}}\n" for n in "ab")
        + "volumes: {data: }\n",
    ),
    "a missing external network": Bad(
        "network_missing", ("wlt-none",), web("networks: [wlt-none]") + "networks: {wlt-none: {external: true}}\n"
    ),
    "a missing external volume": Bad(
        "volume_missing", ("wlt-none",), web("volumes: ['wlt-none:/data']") + "volumes: {wlt-none: {external: true}}\n"
    ),
    # ---- what is refused altogether (rules that may not bend, 4)
    "provider": Bad("provider_refused", ("provider",), "services:\n  web:\n    provider: {type: touch}\n"),
    "use_api_socket": Bad("api_socket_refused", ("use_api_socket",), web("use_api_socket: true")),
    "remote include": Bad("remote_refused", ("include",), "include: ['https://example.com/compose.yaml']\n" + WEB),
    "remote extends": Bad(
        "remote_refused", ("extends",), web("extends: {file: 'git@example.com:a/b.git', service: web}")
    ),
    "env_file outside": Bad("path_outside", ("/etc/shadow",), web("env_file: /etc/shadow")),
    "env_file above": Bad("path_outside", ("../../etc/passwd",), web("env_file: ../../etc/passwd")),
    "secret outside": Bad("path_outside", ("/etc/shadow",), WEB + "secrets: {s: {file: /etc/shadow}}\n"),
    "config outside": Bad("path_outside", ("/etc/shadow",), WEB + "configs: {c: {file: /etc/shadow}}\n"),
    "build context outside": Bad("path_outside", ("../",), "services:\n  web:\n    build: ../\n"),
    "dockerfile outside": Bad(
        "path_outside", ("../Dockerfile",), "services:\n  web:\n    build: {context: ., dockerfile: ../Dockerfile}\n"
    ),
    "extends outside": Bad("path_outside", ("../c.yaml",), web("extends: {file: ../c.yaml, service: web}")),
    "include outside": Bad("path_outside", ("../c.yaml",), "include: [../c.yaml]\n" + WEB),
    "relative bind outside": Bad("path_outside", ("../data",), web("volumes: ['../data:/data']")),
    "a file that is a link to outside": Bad(
        "upload_unsafe", ("app.env",), web("env_file: app.env"), prepare=link_to("/etc/shadow", "app.env")
    ),
    "a folder that is a link to /etc": Bad("upload_unsafe", ("conf",), prepare=link_to("/etc", "conf")),
    "COMPOSE_FILE outside": Bad("path_outside", ("COMPOSE_FILE",), files={".env": "COMPOSE_FILE=../x.yaml\n"}),
    "COMPOSE_PROJECT_NAME of another": Bad(
        "project_name_differs", ("COMPOSE_PROJECT_NAME",), files={".env": "COMPOSE_PROJECT_NAME=other\n"}
    ),
    "LD_PRELOAD": Bad("variable_reserved", ("LD_PRELOAD",), words=("--set", "LD_PRELOAD=/tmp/x.so")),
    "DOCKER_HOST": Bad("variable_reserved", ("DOCKER_HOST",), words=("--set", "DOCKER_HOST=tcp://x")),
    "an image of windlass's own": Bad("image_reserved", ("windlass/",), WEB.replace(IMAGE, "windlass/x/web:r1")),
    # ---- what was named on the command line
    "a folder that is not there": Bad("no_folder", ("nowhere",), words=("nowhere",), exit_code=2),
    "a Compose file outside": Bad("path_invalid", ("../c.yaml",), words=("--compose", "../c.yaml")),
    "a Git option as address": Bad("usage", (), words=("--upload-pack=touch /tmp/x",), exit_code=2),
    "a Git helper": Bad("git_url_invalid", ("ext::",), words=("ext::sh -c touch% /tmp/x",)),
    "a Git ref that is a command": Bad(
        "git_ref_invalid", ("$(x)",), words=("https://127.0.0.1:1/a.git", "--ref", "$(x)")
    ),
    "a Git ref that is an option": Bad(
        "git_ref_invalid", ("--output",), words=("https://127.0.0.1:1/a.git", "--ref=--output=x")
    ),
    "a Git server that does not answer": Bad(
        "git_unreachable", ("127.0.0.1",), words=("https://127.0.0.1:1/a.git",), exit_code=4
    ),
}  # fmt: skip


def attempt(station: Station, app: str, bad: Bad) -> Result:
    folder = station.folder / app
    write(folder, {"compose.yaml": bad.compose} if bad.compose else {"README": "no Compose file"})
    write(folder, bad.files)
    if bad.prepare:
        bad.prepare(folder)
    names_a_source = bool(bad.words) and (not bad.words[0].startswith("--") or "=" in bad.words[0])
    source = () if names_a_source else (folder,)
    return station.run("deploy", *source, *bad.words, "--app", app)


def told(result: Result) -> str:
    error = result.error
    details = [f"{d['name']} {d['message']} {d['fix']}" for d in error.get("details", ())]
    return "\n".join([error.get("message", ""), error.get("hint", ""), *details]) + result.err


@pytest.mark.parametrize("name", BAD)
def test_bad_input(shared: Station, name: str) -> None:
    app, bad = shared.app("bad"), BAD[name]
    result = attempt(shared, app, bad)
    assert result.code == bad.exit_code, str(result)
    if bad.code != "usage":
        assert bad.code in result.codes, str(result)
    for words in bad.says:
        assert words in told(result), str(result)
    assert "Traceback" not in result.err
    assert_untouched(shared, app)


def test_every_reason_at_once(shared: Station) -> None:
    app = shared.app("many")
    compose = web("use_api_socket: true", "privileged: true", "env_file: /etc/shadow", "environment: {A: '${X:?}'}")
    result = attempt(shared, app, Bad("", (), compose))
    assert result.code == 3
    assert {"api_socket_refused", "path_outside"} <= result.codes
    assert_untouched(shared, app)


def test_a_missing_variable_hides_nothing(shared: Station) -> None:
    app = shared.app("hidden")
    compose = web("privileged: true", "environment: {A: '${ONE:?}', B: '${TWO:?}'}", "ports: ['${ONE:?}:80']")
    rules = {"windlass.yaml": "services:\n  wbe: {strategy: keep}\n"}
    result = attempt(shared, app, Bad("", (), compose, rules))
    assert result.code == 3
    assert {"variable_required", "consent_missing", "service_unknown"} <= result.codes, str(result)
    assert told(result).count("has no value") >= 2
    assert_untouched(shared, app)


@pytest.mark.parametrize("name", ["a" * 300, "../x", "-rf", "café", "Shop", "shop-g3", "a--b", "", "shop@../x"])
def test_app_names(shared: Station, name: str) -> None:
    folder = write(shared.folder / "names", {"compose.yaml": WEB})
    for words in (("deploy", folder, f"--app={name}"), ("status", "--", name), ("remove", "--yes", "--", name)):
        result = shared.begin(*words).wait()
        assert result.code == 2, f"{words}: {result}"
    answer = shared.api(f"/api/v1/apps/{name.replace('/', '%2F').replace('é', '%C3%A9')}/deployments")
    assert answer.status in (400, 404, 405), answer


def test_an_app_that_is_not_there(shared: Station) -> None:
    for words in (("status",), ("releases",), ("events",), ("rollback",), ("cancel",), ("remove", "--yes"), ("stop",)):
        result = shared.run(*words, "wlt-nobody")
        assert (result.code, result.error["code"]) == (7, "app_not_found"), f"{words}: {result}"


def test_an_image_that_nobody_has(shared: Station) -> None:
    app = shared.app("noimage")
    result = attempt(shared, app, Bad("", (), f"services:\n  web: {{image: 'localhost:1/{app}:none'}}\n"))
    assert result.code in (3, 4), str(result)
    assert "image_unavailable" in result.codes, str(result)
    assert f"localhost:1/{app}:none" in told(result)
    assert not shared.containers(app)


def test_a_build_that_fails(shared: Station) -> None:
    app = shared.app("nobuild")
    files = {"Dockerfile": f"FROM {IMAGE}\nRUN echo first-words && echo last-words && exit 7\n"}
    result = attempt(shared, app, Bad("", (), "services:\n  web: {build: ., expose: ['80']}\n", files))
    assert result.code == 4, str(result)
    assert result.error["code"] == "build_failed"
    assert "last-words" in str(result.error)
    assert not shared.containers(app)


def test_a_port_that_another_process_holds(shared: Station) -> None:
    app = shared.app("port")
    port = free_port()
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("0.0.0.0", port))
        holder.listen()
        result = attempt(shared, app, Bad("", (), web(f"ports: ['{port}:80']")))
    assert result.code == 3, str(result)
    assert result.error["code"] == "port_taken"
    assert str(port) in told(result)
    assert f"pid {os.getpid()}" in told(result)
    assert_untouched(shared, app)


def test_an_upload_over_the_limit(shared: Station) -> None:
    app = shared.app("large")
    boundary = "wlt"
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="source"; filename="s.tar"\r\n\r\n'.encode()
    limit = 1 << 30
    connection = shared.api_connection(timeout=300)
    connection.putrequest("POST", f"/api/v1/apps/{app}/deployments")
    connection.putheader("Content-Type", f"multipart/form-data; boundary={boundary}")
    connection.putheader("Content-Length", str(len(head) + limit + (2 << 20)))
    connection.endheaders()
    connection.send(head)
    answer = None
    block = bytes(1 << 20)
    try:
        for _ in range((limit >> 20) + 1):
            connection.send(block)
    except (BrokenPipeError, ConnectionResetError):
        pass
    answer = connection.getresponse()
    assert answer.status == 413
    assert b"upload_too_large" in answer.read()
    connection.close()
    assert_untouched(shared, app)
    assert not list((shared.home / "uploads").iterdir())
