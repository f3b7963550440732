"""Turns records of the domain into rows and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from enum import Enum
from typing import Any, TypeVar

from sqlalchemy import Row

RecordT = TypeVar("RecordT")


def to_row(record: Any, *, without: tuple[str, ...] = ()) -> dict[str, Any]:
    """Column -> value for every field of a record."""
    return {f.name: plain(getattr(record, f.name)) for f in fields(record) if f.name not in without}


def to_record(kind: type[RecordT], row: Row[Any], **replaced: Any) -> RecordT:
    """A record from a row; columns that the record does not know are left out."""
    values = dict(zip(row._fields, row, strict=True)) | replaced
    for column in values.keys() - _names(kind):
        del values[column]
    return kind(**values)


_NAMES: dict[Any, frozenset[str]] = {}


def _names(kind: Any) -> frozenset[str]:
    if kind not in _NAMES:
        _NAMES[kind] = frozenset(f.name for f in fields(kind))
    return _NAMES[kind]


def changed(before: Any, after: Any) -> dict[str, Any]:
    """The columns in which two records differ."""
    old, new = to_row(before), to_row(after)
    return {name: value for name, value in new.items() if value != old[name]}


def plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    return value


def from_json(text: str) -> Any:
    """Most are empty, and a list of apps reads a thousand."""
    if text == "{}":
        return {}
    return [] if text == "[]" else json.loads(text)


def to_json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))
