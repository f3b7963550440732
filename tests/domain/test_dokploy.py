"""Dokploy's template beside a Compose file."""

from typing import Any

from windlass.domain.dialects.dokploy import filled, translate_dokploy
from windlass.domain.dialects.magic import Kind, Secret
from windlass.domain.dialects.translation import Translation, WantedRoute
from windlass.domain.documents import parse_yaml
from windlass.domain.rewriting import rewrite

COMPOSE = """
services:
  desk:
    image: acme/desk
    volumes:
      - ../files/desk.conf:/etc/desk.conf:ro
      - ../files/secret.toml:/etc/secret.toml
      - ../files/more:/etc/more
      - {type: bind, source: ../files/kept, target: /kept}
      - desk:/data
volumes: {desk: {}}
"""
TEMPLATE = """
[variables]
main_domain = "${domain}"
db_password = "${password:24}"
long = "${base64:48}"

[config]
env = ["DB_PASSWORD=${db_password}", "DB_URL=pg://u:${db_password}@db/x", "SITE=https://${main_domain}", "N=${hash:8}",
  "A=1", "MINE=${elsewhere}"]

[[config.domains]]
serviceName = "desk"
port = 3_000
host = "${main_domain}"

[[config.domains]]
serviceName = "desk"
port = 4000
host = "admin-${main_domain}"
path = "/admin"

[[config.mounts]]
filePath = "desk.conf"
content = "listen ${PORT}"

[[config.mounts]]
filePath = "/secret.toml"
content = "key = '${long}' # $HOME"

[[config.mounts]]
filePath = "more/one.ini"
content = "password=${db_password}"

[[config.mounts]]
filePath = "more/run.sh"
content = "#!/bin/sh"

[[config.mounts]]
filePath = "../../up.ini"
content = "x"

[[config.mounts]]
filePath = "kept"
content = ""
"""


def translated(template: str, compose: str = COMPOSE) -> tuple[Translation, dict[str, Any]]:
    found = translate_dokploy(template.encode(), "blue", {"c.yaml": parse_yaml(compose, "c.yaml")})["c.yaml"]
    return found, dict(parse_yaml(rewrite(compose.encode(), "c.yaml", found.edits), "c.yaml").data)


def test_variables_are_made_once_and_put_in_everywhere() -> None:
    found, _ = translated(TEMPLATE)
    assert set(found.secrets) == {
        Secret("DOKPLOY_DB_PASSWORD", Kind.SMALL_WORD, 24),
        Secret("DOKPLOY_LONG", Kind.BASE64, 48),
        Secret("DOKPLOY_N", Kind.HEX, 4),
    }
    values = {"DOKPLOY_DB_PASSWORD": "p", "DOKPLOY_N": "n", "DOKPLOY_HOST_MAIN_DOMAIN": "shop.localhost"}
    assert {name: filled(text, values) for name, text in found.texts.items()} == {
        "DB_PASSWORD": "p",
        "DB_URL": "pg://u:p@db/x",
        "SITE": "https://shop.localhost",
        "N": "n",
        "A": "1",
    }
    assert any("${elsewhere} is not known here" in note for note in found.notes)


def test_domains_are_routes() -> None:
    found, _ = translated(TEMPLATE)
    assert found.routes == (
        WantedRoute("desk", "MAIN_DOMAIN", 3000),
        WantedRoute("desk", "ADMIN___DOKPLOY_HOST_MAIN_DOMAIN_", 4000, "/admin", "admin-${DOKPLOY_HOST_MAIN_DOMAIN}"),
    )


def test_files_lie_in_the_project_but_those_with_a_secret() -> None:
    found, written = translated(TEMPLATE)
    assert {f.path: (f.content.decode(), f.is_executable) for f in found.files} == {
        "blue/files/desk.conf": ("listen ${PORT}", False),
        "blue/files/more/run.sh": ("#!/bin/sh", True),
    }
    assert written["services"]["desk"] == {
        "image": "acme/desk",
        "volumes": [
            "./files/desk.conf:/etc/desk.conf:ro",
            "./files/more:/etc/more",
            {"type": "bind", "source": "./files/kept", "target": "/kept"},
            "desk:/data",
        ],
        "configs": [
            {"source": "template-0", "target": "/etc/secret.toml"},
            {"source": "template-1", "target": "/etc/more/one.ini"},
        ],
    }
    assert written["configs"] == {
        "template-0": {"content": "key = '${DOKPLOY_LONG}' # $$HOME"},
        "template-1": {"content": "password=${DOKPLOY_DB_PASSWORD}"},
    }


def test_variables_in_a_table_and_in_a_circle() -> None:
    found, _ = translated('[variables]\na = "${b}"\nb = "${a}"\n[config.env]\nON = true\nN = 5\nA = "${a}"\n')
    assert {"ON": "true", "N": "5"}.items() <= found.texts.items()


def test_a_template_that_cannot_be_read_is_told() -> None:
    found, written = translated("[config")
    assert "template.toml is left out" in found.notes[0]
    assert written["services"]["desk"]["volumes"][0] == "./files/desk.conf:/etc/desk.conf:ro"


def test_another_tools_file_of_that_name_is_left_alone() -> None:
    assert translate_dokploy(b"[tool]\nx = 1", ".", {"c.yaml": parse_yaml(COMPOSE, "c.yaml")}) == {}
