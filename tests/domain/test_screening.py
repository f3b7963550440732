"""Hostile Compose files: what is refused before Compose reads them, and again when they are resolved."""

from typing import Any

import pytest
from tests.domain.samples import model_of

from windlass.domain.documents import Document, parse_yaml
from windlass.domain.errors import Detail
from windlass.domain.insidepaths import below, inside, is_remote
from windlass.domain.modelreader import read_model
from windlass.domain.screening import Screen, kept_labels, screen_files, screen_model

LINKS = {"link", "sub/link", "a$b"}


def leads_outside(path: str) -> bool:
    return any(path == link or path.startswith(link + "/") for link in LINKS)


def screen(files: dict[str, str], start: str = "compose.yaml") -> Screen:
    def read(path: str) -> Document | None:
        return parse_yaml(files[path], path) if path in files else None

    return screen_files([start], read, leads_outside)


def codes(found: tuple[Detail, ...]) -> list[str]:
    return [detail.code for detail in found]


PLAIN = """\
name: shop
x-common: &common {restart: always}
include: [db.yaml, {path: sub/more.yaml, env_file: sub/more.env, project_directory: sub}]
services:
  web:
    <<: *common
    build:
      context: .
      dockerfile: docker/Dockerfile
      additional_contexts: {a: ./a, b: "docker-image://x", c: "service:d"}
    env_file: [.env, {path: ./conf/web.env, required: false}]
    label_file: labels
    volumes: [./data:/data, named:/x, /etc/x:/x:ro, ~/x:/x, "${DIR}:/y", {type: bind, source: ./b, target: /b}]
    secrets: [s]
    security_opt: ["seccomp:./profile.json", "seccomp=unconfined", no-new-privileges]
    x-mine: 1
    extends: {file: sub/base.yaml, service: base}
  job: {build: "https://github.com/acme/x.git#main"}
  other: {extends: web, image: "acme/x:1"}
secrets: {s: {file: ./secret.txt}, e: {environment: A}}
configs: {c: {content: "x"}, f: {file: "${F}"}}
volumes: {named: }
networks: {default: {internal: true}}
"""
SUB = {"db.yaml": "services: {db: {image: x}}", "sub/more.yaml": "services: {m: {env_file: up.env}}",
       "sub/base.yaml": "services: {base: {build: {context: ..}, env_file: ../x.env}}"}  # fmt: skip


def test_an_honest_project() -> None:
    found = screen({"compose.yaml": PLAIN, **SUB})
    assert found.problems == ()
    assert found.files == ("compose.yaml", "db.yaml", "sub/more.yaml", "sub/base.yaml")


def service(line: str) -> str:
    return f"services:\n  web:\n    image: x\n    {line}\n"


OUTSIDE = [
    service("env_file: /etc/shadow"),
    service("env_file: [../../x.env]"),
    service("env_file: [{path: ../x.env}]"),
    service("env_file: ~/x.env"),
    service("env_file: link"),
    service("env_file: link/x.env"),
    service("env_file: ./sub/../sub/link"),
    service("env_file: ''"),
    service("label_file: ../labels"),
    service("build: .."),
    service("build: /etc"),
    service("build: {context: sub/../..}"),
    service("build: {context: ., dockerfile: ../Dockerfile}"),
    service("build: {context: ., dockerfile: /etc/shadow}"),
    service("build: {context: link}"),
    service("build: {additional_contexts: {a: ../a}}"),
    service("build: {additional_contexts: ['a=/root']}"),
    service("build: {additional_contexts: {a: 'oci-layout:///root'}}"),
    service("build: {context: ., cache_to: ['type=local,dest=/etc/cron.d']}"),
    service("build: {context: ., cache_from: ['type=local,src=../x']}"),
    service("volumes: ['../data:/data']"),
    service("volumes: [{type: bind, source: ../data, target: /data}]"),
    service("volumes: ['./link:/data']"),
    service("security_opt: ['seccomp:/etc/shadow']"),
    service("credential_spec: {file: ../x}"),
    service("extends: {file: ../other.yaml, service: a}"),
    service("extends: {file: /etc/passwd, service: a}"),
    service("extends: {file: link, service: a}"),
    "include: [../other.yaml]",
    "include: [{path: /etc/passwd}]",
    "include: [{path: [db.yaml, ../x.yaml]}]",
    "include: [{path: db.yaml, project_directory: ..}]",
    "include: [{path: db.yaml, env_file: ../x.env}]",
    "include: [{path: db.yaml, env_file: [/etc/shadow]}]",
    "secrets: {a: {file: /etc/shadow}}",
    "secrets: {a: {file: ../x}}",
    "configs: {a: {file: link}}",
]


