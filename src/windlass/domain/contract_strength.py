"""How easily a secret is guessed, and values that only stand where a value is to be put."""

from __future__ import annotations

import math
import re
from collections import Counter

# Without what is no letter or digit, in small letters; digits behind them do not make them better.
_KNOWN = frozenset(
    word
    for line in (
        "admin administrator adminadmin root toor user guest test testing default pass passwd password passwort pwd",
        "secret secrets secretkey mysecret mysecretkey mysecretpassword supersecret supersecretkey topsecret token key",
        "apikey accesskey jwtsecret jwtsecretkey encryptionkey yoursecret yoursecretkey your256bitsecret",
        "changeme changethis changeit changemeplease qwerty qwertyuiop asdf asdfgh asdfghjkl abc abcd abcdef iloveyou",
        "letmein welcome monkey dragon sunshine princess master login hello helloworld postgres postgresql pgpassword",
        "mysql mariadb redis rabbitmq elastic elasticsearch minio minioadmin minioroot grafana mongo mongodb rootpass",
        "adminpassword rootpassword dbpassword databasepassword userpassword example dev development",
        "local localhost demo docker keyboardcat insecure unsafe none null empty foo bar foobar",
    )
    for word in line.split()
)
_LEET = str.maketrans({"0": "o", "1": "i", "3": "e", "4": "a", "5": "s", "7": "t", "@": "a", "$": "s"})

_BITS = 20.0
_KEY_BITS = 64.0
_LEAST_OF_ONE_KIND = 12

_PLACEHOLDER = re.compile(
    r"<[^<>]*>|\{\{.*\}\}|\$\{.*\}|\[[A-Za-z][\w -]*\]|x{3,}|\*{3,}|\.{3,}|-{3,}|_{3,}|\?{2,}|…"
    r"|todo\b.*|tbd|fixme\b.*|placeholder|undefined"
    r"|(?:please[ _-]*)?(?:change|replace|fill|set|insert|enter|put)[ _-]*(?:me|this|it|in|here)\b.*"
    r"|(?:insert|enter|put|add|paste)[ _-](?:your|a|the)[ _-].*"
    r"|(?:must|to|needs to|should)[ _-](?:be[ _-])?(?:set|changed|filled|replaced|defined)\b.*"
    r"|your[ _-][\w. -]*|.*[_-](?:goes[_-])?here",
    re.IGNORECASE | re.DOTALL,
)
_GAP = re.compile(r"<[A-Za-z][\w .-]{0,60}>|\$\{[A-Za-z_]\w*\}|\{\{[^{}]*\}\}|\bYOUR[_-][A-Z_-]+")


def is_placeholder(value: str) -> bool:
    """`<your-key>`, `must be set`, `xxx`, `changeme`, `todo` …: all of it stands for a value to come."""
    return _PLACEHOLDER.fullmatch(value.strip().strip("\"'")) is not None


def has_gap(value: str) -> bool:
    """A placeholder within a longer value, such as `postgres://app:<password>@db/app`."""
    return _GAP.search(value) is not None


def weakness(value: str, is_key: bool = False) -> str:
    """Why the secret is easily guessed, without showing it; "" when it is not. `is_key`: made by a machine."""
    if _is_known(value):
        return "is one of the defaults that everybody tries first"
    if len(set(_kinds(value))) == 1 and len(value) < _LEAST_OF_ONE_KIND:
        return "is short and made of one kind of character only"
    if guess_bits(value) < (_KEY_BITS if is_key else _BITS):
        return "repeats itself or is too short to be hard to guess"
    return ""


def guess_bits(value: str) -> float:
    """How surprising the characters are, in bits: an upper limit; a repetition or a row counts once."""
    unit = _unit(value)
    if not unit:
        return 0.0
    counts = Counter(unit)
    bits = -sum(n * math.log2(n / len(unit)) for n in counts.values())
    steps = sum(1 for a, b in zip(unit, unit[1:], strict=False) if abs(ord(a) - ord(b)) <= 1)
    return bits * (1.0 - steps / len(unit)) if steps > len(unit) / 2 else bits


def _unit(value: str) -> str:
    """What the value is a repetition of, which may be itself."""
    length = (value + value).find(value, 1)
    return value[:length] if value else ""


def _is_known(value: str) -> bool:
    small = value.lower()
    bare = re.sub(r"[\W\d_]+$", "", small)
    for text in (small, bare):
        spelt = {re.sub(r"[^a-z0-9]", "", text), re.sub(r"[^a-z0-9]", "", text.translate(_LEET))}
        if spelt & _KNOWN:
            return True
    return bool(re.fullmatch(r"\D{0,2}(0?123456789?0?|12345678?9?0?|1234|123|111111+|000000+)\D{0,2}", small))


def _kinds(value: str) -> list[str]:
    return ["d" if c.isdigit() else "l" if c.islower() else "u" if c.isupper() else "o" for c in value]
