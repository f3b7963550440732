"""Patterns of the contract, and how values are generated: what the project's file may say about either.

Patterns come from the project, so they are matched by an engine whose time grows only with the length of the value.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated

from pydantic import StringConstraints, TypeAdapter, ValidationError
from pydantic_core import SchemaError

_GENERATOR = re.compile(r"(?P<kind>base64|hex|password):(?P<size>[0-9]{1,4})|uuid")
_SMALLEST = {"base64": 12, "hex": 12, "password": 12}
_LARGEST = 1024
_PATTERN_LIMIT = 500


@dataclass(frozen=True)
class Generator:
    """`size`: random bytes for base64 and hex, characters for password."""

    kind: str
    size: int

    @property
    def length(self) -> int:
        """Characters of what it makes."""
        by_kind = {"base64": (self.size + 2) // 3 * 4, "hex": 2 * self.size, "password": self.size, "uuid": 36}
        return by_kind[self.kind]


def parse_generator(text: str) -> Generator:
    """`base64:48`, `hex:32`, `password:24` or `uuid`; raises ValueError with words for the file's author."""
    match = _GENERATOR.fullmatch(text)
    if match is None:
        raise ValueError("must be base64:BYTES, hex:BYTES, password:CHARACTERS or uuid, such as base64:48")
    kind = match["kind"] or "uuid"
    size = int(match["size"] or 16)
    least = _SMALLEST.get(kind, size)
    if not least <= size <= _LARGEST:
        raise ValueError(f"must be from {kind}:{least} to {kind}:{_LARGEST}")
    return Generator(kind, size)


def check_pattern(text: str) -> str:
    """The pattern; raises ValueError for one that cannot be understood."""
    if len(text) > _PATTERN_LIMIT:
        raise ValueError(f"must have at most {_PATTERN_LIMIT} characters")
    try:
        _matcher(text)
    except SchemaError as wrong:
        raise ValueError("is not a regular expression that windlass knows (no look-around, no references)") from wrong
    return text


def matches_pattern(pattern: str, value: str) -> bool:
    """Whether all of the value matches."""
    try:
        _matcher(pattern).validate_python(value)
    except ValidationError:
        return False
    return True


@lru_cache(maxsize=256)
def _matcher(pattern: str) -> TypeAdapter[str]:
    kind = Annotated[str, StringConstraints(pattern=rf"\A(?:{pattern})\z")]
    return TypeAdapter(kind)
