"""windlass.yaml: what the user says beside the Compose file, checked and typed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from windlass.domain.contract_formats import Format
from windlass.domain.contract_patterns import check_pattern, parse_generator
from windlass.domain.manifestroutes import RouteRule
from windlass.domain.manifestvalues import (
    AppName,
    Argv,
    ComposeFiles,
    FilePart,
    Names,
    Port,
    Profiles,
    Seconds,
    Text,
    listed,
)
from windlass.domain.manifestverify import Verify
from windlass.domain.probing import DeclaredProbe
from windlass.domain.release import Route, Strategy

FILE = "windlass.yaml"


def _pattern(value: str) -> str:
    return check_pattern(value) if value else value


def _generator(value: str) -> str:
    if value:
        parse_generator(value)
    return value


class ProbeRule(FilePart):
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


class ServiceRule(FilePart):
    strategy: Strategy | None = None
    probe: ProbeRule | None = None
    drain: Seconds | None = Field(None, description="How long open requests may take when the old version leaves.")


class EnvRule(FilePart):
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
    one_of: Annotated[tuple[Text, ...], BeforeValidator(listed)] = ()
    equals: Names = Field((), description="Variables that must have the very same value.")
    same_as: Names = Field((), description="Variables with the same value, or that name the same database otherwise.")
    to: Annotated[tuple[str, ...], BeforeValidator(listed)] = Field((), description="Also set it in these services.")
    scope: Literal["build", "run"] | None = Field(
        None, description="Only for builds, or only for containers. Left out: wherever the Compose file uses it."
    )

    @model_validator(mode="after")
    def _is_sent_where_it_may_be(self) -> EnvRule:
        if self.scope == "build" and self.to:
            raise ValueError(": `to` sets it in containers, but `scope` says that it is for builds")
        return self

    @model_validator(mode="after")
    def _can_be_generated(self) -> EnvRule:
        length = parse_generator(self.generate).length if self.generate else self.min_length
        if length < self.min_length:
            raise ValueError(f": `generate` makes {length} characters, but `min_length` is {self.min_length}")
        return self


class JobRule(FilePart):
    """A command that is run to its end in a service's new image."""

    service: str
    command: Argv
    within: Seconds = 600.0


class ReleaseRule(JobRule):
    """A job of the release, such as a migration."""

    before: Literal["", "backup"] = Field("", description="Reserved: a backup before it; not carried out yet.")


class ChecklistItem(FilePart):
    """A command that must end with 0 before anything is touched."""

    name: Annotated[str, Field(min_length=1, max_length=60)]
    service: str
    command: Argv
    within: Seconds = 60.0


class Manifest(FilePart):
    """The whole file; without one, everything has its default."""

    name: AppName = Field("", description="Default: the folder or repository; must match the app it is deployed as.")
    compose: ComposeFiles = Field((), description="Default: Compose's own discovery.")
    profiles: Profiles = ()
    keep_warm: Seconds = Field(0.0, description="How long the old version runs on after a switch.")
    watch: Names = Field((), description="Only a push that changes one of these files is deployed by itself.")
    clean: bool = Field(False, description="Refuse a Git checkout with changes that are not committed.")
    networks: Mapping[str, Literal["create"]] = Field(
        default_factory=dict, description="External networks that windlass may create."
    )
    routes: tuple[RouteRule, ...] | None = None
    services: Mapping[str, ServiceRule] = Field(default_factory=dict)
    env: Mapping[str, EnvRule] = Field(default_factory=dict)
    test: tuple[JobRule, ...] = ()
    release: tuple[ReleaseRule, ...] = ()
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
        return tuple(route for rule in self.routes for route in rule.routes())