@pytest.mark.parametrize("text", OUTSIDE)
def test_paths_outside(text: str) -> None:
    found = screen({"compose.yaml": text, **SUB})
    assert codes(found.problems) == ["path_outside"]
    assert "leads outside the project's folder" in found.problems[0].message


REMOTE = [
    "https://example.com/compose.yaml", "http://example.com/x", "git@github.com:acme/x.git", "github.com/acme/x",
    "oci://registry.example/x:1", "oci:registry.example/x", "ssh://git@example.com/x", "git://example.com/x", "file:///etc/x",
]  # fmt: skip


@pytest.mark.parametrize("path", REMOTE)
def test_files_from_elsewhere(path: str) -> None:
    assert codes(screen({"compose.yaml": f"include: ['{path}']"}).problems) == ["remote_refused"]
    assert codes(screen({"compose.yaml": f"include: [{{path: '{path}'}}]"}).problems) == ["remote_refused"]
    extended = service(f"extends: {{file: '{path}', service: a}}")
    assert codes(screen({"compose.yaml": extended}).problems) == ["remote_refused"]


VARIABLE = [
    "include: ['${F:-/etc/passwd}']",
    "include: [{path: db.yaml, env_file: $F}]",
    "include: [{path: db.yaml, project_directory: '${D}'}]",
    service("extends: {file: '${F}', service: a}"),
    service("env_file: '${F:-/etc/shadow}'"),
    service("env_file: ['.env.${STAGE}']"),
    service("label_file: $F"),
    service("env_file: a$$b"),
]


@pytest.mark.parametrize("text", VARIABLE)
def test_a_path_that_compose_reads_may_not_hide_behind_a_variable(text: str) -> None:
    assert codes(screen({"compose.yaml": text, **SUB}).problems) == ["path_variable"]


KEYS: list[tuple[str, str, str]] = [
    (service("provider: {type: awesomecloud}"), "provider_refused", "compose.yaml:4:5"),
    (service("use_api_socket: true"), "api_socket_refused", "compose.yaml:4:5"),
    (service("models: [a]"), "key_refused", "does not run models"),
    ("models: {a: {model: x}}", "key_refused", "compose.yaml:1:1"),
    (service("prots: ['80']"), "unknown_key", "compose.yaml:4:5: unknown key `prots`; did you mean `ports`?"),
    (service("build: {contxt: .}"), "unknown_key", "did you mean `context`?"),
    (service("volumes: [{type: volume, sorce: a, target: /a}]"), "unknown_key", "`source`"),
    (service("new_and_dangerous: true"), "unknown_key", "unknown key `new_and_dangerous`"),
    ("servics: {}", "unknown_key", "did you mean `services`?"),
    ("volumes: {a: {drivr: local}}", "unknown_key", "did you mean `driver`?"),
    ("networks: {a: {zzz: 1}}", "unknown_key", "networks"),
]


@pytest.mark.parametrize(("text", "code", "words"), KEYS)
def test_keys(text: str, code: str, words: str) -> None:
    found = screen({"compose.yaml": text})
    assert codes(found.problems) == [code]
    assert words in found.problems[0].message + found.problems[0].name


