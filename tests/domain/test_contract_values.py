"""What is told of single values: formats, addresses, how easily a secret is guessed, placeholders, patterns."""

import pytest

from windlass.domain.contract_formats import format_fault
from windlass.domain.contract_patterns import Generator, check_pattern, matches_pattern, parse_generator
from windlass.domain.contract_strength import has_gap, is_placeholder, weakness
from windlass.domain.contract_urls import encode_credentials, is_misread, named_database, unencoded_characters

GOOD = {
    "url": ["https://a.example.com/x?y=z#w", "http://localhost:3000", "amqp://u:p@h", "https://[::1]:80/", "s3://bucket"],
    "postgres-url": [
        "postgres://u:p@db/app", "postgresql+asyncpg://u@h:5432/d", "jdbc:postgresql://h:5432/d?ssl=true",
        "postgresql://h1:5432,h2:5433/d", "postgresql:///d?host=/var/run/postgresql",
    ],
    "redis-url": ["redis://redis", "redis://:pw@h:6379/0", "rediss://u:p@h:6380"],
    "s3-bucket": ["abc", "my-bucket.v2"],
    "host": ["db", "db.example.com", "10.0.0.1", "::1", "my_db", "example.com."],
    "port": ["1", "65535", "080"],
    "int": ["0", "-5", "+12"],
    "bool": ["true", "False", "1", "off", "YES"],
    "email": ["a@b.example", "first.last+tag@mail.example.com"],
    "base64": ["", "YQ==", "YWI=", "YWJj", "YQ", "-_-_"],
    "json": ["{}", "[1, 2]", "null", '{"a": {"b": "ü"}}'],
    "jwt-secret": ["k" * 32, "ä" * 16],
    "": ["anything"],
}  # fmt: skip
BAD = {
    "url": ["example.com", "https://", "https:///path", "https://a b", "https://h:port", "https://h:0", "http://-x/"],
    "postgres-url": ["mysql://h/d", "jdbc:mysql://h/d", "db:5432", "jdbc:postgresql://u:p@h/d", "postgres:///d"],
    "redis-url": ["http://h", "redis:6379", "redis://h/cache", "redis://"],
    "s3-bucket": ["ab", "A-b-c", "-abc", "a..b", "10.0.0.1", "s3://abc", "abc/def", "a" * 64],
    "host": ["https://h", "h:80", "h/", "a b", "", "-a", "a..b"],
    "port": ["0", "65536", "-1", "80/tcp", "http", "١"],
    "int": ["1.5", "1e3", "", "0x1", "1_000"],
    "bool": ["maybe", "", "2", "truee"],
    "email": ["a", "a@", "@b.example", "a b@c.example", "a@b", "<a@b.example>"],
    "base64": ["a", "a===", "YQ=", "ab cd", "a+b_", "é"],
    "json": ["{a: 1}", "", "{'a': 1}", "[" * 100_000],
    "jwt-secret": ["k" * 31, "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJlc2lnbmF0dXJl"],
}  # fmt: skip


@pytest.mark.parametrize(("kind", "value"), [(k, v) for k, values in GOOD.items() for v in values])
def test_of_the_format(kind: str, value: str) -> None:
    assert format_fault(kind, value) == ""


@pytest.mark.parametrize(("kind", "value"), [(k, v) for k, values in BAD.items() for v in values])
def test_not_of_the_format(kind: str, value: str) -> None:
    fault = format_fault(kind, value)
    assert fault
    assert len(value) < 6 or value not in fault


# Value, what is encoded in it, whether every parser reads another host.
ADDRESSES: list[tuple[str, str, bool]] = [
    ("postgresql://app:p@ss/w:rd#1@db:5432/app", "postgresql://app:p%40ss%2Fw%3Ard%231@db:5432/app", True),
    ("postgres://u:p@ss@h/db", "postgres://u:p%40ss@h/db", False),
    ("postgres://u@srv:pw@h/d", "postgres://u%40srv:pw@h/d", False),
    ("postgres://u:12/3@h/d", "postgres://u:12%2F3@h/d", True),
    ("redis://:pa?ss@r:6379/0", "redis://:pa%3Fss@r:6379/0", True),
    ("redis://:a=?b@r", "redis://:a%3D%3Fb@r", True),
    ("https://u:p#1@h/x", "https://u:p%231@h/x", True),
    ("postgres://u:100%@h/db", "postgres://u:100%25@h/db", False),
    ("postgres://u:a%40b c@h/db", "postgres://u:a%40b%20c@h/db", False),
    ("postgres://u:pä@h/db", "postgres://u:p%C3%A4@h/db", False),
    ("mysql://u:a{b}@h1,h2:3307/db", "mysql://u:a%7Bb%7D@h1,h2:3307/db", False),
]
PLAIN_ADDRESSES = [
    "postgres://app:p%40ss%2Fw@db/app", "postgres://h/db?user=a@b", "https://medium.example.com/@user",
    "https://a.example.com/c?x=@y", "https://abc@o1.example.com/12", "postgres://u:a+b!c$d@h/d",
    "jdbc:postgresql://h:5432/db?user=a", "mailto:a@b.example", "no address @ all", "",
]  # fmt: skip


