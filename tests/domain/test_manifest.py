"""windlass.yaml: what is read, and every mistake with its place."""

import json
from pathlib import Path

import pytest

from windlass.domain.errors import Refused
from windlass.domain.manifest import Manifest
from windlass.domain.manifestfile import json_schema, parse_manifest
from windlass.domain.probing import DeclaredProbe
from windlass.domain.release import Route, Strategy

SCHEMA = Path(__file__).parents[2] / "docs" / "windlass.schema.json"

WHOLE = """\
name: shop
compose: /docker-compose.coolify.yaml
profiles: [a, b]
keep_warm: 10m
networks: {coolify: create}
routes:
  - {host: shop.example.com, service: web, port: 3000}
  - {host: shop.example.com, path: /_event, service: web, port: 8000, priority: 7}
  - {service: web}
services:
  web:
    strategy: rolling
    probe: {http: /ready, port: 8090, within: 120s}
    drain: 1m30s
  db: {probe: {tcp: 5432}}
  worker: {probe: {exec: [./check, 1]}}
env:
  DATABASE_URL: {required: true, secret: true, format: postgres-url}
  JWT_SECRET: {secret: true, min_length: 32, generate: "base64:48"}
  LOG_LEVEL: {default: info, one_of: [debug, info, warning], to: [web]}
  WORKERS: {default: 4}
test:
  - {service: api, command: [pytest, -q], within: 10m}
release:
  - {service: api, command: [alembic, upgrade, head]}
verify:
  bake: 250ms
  steps:
    - {get: /health, expect: {status: 200, json: {status: healthy}}}
    - {run: [python, test.py, $WINDLASS_APP_URL], service: smoke, within: 5m}
    - {run: [check], image: "acme/smoke:1"}
checklist: [{name: licence, service: api, command: [check-licence]}]
assets: {frontend: [/usr/share/nginx/html/assets]}
"""


def test_the_whole_file() -> None:
    found = parse_manifest(WHOLE, "shop")
    assert (found.name, found.compose, found.profiles, found.keep_warm) == (
        "shop", ("docker-compose.coolify.yaml",), ("a", "b"), 600.0,
    )  # fmt: skip
    assert found.creatable == {"coolify"}
    assert found.route_list() == (
        Route("shop.example.com", "web", 3000),
        Route("shop.example.com", "web", 8000, "/_event", 7),
        Route("", "web", 0),
    )
    assert found.strategies == {"web": Strategy.ROLLING}
    assert found.drains == {"web": 90.0}
    assert found.probe("web") == DeclaredProbe(http="/ready", port=8090, within_s=120.0)
    assert found.probe("db") == DeclaredProbe(tcp=5432)
    assert found.probe("worker") == DeclaredProbe(exec=("./check", "1"))
    assert found.probe("nobody") is None
    assert found.defaults == {"LOG_LEVEL": "info", "WORKERS": "4"}
    assert found.sent_to == {"LOG_LEVEL": ("web",)}
    assert found.env["JWT_SECRET"].min_length == 32
    assert found.test[0].command == ("pytest", "-q")
    assert (found.release[0].service, found.release[0].within) == ("api", 600.0)
    assert found.verify.bake == 0.25
    assert [step.within for step in found.verify.steps] == [300.0, 300.0, 300.0]
    assert found.checklist[0].name == "licence"
    assert found.assets == {"frontend": ("/usr/share/nginx/html/assets",)}


@pytest.mark.parametrize("text", ["", "name:\n", "services:\nroutes:\n"])
def test_everything_has_a_default(text: str) -> None:
    found = parse_manifest(text)
    assert found == Manifest()
    assert found.route_list() is None
    assert (found.verify.bake, found.keep_warm) == (10.0, 0.0)


def test_no_routes_are_other_than_none_written() -> None:
    assert parse_manifest("routes: []").route_list() == ()


@pytest.mark.parametrize(("name", "app"), [("shop", "shop"), ("shop", "shop@staging"), ("shop", "")])
def test_the_name_that_it_is_deployed_as(name: str, app: str) -> None:
    assert parse_manifest(f"name: {name}", app).name == name


def test_another_name() -> None:
    with pytest.raises(Refused) as refusal:
        parse_manifest("\nname: shop", "blog")
    (problem,) = refusal.value.details
    assert problem.code == "name_differs"
    assert "windlass.yaml:2:1" in problem.message
    assert "--app shop" in problem.fix


