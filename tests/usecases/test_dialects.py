"""Other tools' projects as they are read: what is made once, what is screened, and what is never followed."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from survey.world import temporary_world
from tests.contents import contents_of

from windlass.domain.dialects.magic import read_secret
from windlass.domain.errors import Refused
from windlass.ports.outside import Outside
from windlass.usecases.magicvalues import make_secrets
from windlass.usecases.project import Project, Reading, read_project

MADE = [
    ("SERVICE_PASSWORD_A", r"[A-Za-z][A-Za-z0-9]{31}"),
    ("SERVICE_PASSWORD_64_A", r"[A-Za-z][A-Za-z0-9]{63}"),
    ("SERVICE_PASSWORDWITHSYMBOLS_A", r"[A-Za-z][A-Za-z0-9._~-]{31}"),
    ("SERVICE_USER_A", r"[A-Za-z][A-Za-z0-9]{15}"),
    ("SERVICE_LOWERCASEUSER_A", r"[a-z][a-z0-9]{15}"),
    ("SERVICE_BASE64_A", r"[A-Za-z][A-Za-z0-9]{31}"),
    ("SERVICE_BASE64_128_A", r"[A-Za-z][A-Za-z0-9]{127}"),
    ("SERVICE_REALBASE64_64_A", r"[A-Za-z0-9+/]{86}=="),
    ("SERVICE_HEX_32_A", r"[0-9a-f]{32}"),
]


@pytest.mark.parametrize(("name", "looks"), MADE)
def test_what_is_made(name: str, looks: str) -> None:
    secret = read_secret(name)
    assert secret is not None
    made = [make_secrets([secret], {}, 0)[name] for _ in range(3)]
    assert len(set(made)) == 3
    assert all(re.fullmatch(looks, value) for value in made)
    assert make_secrets([secret], {name: "kept"}, 0) == {}


def test_tokens_are_signed_with_the_password_for_them() -> None:
    wanted = [s for s in map(read_secret, ("SERVICE_SUPABASEANON_KEY", "SERVICE_SUPABASESERVICE_KEY")) if s]
    made = make_secrets(wanted, {}, 1000.0)
    key = made["SERVICE_PASSWORD_JWT"].encode()
    for name, role in (("SERVICE_SUPABASEANON_KEY", "anon"), ("SERVICE_SUPABASESERVICE_KEY", "service_role")):
        head, claims, signature = made[name].split(".")
        expected = base64.urlsafe_b64encode(hmac.digest(key, f"{head}.{claims}".encode(), hashlib.sha256))
        assert signature == expected.decode().rstrip("=")
        said = json.loads(base64.urlsafe_b64decode(claims + "=="))
        assert (said["role"], said["iat"]) == (role, 1000)
    assert make_secrets(wanted, made, 2000.0) == {}


@pytest.fixture
def outside() -> Iterator[Outside]:
    with temporary_world() as (made, _):
        yield made


def project_in(outside: Outside, **files: str) -> Path:
    folder = outside.trees.uploads() / "project"
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        path = folder / name.replace("__", ".")
        path.write_text(text)
    return folder


def read(outside: Outside, folder: Path, **stored: str) -> Project:
    return read_project(outside, Reading(app="shop", folder=folder, stored=stored, first=not stored))


ONE = """# slogan: A shop.
services:
  web:
    image: acme/web
    environment: [SERVICE_URL_WEB_3000, "KEY=$SERVICE_PASSWORD_WEB", "AT=$SERVICE_URL_WEB"]
    volumes:
      - files:/files
      - {type: bind, source: ./conf/web.ini, target: /etc/web.ini, content: "a=$b"}
