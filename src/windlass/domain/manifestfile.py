"""Reads windlass.yaml: every mistake at once, each with line, column and the nearest known key; and its JSON Schema."""

from __future__ import annotations

import difflib
import json
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from windlass.domain import manifest, manifestroutes, manifestverify, names
from windlass.domain.documents import Document, parse_yaml
from windlass.domain.errors import Detail, refuse
from windlass.domain.manifest import FILE, Manifest

_SCHEMA_ID = "https://json-schema.org/draft/2020-12/schema"

# Which keys are known where; * stands for a name or an index.
_SHAPES: dict[tuple[str, ...], type[BaseModel]] = {
    (): Manifest,
    ("routes", "*"): manifestroutes.RouteRule,
    ("routes", "*", "headers"): manifestroutes.HeaderRule,
    ("routes", "*", "security_headers"): manifestroutes.SecurityRule,
    ("routes", "*", "cors"): manifestroutes.CorsRule,
    ("routes", "*", "redirect"): manifestroutes.RedirectRule,
    ("routes", "*", "basic_auth"): manifestroutes.AuthRule,
    ("routes", "*", "allow"): manifestroutes.AllowRule,
    ("routes", "*", "rate_limit"): manifestroutes.RateRule,
    ("routes", "*", "sticky"): manifestroutes.StickyRule,
    ("routes", "*", "errors", "*"): manifestroutes.ErrorRule,
    ("routes", "*", "retry"): manifestroutes.RetryRule,
    ("services", "*"): manifest.ServiceRule,
    ("services", "*", "probe"): manifest.ProbeRule,
    ("env", "*"): manifest.EnvRule,
    ("test", "*"): manifest.JobRule,
    ("release", "*"): manifest.ReleaseRule,
    ("verify",): manifestverify.Verify,
    ("verify", "steps", "*"): manifestverify.VerifyStep,
    ("verify", "steps", "*", "expect"): manifestverify.Expectation,
    ("verify", "steps", "*", "file"): manifestverify.FileBody,
    ("checklist", "*"): manifest.ChecklistItem,
}
_NAMED = {"services", "env"}

_WORDS = {
    "missing": "is missing",
    "string_type": "must be text",
    "int_type": "must be a number",
    "int_parsing": "must be a number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "model_type": "must be a mapping, {key: value}",
    "mapping_type": "must be a mapping, {key: value}",
    "tuple_type": "must be a list",
    "too_short": "must not be empty",
}


def parse_manifest(content: bytes | str, app: str = "") -> Manifest:
    """windlass.yaml as typed values. Raises Refused with every mistake, also when `name` is not that of `app`."""
    document = parse_yaml(content, FILE)
    problems: list[Detail] = []
    try:
        found = Manifest.model_validate(_without_nulls(document.data))
    except ValidationError as wrong:
        errors = wrong.errors(include_url=False, include_input=False)
        problems += [_problem(document, e) for e in sorted(errors, key=lambda e: document.position(e["loc"]))]
        raise refuse(problems, message=_headline(problems)) from wrong
    if app and found.name and found.name != names.split_app(app)[0]:
        raise refuse([_other_name(document, found.name, app)])
    return found


def json_schema() -> dict[str, Any]:
    """For editors."""
    schema = Manifest.model_json_schema(by_alias=True)
    return {"$schema": _SCHEMA_ID, **schema, "title": FILE}


def schema_text() -> str:
    """The schema as it is published in docs/windlass.schema.json."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


def _without_nulls(data: Any) -> Any:
    """`services:` with nothing behind it counts as not written, at the top only."""
    return {key: value for key, value in data.items() if value is not None}


def _headline(problems: Sequence[Detail]) -> str:
    return problems[0].message if len(problems) == 1 else f"{FILE} has {len(problems)} mistakes; nothing was touched"


def _problem(document: Document, error: ErrorDetails) -> Detail:
    path = error["loc"]
    name = _dotted(path)
    where = document.place(path)
    if error["type"] == "extra_forbidden":
        key = str(path[-1])
        close = _nearest(path[:-1], key)
        meant = f"; did you mean `{close}`?" if close else ""
        fix = f"write `{close}` in {where}" if close else f"take it out of {where}"
        return Detail("unknown_key", name, f"{where}: unknown key `{key}`{meant}", fix)
    words = _words(error)
    message = f"{where}: `{name}`{words}" if words.startswith(":") else f"{where}: `{name}` {words}"
    return Detail("value_invalid", name, message, f"correct {where}")


def _words(error: ErrorDetails) -> str:
    cause = (error.get("ctx") or {}).get("error")
    if isinstance(cause, ValueError):
        return str(cause)
    text = error["msg"].replace("Input should be", "must be").replace("String should match", "must match")
    return _WORDS.get(error["type"]) or text


def _dotted(path: Sequence[str | int]) -> str:
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.lstrip(".") or FILE


def _nearest(path: Sequence[str | int], key: str) -> str:
    shape: list[str] = []
    for part in path:
        is_free = isinstance(part, int) or (len(shape) == 1 and shape[0] in _NAMED)
        shape.append("*" if is_free else str(part))
    model = _SHAPES.get(tuple(shape))
    known = [f.alias or n for n, f in model.model_fields.items()] if model else []
    close = difflib.get_close_matches(key.lower(), known, n=1, cutoff=0.5)
    return close[0] if close else ""


def _other_name(document: Document, name: str, app: str) -> Detail:
    where = document.place(("name",))
    return Detail(
        "name_differs",
        "name",
        f"{where}: windlass.yaml is for the app {name}, but it is deployed as {app}",
        f"windlass deploy --app {name}, or change `name` in windlass.yaml",
    )
