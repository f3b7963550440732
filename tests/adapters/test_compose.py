"""What Compose is told, and what its answers mean; by the real plugin, without an engine unless marked."""

import json
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from windlass.adapters.compose import (
    ComposeLimits,
    ComposeProgram,
    build_secrets,
    config_argv,
    create_argv,
    model_argv,
    source_argv,
    without_dependencies,
)
from windlass.adapters.composebuild import BuildLog
from windlass.adapters.composeenv import as_yaml, encode, unescape
from windlass.adapters.process import memory
from windlass.domain.errors import Failed, OutOfReach, Refused, Usage
from windlass.ports.sources import ComposeSource, ComposeVariable

DOCKER_HOST = "unix:///var/run/docker.sock"
COMPOSE = ComposeProgram(DOCKER_HOST)


def project(folder: Path, text: str, **files: str) -> ComposeSource:
    (folder / "compose.yaml").write_text(textwrap.dedent(text))
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_text(content)
    return ComposeSource(folder, "shop")


def with_values(source: ComposeSource, **values: str) -> ComposeSource:
    return ComposeSource(source.directory, source.project, source.files, source.profiles, values)


# ---- what it is told ------------------------------------------------------------------------------------------------


def test_argv_about_a_folder() -> None:
    assert source_argv("shop", Path("/s"), ("deploy/a.yaml", "b.yaml"), ("x", "y")) == (
        *("--ansi", "never", "-p", "shop", "--project-directory", "/s/deploy", "--env-file", memory(0)),
        *("--profile", "x", "--profile", "y", "-f", "/s/deploy/a.yaml", "-f", "/s/b.yaml"),
    )


def test_argv_about_a_model() -> None:
    assert model_argv("shop-g7", Path("/s")) == (
        *("--ansi", "never", "--progress", "plain", "-p", "shop-g7", "--project-directory", "/s"),
        *("--env-file", memory(0), "-f", "-"),
    )


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (config_argv(), "config --format json"),
        (config_argv(env_files=False), "config --format json --no-env-resolution"),
        (config_argv(interpolate=False), "config --format json --no-interpolate"),
        (create_argv(["web", "api"], False), "create --no-build --pull never --no-recreate -- web api"),
        (create_argv(["db"], True), "create --no-build --pull never --force-recreate -- db"),
    ],
)
def test_argv_of_calls(argv: tuple[str, ...], expected: str) -> None:
    assert argv == tuple(expected.split())


def test_a_call_about_one_service_touches_no_other() -> None:
    model = {"name": "x", "services": {"a": {"image": "i", "depends_on": {"b": {}}}, "b": {"image": "i"}}}
    assert without_dependencies(model) == {"name": "x", "services": {"a": {"image": "i"}, "b": {"image": "i"}}}


def test_build_secrets_get_names_of_ours() -> None:
    """Also one without a value: under its own name it would be what Compose was started with."""
    model = {"services": {}, "secrets": {"a": {"environment": "LD_X"}, "b": {"file": "/f"}, "c": {"environment": "NO"}}}
    changed, environment = build_secrets(model, {"LD_X": "v"})
    assert environment == {"WINDLASS_SECRET_0": "v"}
    assert changed["secrets"] == {
        "a": {"environment": "WINDLASS_SECRET_0"},
        "b": {"file": "/f"},
        "c": {"environment": "WINDLASS_SECRET_2"},
    }
    assert build_secrets({"services": {}}, {}) == ({"services": {}}, {})


# ---- values ---------------------------------------------------------------------------------------------------------

AWKWARD = [
    "p@ss w'o\"r$d{}\\#é",
    "",
    " lead and trail ",
    "a\nb\r\nc\r\n",
    "$ $$ ${X} ${X:?no} $X",
    "# no comment",
    "\\n \\t \\$ \\\" \\' \\\\ \\0101 ends in \\",
    "'single' \"double\" `back` $(call)",
    "\t\x01\x7f\x1b[0m\u2028\N{NO-BREAK SPACE}\N{BYTE ORDER MARK}😀",
    "x" * 200_000,
]


def through_compose(values: Mapping[str, str], folder: Path) -> dict[str, str]:
    environment = {name: "${" + name + "}" for name in values}
    (folder / "compose.yaml").write_text(json.dumps({"services": {"x": {"image": "i", "environment": environment}}}))
    document = COMPOSE.resolve(ComposeSource(folder, "shop", values=values)).document
    return {name: unescape(value) for name, value in document["services"]["x"]["environment"].items()}


