"""The OpenAPI document: every route with what it takes, every answer that it can give, and an example of both.

Loaded when somebody asks for the document, and not with the API.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from fastapi import FastAPI
from pydantic import TypeAdapter

from windlass.web.examples import EXAMPLES, Example
from windlass.web.needs import SAFE_METHODS, Need
from windlass.web.repeated import REPLAYED_HEADER
from windlass.web.routing import GuardedRoute
from windlass.wire import API, EXIT_HEADER
from windlass.wire.answers import CHECKS
from windlass.wire.bodies import DeployBody

_TEXT: Mapping[str, Any] = {"type": "string"}
_JSON = "application/json"
_HTML = "text/html"
_FORM = "application/x-www-form-urlencoded"

_ERROR: dict[str, Any] = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message", "hint", "details"],
            "properties": {
                "code": {**_TEXT, "description": "Stable, for programs."},
                "message": {**_TEXT, "description": "What happened, and where."},
                "hint": {**_TEXT, "description": "The next command or step; may be empty."},
                "details": {
                    "type": "array",
                    "description": "Every reason at once.",
                    "items": {
                        "type": "object",
                        "properties": {k: _TEXT for k in ("code", "name", "message", "fix")},
                    },
                },
            },
        },
        "checks": {**CHECKS, "description": "Of a refused plan: what every check found."},
    },
}

# Status -> what it says of a request, and an example's code and message.
_ERRORS: Mapping[int, tuple[str, str, str]] = {
    400: ("The request itself is wrong.", "invalid_request", "the request is invalid: Field required"),
    401: ("No token and no log-in, or one that counts no more.", "unauthenticated", "this needs a token, or a log-in"),
    403: ("The caller has no right to it.", "not_allowed", "you may not deploy here"),
    404: ("There is no such thing.", "app_not_found", "there is no app shop"),
    409: ("Something else is under way, or the state does not allow it.", "conflict", "a deployment is under way"),
    413: ("The body is too large.", "upload_too_large", "the upload is larger than 1024 MiB; nothing was touched"),
    422: ("Checked and refused; nothing was touched.", "refused", "2 reasons, nothing was touched"),
    429: ("Too many of them came; wait.", "too_many", "too many came from there"),
    500: ("Something that windlass did not expect; its log says more.", "unexpected", "windlass met something"),
    503: ("Database or engine do not answer; the apps go on.", "out_of_reach", "the engine does not answer"),
}

_BEYOND: Mapping[str, tuple[int, ...]] = {
    f"POST {API}/apps/{{app}}/deployments": (413,),
    f"POST {API}/apps/{{app}}/plan": (413,),
    "POST /hooks/{app}": (413, 429),
    "POST /login": (401, 429),
    "GET /login/oidc": (403, 404, 422),
    "GET /login/oidc/callback": (403, 404, 422, 429),
    **dict.fromkeys((f"PUT {API}/me/password", f"POST {API}/me/second-factor"), (429,)),
    **dict.fromkeys((f"POST {API}/me/second-factor/remove", "POST /account/password"), (429,)),
    **dict.fromkeys(("POST /account/second-factor", "POST /account/second-factor/remove"), (429,)),
}
"""What only these answer."""

_KEY_PARAMETER = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Of the caller's own making: the same request with the same key is carried out once within a day, "
    "and answered with the first answer.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[!-~]+$"},
}
_MATCH_PARAMETER = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "description": "The ETag of an answer that is here already: 304 when it is the same still.",
    "schema": _TEXT,
}


def document(app: FastAPI, routes: Iterable[tuple[str, GuardedRoute]]) -> dict[str, Any]:
    """Made once. `routes` with their whole paths."""
    if app.openapi_schema is None:
        made = FastAPI.openapi(app)
        made["info"]["description"] = "Deploys Docker Compose projects on your own servers with no failed request."
        schemas = made["components"]["schemas"]
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        schemas["Error"] = _ERROR
        schemas["DeployBody"] = TypeAdapter(DeployBody).json_schema()
        made["components"]["securitySchemes"] = {
            "token": {"type": "http", "scheme": "bearer", "description": "Made by `windlass token create`."},
            "session": {"type": "apiKey", "in": "cookie", "name": "__Host-windlass", "description": "From /login."},
        }
        for path, route in routes:
            for method in route.methods or ():
                _complete(made["paths"][path][method.lower()], f"{method} {path}", route.need)
    found: dict[str, Any] = app.openapi_schema or {}
    return found


def _complete(operation: dict[str, Any], name: str, need: Need) -> None:
    """Everything that the route's own function does not say."""
    method, _, path = name.partition(" ")
    operation["security"] = [] if need.open else [{"token": []}, {"session": []}]
    parameters: list[Any] = operation.setdefault("parameters", [])
    responses: dict[str, Any] = operation["responses"]
    for status in _statuses(operation, name, need):
        responses[str(status)] = _error(status, page=need.page)
    if not need.open and method == "POST":
        parameters.append(_KEY_PARAMETER)
    _add_bodies(operation, name, need)
    _add_example(operation, EXAMPLES.get(name.replace(f" {API}", " "), Example()))
    _add_headers(operation, method, need)


