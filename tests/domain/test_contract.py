"""The contract as a whole: what refuses a deploy, what is only told, and that no value is ever shown."""

from typing import Any

import pytest

from windlass.domain.contract import Contract, Findings, check_contract, names_in_example, public_places
from windlass.domain.errors import Refused
from windlass.domain.manifest import EnvRule
from windlass.domain.manifestfile import parse_manifest


def contract(env: str, **more: Any) -> Contract:
    return Contract(rules=parse_manifest(f"env: {env}").env, **more)


def codes(found: Findings) -> tuple[set[str], set[str]]:
    """Of problems and notes, as CODE NAME without `variable_`."""
    problems, notes = ({f"{d.code.removeprefix('variable_')} {d.name}" for d in part} for part in
                       (found.problems, found.notes))  # fmt: skip
    return problems, notes


NAMES = frozenset({"A", "B", "JWT_SECRET"})
# What is declared, what the Compose file says, the values; what refuses and what is only told.
CASES: dict[str, tuple[str, dict[str, Any], dict[str, str], set[str], set[str]]] = {
    "nothing": ("{}", {}, {}, set(), set()),
    "required by windlass.yaml": ("{A: {required: true}}", {}, {}, {"missing A"}, set()),
    "required, with a default": ("{A: {required: true, default: x}}", {}, {}, set(), set()),
    "required by Compose": ("{}", {"required": {"A"}}, {}, {"required A"}, set()),
    "required by Compose and blank": ("{}", {"required": {"A"}}, {"A": " "}, {"blank A"}, set()),
    "required by Compose, blank allowed": ("{}", {"required": {"A"}, "blankable": {"A"}}, {"A": ""}, set(), set()),
    "required by both": ("{A: {required: true}}", {"required": {"A"}}, {}, {"required A"}, set()),
    "optional and blank": ("{A: {format: port, min_length: 3}}", {}, {"A": ""}, set(), set()),
    "can be generated": ("{A: {generate: uuid}}", {}, {}, set(), {"generatable A"}),
    "can be generated, would be blank": ("{A: {generate: uuid}}", {"blanks": {"A"}}, {}, {"missing A"}, set()),
    "an allowed value": ("{A: {one_of: [1, true, x]}}", {}, {"A": "true"}, set(), set()),
    "all faults of one value": (
        "{A: {secret: true, min_length: 12, pattern: '[0-9]+', one_of: [x], format: int}}", {}, {"A": "hunter2"},
        {"too_short A", "pattern A", "one_of A", "format A", "weak A"}, set(),
    ),
    "weak, but nobody called it secret": ("{ADMIN_PASSWORD: {}}", {}, {"ADMIN_PASSWORD": "admin"}, set(),
                                          {"weak ADMIN_PASSWORD"}),
    "weak and undeclared": ("{}", {}, {"ADMIN_PASSWORD": "admin", "USER": "admin"}, set(), {"weak ADMIN_PASSWORD"}),
    "a default password in an undeclared address": ("{}", {}, {"DB": "postgres://postgres:postgres@db/x"}, set(),
                                                    {"weak DB"}),
    "an undeclared address that all read wrongly": ("{}", {}, {"DB": "postgres://u:a/b#7kQ2x@db/x"},
                                                    {"unencoded DB"}, set()),
    "an undeclared address that some read wrongly": ("{}", {}, {"DB": "postgres://u:a@b7kQ2x9@db/x"}, set(),
                                                     {"unencoded DB"}),
    "an undeclared placeholder": ("{}", {}, {"A": "<your-key>"}, set(), {"placeholder A"}),
    "a placeholder inside": ("{A: {}}", {}, {"A": "https://<host>/"}, {"placeholder A"}, set()),
    "angle brackets in JSON": ("{A: {format: json}}", {}, {"A": '{"a": "<b>"}'}, set(), set()),
    "copied with its quotes and a line end": ("{A: {}}", {}, {"A": '"x y"', "B": "x\n"}, set(), {"edges A", "edges B"}),
    "equal": ("{A: {equals: B}}", {}, {"A": "x", "B": "x"}, set(), set()),
    "not equal": ("{A: {equals: [B, C]}}", {}, {"A": "x", "B": "y", "C": "x"}, {"differs A"}, set()),
    "equal to nothing": ("{A: {equals: B}}", {}, {"A": "x"}, {"differs A"}, set()),
    "equal to what is missing anyway": ("{A: {equals: B}, B: {required: true}}", {}, {"A": "x"}, {"missing B"}, set()),
    "both absent": ("{A: {equals: B, same_as: C}}", {}, {}, set(), set()),
    "the same database": ("{A: {same_as: B}}", {}, {"A": "postgres://u:kT9xQ2p7@h/d", "B": "jdbc:postgresql://h/d"},
                          set(), set()),
    "another kind of database": ("{A: {same_as: B}}", {}, {"A": "postgres://h/d", "B": "mysql://h/d"}, {"differs A"},
                                 set()),
    "the same, but no database": ("{A: {same_as: B}}", {}, {"A": "x", "B": "y"}, {"differs A"}, set()),
    "a close name, required": ("{DASHSCOPE_API_KEY: {required: true}}", {}, {"DASHCOPE_API_KEY": "kT9xQ2p7Lm"},
                               {"missing DASHSCOPE_API_KEY", "name_close DASHCOPE_API_KEY"}, set()),
    "a close name, of the Compose file": ("{}", {"known": {"REDIS_URL"}}, {"REDS_URL": "redis://r"}, set(),
                                          {"name_close REDS_URL"}),
    "a close name, but both are set": ("{S3_BUCKET: {}}", {}, {"S3_BUCKET": "a", "S3_BUCKETS": "b"}, set(), set()),
    "a close name that differs by a number": ("{API_KEY_1: {required: true}}", {}, {"API_KEY_2": "kT9xQ2p7Lm"},
                                              {"missing API_KEY_1"}, set()),
    "unused": ("{A: {}}", {"used": frozenset({"B"})}, {"A": "x", "B": "x", "C": "x"}, set(), {"unused A", "unused C"}),
    "used by `to` or a default": ("{A: {to: [web]}, B: {default: x}}", {"used": frozenset()}, {"A": "x", "B": "x"},
                                  set(), set()),
    "a declared secret in public JavaScript": (
        "{KEY: {secret: true}}", {"public": {"the build argument VITE_X of web": ("KEY",)}}, {"KEY": "kT9xQ2p7Lm"},
        {"public KEY"}, set(),
    ),
    "an undeclared secret in public JavaScript": (
        "{}", {"public": {"the environment NEXT_PUBLIC_X of web": ("API_TOKEN", "HOST")}}, {"API_TOKEN": "kT9xQ2p7Lm"},
        set(), {"public API_TOKEN"},
    ),
    "a secret by a public name": ("{REACT_APP_KEY: {secret: true}}", {}, {}, {"public REACT_APP_KEY"}, set()),
    "public names that only look secret": (
        "{}", {}, {"VITE_API_SECRET": "kT9xQ2p7Lm", "VITE_STRIPE_PUBLISHABLE_KEY": "pk-kT9xQ2p7Lm", "VITE_TITLE": "x"},
        set(), {"public VITE_API_SECRET"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("title", CASES)
def test_what_is_found(title: str) -> None:
    env, compose, values, problems, notes = CASES[title]
    found = check_contract(contract(env, **compose), values, "shop")
    assert codes(found) == (problems, notes)
    for detail in (*found.problems, *found.notes):
        assert detail.message
        assert detail.fix
        assert not [v for v in values.values() if len(v) >= 6 and v in f"{detail.message} {detail.fix}"]


def test_the_way_out_shows_no_secret_to_the_process_list() -> None:
    env = (
        "{A: {required: true}, B: {required: true, secret: true}, API_KEY: {required: true},"
        " C: {required: true, generate: uuid}}"
    )
    fixes = {d.name: d.fix for d in check_contract(contract(env), {}, "shop@staging").problems}
    assert fixes == {
        "A": "windlass env set shop@staging A=VALUE",
        "B": "windlass env set shop@staging B --stdin",
        "API_KEY": "windlass env set shop@staging API_KEY --stdin",
        "C": "windlass env generate shop@staging",
    }


def test_names_of_an_example() -> None:
    text = "# Settings\nA=1\nexport B=2\n  C = 3\n#D=4\n# E=\n\nnot a line\n1F=x\nG"
    assert names_in_example(text) == {"A", "B", "C", "D", "E"}


def test_places_that_take_a_value_in() -> None:
    places = {"one": "https://kT9xQ2p7Lm@h/", "two": "x", "three": ""}
    assert public_places(places, {"KEY": "kT9xQ2p7Lm", "SHORT": "x", "BLANK": ""}) == {"one": ("KEY",)}


def test_what_is_kept_has_no_value_and_still_knows_the_default() -> None:
    kept = contract("{A: {required: true, default: hunter2}, B: {one_of: [x]}}").kept()
    assert "hunter2" not in repr(kept)
    assert codes(check_contract(kept, {}, "shop")) == (set(), set())
    assert kept.rules["B"] == EnvRule(one_of=("x",))


WRONG = [
    ("{A: {format: urll}}", "env.A.format", "must be '', 'url'"),
    ("{A: {pattern: '(a'}}", "env.A.pattern", "is not a regular expression"),
    ("{A: {generate: 'base64:3'}}", "env.A.generate", "must be from base64:12 to base64:1024"),
    ("{A: {generate: 'base64:48', min_length: 65}}", "env.A", "makes 64 characters"),
    ("{A: {equal: B}}", "env.A.equal", "did you mean `equals`?"),
]


@pytest.mark.parametrize(("env", "name", "words"), WRONG)
def test_mistakes_in_the_contract_itself(env: str, name: str, words: str) -> None:
    with pytest.raises(Refused) as refusal:
        contract(env)
    (problem,) = refusal.value.details
    assert problem.name == name
    assert words in problem.message
