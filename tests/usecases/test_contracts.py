"""The contract on its way: read by the real Compose, kept with the deployment, checked, generated, compared."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.usecases.worlds import World

from windlass.adapters.compose import ComposeProgram
from windlass.domain.contract import Contract, Findings
from windlass.domain.errors import Detail, NotFound, Refused
from windlass.domain.manifestfile import parse_manifest
from windlass.ports.outside import Outside
from windlass.usecases import variablehistory, variables
from windlass.usecases.contracts import OPTION, latest_contract, pack_contract, with_contract
from windlass.usecases.generating import missing_values
from windlass.usecases.project import Project, Reading, read_project
from windlass.usecases.undertaking import load_kept, save_kept

MANIFEST = """\
env:
  DATABASE_URL: {required: true, secret: true, format: postgres-url}
  JWT_SECRET: {required: true, secret: true, format: jwt-secret, generate: "base64:48"}
  WORKER_SECRET: {required: true, secret: true, equals: JWT_SECRET}
  MODE: {default: live, one_of: [live, test]}
"""
COMPOSE = """\
services:
  web:
    image: nginx
    build: {context: ., args: {VITE_KEY: "${JWT_SECRET:-}", NOT_PUBLIC: "${JWT_SECRET:-}"}}
    environment:
      DATABASE_URL: ${DATABASE_URL:-}
      WORKER_SECRET: ${WORKER_SECRET:-}
      MODE: ${MODE}
      REGION: ${REGION:?which region}
    secrets: [token]
