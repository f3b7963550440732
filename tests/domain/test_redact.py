"""No secret gets through in any spelling or cut in any way, and ordinary text stays as it is."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from windlass.domain.redact import MASK, Redactor, clean
from windlass.domain.secrecy import is_secret_name, secrets_among, secrets_in

SECRETS = ["hunter2!", "a/b+c?d&e=f", 'quo"te\\back', "zażółć-gęślą", "p$$w${x}rd", "<tag>&'it'", "with space\tand tab"]

SPELLINGS: list[tuple[str, Callable[[str], str]]] = [
    ("raw", lambda s: s),
    ("in a URL", lambda s: f"postgres://u:{quote(s, safe='')}@db/x"),
    ("in a URL, lower case", lambda s: re.sub("%..", lambda m: m.group().lower(), quote(s, safe=""))),
    ("in a path", lambda s: quote(s)),
    ("in a query", lambda s: f"?a={quote_plus(s)}&b=1"),
    ("like encodeURIComponent", lambda s: quote(s, safe="!'()*")),
    ("in JSON", lambda s: json.dumps({"a": s})),
    ("in JSON as UTF-8", lambda s: json.dumps({"a": s}, ensure_ascii=False)),
    ("in JSON in JSON", lambda s: json.dumps({"a": json.dumps({"b": s})})),
    ("in HTML", lambda s: f"<p>{html.escape(s)}</p>"),
    ("in a Compose file", lambda s: s.replace("$", "$$")),
    ("in Python", lambda s: f"ValueError({s!r})"),
    ("twice in a row", lambda s: s + s),
    ("basic authentication", lambda s: "Basic " + base64.b64encode(f"user:{s}".encode()).decode()),
    *(
        (
            f"base64 after {before} and before {after} bytes",
            lambda s, b=before, a=after: base64.b64encode(b"x" * b + s.encode() + b"y" * a).decode(),
        )
        for before in range(4)
        for after in range(3)
    ),
    ("base64 for URLs", lambda s: base64.urlsafe_b64encode(b"?" + s.encode()).decode().rstrip("=")),
]


def leaks(text: str, secret: str) -> bool:
    """Whether the secret, or the base64 text that it alone decides, is still there."""
    raw = secret.encode()
    cores = {base64.b64encode(b"\0" * n + raw).decode()[-(-n * 8 // 6) : (n + len(raw)) * 8 // 6] for n in range(3)}
    urlsafe = {core.replace("+", "-").replace("/", "_") for core in cores}
    return any(form in text for form in {secret, quote(secret, safe=""), json.dumps(secret)[1:-1], *cores, *urlsafe})


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("spell", [s for _, s in SPELLINGS], ids=[name for name, _ in SPELLINGS])
def test_every_spelling_is_masked(secret: str, spell: Callable[[str], str]) -> None:
    text = f"before {spell(secret)} after"
    shown = Redactor(SECRETS).redact(text)
    assert MASK in shown
    assert not leaks(shown, secret)
    assert shown.startswith("before ")
    assert shown.endswith(" after")


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_a_secret_cut_into_pieces_is_masked(secret: str, size: int) -> None:
    redactor = Redactor(SECRETS)
    for name, spell in SPELLINGS:
        text = f"before {spell(secret)} after\n"
        stream = redactor.stream()
        pieces = [stream.feed(text[n : n + size]) for n in range(0, len(text), size)]
        assert "".join(pieces) + stream.flush() == redactor.redact(text), name


ALPHABET = "ab"
WORDS = st.lists(st.text(ALPHABET + "c", min_size=4, max_size=7), min_size=1, max_size=4)


@given(secrets=WORDS, text=st.text(ALPHABET + "cd", max_size=60), cuts=st.lists(st.integers(0, 60), max_size=8))
def test_a_stream_shows_what_the_whole_shows(secrets: list[str], text: str, cuts: list[int]) -> None:
    """Few letters, so that secrets overlap, contain each other, and begin anew inside of each other."""
    redactor = Redactor(secrets)
    places = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    shown = "".join(redactor.feed(text[a:b]) for a, b in zip(places, places[1:], strict=False)) + redactor.flush()
    assert shown == redactor.redact(text)
    assert not any(secret in shown for secret in secrets)
    covered = masked_places(secrets, text)
    assert shown.replace(MASK, "") == "".join(c for n, c in enumerate(text) if n not in covered)


def masked_places(secrets: list[str], text: str) -> set[int]:
    """By hand: every character that belongs to any of them."""
    return {
        place
        for secret in secrets
        for start in range(len(text))
        if text.startswith(secret, start)
        for place in range(start, start + len(secret))
    }


@given(text=st.text(max_size=200))
def test_a_redactor_without_secrets_changes_nothing(text: str) -> None:
    redactor = Redactor({})
    assert redactor.redact(text) == redactor.feed(text) + redactor.flush() == text


def test_lines_are_not_kept_back_without_need() -> None:
    redactor = Redactor(["a-long-secret-value-of-many-letters", "-----BEGIN KEY-----\n" + "QUJD" * 500])
    for line in ("Step 1/7 : FROM python:3\n", " ---> Running in 1f2e3d\n", "done\n"):
        assert redactor.feed(line) == line


def test_what_may_be_the_start_of_a_secret_is_kept_back_until_it_is_known() -> None:
    redactor = Redactor(["hunter2!"])
    assert redactor.feed("it is hun") == "it is "
    assert redactor.feed("ter") == ""
    assert redactor.feed("nal ") == "hunternal "
    assert redactor.feed("hunter2") == ""
    assert redactor.flush() == "hunter2"


def test_streams_do_not_mix() -> None:
    redactor = Redactor(["hunter2!"])
    one, other = redactor.stream(), redactor.stream()
    assert (one.feed("hunt"), other.feed("er2!"), one.feed("er2!")) == ("", "er2!", MASK)


def test_data_keeps_its_shape_and_its_names() -> None:
    redactor = Redactor(["hunter2!"])
    data = {"hunter2!": 1, "a": ["x hunter2!", ("hunter2!", None)], "b": {"c": {"d": "hunter2!"}}, "e": 1.5, "f": True}
    assert redactor.redact_data(data) == {
        "hunter2!": 1,
        "a": [f"x {MASK}", (MASK, None)],
        "b": {"c": {"d": MASK}},
        "e": 1.5,
        "f": True,
    }


def test_a_secret_of_several_lines_is_masked_line_by_line() -> None:
    key = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0\n7uVxXxXxXx0aBcDeFgHi\n-----END PRIVATE KEY-----\n"
    shown = Redactor({"TLS_PRIVATE_KEY": key}).redact("line: MIIEvQIBADANBgkqhkiG9w0")
    assert shown == f"line: {MASK}"


def test_two_hundred_secrets_and_a_long_log() -> None:
    secrets = [f"s3cret-{n:03}-{'xyz'[n % 3] * 20}" for n in range(200)]
    lines = [f"2026-01-01T00:00:00Z INFO GET /api/things/{n} 200" for n in range(5000)]
    lines[1234] += f" token={secrets[7]}"
    shown = Redactor(secrets).redact("\n".join(lines))
    assert shown.count(MASK) == 1
    assert shown.replace(MASK, secrets[7]) == "\n".join(lines)


# --- what is worth hiding ---

TRIVIAL = [
    "",
    "a",
    "abc",
    "true",
    "True",
    "info",
    "5432",
    "8080",
    "127.0.0.1",
    "production",
    "postgres",
    "12345",
    "    ",
]


@pytest.mark.parametrize("value", TRIVIAL)
def test_common_words_and_short_numbers_are_never_masked(value: str) -> None:
    text = f"level={value} listening on {value}:5432, true story, 127.0.0.1 production postgres info 12345 abc"
    assert Redactor([value]).redact(text) == text
    assert Redactor({"PASSWORD": value}).redact(text) == text


PLAIN = {
    "GREETING": "hello world",
    "PUBLIC_URL": "https://shop.example.com/a/b",
    "UPSTREAM": "http://api:8090",
    "PEER": "db-01.internal.example:5432",
    "RETRIES": "30",
    "SIZE": "64MiB",
    "WINDOW": "250ms",
    "FOLDER": "/var/lib/app1/data",
    "S3_BUCKET": "media-2024-eu1",
    "IMAGE_TAG": "16-alpine3.19",
    "CONTACT": "someone@example.com",
    "LOG_LEVEL": "information1",
    "SPRING_DATASOURCE_USERNAME": "shop_user_1",
}

PARTS = [
    ("JWT_SECRET", "abcd", {"abcd"}),
    ("DB_PASSWORD", "correct horse battery", {"correct horse battery"}),
    ("PIN_TOKEN", "123456", {"123456"}),
    ("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE", {"AKIAEXAMPLE"}),
    ("SOMETHING", "hunter2-not-shown", {"hunter2-not-shown"}),
    ("SOMETHING", "0a1b2c3d4e5f60718293", {"0a1b2c3d4e5f60718293"}),
    ("HOOK", "https://hooks.example.com/T000/B0AB1/XyZ123abc", {"https://hooks.example.com/T000/B0AB1/XyZ123abc"}),
    ("DATABASE_URL", "postgres://shop:s3cr%2Ft@db:5432/shop", {"s3cr%2Ft", "s3cr/t"}),
    ("DATABASE_URL", "postgres://shop:p@ss@db/shop", {"p@ss"}),
    ("DATABASE_URL", "postgres://shop:postgres@db/shop", {"postgres://shop:postgres@db/shop"}),
    ("JDBC", "jdbc:postgresql://db/shop?user=a&password=s3cr-t&ssl=true", {"s3cr-t"}),
    ("LIBPQ", "host=db user=a password=s3cr-t", {"s3cr-t"}),
    ("ACCOUNT", '{"type": "x", "private_key": "MIIEvQ", "keys": {"token": ["t0ken"]}}', {"MIIEvQ", "t0ken"}),
]


def test_values_that_nobody_hides_are_not_masked() -> None:
    assert secrets_among(PLAIN) == set()


@pytest.mark.parametrize(("name", "value", "parts"), PARTS)
def test_secrets_are_found_by_name_and_look(name: str, value: str, parts: set[str]) -> None:
    assert secrets_among({name: value}) == parts


def test_the_contract_counts_more_than_the_name() -> None:
    assert secrets_among({"GREETING": "hello world"}, declared=["GREETING"]) == {"hello world"}


def test_a_secret_is_met_with_and_without_its_line_end() -> None:
    assert secrets_in("hunter2!\n") == {"hunter2!\n", "hunter2!"}


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("DB_PASSWORD", True),
        ("POSTGRES_PASS", True),
        ("SMTP_PWD", True),
        ("apiKey", True),
        ("API_KEY_ENCRYPTION_KEY", True),
        ("S3_SECRET_ACCESS_KEY", True),
        ("SESSION_COOKIE", True),
        ("DB_DSN", True),
        ("COMPASS", False),
        ("PASSENGERS", False),
        ("KEYBOARD", False),
        ("AUTHOR", False),
        ("MONKEY", False),
        ("DB_HOST", False),
    ],
)
def test_names_of_secrets(name: str, secret: bool) -> None:
    assert is_secret_name(name) is secret


# --- control sequences ---

CONTROLS = [
    ("colours", "\x1b[1;31mred\x1b[0m", "red"),
    ("cursor", "a\x1b[2K\x1b[1Gb", "ab"),
    ("title, ended by a bell", "\x1b]0;title\x07text", "text"),
    ("title, ended by ST", "\x1b]0;title\x1b\\text", "text"),
    ("title that never ends", "\x1b]0;title\ntext", "\ntext"),
    ("link", "\x1b]8;;http://evil\x1b\\here\x1b]8;;\x1b\\", "here"),
    ("device control", "\x1bP1$qm\x1b\\text", "text"),
    ("one byte", "a\x9b31mb\x9d0;t\x07c\x85d", "abcd"),
    ("other escapes", "\x1b(B\x1bc\x1b7text", "text"),
    ("alone at the end", "text\x1b", "text"),
    ("cut off", "text\x1b[31", "text"),
    ("bell, backspace, delete, NUL", "a\x07\x08\x7f\x00b", "ab"),
    ("carriage return", "10%\r\n", "10%\n"),
    ("turned around", "a\u202egpj.exe", "agpj.exe"),
    ("what stays", "tab\tline\nzażółć 𝄞 \u200f", "tab\tline\nzażółć 𝄞 \u200f"),
]


@pytest.mark.parametrize(("text", "shown"), [c[1:] for c in CONTROLS], ids=[c[0] for c in CONTROLS])
def test_control_sequences_are_taken_out(text: str, shown: str) -> None:
    assert clean(text) == shown


@given(text=st.text(st.characters(max_codepoint=0x9F), max_size=80))
def test_no_control_character_is_left(text: str) -> None:
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", clean(text))
