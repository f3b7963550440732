"""YAML: values, places, what is refused and where."""

import pytest

from windlass.domain.documents import SIZE_LIMIT, parse_yaml
from windlass.domain.errors import Refused

VALUES: list[tuple[str, object]] = [
    ("a: 1", 1),
    ("a: 1_000", 1000),
    ("a: 0x1F", 31),
    ("a: 0644", 644),
    ("a: 1.5", 1.5),
    ("a: true", True),
    ("a: yes", "yes"),
    ("a: ~", None),
    ("a:", None),
    ("a: 22:22", "22:22"),
    ("a: 2026-11-21", "2026-11-21"),
    ('a: "1"', "1"),
    ("a: [1, x]", [1, "x"]),
    ("a: {b: {c: d}}", {"b": {"c": "d"}}),
    ("a: |\n  x\n  y\n", "x\ny\n"),
    ("a: !reset [1]", None),
    ("a: !override [1]", [1]),
    ("a: " + "9" * 5000, "9" * 5000),
    ('{"a": {"b": [1]}}', {"b": [1]}),
]


@pytest.mark.parametrize(("text", "value"), VALUES)
def test_values(text: str, value: object) -> None:
    assert parse_yaml(text, "x.yaml").data["a"] == value


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "null"])
def test_an_empty_file_is_an_empty_mapping(text: str) -> None:
    assert parse_yaml(text, "x.yaml").data == {}


def test_merged_keys_give_way_to_written_ones() -> None:
    text = "x-one: &one {k: 1, z: 2}\nx-two: &two {z: 3, y: 4}\na: {<<: *one, z: 9}\nb: {<<: [*one, *two]}\n"
    data = parse_yaml(text, "x.yaml").data
    assert data["a"] == {"k": 1, "z": 9}
    assert data["b"] == {"k": 1, "z": 2, "y": 4}


def test_only_the_merge_key_merges() -> None:
    assert parse_yaml("a: {!!merge b: {c: 1}}", "x.yaml").data["a"] == {"b": {"c": 1}}
    assert parse_yaml("a: {'<<': {c: 1}}", "x.yaml").data["a"] == {"<<": {"c": 1}}


def test_a_byte_order_mark_at_the_start() -> None:
    assert parse_yaml(b"\xef\xbb\xbfa: 1", "x.yaml").data == {"a": 1}


def test_places() -> None:
    document = parse_yaml("services:\n  web:\n    ports: [80,\n      81]\n", "c.yaml")
    assert document.place(("services", "web")) == "c.yaml:2:3"
    assert document.place(("services", "web", "ports", 1)) == "c.yaml:4:7"
    assert document.place(("services", "web", "image")) == "c.yaml:2:3"
    assert document.place(("nowhere",)) == "c.yaml"


BOMB = "a: &a [1,1,1,1,1,1,1,1,1,1]\n" + "".join(
    f"{new}: &{new} [{','.join(['*' + old] * 10)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)

CHAIN = "a0: &a0 {k: 1}\n" + "".join(f"a{n}: &a{n} {{<<: *a{n - 1}}}\n" for n in range(1, 400))
NEST = "a0: &a0 [1]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 400))

WRONG: list[tuple[str | bytes, str, str]] = [
    ("a: 1\na: 2\n", "yaml_invalid", "x.yaml:2:1: the key 'a' stands here twice"),
    ("a:\n  b: 1\n  b: 2\n", "yaml_invalid", "x.yaml:3:3"),
    ("a: [1\n", "yaml_invalid", "x.yaml:2:1"),
    ("a:\n\t- b\n", "yaml_invalid", "x.yaml:2:1"),
    ("a: b: c\n", "yaml_invalid", "x.yaml:1:5"),
    ("a: &a [*a]\n", "yaml_invalid", "x.yaml:1:4"),
    ("a: *b\n", "yaml_invalid", "x.yaml:1:4"),
    ("a: !!python/object/apply:os.system [id]\n", "yaml_invalid", "x.yaml:1:4"),
    ("a: !secret x\n", "yaml_invalid", "the tag !secret is not known"),
    ("a: 1\n---\nb: 2\n", "yaml_invalid", "x.yaml:2:1: a second document begins here"),
    ("- a\n", "yaml_invalid", "x.yaml:1:1: the file must be a mapping"),
    ("? [a]\n: b\n", "yaml_invalid", "x.yaml:1:3"),
    ("a: {<<: 3}\n", "yaml_invalid", "`<<`"),
    ("a: \x00\n", "yaml_invalid", "x.yaml"),
    ("a: !!binary L2V0Yy9zaGFkb3c=\n", "yaml_invalid", "binary"),
    ("a: 1 # x\u2028b: 2\n", "yaml_invalid", "x.yaml:1:1: the invisible character U+2028"),
    ("a: 1\n# x\x85b: 2\n", "yaml_invalid", "x.yaml:2:1: the invisible character U+0085"),
    (b"\xff\xfea\x00", "yaml_invalid", "not UTF-8"),
    ("[" * 5000, "yaml_too_large", "nested"),
    ("[ # ]\n" * 5000, "yaml_too_large", "nested"),
    (CHAIN, "yaml_too_large", "nested"),
    (NEST, "yaml_too_large", "nested"),
    ("- " * 500, "yaml_too_large", "nested"),
    ("\n".join(" " * i + "a:" for i in range(100)), "yaml_too_large", "nested"),
    ("a: [" + "x," * 60_000 + "]", "yaml_too_large", "parts"),
    (BOMB, "yaml_too_large", "values"),
    ("a: " + "x" * SIZE_LIMIT, "yaml_too_large", "KiB"),
]


@pytest.mark.parametrize(("text", "code", "words"), WRONG, ids=range(len(WRONG)))
def test_what_is_refused_and_where(text: str | bytes, code: str, words: str) -> None:
    with pytest.raises(Refused) as refusal:
        parse_yaml(text, "x.yaml")
    assert refusal.value.code == code
    assert words in refusal.value.message
