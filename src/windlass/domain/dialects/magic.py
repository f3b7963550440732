"""Coolify's magic variables: what their names ask for, and where a file uses them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from windlass.domain.secrecy import is_secret_name

_ADDRESS = re.compile(r"SERVICE_(FQDN|URL)_([A-Za-z0-9_]*?[A-Za-z0-9])(?:_(\d{2,5}))?")
_SECRET = re.compile(
    r"SERVICE_(PASSWORDWITHSYMBOLS|PASSWORD|REALBASE64|BASE64|HEX|LOWERCASEUSER|USER|SUPABASEANON|SUPABASESERVICE)"
    r"_(?:(32|64|128)_)?([A-Za-z0-9_]+)"
)
_REQUIRED = re.compile(r"(?<!\$)(?:\$\$)*\$\{([A-Za-z_]\w*):?\?([^${}]+)\}")
_USE = re.compile(r"(?<!\$)(?:\$\$)*\$\{?(SERVICE_\w+)(?P<default>:?-)?")


class Kind(StrEnum):
    """What a generated value looks like."""

    WORD = "word"  # letters and digits
    SMALL_WORD = "small word"
    SYMBOLS = "symbols"  # also some that need no escape in a URL
    BASE64 = "base64"
    HEX = "hex"
    UUID = "uuid"
    ANON_TOKEN = "anon token"  # JSON web tokens, signed with SERVICE_PASSWORD_JWT
    SERVICE_TOKEN = "service token"


@dataclass(frozen=True)
class Secret:
    """A value to be made once. `size`: characters, but bytes for base64 and hex."""

    name: str
    kind: Kind
    size: int


@dataclass(frozen=True)
class Address:
    """`SERVICE_URL_<id>_<port>`; `port` 0 when the name has none."""

    name: str
    id: str
    is_url: bool
    port: int = 0


_KINDS = {
    "PASSWORD": (Kind.WORD, 32),
    "PASSWORDWITHSYMBOLS": (Kind.SYMBOLS, 32),
    "USER": (Kind.WORD, 16),
    "LOWERCASEUSER": (Kind.SMALL_WORD, 16),
    "BASE64": (Kind.WORD, 32),  # Coolify's name for random letters and digits
    "REALBASE64": (Kind.BASE64, 32),
    "HEX": (Kind.HEX, 32),
    "SUPABASEANON": (Kind.ANON_TOKEN, 0),
    "SUPABASESERVICE": (Kind.SERVICE_TOKEN, 0),
}


def read_secret(name: str) -> Secret | None:
    """What `SERVICE_PASSWORD_64_X` and its like ask for; None for any other name."""
    match = _SECRET.fullmatch(name)
    if match is None:
        return None
    kind, size = _KINDS[match[1]]
    if kind not in (Kind.ANON_TOKEN, Kind.SERVICE_TOKEN):
        size = int(match[2] or size)
    return Secret(name, kind, size // 2 if kind is Kind.HEX else size)


def read_address(name: str) -> Address | None:
    match = _ADDRESS.fullmatch(name)
    return Address(name, match[2], match[1] == "URL", int(match[3] or 0)) if match else None


def uses(value: Any) -> Iterator[tuple[str, bool]]:
    """Every magic name that is put in somewhere, and whether a default is written there."""
    if isinstance(value, str):
        yield from ((m[1], bool(m["default"])) for m in _USE.finditer(value) if is_magic(m[1]))
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            if key != "content":  # a file's content is not for Compose to fill
                yield from uses(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from uses(inner)


def defaults(value: Any) -> Iterator[tuple[str, str]]:
    """Name and text of every `${X:?text}`, which Coolify fills in; a secret is nobody's default."""
    if isinstance(value, str):
        yield from ((m[1], m[2]) for m in _REQUIRED.finditer(value) if not is_secret_name(m[1]))
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            if key != "content":
                yield from defaults(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from defaults(inner)


def is_magic(name: str) -> bool:
    return read_secret(name) is not None or read_address(name) is not None