# Text, code, name of the place, words of the message.
WRONG: list[tuple[str, str, str, str]] = [
    ("rotes: []", "unknown_key", "rotes", "windlass.yaml:1:1: unknown key `rotes`; did you mean `routes`?"),
    ("a: 1\nzzz: 1", "unknown_key", "a", "windlass.yaml:1:1: unknown key `a`"),
    ("services:\n  web:\n    drian: 3s", "unknown_key", "services.web.drian", "3:5: unknown key `drian`; did you mean"),
    ("services: {web: {probe: {path: /}}}", "unknown_key", "services.web.probe.path", "1:26"),
    ("routes:\n- {service: web, prot: 1}", "unknown_key", "routes[0].prot", "2:18: unknown key `prot`"),
    ("env: {A: {requird: true}}", "unknown_key", "env.A.requird", "did you mean `required`?"),
    ("verify: {steps: [{get: /, expect: {jsn: 1}}]}", "unknown_key", "verify.steps[0].expect.jsn", "`json`?"),
    ("routes: [{port: 80}]", "value_invalid", "routes[0].service", "is missing"),
    ("routes: [{service: web, port: 99999}]", "value_invalid", "routes[0].port", "1:25"),
    ("routes: {service: web}", "value_invalid", "routes", "must be a list"),
    ("services: {web: 3}", "value_invalid", "services.web", "must be a mapping"),
    ("services: {web: {strategy: blue}}", "value_invalid", "services.web.strategy", "'rolling'"),
    ("services: {web: {drain: 10}}", "value_invalid", "services.web.drain", "'10' is not a duration"),
    ("services: {web: {drain: [1]}}", "value_invalid", "services.web.drain", "is not a duration"),
    ("services: {web: {probe: {http: ready}}}", "value_invalid", "services.web.probe.http", "must match"),
    ("services: {web: {probe: {tcp: 1, exec: [a]}}}", "value_invalid", "services.web.probe", "one of http, tcp"),
    ("services: {web: {probe: {port: 1}}}", "value_invalid", "services.web.probe", "`port` belongs to `http`"),
    ("release: [{service: api, command: alembic upgrade}]", "value_invalid", "release[0].command", "there is no shell"),
    ("release: [{service: api, command: []}]", "value_invalid", "release[0].command", "must not be empty"),
    ("verify: {steps: [{get: /, run: [a], service: b}]}", "value_invalid", "verify.steps[0]", "one of get, post,"),
    ("verify: {steps: [{run: [a]}]}", "value_invalid", "verify.steps[0]", "one of service and image"),
    ("verify: {steps: [{get: health}]}", "value_invalid", "verify.steps[0].get", "1:19: `verify.steps[0].get` must be"),
    ("verify: {steps: [{get: '/a b'}]}", "value_invalid", "verify.steps[0].get", "has no spaces"),
    ("verify: {steps: [{get: /, json: {a: 1}}]}", "value_invalid", "verify.steps[0]", "`json` does not go with `get`"),
    ("verify: {steps: [{get: /, send: a}]}", "value_invalid", "verify.steps[0]", "`send` does not go with `get`"),
    ("verify: {steps: [{websocket: /, form: {a: b}}]}", "value_invalid", "verify.steps[0]", "`form` does not go with"),
    ("verify: {steps: [{run: [a], service: b, expect: {status: 200}}]}", "value_invalid", "verify.steps[0]", "`exp"),
    ("verify: {steps: [{post: /, json: 1, form: {a: b}}]}", "value_invalid", "verify.steps[0]", "has one body"),
    ("verify: {steps: [{post: /, json: .nan}]}", "value_invalid", "verify.steps[0].json", "cannot be written as JSON"),
    ("verify: {steps: [{post: /, file: ../a}]}", "value_invalid", "verify.steps[0].file.path", "leads outside"),
    ("verify: {steps: [{post: /, file: {path: a, feld: b}}]}", "unknown_key", "verify.steps[0].file.feld", "`field`?"),
    ("verify: {steps: [{get: /, headers: {Host: a}}]}", "value_invalid", "verify.steps[0].headers", "write `host`"),
    ("verify: {steps: [{get: /, headers: {A: \"b\\nc\"}}]}", "value_invalid", "verify.steps[0].headers", "'A' can"),
    ("verify: {steps: [{get: /, host: a_b}]}", "value_invalid", "verify.steps[0].host", "is not a host name"),
    ("verify: {steps: [{get: /, save: {i d: a}}]}", "value_invalid", "verify.steps[0].save", "'i d' is no name"),
    ("verify: {steps: [{get: /, save: {id: a..b}}]}", "value_invalid", "verify.steps[0].save", "is no field"),
    ("verify: {steps: [{get: /, expect: {status: 99}}]}", "value_invalid", "verify.steps[0].expect.status[0]", "than"),
    ("verify:\n  steps:\n  - {get: /a, save: {id: a}}\n  - {get: '/{id}/{nr}'}", "value_invalid", "verify.steps[1].get",
     "4:6: `verify.steps[1].get` has {nr}, which no earlier step saves"),
    ("networks: {a: delete}", "value_invalid", "networks.a", "'create'"),
    ("compose: ../compose.yaml", "value_invalid", "compose", "leads outside the project's folder"),
    ("name: Shop", "value_invalid", "name", "cannot be the name of an app"),
    ("keep_warm: soon", "value_invalid", "keep_warm", "windlass.yaml:1:1"),
    ("env: {A: {required: maybe}}", "value_invalid", "env.A.required", "must be true or false"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "code", "name", "words"), WRONG)