"""


def test_values_are_made_once(outside: Outside) -> None:
    first = read(outside, project_in(outside, compose__yaml=ONE))
    environment = first.model.services["web"].environment
    assert environment["KEY"] == first.made["SERVICE_PASSWORD_WEB"]
    assert environment["AT"] == environment["SERVICE_URL_WEB_3000"] == "http://shop.localhost"
    assert [(r.host, r.service, r.port) for r in first.routes] == [("", "web", 3000)]
    assert not first.problems
    again = read(outside, project_in(outside, compose__yaml=ONE), **first.made)
    assert again.made == {}
    assert again.model.services["web"].environment == environment


def test_the_file_is_there_and_the_projects_own_stays(outside: Outside) -> None:
    folder = project_in(outside, compose__yaml=ONE)
    read(outside, folder)
    assert (folder / "conf" / "web.ini").read_text() == "a=$b"
    (folder / "conf" / "web.ini").write_text("own")
    read(outside, project_in(outside, compose__yaml=ONE))
    assert (folder / "conf" / "web.ini").read_text() == "own"


def test_a_host_in_windlass_yaml_is_the_variables(outside: Outside) -> None:
    settings = "routes: [{host: shop.example.com, service: web, port: 3000}]"
    found = read(outside, project_in(outside, compose__yaml=ONE, windlass__yaml=settings))
    assert found.model.services["web"].environment["AT"] == "http://shop.example.com"


def test_a_host_that_the_operator_set_is_the_routes(outside: Outside) -> None:
    found = read(outside, project_in(outside, compose__yaml=ONE), SERVICE_FQDN_WEB="shop.example.com")
    assert [(r.host, r.service) for r in found.routes] == [("shop.example.com", "web")]


def test_a_link_out_of_the_project_is_not_written_through(outside: Outside, tmp_path: Path) -> None:
    folder = project_in(outside, compose__yaml=ONE)
    (folder / "conf").symlink_to(tmp_path)
    with pytest.raises(Refused) as caught:
        read(outside, folder)
    assert caught.value.code == "path_outside"
    assert not list(tmp_path.iterdir())


def test_a_compose_file_that_is_a_link_is_replaced_and_not_followed(outside: Outside) -> None:
    folder = project_in(outside, other__yaml=ONE)
    (folder / "compose.yaml").symlink_to("other.yaml")
    read(outside, folder)
    assert (folder / "other.yaml").read_text() == ONE
    assert not (folder / "compose.yaml").is_symlink()


HOSTILE = [
    ("    env_file: ../../secret.key\n", "path_outside"),
    ("    use_api_socket: true\n", "api_socket_refused"),
    ("    privileged: true\n", "consent_missing"),
    ("    contents: x\n", "unknown_key"),
]


@pytest.mark.parametrize(("line", "code"), HOSTILE)
def test_nothing_passes_by_the_screen(outside: Outside, line: str, code: str) -> None:
    folder = project_in(outside, compose__yaml=ONE + line)
    try:
        details = read(outside, folder).problems
    except Refused as refused:
        details = refused.details
    (found,) = [d for d in details if d.code == code]
    assert code in ("consent_missing",) or "compose.yaml:9:" in found.message, "the line is the user's"


def test_a_store_of_dokploys(outside: Outside) -> None:
    compose = 'services:\n  web:\n    image: acme/web\n    environment: ["DB=${DB_PASSWORD}"]\n'
    compose += "    volumes: [../files/a.conf:/etc/a.conf, ../files/b.conf:/etc/b.conf]\n"
    template = """[variables]
main_domain = "${domain}"
secret = "${password:20}"
[config]
env = ["DB_PASSWORD=${secret}"]
[[config.domains]]
serviceName = "web"
port = 8080
host = "${main_domain}"
[[config.mounts]]
filePath = "a.conf"
content = "plain"
[[config.mounts]]
filePath = "b.conf"
content = "secret = ${secret}"
"""
    folder = project_in(outside, compose__yaml=compose, template__toml=template)
    found = read(outside, folder)
    secret = found.made["DOKPLOY_SECRET"]
    assert found.model.services["web"].environment["DB"] == secret
    assert [(r.service, r.port) for r in found.routes] == [("web", 8080)]
    assert (folder / "files" / "a.conf").read_text() == "plain"
    assert [config["content"] for config in found.model.configs.values()] == [f"secret = {secret}"]
    assert not any(secret.encode() in content for content in contents_of(folder).values())
    assert not any(secret in note for note in found.notes)
    assert not found.problems