secrets: {token: {environment: TOKEN}}
"""
URL = "postgresql://app:kT9xQ2p7Lm@db:5432/app"
KEY = "vU1Qm3h8oZr5cK2eXt7Lw9PbYn4GdSf6JaHqRi0TzMkE"
Read = Callable[..., Project]


@pytest.fixture
def outside(world: World) -> Outside:
    return replace(world.outside, compose=ComposeProgram("unix:///var/run/docker.sock"))


@pytest.fixture
def learned() -> list[Contract]:
    return []


@pytest.fixture
def read(outside: Outside, tmp_path: Path, learned: list[Contract]) -> Read:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "windlass.yaml").write_text(MANIFEST)
    (folder / "compose.yaml").write_text(COMPOSE)
    (folder / ".env.example").write_text("#SMTP_HOST=\nREGION=\n")

    def run(**values: str) -> Project:
        return read_project(outside, Reading("shop--staging", folder, values=values, learned=learned.append))

    return run


def test_what_compose_and_windlass_refuse_is_told_at_once(read: Read, learned: list[Contract]) -> None:
    project = read(DATABASE_URL="postgresql://app:p@ss/w:rd#1@db:5432/app", MODE="prod", JWT_SECRT=KEY)
    found = {(d.code, d.name) for d in project.problems}
    assert found == {
        ("variable_required", "REGION"),
        ("variable_unencoded", "DATABASE_URL"),
        ("variable_missing", "JWT_SECRET"),
        ("variable_missing", "WORKER_SECRET"),
        ("variable_name_close", "JWT_SECRT"),
        ("variable_one_of", "MODE"),
    }
    text = json.dumps([problem.as_dict() for problem in project.problems])
    assert "windlass env set shop@staging REGION=VALUE" in text
    assert "which region" in text
    assert "windlass env generate shop@staging" in text
    assert not [secret for secret in ("p@ss", "p%40ss", "w:rd", KEY) if secret in text]
    assert learned[-1].required == {"REGION"}
    assert "SMTP_HOST" in learned[-1].known


def test_what_only_the_resolved_project_tells(read: Read, learned: list[Contract]) -> None:
    project = read(DATABASE_URL=URL, JWT_SECRET=KEY, WORKER_SECRET=KEY, REGION="eu", TOKEN="x" * 9, EXTRA="1")
    # Both have the value that is told to browsers.
    told = [("variable_public", "JWT_SECRET"), ("variable_public", "WORKER_SECRET")]
    assert [(d.code, d.name) for d in project.problems] == told
    assert "the build argument VITE_KEY of web" in project.problems[0].message
    assert [note for note in project.notes if "EXTRA is set, but used by nothing" in note]
    assert not [note for note in project.notes if "TOKEN is set, but used" in note]
    packed = json.dumps(pack_contract(learned[-1]))
    assert not [value for value in (URL, KEY, "live") if f'"{value}"' in packed.replace('["live", "test"]', "")]


@pytest.mark.parametrize("details", [(), (Detail("one", "A", "first"),)])
def test_a_refusal_of_compose_keeps_its_words(details: tuple[Detail, ...]) -> None:
    told = with_contract(Refused("first", code="one", hint="do it", details=details), Findings())
    assert (told.code, told.message, told.hint, len(told.details)) == ("one", "first", "do it", 1)


def keep(world: World, contract: Contract) -> None:
    deployment = world.unfinished()
    world.store.deployments.update(deployment.id, options={OPTION: pack_contract(contract)})


def test_check_by_the_contract_that_was_read_last(world: World) -> None:
    world.deploy()
    before = variables.check_variables(world.outside, "shop")
    assert [item["code"] for item in before["items"]] == ["contract_unknown"]
    contract = Contract(rules=parse_manifest(MANIFEST).env, required=frozenset({"REGION"}), used=frozenset({"MODE"}))
    keep(world, contract)
    assert latest_contract(world.outside, "shop") == contract.kept()
    variables.set_variables(world.outside, "shop", {"MODE": "prod", "REGION": "eu", "DATABASE_URL": URL})
    found = variables.check_variables(world.outside, "shop")
    assert found["status"] == "refused"
    assert [(i["status"], i["code"], i["name"]) for i in found["items"]] == [
        ("refused", "variable_missing", "JWT_SECRET"),
        ("refused", "variable_missing", "WORKER_SECRET"),
        ("refused", "variable_one_of", "MODE"),
        ("warning", "variable_unused", "DATABASE_URL"),
        ("warning", "variable_unused", "REGION"),
    ]


def test_generate_fills_what_is_missing_and_overwrites_nothing(world: World) -> None:
    world.deploy()
    with pytest.raises(NotFound) as refusal:
        variables.generate_variables(world.outside, "shop")
    assert refusal.value.code == "contract_unknown"
    keep(world, Contract(rules=parse_manifest(MANIFEST).env))
    made = variables.generate_variables(world.outside, "shop")
    assert made == {"items": [{"name": "JWT_SECRET"}, {"name": "WORKER_SECRET"}]}
    values = world.store.variables.all("shop")
    assert values["JWT_SECRET"] == values["WORKER_SECRET"]
    assert len(values["JWT_SECRET"]) == 64
    assert variables.generate_variables(world.outside, "shop") == {"items": []}
    assert world.store.variables.all("shop") == values
    assert variables.check_variables(world.outside, "shop")["status"] == "refused"  # the URL cannot be generated


GENERATED = [
    ("base64:48", r"[A-Za-z0-9+/]{64}"),
    ("hex:32", r"[0-9a-f]{64}"),
    ("password:24", r"[A-Za-z0-9]{24}"),
    ("uuid", r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"),
]


@pytest.mark.parametrize(("generate", "pattern"), GENERATED)
def test_values_are_of_their_kind_and_never_the_same(generate: str, pattern: str) -> None:
    rules = parse_manifest(f"env: {{A: {{generate: '{generate}', secret: true}}, B: {{generate: '{generate}'}}}}").env
    made = missing_values(Contract(rules=rules), {})
    assert all(re.fullmatch(pattern, value) for value in made.values())
    assert made["A"] != made["B"]


MISSING = [
    ("{A: {generate: uuid}}", {"A": ""}, set()),
    ("{A: {generate: uuid, default: x}}", {}, set()),
    ("{A: {required: true}}", {}, set()),
    ("{A: {generate: uuid}, B: {equals: A}, C: {equals: B}}", {}, {"A", "B", "C"}),
    ("{A: {generate: uuid}, B: {equals: A}}", {"B": "x"}, {"A"}),
    ("{A: {equals: [B, C]}, B: {}, C: {}}", {"B": "x", "C": "y"}, set()),
]


@pytest.mark.parametrize(("env", "values", "names"), MISSING)
def test_what_is_made(env: str, values: dict[str, str], names: set[str]) -> None:
    made = missing_values(Contract(rules=parse_manifest(f"env: {env}").env), values)
    assert set(made) == names
    assert len({*made.values()}) <= 1
    assert not values.get("B") or set(made.values()) <= {values["B"]}


def test_what_generate_makes_must_keep_the_other_rules() -> None:
    rules = parse_manifest("env: {A: {generate: 'hex:16', pattern: '[x-z]+'}}").env
    with pytest.raises(Refused) as refusal:
        missing_values(Contract(rules=rules), {})
    assert [(d.code, d.name) for d in refusal.value.details] == [("generate_impossible", "A")]


def test_url_encode_what_is_set(world: World) -> None:
    world.deploy()
    variables.set_variables(world.outside, "shop", {"A": "redis://:a#b@h", "B": "redis://:ab@h", "C": "plain"})
    assert variables.encode_variables(world.outside, "shop", ["A", "B"]) == {"items": [{"name": "A"}]}
    assert world.store.variables.all("shop")["A"] == "redis://:a%23b@h"
    with pytest.raises(Refused) as refusal:
        variables.encode_variables(world.outside, "shop", ["C", "A"])
    assert [d.name for d in refusal.value.details] == ["C"]
    with pytest.raises(NotFound):
        variables.encode_variables(world.outside, "shop", ["D"])


def test_diff_of_two_releases(world: World) -> None:
    kept = {1: {"A": "1", "B": "2", "C": "3"}, 2: {"B": "2", "C": "4", "D": "5"}}
    for number, values in kept.items():
        world.deploy()
        known = load_kept(world.outside, "shop", number)
        save_kept(world.outside, replace(known, snapshot=replace(known.snapshot, variables=values)))
    hidden = variablehistory.diff_variables(world.outside, "shop", 1, 2, reveal=False)
    assert [(i["name"], i["change"]) for i in hidden["items"]] == [
        ("A", "removed"), ("B", "same"), ("C", "changed"), ("D", "added"),
    ]  # fmt: skip
    assert {i[side] for i in hidden["items"] for side in ("before", "after")} == {None}
    shown = variablehistory.diff_variables(world.outside, "shop", 1, 2, reveal=True)
    assert [(i["before"], i["after"]) for i in shown["items"]] == [("1", None), ("2", "2"), ("3", "4"), (None, "5")]
    world.deploy()
    with pytest.raises(NotFound) as refusal:
        variablehistory.diff_variables(world.outside, "shop", 2, 3, reveal=False)
    assert refusal.value.code == "variables_not_kept"