def test_awkward_values_survive(tmp_path: Path) -> None:
    values = {f"V{n}": value for n, value in enumerate(AWKWARD)}
    assert through_compose(values, tmp_path) == values


def test_values_survive_although_windlass_has_a_variable_of_that_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://mine")
    values = {"HOME": "/theirs", "PATH": "/theirs", "TZ": "theirs", "HTTPS_PROXY": "http://theirs"}
    assert through_compose(values, tmp_path) == values


def escaped(model: Any) -> Any:
    if isinstance(model, dict):
        return {key: escaped(value) for key, value in model.items()}
    return model.replace("$", "$$") if isinstance(model, str) else model


texts = st.text(
    st.one_of(
        st.sampled_from("ab0 $\\\"'{}#\n\r\t=:-?`"), st.characters(exclude_categories=("Cs",), exclude_characters="\0")
    ),
    max_size=40,
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(texts, min_size=20, max_size=60))
def test_every_value_survives(tmp_path: Path, found: list[str]) -> None:
    values = {f"V{n}": value for n, value in enumerate(found)}
    assert through_compose(values, tmp_path) == values


@settings(max_examples=10, deadline=None)
@given(st.lists(texts, min_size=20, max_size=60))
def test_what_is_written_is_read_back(found: list[str]) -> None:
    values = {f"V{n}": value for n, value in enumerate(found)}
    assert COMPOSE.read_env(encode(values).decode()) == values


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(texts, min_size=20, max_size=60))
def test_every_value_of_a_model_survives(tmp_path: Path, found: list[str]) -> None:
    model = {"services": {"x": {"image": "i", "labels": {f"L{n}": value for n, value in enumerate(found)}}}}
    (tmp_path / "compose.yaml").write_bytes(as_yaml(escaped(model)))
    document = COMPOSE.resolve(ComposeSource(tmp_path, "shop")).document
    assert {k: unescape(v) for k, v in document["services"]["x"]["labels"].items()} == model["services"]["x"]["labels"]


def test_reads_a_file_as_compose_does() -> None:
    text = "A=1 # note\nexport B=\"x $A ${NO:-d}\"\nC\nD: yaml\nE='two\nlines $A'\n#F=1\n"
    assert COMPOSE.read_env(text) == {"A": "1", "B": "x 1 d", "D": "yaml", "E": "two\nlines $A"}


@pytest.mark.parametrize("text", ["A=1\nbad line s3cret\n", "A=1\n%=s3cret\n", 'A="s3cret\n'])
def test_a_bad_file_is_refused_without_its_text(text: str) -> None:
    with pytest.raises(Refused) as caught:
        COMPOSE.read_env(text)
    assert caught.value.code == "env_file_invalid"
    assert "s3cret" not in str(caught.value.as_dict())


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [("A", "x\0y", "value_invalid"), ("A", "\ud800", "value_invalid"), ("1A", "x", "variable_name_invalid")],
)
def test_impossible_values_are_refused(name: str, value: str, code: str) -> None:
    with pytest.raises(Usage) as caught:
        encode({name: value})
    assert (caught.value.code, value in caught.value.message and value != "x") == (code, False)


def test_variables_that_steer_the_tools_are_refused() -> None:
    with pytest.raises(Refused) as caught:
        encode({"COMPOSE_FILE": "/etc/x"})
    assert caught.value.code == "variable_reserved"


# ---- which files ----------------------------------------------------------------------------------------------------

ONE = "services: {a: {image: one}}\n"


def image(source: ComposeSource) -> str:
    return str(COMPOSE.resolve(source).document["services"]["a"]["image"])


def test_a_folder_without_compose_file_is_refused_although_one_lies_above(tmp_path: Path) -> None:
    project(tmp_path, ONE)
    (tmp_path / "inner").mkdir()
    with pytest.raises(Refused) as caught:
        COMPOSE.resolve(ComposeSource(tmp_path / "inner", "shop"))
    assert caught.value.code == "compose_missing"


