"""`verify` in windlass.yaml: how long the new version is watched, and the steps that it has to pass."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, WithJsonSchema, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from windlass.domain import names
from windlass.domain.errors import WindlassError
from windlass.domain.manifestvalues import Argv, FilePart, Seconds, Text
from windlass.domain.smoke import names_in, split_field

METHODS = ("get", "post", "put", "patch", "delete")
KINDS = (*METHODS, "websocket", "run")
_BODIES = ("json", "form", "file")
_OF_REQUEST = (*_BODIES, "save")
_OF_SOCKET = ("send",)
_OF_EDGE = ("host", "headers", "expect", "retry_for")
_OF_COMMAND = ("service", "image")

_PATH = re.compile(r"/[^\s#\\\x00-\x1f\x7f]*")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SET_BY_WINDLASS = {
    "host", "connection", "content-length", "transfer-encoding", "upgrade", "expect", "te", "trailer",
}  # fmt: skip


def _path(value: str) -> str:
    if value and not _PATH.fullmatch(value):
        raise ValueError("must be a path: it begins with / and has no spaces, # or \\ in it")
    return value


def _headers(value: Mapping[str, str]) -> Mapping[str, str]:
    for name, text in value.items():
        if not _HEADER.fullmatch(name) or any(ord(c) < 32 and c != "\t" or ord(c) == 127 for c in text):
            raise ValueError(f": {name!r} cannot be a header")
        if name.lower() in _SET_BY_WINDLASS or name.lower().startswith("sec-websocket-"):
            raise ValueError(f": the header {name} is set by windlass" + ("; write `host`" * (name.lower() == "host")))
    return value


def _json(value: Any) -> Any:
    try:
        json.dumps(value, allow_nan=False)
    except ValueError as wrong:
        raise ValueError("cannot be written as JSON: it has a number in it that JSON does not know") from wrong
    return value


def _host(value: str) -> str:
    try:
        return names.host(value) if value else value
    except WindlassError as wrong:
        raise ValueError(f": {wrong.message}") from wrong


def _source_path(value: str) -> str:
    try:
        return names.compose_path(value)
    except WindlassError as wrong:
        raise ValueError(f": {wrong.message}") from wrong


def _file_body(value: Any) -> Any:
    return {"path": value} if isinstance(value, str) else value


def _statuses(value: Any) -> Any:
    return [value] if isinstance(value, int) else value


def _saves(value: Mapping[str, str]) -> Mapping[str, str]:
    for name, field in value.items():
        if not _NAME.fullmatch(name):
            raise ValueError(f": {name!r} is no name: letters, digits and _")
        if not split_field(field):
            raise ValueError(f": {field!r} is no field of a JSON answer: write it as data.items[0].id")
    return value


Path = Annotated[str, AfterValidator(_path)]
Headers = Annotated[Mapping[str, Text], AfterValidator(_headers)]
Json = Annotated[Any, AfterValidator(_json)]
Status = Annotated[int, Field(ge=100, le=599)]
Statuses = Annotated[
    tuple[Status, ...],
    BeforeValidator(_statuses),
    WithJsonSchema({"anyOf": [{"type": "integer"}, {"type": "array", "items": {"type": "integer"}}]}),
]


class FileBody(FilePart):
    """A file of the source, sent as one part of a form."""

    path: Annotated[str, AfterValidator(_source_path)]
    field: str = Field("file", description="The part's name; blank: the file alone is the body.")
    type: str = Field("", description="Its Content-Type; left out: by the ending of its name.")


class Expectation(FilePart):
    """What the answer must be."""

    status: Statuses = Field((), description="One or several; left out: 200 to 399.")
    json_: Json = Field(None, alias="json", description="A subset that the answer must contain.")
    header: Mapping[str, Text] = Field(
        default_factory=dict,
        description="Header -> its value, without parameters such as charset if they do not matter.",
    )
    text: Text = Field("", description="Must occur in the answer, or in a message of the WebSocket.")
    within: Seconds = Field(30.0, description="How long the answer may take.")


class VerifyStep(FilePart):
    """A request through the edge (`get` …), a WebSocket, or a command (`run`) in a container of its own."""

    name: str = Field("", max_length=80, description="What progress and reports call it.")
    get: Path = ""
    post: Path = ""
    put: Path = ""
    patch: Path = ""
    delete: Path = ""
    websocket: Path = ""
    run: Argv | None = Field(None, description="A command; $WINDLASS_APP_URL is replaced.")
    host: Annotated[str, AfterValidator(_host)] = Field("", description="Which of the app's; left out: its first.")
    headers: Headers = Field(default_factory=dict)
    json_: Json = Field(None, alias="json", description="The body, as JSON.")
    form: Mapping[str, Text] | None = Field(None, description="The body, as a form.")
    file: Annotated[FileBody | None, BeforeValidator(_file_body)] = Field(
        None, description="A path inside the source, or {path, field, type}; together with `form` in one body."
    )
    send: Json = Field(None, description="The WebSocket's first message: text, or a value that is sent as JSON.")
    expect: Expectation = Expectation()
    save: Annotated[Mapping[str, str], AfterValidator(_saves)] = Field(
        default_factory=dict, description="Name -> field of the JSON answer; later steps write it as {name}."
    )
    service: str = Field("", description="Whose new image `run` takes, with its environment and networks.")
    image: str = Field("", description="Or an image of its own.")
    within: Seconds = Field(300.0, description="How long the step may take, with all its tries.")
    retry_for: Seconds = Field(0.0, description="So long it is tried again when it fails.")

    @model_validator(mode="after")
    def _is_one_kind(self) -> VerifyStep:
        written = {self.__class__.model_fields[name].alias or name for name in self.model_fields_set}
        kinds = [kind for kind in KINDS if getattr(self, kind)]
        if len(kinds) != 1:
            raise ValueError(f"must say one of {', '.join(KINDS[:-1])} and run")
        (kind,) = kinds
        strange = [key for key in _strange_to(kind) if key in written]
        if strange:
            raise ValueError(f": `{strange[0]}` does not go with `{kind}`")
        if kind == "run" and bool(self.service) == bool(self.image):
            raise ValueError("`run` needs one of service and image")
        self._check_body(written)
        return self

    def _check_body(self, written: set[str]) -> None:
        if "json" in written and written & {"form", "file"}:
            raise ValueError("has one body: `json`, or `form` and `file`")
        if self.file is not None and not self.file.field and self.form is not None:
            raise ValueError("has one body: a file without a `field` goes alone")

    @property
    def kind(self) -> str:
        return next(kind for kind in KINDS if getattr(self, kind))

    @property
    def path(self) -> str:
        """ "" of a command."""
        return "" if self.kind == "run" else str(getattr(self, self.kind))


def _strange_to(kind: str) -> tuple[str, ...]:
    """Keys that mean nothing beside it."""
    if kind == "run":
        return (*_OF_EDGE, *_OF_REQUEST, *_OF_SOCKET)
    if kind == "websocket":
        return (*_OF_REQUEST, *_OF_COMMAND)
    return (*_OF_SOCKET, *_OF_COMMAND, *(_BODIES if kind == "get" else ()))


class Verify(FilePart):
    bake: Seconds = Field(10.0, description="How long the new version is watched while the old one is still warm.")
    steps: tuple[VerifyStep, ...] = ()

    @model_validator(mode="after")
    def _knows_what_is_saved(self) -> Verify:
        """A brace in a path can be nothing else, so a name that nobody saved is a mistake."""
        known: set[str] = set()
        wrong: list[InitErrorDetails] = []
        for index, step in enumerate(self.steps):
            for name in names_in(step.path):
                if name not in known:
                    words = PydanticCustomError(
                        "unknown_name", "has {{name}}, which no earlier step saves", {"name": name}
                    )
                    wrong.append({"type": words, "loc": ("steps", index, step.kind), "input": step.path})
            known |= step.save.keys()
        if wrong:
            raise ValidationError.from_exception_data("verify", wrong)
        return self
