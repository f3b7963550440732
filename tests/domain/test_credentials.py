"""Passwords and codes: the published vectors, and what must not fit."""

import pytest

from windlass.domain import credentials
from windlass.domain.credentials import (
    NO_PASSWORD,
    check_password,
    csrf_of,
    hash_password,
    hash_secret,
    secret_text,
    token_text,
    totp_code,
    totp_step,
    totp_uri,
    valid_password,
)
from windlass.domain.errors import Usage
from windlass.domain.people import project_name, token_name, user_name

SECRET = b"12345678901234567890"
PASSWORD = "a stork on the chimney"

# RFC 6238, appendix B: the last six of its eight digits.
VECTORS = [
    (59, "287082"),
    (1111111109, "081804"),
    (1111111111, "050471"),
    (1234567890, "005924"),
    (2000000000, "279037"),
    (20000000000, "353130"),
]


@pytest.mark.parametrize(("at", "code"), VECTORS)
def test_totp_is_the_published_one(at: int, code: str) -> None:
    assert totp_code(SECRET, at // 30) == code


@pytest.mark.parametrize(
    ("shift", "last", "expected"),
    [(0, 0, 100), (-1, 0, 99), (1, 0, 101), (-2, 0, None), (2, 0, None), (0, 100, None), (0, 99, 100), (1, 100, 101)],
)
def test_a_code_is_good_for_its_moment_and_once(shift: int, last: int, expected: int | None) -> None:
    assert totp_step(SECRET, totp_code(SECRET, 100 + shift), 100 * 30 + 7.5, last) == expected


@pytest.mark.parametrize("code", ["", "0", "00000", "0000000", "２８７０８２", "abcdef", "000000"])
def test_what_is_no_code(code: str) -> None:
    assert totp_step(SECRET, code, 59.0, 0) is None


def test_codes_may_be_typed_with_a_space_and_are_told_to_an_authenticator() -> None:
    assert totp_step(SECRET, "287 082", 59.0, 0) == 1
    assert totp_uri(SECRET, "ann", "windlass") == (
        "otpauth://totp/windlass:ann?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=windlass"
    )


def test_a_password_fits_its_hash_alone() -> None:
    kept = hash_password(PASSWORD, b"s" * 16)
    assert PASSWORD not in kept
    assert kept != hash_password(PASSWORD, b"t" * 16)
    assert check_password(PASSWORD, kept)
    assert not check_password(PASSWORD + " ", kept)


@pytest.mark.parametrize("kept", ["", NO_PASSWORD, "x", "scrypt$1$2", "md5$15$8$3$AA==$AA==", "scrypt$a$8$3$AA==$AA=="])
def test_no_password_fits_what_is_no_hash(kept: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not check_password("", kept)
    assert not check_password(PASSWORD, kept)


WEAK = ["", "short", "aaaaaaaaaaaa", "abababababab", "ann12345", "x" * 1001]


@pytest.mark.parametrize("password", WEAK)
def test_weak_passwords_are_refused_and_not_repeated(password: str) -> None:
    with pytest.raises(Usage) as refused:
        valid_password(password, "ann")
    assert refused.value.code == "password_weak"
    assert not password or password not in refused.value.message


def test_a_name_in_a_password_must_not_be_most_of_it() -> None:
    with pytest.raises(Usage):
        valid_password("annalena.smith1", "annalena.smith")
    assert valid_password("annalena.smith and the stork", "annalena.smith")


def test_what_is_shown_is_not_what_is_kept() -> None:
    random = bytes(range(32))
    token = token_text(random)
    assert token == "wl_" + secret_text(random)
    assert len(token) == 46
    assert len(hash_secret(token)) == 64
    assert csrf_of(token) not in (hash_secret(token), csrf_of(hash_secret(token)))


@pytest.mark.parametrize(
    ("check", "good", "bad"),
    [
        (user_name, ["ann", "a.b_c-1"], ["", "Ann", "1a", "a b", "a" * 41, "owner", "hook", "a/b", "a\n"]),
        (project_name, ["blue", "a-1"], ["", "A", "a_b", "a/b", "a" * 41, "a\n"]),
        (token_name, ["ci", "CI of shop@staging"], ["", " a", "a\n", "a" * 61, "<b>"]),
    ],
)
def test_names(check: object, good: list[str], bad: list[str]) -> None:
    assert callable(check)
    assert [check(name) for name in good] == good
    for name in bad:
        with pytest.raises(Usage):
            check(name)


def test_the_cost_of_a_hash_is_written_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(credentials, "_SCRYPT", (10, 8, 1))
    cheap = hash_password(PASSWORD, b"s" * 16)
    monkeypatch.undo()
    assert cheap.startswith("scrypt$10$8$1$")
    assert check_password(PASSWORD, cheap)