def test_a_named_file_must_be_there_and_inside(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "out.yaml").write_text(ONE)
    (tmp_path / "in" / "link.yaml").symlink_to(tmp_path / "out.yaml")
    for name, code in [("no.yaml", "compose_missing"), ("../out.yaml", "path_invalid"), ("link.yaml", "path_invalid")]:
        with pytest.raises(Refused) as caught:
            COMPOSE.resolve(ComposeSource(tmp_path / "in", "shop", (name,)))
        assert caught.value.code == code


def test_the_override_is_merged_and_a_leading_slash_means_the_project(tmp_path: Path) -> None:
    source = project(tmp_path, ONE, compose__override__yaml="services: {a: {image: two}}")
    assert image(source) == "two"
    assert image(ComposeSource(tmp_path, "shop", ("/compose.yaml",))) == "one"


def test_paths_are_relative_to_the_compose_file(tmp_path: Path) -> None:
    (tmp_path / "deploy").mkdir()
    (tmp_path / "deploy" / "app.yaml").write_text("services: {a: {build: ./api}}")
    document = COMPOSE.resolve(ComposeSource(tmp_path, "shop", ("deploy/app.yaml",))).document
    assert document["services"]["a"]["build"]["context"] == str(tmp_path / "deploy" / "api")


def test_of_the_folders_env_only_files_and_profiles_count(tmp_path: Path) -> None:
    env = "COMPOSE_FILE=other.yaml\nCOMPOSE_PROFILES=p\nCOMPOSE_PROJECT_NAME=evil\nX=evil\n"
    other = "services: {a: {image: 'x${X}'}, b: {image: y, profiles: [p]}}"
    resolved = COMPOSE.resolve(project(tmp_path, ONE, other__yaml=other, __env=env))
    assert (resolved.document["name"], set(resolved.document["services"])) == ("shop", {"a", "b"})
    assert (resolved.document["services"]["a"]["image"], resolved.unset) == ("x", ("X",))


# ---- variables ------------------------------------------------------------------------------------------------------


def test_all_variables_at_once(tmp_path: Path) -> None:
    text = """
        include: [more.yaml]
        x-note: "${IN_EXTENSION:?}"   # ${COMMENTED:?}
        services:
          a: {image: "x:${TAG:-1}", labels: {again: "${TAG}", "${KEY}": "$$NO $${NO} $PLAIN"}}
          b: {extends: {file: other.yaml, service: b}}
          c: {image: "${A:-${INNER:?no}}${C?say it}", command: !override ["${LAST:-x}y}"]}
    """
    source = project(
        tmp_path,
        text,
        more__yaml="services: {m: {image: '${MORE:?}'}}",
        other__yaml="services: {b: {image: '${OTHER:+alt}'}}",
    )
    found = {v.name: v for v in COMPOSE.variables(source)}
    assert sorted(n for n, v in found.items() if v.required) == ["C", "IN_EXTENSION", "MORE"]
    assert sorted(n for n, v in found.items() if not v.required) == ["A", "INNER", "LAST", "OTHER", "PLAIN", "TAG"]
    assert found["TAG"] == ComposeVariable("TAG", False, "1")


def test_required_variables_are_all_named(tmp_path: Path) -> None:
    source = project(tmp_path, "services: {a: {image: '${A:?say A}${B?}${C:?}'}}")
    with pytest.raises(Refused) as caught:
        COMPOSE.resolve(with_values(source, C=""))
    assert [(d.code, d.name) for d in caught.value.details] == [("variable_required", name) for name in "ABC"]
    assert "say A" in caught.value.details[0].message
    assert image(with_values(source, A="1", B="", C="2")) == "12"


def test_blank_variables_are_told(tmp_path: Path) -> None:
    resolved = COMPOSE.resolve(project(tmp_path, "services: {a: {image: 'x${A}${B}${A}'}}"))
    assert (resolved.unset, len(resolved.warnings)) == (("A", "B"), 2)


def test_raw_and_without_env_files(tmp_path: Path) -> None:
    source = project(tmp_path, "services: {a: {image: 'x${A}', env_file: a.env}}", a__env="K=V")
    raw = COMPOSE.resolve(source, env_files=False, interpolate=False).document["services"]["a"]
    assert (raw["image"], raw["env_file"][0]["path"]) == ("x${A}", str(tmp_path / "a.env"))
    assert COMPOSE.resolve(with_values(source, A="")).document["services"]["a"]["environment"] == {"K": "V"}


# ---- what is wrong --------------------------------------------------------------------------------------------------