def test_what_is_switched_off_is_not_refused() -> None:
    assert screen({"compose.yaml": service("use_api_socket: false")}).problems == ()


def test_every_reason_in_every_file_at_once() -> None:
    files = {
        "compose.yaml": "include: [a.yaml, b.yaml, c.yaml]\nservices: {web: {provider: {}, env_file: /etc/shadow}}",
        "a.yaml": "services: {a: {use_api_socket: true, extends: {file: sub/d.yaml, service: d}}}",
        "b.yaml": "a: 1\na: 2\n",
        "sub/d.yaml": "services: {d: {env_file: [../ok.env, ../../bad.env]}}",
    }
    found = screen(files)
    assert codes(found.problems) == [
        "provider_refused", "path_outside", "api_socket_refused", "path_outside", "yaml_invalid", "file_missing",
    ]  # fmt: skip
    places = ["compose.yaml:2", "compose.yaml:2", "a.yaml:1", "sub/d.yaml:1", "b.yaml:2:1", "compose.yaml:1"]
    assert all(place in problem.message for place, problem in zip(places, found.problems, strict=True))


def test_files_that_include_each_other_end() -> None:
    files = {"compose.yaml": "include: [a.yaml]", "a.yaml": "include: [compose.yaml]"}
    assert screen(files).problems == ()


def test_a_file_that_includes_without_end_is_refused() -> None:
    endless = {f"{'d/' * n}c.yaml": "include: [d/c.yaml]" for n in range(300)}
    assert codes(screen(endless, "c.yaml").problems) == ["yaml_too_large"]


def test_further_files_start_from_the_first_ones_folder() -> None:
    files = {"deploy/compose.yaml": service("env_file: ../x.env"), "x/over.yaml": service("env_file: ../../y.env")}
    found = screen_files(
        ["deploy/compose.yaml", "x/over.yaml"], lambda path: parse_yaml(files[path], path), leads_outside
    )
    assert codes(found.problems) == ["path_outside"]
    assert "x/over.yaml" in found.problems[0].message


def test_the_compose_file_itself_may_be_a_link_outside() -> None:
    assert codes(screen({"link": "services: {}"}, "link").problems) == ["path_outside"]
    assert codes(screen({}, "../compose.yaml").problems) == ["path_outside"]
    assert codes(screen({}, "compose.yaml").problems) == ["file_missing"]


def test_labels_of_ownership_are_left_out_and_noted() -> None:
    text = service("labels: {windlass.app: other, com.docker.compose.project: other, windlass.job: release, mine: 1}")
    notes = screen({"compose.yaml": text}).notes
    assert len(notes) == 2
    assert "windlass.app" in notes[0]
    labels = {
        "windlass.app": "a",
        "com.docker.compose.project": "b",
        "windlass.job": "c",
        "mine": "d",
        "windlassy": "e",
    }
    assert kept_labels(labels) == {"mine": "d", "windlassy": "e"}


# --- the resolved model ----------------------------------------------------------------------------------------------

ROOT = "/srv/p"

