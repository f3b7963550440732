"""Where variables are used in a Compose file, and scopes that say otherwise."""

from __future__ import annotations

from typing import Any

import pytest
from tests.domain.samples import model_of

from windlass.domain.contract import Contract, check_contract
from windlass.domain.contract_scopes import PLACES_OF_ONE, find_places, use_of
from windlass.domain.errors import Refused
from windlass.domain.manifest import EnvRule
from windlass.domain.manifestfile import parse_manifest

NOTHING = model_of({})
SECRETS = {"key": {"environment": "K"}, "file": {"file": "./x"}}

# A service of the name web, further sections -> variable: where it is used.
PLACES: list[tuple[dict[str, Any], dict[str, Any], dict[str, list[tuple[str, str]]]]] = [
    ({"image": "x"}, {}, {}),
    ({"build": {"args": {"A": "${X}"}}}, {}, {"X": [("argument", "services.web.build.args.A")]}),
    ({"build": {"args": ["A=${X:-1}", "B"]}}, {},
     {"B": [("argument", "services.web.build.args.B")], "X": [("argument", "services.web.build.args.A")]}),
    ({"build": {"args": {"A": None, "B": "fixed"}}}, {}, {"A": [("argument", "services.web.build.args.A")]}),
    ({"build": "./$X"}, {}, {"X": [("build", "services.web.build.context")]}),
    ({"build": {"context": ".", "dockerfile_inline": "FROM ${X}"}}, {},
     {"X": [("build", "services.web.build.dockerfile_inline")]}),
    ({"build": {"secrets": [{"source": "key"}, "file"]}}, {"secrets": SECRETS},
     {"K": [("build", "services.web.build.secrets.key")]}),
    ({"environment": {"A": "a-${X}-${Y:?no}-$Z", "P": None, "F": "fixed"}}, {},
     {"P": [("container", "services.web.environment.P")], "X": [("container", "services.web.environment.A")],
      "Y": [("container", "services.web.environment.A")], "Z": [("container", "services.web.environment.A")]}),
    ({"environment": ["A=${X}", "P"]}, {},
     {"P": [("container", "services.web.environment.P")], "X": [("container", "services.web.environment.A")]}),
    ({"command": ["run", "--token", "${X}"]}, {}, {"X": [("container", "services.web.command")]}),
    ({"secrets": ["key", {"source": "file"}], "configs": [{"source": "c"}]},
     {"secrets": SECRETS, "configs": {"c": {"environment": "C"}}},
     {"C": [("container", "services.web.configs.c")], "K": [("container", "services.web.secrets.key")]}),
    ({"image": "x:${TAG:-1}", "labels": {"a": "$L"}}, {},
     {"L": [("file", "services.web.labels.a")], "TAG": [("file", "services.web.image")]}),
    ({"image": "x"}, {"volumes": {"v": {"name": "${V}"}}, "x-mine": {"a": "${W}"}},
     {"V": [("file", "volumes.v.name")]}),
    ({"environment": {"A": "$$X $${Y} ${Z:-${DEEP}}"}}, {},
     {"DEEP": [("container", "services.web.environment.A")], "Z": [("container", "services.web.environment.A")]}),
    ({"build": {"args": {"A": "$X"}}, "environment": {"A": "$X", "B": "$X"}}, {},
     {"X": [("argument", "services.web.build.args.A"), ("container", "services.web.environment.A"),
            ("container", "services.web.environment.B")]}),
]  # fmt: skip


@pytest.mark.parametrize(("service", "sections", "expected"), PLACES)
def test_places(service: dict[str, Any], sections: dict[str, Any], expected: dict[str, list[tuple[str, str]]]) -> None:
    found = find_places({"services": {"web": service}, **sections}, {}, NOTHING)
    assert {n: [(p.kind.value, p.where) for p in places] for n, places in found.items()} == expected


def test_what_windlass_yaml_sends_counts_and_many_places_do_not() -> None:
    found = find_places({"services": {}}, {"X": EnvRule(to=("web",))}, NOTHING)
    assert [p.where for p in found["X"]] == ["services.web.environment.X"]
    many = {"services": {"web": {"environment": {f"A{n}": "$X" for n in range(100)}}}}
    assert len(find_places(many, {}, NOTHING)["X"]) == PLACES_OF_ONE