def test_mistakes(text: str, code: str, name: str, words: str) -> None:
    with pytest.raises(Refused) as refusal:
        parse_manifest(text, "shop")
    first = refusal.value.details[0]
    assert (first.code, first.name) == (code, name)
    assert words in first.message
    assert "windlass.yaml:" in first.message


STEPS = """\
verify:
  steps:
    - name: log in
      post: /login
      host: shop.example.com
      headers: {Accept: text/html, X-Number: 7}
      form: {user: a, keep: true}
      expect: {status: [200, 302], header: {content-type: text/html}, text: welcome, within: 2s}
    - {put: /files, file: clips/a.mp4, form: {title: a}}
    - {patch: /files, file: {path: /clips/a.mp4, field: "", type: video/x}, expect: {status: 204}}
    - {post: /items, json: null, expect: {json: null}, save: {id: "data.items[0].id"}, retry_for: 1m}
    - {delete: "/items/{id}"}
    - {websocket: /ws, send: {id: "{id}"}, expect: {json: {ok: true}}}
"""


def test_smoke_steps() -> None:
    login, put, patch, post, delete, socket = parse_manifest(STEPS).verify.steps
    assert (login.name, login.kind, login.path, login.host) == ("log in", "post", "/login", "shop.example.com")
    assert login.headers == {"Accept": "text/html", "X-Number": "7"}
    assert login.form == {"user": "a", "keep": "true"}
    assert (login.expect.status, login.expect.text, login.expect.within) == ((200, 302), "welcome", 2.0)
    assert put.file is not None
    assert (put.file.path, put.file.field, put.file.type) == ("clips/a.mp4", "file", "")
    assert patch.file is not None
    assert (patch.file.path, patch.file.field, patch.file.type) == ("clips/a.mp4", "", "video/x")
    assert patch.expect.status == (204,)
    assert "json_" in post.model_fields_set
    assert "json_" in post.expect.model_fields_set
    assert (post.save, post.retry_for) == ({"id": "data.items[0].id"}, 60.0)
    assert (delete.kind, delete.path) == ("delete", "/items/{id}")
    assert (socket.kind, socket.send, socket.expect.json_) == ("websocket", {"id": "{id}"}, {"ok": True})


def test_all_mistakes_at_once_in_the_order_of_the_file() -> None:
    with pytest.raises(Refused) as refusal:
        parse_manifest("keep_warm: soon\nzzz: 1\nroutes: [{}]\n")
    assert [d.code for d in refusal.value.details] == ["value_invalid", "unknown_key", "value_invalid"]
    assert "3 mistakes" in refusal.value.message


def test_values_of_variables_are_not_in_the_message() -> None:
    with pytest.raises(Refused) as refusal:
        parse_manifest("env: {A: {default: [hunter2]}}")
    assert "hunter2" not in str(refusal.value.as_dict())


def test_the_published_schema_is_this_one() -> None:
    """Make it anew: python -c 'from windlass.domain.manifestfile import schema_text; print(schema_text(), end="")'."""
    assert json.loads(SCHEMA.read_text()) == json_schema()


def test_the_schema_knows_every_key() -> None:
    schema = json_schema()
    assert set(schema["properties"]) == set(Manifest.model_fields)
    assert schema["additionalProperties"] is False
    assert schema["$defs"]["Expectation"]["properties"].keys() == {"status", "json", "header", "text", "within"}
