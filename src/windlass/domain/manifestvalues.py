"""The kinds of values in windlass.yaml, each with our own word for what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from windlass.domain import names, units
from windlass.domain.errors import WindlassError

_Value = TypeVar("_Value")


def _seconds(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError("is not a duration: write it as 250ms, 10s, 5m or 1m30s")
    return _valid(units.parse_duration, str(value))


def _valid(validator: Callable[[str], _Value], text: str) -> _Value:
    """Our validator's word as a mistake in the file, so that it is told with all the others."""
    try:
        return validator(text)
    except WindlassError as wrong:
        raise ValueError(f": {wrong.message}") from wrong


def _app_name(value: Any) -> Any:
    return _valid(names.app_name, value) if isinstance(value, str) else value


def _words(value: Any) -> Any:
    if isinstance(value, str):
        raise ValueError("must be a list of words, such as [alembic, upgrade, head]: there is no shell")
    return [_text(word) for word in value] if isinstance(value, list) else value


def _text(value: Any) -> Any:
    """A number or a boolean is meant as the text it is written with."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else value


def listed(value: Any) -> Any:
    """One name may stand for a list of one."""
    return [value] if isinstance(value, str) else value


def _compose_files(value: Any) -> Any:
    return [_valid(names.compose_path, path) if isinstance(path, str) else path for path in listed(value) or ()]


def _profiles(value: Any) -> Any:
    return [_valid(names.profile_name, one) if isinstance(one, str) else one for one in listed(value) or ()]


_DURATION_SCHEMA = {"type": "string", "pattern": r"^(0|([0-9]+(\.[0-9]+)?(ms|s|m|h|d))+)$", "examples": ["10s", "5m"]}

Seconds = Annotated[float, BeforeValidator(_seconds), WithJsonSchema(_DURATION_SCHEMA)]
Argv = Annotated[tuple[str, ...], Field(min_length=1), BeforeValidator(_words)]
Text = Annotated[str, BeforeValidator(_text), WithJsonSchema({"type": ["string", "number", "boolean"]})]
Port = Annotated[int, Field(ge=1, le=65535)]
ComposeFiles = Annotated[
    tuple[str, ...],
    BeforeValidator(_compose_files),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]
Profiles = Annotated[tuple[str, ...], BeforeValidator(_profiles)]
AppName = Annotated[str, BeforeValidator(_app_name)]
Names = Annotated[
    tuple[str, ...],
    BeforeValidator(listed),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]


class FilePart(BaseModel):  # no docstring: the schema would show it for every part that has none
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)