@pytest.mark.parametrize(("value", "encoded", "misread"), ADDRESSES)
def test_a_password_that_is_not_encoded(value: str, encoded: str, misread: bool) -> None:
    assert unencoded_characters(value)
    assert (encode_credentials(value), is_misread(value)) == (encoded, misread)
    assert unencoded_characters(encoded) == ()
    assert encode_credentials(encoded) == encoded


@pytest.mark.parametrize("value", PLAIN_ADDRESSES)
def test_an_address_that_is_read_as_meant(value: str) -> None:
    assert (unencoded_characters(value), encode_credentials(value), is_misread(value)) == ((), value, False)


def test_characters_are_told_by_name_in_an_order_of_their_own() -> None:
    told = unencoded_characters("postgres://u:#@/\x01é@h/d")
    assert told == (
        "an at sign (@)", "a slash (/)", "a number sign (#)", "a control character", "a character outside of ASCII",
    )  # fmt: skip


SAME = [
    [
        "postgresql://a:b@db/app",
        "jdbc:postgresql://DB:5432/app?ssl=1",
        "host=db dbname=app",
        "postgres+asyncpg://db:5432/app",
    ],
    ["mysql://u:p@h/d", "u:p@tcp(h:3306)/d?x=1", "jdbc:mariadb://h:3306/d"],
    ["redis://h/0", "rediss://:x@h:6379/0"],
    ["postgres://[::1]/d", "postgres://[::1]:5432/d"],
]


@pytest.mark.parametrize("group", SAME)
def test_spellings_of_one_database(group: list[str]) -> None:
    assert len({named_database(value) for value in group}) == 1
    assert None not in {named_database(value) for value in group}


@pytest.mark.parametrize("value", ["", "https://h/d", "h:5432", "host=db", "postgres:///d"])
def test_no_database_is_named(value: str) -> None:
    assert named_database(value) is None


WEAK = [
    "admin", "password", "Password1!", "P@ssw0rd", "p@55w0rd2024", "changeme", "secret", "SECRET_KEY",
    "123456", "1234567890", "qwerty", "minioadmin", "postgres", "hunter2", "aaaaaaaaaaaaaaaa", "abababababababab",
    "abcdefghijklmnop", "48213975", "blueberry", "", "super-secret",
]  # fmt: skip
STRONG = [
    "kT9$xQ2p",
    "wK7-tq2mLx93Rf",
    "correct horse battery",
    "7f3b9c1e5d2a4806",
    "Gf2hT9kL5wQ8",
    "pässwörter-sind-9",
]


@pytest.mark.parametrize("value", WEAK)
def test_weak(value: str) -> None:
    assert weakness(value)
    assert len(value) < 6 or value not in weakness(value)


@pytest.mark.parametrize("value", STRONG)
def test_not_weak(value: str) -> None:
    assert weakness(value) == ""


def test_a_key_must_be_harder_to_guess_than_a_password() -> None:
    assert (weakness("kT9$xQ2p"), bool(weakness("kT9$xQ2p", is_key=True))) == ("", True)


@pytest.mark.parametrize(
    "value",
    ["<your-key>", "must be set", "xxx", "XXXXXXXX", "changeme", "CHANGE_ME", "todo", "TODO: ask", "your-api-key",
     "${API_KEY}", "{{ api_key }}", "replace-me", "insert your key here", "to be defined", "...", "***", '"<key>"',
     "key-goes-here", "[your key]", "placeholder"],
)  # fmt: skip
def test_placeholder(value: str) -> None:
    assert is_placeholder(value)


@pytest.mark.parametrize(
    "value",
    ["", "x", "xx", "true", "production", "sk-7f3b9c", "setup", "https://example.com/here", "youth", "yourself",
     "insertion", "[1, 2]", '{"a": 1}', "a<b", "changes"],
)  # fmt: skip
def test_no_placeholder(value: str) -> None:
    assert not is_placeholder(value)


def test_gaps_within_a_value() -> None:
    assert has_gap("postgres://u:<password>@h/d")
    assert has_gap("https://YOUR_DOMAIN/x")
    assert not has_gap("postgres://u:p@h/d?x=<1>2")


@pytest.mark.parametrize(
    ("pattern", "value", "matches"),
    [("[a-z]+", "abc", True), ("[a-z]+", "abc\n", False), ("[a-z]+", "Abc", False), ("a|b", "b", True),
     ("a|b", "ab", False), ("^sk-.+$", "sk-1", True), ("(a+)+b", "a" * 20_000, False)],
)  # fmt: skip
def test_patterns_are_of_the_whole_value_and_quick(pattern: str, value: str, matches: bool) -> None:
    assert matches_pattern(check_pattern(pattern), value) is matches


@pytest.mark.parametrize("pattern", ["(", "[a", r"(a)\1", "(?=a)", "a" * 501])
def test_patterns_that_are_none(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"must have|is not"):
        check_pattern(pattern)


@pytest.mark.parametrize(
    ("text", "generator", "length"),
    [("base64:48", Generator("base64", 48), 64), ("hex:32", Generator("hex", 32), 64),
     ("password:24", Generator("password", 24), 24), ("uuid", Generator("uuid", 16), 36)],
)  # fmt: skip
def test_generators(text: str, generator: Generator, length: int) -> None:
    assert parse_generator(text) == generator
    assert generator.length == length


@pytest.mark.parametrize("text", ["", "base64", "base64:", "base64:8", "hex:9999", "hex:1025", "uuid:4", "rsa:2048"])
def test_generators_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match="must be"):
        parse_generator(text)