WRONG = [
    ("services: {a: {image: x, exclude_from_hc: true}}", [("compose_invalid", "services.a")], "exclude_from_hc"),
    ("services:\n  a: {image: x\n  b: [\n", [("compose_invalid", "compose.yaml")], "line 1"),
    ("services: {a: {command: x}}", [("compose_invalid", "services.a")], "neither an image nor a build context"),
    ("services: {a: {image: x, ports: ['${PORT}:80']}}", [], ""),
    ("services: {a: {image: x, volumes: ['${DIR}:/m']}}", [("compose_invalid", "compose.yaml")], "empty section"),
    (
        "services: {a: {image: x, volumes: ['one:/v'], networks: [n]},"
        " b: {image: x, volumes: ['two:/w'], secrets: [s]}}",
        [
            ("undefined_volume", "one"),
            ("undefined_network", "n"),
            ("undefined_volume", "two"),
            ("undefined_secret", "s"),
        ],
        'service "a" refers to undefined volume one',
    ),
    (
        "services: {a: {image: x, env_file: [no.env, {path: o.env, required: false}]}, b: {image: x, env_file: b.env}}",
        [("env_file_missing", "no.env"), ("env_file_missing", "b.env")],
        "no.env",
    ),
    (
        "include: ['https://example.com/x.git']\nservices: {a: {image: x}}",
        [("compose_remote", "compose.yaml")],
        "disabled",
    ),
    ("services: {a: {extends: {file: 'oci://x/y', service: a}}}", [("compose_remote", "compose.yaml")], "disabled"),
    ("", [("compose_invalid", "compose.yaml")], "empty compose file"),
    (
        "services: {a: {image: '${A:?}', volumes: ['one:/v']}}",
        [("variable_required", "A"), ("undefined_volume", "one")],
        "A",
    ),
]


@pytest.mark.parametrize(("text", "expected", "words"), WRONG, ids=range(len(WRONG)))
def test_every_reason_is_told(tmp_path: Path, text: str, expected: list[tuple[str, str]], words: str) -> None:
    source = project(tmp_path, text)
    if not expected:
        assert COMPOSE.resolve(source).unset
        return
    with pytest.raises(Refused) as caught:
        COMPOSE.resolve(source)
    assert [(d.code, d.name) for d in caught.value.details] == expected
    assert words in caught.value.details[0].message
    assert str(tmp_path) not in str(caught.value.as_dict())


def test_a_hanging_compose_is_ended(tmp_path: Path) -> None:
    slow = tmp_path / "docker-compose"
    slow.write_text("#!/bin/sh\nsleep 60\n")
    slow.chmod(0o700)
    compose = ComposeProgram(DOCKER_HOST, program=slow, limits=ComposeLimits(config_s=0.3))
    with pytest.raises(Failed) as caught:
        compose.resolve(project(tmp_path, ONE))
    assert caught.value.code == "compose_timed_out"


def test_version() -> None:
    assert int(COMPOSE.version().lstrip("v").split(".")[0]) >= 2


def test_an_engine_that_does_not_answer_is_out_of_reach(tmp_path: Path) -> None:
    name, compose = "wlt-none", ComposeProgram(f"unix://{tmp_path}/no.sock")
    model = {"name": name, "services": {"a": {"image": "x", "network_mode": "none"}}}
    with pytest.raises(OutOfReach) as caught:
        compose.create(name, model, tmp_path, ["a"], False)
    assert caught.value.code == "engine_unreachable"
    with pytest.raises(OutOfReach):
        compose.pull(name, model, tmp_path, lambda _: None)


# ---- what BuildKit prints -------------------------------------------------------------------------------------------

LOGS = [
    (["#5 [web internal] load metadata", "#6 [api 2/4] RUN x", "#6 ERROR: exit code: 1"], "api"),
    ([" > [api builder 2/4] RUN make:"], "api"),
    (['unable to prepare context: path "/s/web" not found'], "web"),
    (["failed to solve: something"], ""),
    (["#5 [other 1/2] FROM x", "#5 ERROR: no"], ""),
]


@pytest.mark.parametrize(("lines", "expected"), LOGS)
def test_the_failing_service(lines: list[str], expected: str) -> None:
    log = BuildLog({"web": {"build": {"context": "/s/web"}}, "api": {"build": "/s/api"}})
    for line in lines:
        log.read(line)
    assert log.service == expected