def test_arguments_without_a_value_that_compose_has_filled_count() -> None:
    model = model_of({"web": {"build": {"context": ".", "args": {"X": "filled", "A": "1", "F": "2"}}}})
    found = find_places({"services": {"web": {"build": {"args": {"A": "$Y", "F": "2"}}}}}, {}, model)
    assert {n: [p.where for p in places] for n, places in found.items()} == {
        "X": ["services.web.build.args.X"],
        "Y": ["services.web.build.args.A"],
    }


USES: list[tuple[dict[str, Any], str]] = [
    ({}, "nothing"),
    ({"build": {"args": ["X"]}}, "build"),
    ({"environment": ["X"]}, "run"),
    ({"image": "a:$X"}, "run"),
    ({"build": {"args": ["X"]}, "environment": ["X"]}, "both"),
]


@pytest.mark.parametrize(("service", "expected"), USES)
def test_use(service: dict[str, Any], expected: str) -> None:
    assert use_of(find_places({"services": {"web": service}}, {}, NOTHING).get("X", ())) == expected


SCOPES: list[tuple[str | None, dict[str, Any], list[tuple[str, str]]]] = [
    (None, {"build": {"args": ["X"]}, "environment": ["X"]}, []),
    ("run", {"environment": ["X"], "image": "a:$X"}, []),
    ("run", {"build": {"args": ["X"]}}, [("scope_build", "would leave it in the image")]),
    ("run", {"build": {"args": {"A": "pre-$X"}}}, [("scope_build", "services.web.build.args.A")]),
    ("run", {"build": {"secrets": ["key"]}}, [("scope_build", "gives it to the build")]),
    ("build", {"build": {"args": ["X"], "secrets": ["key"]}, "image": "a:$X"}, []),
    ("build", {"environment": ["X"]}, [("scope_run", "services.web.environment.X")]),
    ("build", {"environment": {"A": "$X"}, "command": ["$X"]},
     [("scope_run", "services.web.environment.A, services.web.command")]),
    ("build", {"secrets": ["key"]}, [("scope_run", "services.web.secrets.key")]),
]  # fmt: skip


@pytest.mark.parametrize(("scope", "service", "expected"), SCOPES)
def test_scopes(scope: Any, service: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    rules = {"X": EnvRule(scope=scope)}
    document = {"services": {"web": service}, "secrets": {"key": {"environment": "X"}}}
    contract = Contract(rules=rules, places=find_places(document, rules, NOTHING))
    found = check_contract(contract, {"X": "s3cr3t-of-x"}, "shop").problems
    assert [(d.code, words in d.message) for d, (_, words) in zip(found, expected, strict=True)] == [
        (code, True) for code, _ in expected
    ]
    assert all(d.name == "X" and d.fix for d in found)
    assert "s3cr3t" not in str(found)


def test_a_contract_from_before_places_were_kept_has_no_fault() -> None:
    assert check_contract(Contract(rules={"X": EnvRule(scope="run")}), {"X": "1"}, "shop").problems == ()


WRONG = [
    ("env: {X: {scope: never}}", "windlass.yaml:1:11: `env.X.scope` must be 'build' or 'run'"),
    ("env: {X: {scop: run}}", "windlass.yaml:1:11: unknown key `scop`; did you mean `scope`?"),
    ("env: {X: {scope: build, to: [web]}}", "windlass.yaml:1:7: `env.X`: `to` sets it in containers"),
]


@pytest.mark.parametrize(("text", "words"), WRONG)
def test_mistakes_in_windlass_yaml(text: str, words: str) -> None:
    with pytest.raises(Refused) as refused:
        parse_manifest(text)
    assert words in refused.value.details[0].message


def test_scopes_are_read() -> None:
    rules = parse_manifest("env: {A: {scope: build}, B: {scope: run, to: [web]}, C: {}}").env
    assert {name: rule.scope for name, rule in rules.items()} == {"A": "build", "B": "run", "C": None}