RESOLVED: list[tuple[dict[str, Any], list[str]]] = [
    ({"image": "x", "volumes": [{"type": "bind", "source": "/srv/p/data", "target": "/d"}]}, []),
    ({"build": {"context": "/srv/p", "dockerfile": "docker/Dockerfile"}}, []),
    ({"build": {"context": "/srv/p", "dockerfile": "/srv/p/Dockerfile"}}, []),
    ({"build": {"context": "https://example.com/x.git"}}, []),
    ({"image": "x", "volumes": [{"type": "bind", "source": "/etc", "target": "/d"}]}, ["path_outside"]),
    ({"build": {"context": "/srv/other"}}, ["path_outside"]),
    ({"build": {"context": "/srv/p/../other"}}, ["path_outside"]),
    ({"build": {"context": "/srv/p/link"}}, ["path_outside"]),
    ({"build": {"context": "/srv/p", "dockerfile": "../Dockerfile"}}, ["path_outside"]),
    ({"build": {"context": "/srv/p", "dockerfile": "/etc/shadow"}}, ["path_outside"]),
    ({"build": {"context": "/srv/p", "additional_contexts": {"a": "/root"}}}, ["path_outside"]),
    ({"build": {"context": "/srv/p", "cache_to": ["type=local,dest=/etc"]}}, ["path_outside"]),
    ({"image": "x", "volumes": [{"type": "bind", "source": "/srv/p/sub/link/x", "target": "/d"}]}, ["path_outside"]),
    ({"image": "x", "volumes": [{"type": "bind", "source": "/srv/p/a$$b", "target": "/d"}]}, ["path_outside"]),
    ({"image": "x", "volumes": [{"type": "npipe", "source": "x", "target": "/d"}]}, ["mount_refused"]),
    ({"image": "x", "provider": {"type": "x"}}, ["provider_refused"]),
    ({"image": "x", "use_api_socket": True}, ["api_socket_refused"]),
    ({"image": "x", "brand_new": 1}, ["unknown_key"]),
    ({"image": "windlass/other/web:r3", "build": {"context": "/srv/p"}}, ["image_reserved"]),
    ({"image": "x", "build": {"context": "/srv/p", "tags": ["windlass/other/web:r3"]}}, ["image_reserved"]),
]


@pytest.mark.parametrize(("raw", "expected"), RESOLVED)
def test_resolved_services(raw: dict[str, Any], expected: list[str]) -> None:
    absolute = [m for m in raw.get("volumes", ()) if m["source"] == "/etc"]
    found = screen_model(model_of({"web": raw}), ROOT, leads_outside)
    assert codes(found) == ([] if absolute else expected)  # an absolute bind is a wish, not a refusal


def test_resolved_secrets_and_configs() -> None:
    sections = {
        "secrets": {"a": {"file": "/srv/p/a"}, "b": {"file": "/etc/shadow"}, "c": {"environment": "X"}},
        "configs": {"d": {"file": "/srv/p/link"}, "e": {"content": "x"}},
    }
    found = screen_model(model_of({}, **sections), ROOT, leads_outside)
    assert [d.name for d in found] == ["secrets.b.file", "configs.d.file"]
    assert codes(found) == ["path_outside", "path_outside"]


# --- paths -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("folder", "path", "expected"),
    [
        (".", "a", "a"),
        (".", "./a//b/.", "a/b"),
        (".", ".", "."),
        ("a/b", "..", "a"),
        ("a/b", "../..", "."),
        ("a/b", "../../..", None),
        ("a", "b/../../c", "c"),
        ("a", "b/../../../c", None),
        (".", "/a", None),
        (".", "~/a", None),
        (".", "~root/a", None),
        (".", "", None),
        (".", "a\\..\\..\\b", None),
        (".", "\\\\server\\x", None),
        (".", "C:\\x", None),
        (".", "a\0b", None),
    ],
)
def test_inside(folder: str, path: str, expected: str | None) -> None:
    assert inside(folder, path) == expected


def test_below_and_remote() -> None:
    assert below("/srv/p", "/srv/p") == "."
    assert below("/srv/p", "/srv/p/a") == "a"
    assert below("/srv/p", "/srv/pp") is None
    assert below("/srv/p", "/srv/p/../x") is None
    assert below("/srv/p", "a") is None
    assert not is_remote("./github.com/x")
    assert is_remote("github.com/x/y")


def test_a_volume_named_by_one_letter_is_a_drive_to_compose() -> None:
    model = read_model({"name": "x", "services": {"db": {"volumes": [{"type": "volume", "target": "d:/data"}]}}})
    assert [d.code for d in screen_model(model, "/project", lambda name: False)] == ["mount_target_invalid"]