def _statuses(operation: Mapping[str, Any], name: str, need: Need) -> list[int]:
    changes = not name.startswith(tuple(SAFE_METHODS))
    found = {500, 503, *_BEYOND.get(name, ())}
    if not need.open:
        found |= {401, 403}
    if operation["parameters"] or "requestBody" in operation or changes:
        found |= {400}
    if changes:
        found |= {403, 404, 409, 413, 422}
    elif "{" in name:
        found |= {404, 422}
    operation["responses"].pop("422", None)
    return sorted(found)


def _error(status: int, *, page: bool) -> dict[str, Any]:
    says, code, message = _ERRORS[status]
    example = {"error": {"code": code, "message": message, "hint": "", "details": []}}
    content: dict[str, Any] = {_JSON: {"schema": {"$ref": "#/components/schemas/Error"}, "example": example}}
    if page:
        content[_HTML] = {"schema": _TEXT}
    exit_code = {"description": "The exit code of the command.", "schema": {"type": "integer"}}
    return {"description": says, "headers": {EXIT_HEADER: exit_code}, "content": content}


def _add_bodies(operation: dict[str, Any], name: str, need: Need) -> None:
    """Of the routes that read the request for themselves."""
    responses = operation["responses"]
    if name.endswith(("/deployments", "/plan")) and name.startswith("POST"):
        operation["requestBody"]["content"][_JSON]["schema"] = {"$ref": "#/components/schemas/DeployBody"}
    elif name == "POST /hooks/{app}":
        content = {kind: {"schema": {"type": "object"}} for kind in (_JSON, _FORM)}
        operation["requestBody"] = {"required": True, "content": content}
        responses["202"] = {**responses["200"], "description": "A deployment is queued."}
        responses["200"]["description"] = "Nothing is to be deployed."
    elif name.startswith("POST /account/"):
        schema = {"type": "object", "properties": dict.fromkeys(("password", "new", "code", "name", "csrf"), _TEXT)}
        operation["requestBody"] = {"content": {_FORM: {"schema": schema}}}
        responses["303"] = {"description": "Done; to the page again, or to the log-in."}
    elif need.page and name.startswith("POST"):
        names = ("name", "password", "code")
        schema = {"type": "object", "properties": dict.fromkeys(names, _TEXT)}
        operation["requestBody"] = {"required": True, "content": {k: {"schema": schema} for k in (_JSON, _FORM)}}
        began = {"type": "object", "properties": {"csrf": _TEXT}}
        responses["200"] = {"description": "The session has begun.", "content": {_JSON: {"schema": began}}}
        responses["200"]["content"][_HTML] = {"schema": _TEXT}
        responses["303"] = {"description": "The session has begun; by a form."}
    elif name in ("GET /account", "GET /login/oidc", "GET /login/oidc/callback"):
        responses["303"] = {"description": "To where it goes on."}
    elif name == "POST /logout":
        responses.pop("200", None)
        responses["303"] = {"description": "The session has ended."}


def _add_example(operation: dict[str, Any], example: Example) -> None:
    content = operation.get("requestBody", {}).get("content", {}).get(_JSON)
    if content is not None and example.request is not None:
        content["example"] = example.request
    for status, response in operation["responses"].items():
        answer = response.get("content", {}).get(_JSON)
        if status.startswith("2") and answer is not None and example.answer is not None:
            answer["example"] = example.answer
            if not answer.get("schema", {}).get("properties"):
                answer["schema"] = schema_of(example.answer)


def schema_of(example: Any) -> dict[str, Any]:
    """What an answer like this one looks like: its fields and their types. What is null here may be anything."""
    if isinstance(example, dict):
        return {"type": "object", "properties": {name: schema_of(value) for name, value in example.items()}}
    if isinstance(example, list):
        return {"type": "array", "items": schema_of(example[0]) if example else {}}
    kinds = {bool: "boolean", int: "integer", float: "number", str: "string"}
    return {"type": [kinds[type(example)], "null"]} if type(example) in kinds else {}


def _add_headers(operation: dict[str, Any], method: str, need: Need) -> None:
    responses = operation["responses"]
    if need.open:
        return
    done = [r for status, r in responses.items() if status.startswith("2")]
    if method == "POST":
        for response in done:
            words = "`true` for an answer that was given before."
            response.setdefault("headers", {})[REPLAYED_HEADER] = {"description": words, "schema": _TEXT}
    elif method in SAFE_METHODS and any(_JSON in r.get("content", {}) for r in done):
        operation["parameters"].append(_MATCH_PARAMETER)
        responses["304"] = {"description": "Nothing has changed since the answer with this ETag."}
        for response in done:
            response.setdefault("headers", {})["etag"] = {"schema": _TEXT}
            if "limit" in {p["name"] for p in operation["parameters"]}:
                words = 'The address of the next page, `rel="next"`; only when there is one.'
                response["headers"]["link"] = {"description": words, "schema": _TEXT}
