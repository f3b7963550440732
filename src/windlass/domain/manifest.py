"""windlass.yaml: what the user says beside the Compose file, checked and typed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from windlass.domain import names, units
from windlass.domain.contract_formats import Format
from windlass.domain.contract_patterns import check_pattern, parse_generator
from windlass.domain.errors import WindlassError
from windlass.domain.probing import DeclaredProbe
from windlass.domain.release import Route, Strategy

FILE = "windlass.yaml"

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


def _pattern(value: str) -> str:
    return check_pattern(value) if value else value


def _generator(value: str) -> str:
    if value:
        parse_generator(value)
    return value


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _compose_files(value: Any) -> Any:
    return [_valid(names.compose_path, path) if isinstance(path, str) else path for path in _listed(value) or ()]


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
AppName = Annotated[str, BeforeValidator(_app_name)]
Names = Annotated[
    tuple[str, ...],
    BeforeValidator(_listed),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class RouteRule(_Part):
    """Which requests go to which service."""

    host: str = Field("", description="Left out: the app's default host.")
    path: str = Field("/", description="This path and all below it; the longest path goes first.")
    service: str
    port: Port | None = Field(None, description="Left out: the port on which the service most likely serves HTTP.")
    priority: int = Field(0, ge=0, le=4000, description="A higher number goes before longer paths.")


class ProbeRule(_Part):
    """How windlass asks whether the service is ready: one of http, tcp, exec."""

    http: str = Field("", pattern="^(/.*)?$", description="A path; 200 to 399 means ready.")
    port: Port | None = Field(None, description="The port of `http`.")
    tcp: Port | None = None
    exec: Argv | None = None
    within: Seconds | None = Field(None, description="How long a start may take.")

    @model_validator(mode="after")
    def _is_one_kind(self) -> ProbeRule:
        if sum(map(bool, (self.http, self.tcp, self.exec))) > 1:
            raise ValueError("must say one of http, tcp and exec, not several")
        if self.port is not None and not self.http:
            raise ValueError("`port` belongs to `http`; write {http: /, port: N} or {tcp: N}")
        return self


class ServiceRule(_Part):
    strategy: Strategy | None = None
    probe: ProbeRule | None = None
    drain: Seconds | None = Field(None, description="How long open requests may take when the old version leaves.")


class EnvRule(_Part):
    """What a variable must be; its value lives in windlass."""

    required: bool = False
    secret: bool = False
    format: Format = ""
    min_length: int = Field(0, ge=0)
    pattern: Annotated[str, AfterValidator(_pattern)] = Field(
        "", description="A regular expression for all of the value."
    )
    generate: Annotated[str, AfterValidator(_generator)] = Field(
        "", description="How `windlass env generate` makes it: base64:48, hex:32, password:24 or uuid."
    )
    default: Text | None = None
    one_of: Annotated[tuple[Text, ...], BeforeValidator(_listed)] = ()
    equals: Names = Field((), description="Variables that must have the very same value.")
    same_as: Names = Field((), description="Variables with the same value, or that name the same database otherwise.")
    to: Annotated[tuple[str, ...], BeforeValidator(_listed)] = Field((), description="Also set it in these services.")

    @model_validator(mode="after")
    def _can_be_generated(self) -> EnvRule:
        length = parse_generator(self.generate).length if self.generate else self.min_length
        if length < self.min_length:
            raise ValueError(f": `generate` makes {length} characters, but `min_length` is {self.min_length}")
        return self


class JobRule(_Part):
    """A command that is run to its end in a service's new image."""

    service: str
    command: Argv
    within: Seconds = 600.0


class Expectation(_Part):
    status: int | None = Field(None, ge=100, le=599)
    json_: Any = Field(None, alias="json", description="A subset that the answer must contain.")


class VerifyStep(_Part):
    """A request (`get`), or a command (`run`) in a service's or image's container."""

    get: str = Field("", pattern="^(/.*)?$")
    expect: Expectation | None = None
    run: Argv | None = None
    service: str = ""
    image: str = ""
    within: Seconds = 300.0

    @model_validator(mode="after")
    def _is_one_kind(self) -> VerifyStep:
        if bool(self.get) == bool(self.run):
            raise ValueError("must say one of get and run")
        if self.run and bool(self.service) == bool(self.image):
            raise ValueError("`run` needs one of service and image")
        return self


class Verify(_Part):
    bake: Seconds = Field(10.0, description="How long the new version is watched while the old one is still warm.")
    steps: tuple[VerifyStep, ...] = ()


class ChecklistItem(_Part):
    name: str
    service: str
    command: Argv


class Manifest(_Part):
    """The whole file; without one, everything has its default."""

    name: AppName = Field("", description="Default: the folder or repository; must match the app it is deployed as.")
    compose: ComposeFiles = Field((), description="Default: Compose's own discovery.")
    profiles: Annotated[tuple[str, ...], BeforeValidator(_listed)] = ()
    keep_warm: Seconds = Field(0.0, description="How long the old version runs on after a switch.")
    networks: Mapping[str, Literal["create"]] = Field(
        default_factory=dict, description="External networks that windlass may create."
    )
    routes: tuple[RouteRule, ...] | None = None
    services: Mapping[str, ServiceRule] = Field(default_factory=dict)
    env: Mapping[str, EnvRule] = Field(default_factory=dict)
    test: tuple[JobRule, ...] = ()
    release: tuple[JobRule, ...] = ()
    verify: Verify = Verify()
    checklist: tuple[ChecklistItem, ...] = ()
    assets: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)

    @property
    def strategies(self) -> dict[str, Strategy]:
        return {name: rule.strategy for name, rule in self.services.items() if rule.strategy is not None}

    @property
    def drains(self) -> dict[str, float]:
        """Service -> seconds, where written."""
        return {name: rule.drain for name, rule in self.services.items() if rule.drain is not None}

    @property
    def creatable(self) -> frozenset[str]:
        """Keys of external networks that windlass may create."""
        return frozenset(self.networks)

    @property
    def defaults(self) -> dict[str, str]:
        """Variables with a default value."""
        return {name: rule.default for name, rule in self.env.items() if rule.default is not None}

    @property
    def sent_to(self) -> dict[str, tuple[str, ...]]:
        """Variable -> services that get it although their Compose file does not name it."""
        return {name: rule.to for name, rule in self.env.items() if rule.to}

    def probe(self, service: str) -> DeclaredProbe | None:
        rule = self.services[service].probe if service in self.services else None
        if rule is None:
            return None
        return DeclaredProbe(rule.http, rule.port or 0, rule.tcp or 0, rule.exec or (), rule.within)

    def route_list(self) -> tuple[Route, ...] | None:
        """The routes as written, port 0 where left out; None when the file has no `routes:`."""
        if self.routes is None:
            return None
        return tuple(Route(r.host, r.service, r.port or 0, r.path, r.priority) for r in self.routes)
