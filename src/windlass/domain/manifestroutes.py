"""`routes:` of windlass.yaml: which requests go to which service, and what is done with them on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from windlass.domain import names, routechecks, units
from windlass.domain.errors import WindlassError
from windlass.domain.manifestvalues import FilePart, Names, Port, Seconds, Text, listed
from windlass.domain.release import Route
from windlass.domain.routeoptions import (
    Allowed,
    BasicAuth,
    Cors,
    ErrorPage,
    Match,
    Pairs,
    Protocol,
    RateLimit,
    Redirect,
    Retries,
    RouteOptions,
    Sticky,
)


def _by(check: Callable[[str], object]) -> Callable[[Any], Any]:
    """Our validator's word as a mistake in the file."""

    def checked(value: Any) -> Any:
        try:
            return check(value) if isinstance(value, str) else value
        except WindlassError as wrong:
            fix = f"; {wrong.hint}" if wrong.hint else ""
            raise ValueError(f": {wrong.message}{fix}") from wrong

    return checked


def _size(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError("is not a size: write it as 64MiB, 10GB or 100m")
    return _by(units.parse_size)(str(value))


def _on(value: Any) -> Any:
    """`true` is all of it with its defaults."""
    return {} if value is True else None if value is False else value


_LIST = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}


_LISTED = BeforeValidator(listed)
_SHOWN = WithJsonSchema(_LIST)
_Origins = Annotated[tuple[Annotated[str, AfterValidator(_by(routechecks.origin))], ...], _LISTED, _SHOWN]
_Methods = Annotated[tuple[Annotated[str, AfterValidator(_by(routechecks.method))], ...], _LISTED, _SHOWN]
_Hosts = Annotated[tuple[Annotated[str, AfterValidator(_by(names.host))], ...], _LISTED, _SHOWN]
_Networks = Annotated[tuple[Annotated[str, AfterValidator(_by(routechecks.network))], ...], _LISTED, _SHOWN]
_Users = Annotated[tuple[Annotated[str, AfterValidator(_by(routechecks.user))], ...], _LISTED, _SHOWN]
_HeaderName = Annotated[str, AfterValidator(_by(routechecks.header_name))]
_HeaderValue = Annotated[Text, AfterValidator(_by(routechecks.header_value))]
_Headers = Mapping[_HeaderName, _HeaderValue]
_HeaderNames = Annotated[tuple[_HeaderName, ...], _LISTED, _SHOWN]
_Size = Annotated[int, BeforeValidator(_size), WithJsonSchema({"type": ["string", "integer"], "examples": ["10MiB"]})]
_ServiceName = Annotated[str, AfterValidator(_by(names.service_name))]
_Statuses = Annotated[
    tuple[Annotated[Text, AfterValidator(_by(routechecks.statuses))], ...],
    Field(min_length=1),
    BeforeValidator(lambda value: [value] if isinstance(value, str | int) else value),
    WithJsonSchema({"anyOf": [{"type": ["string", "integer"]}, {"type": "array"}]}),
]


class HeaderRule(FilePart):
    """Set on every request or answer; an empty value takes the header away."""

    request: _Headers = Field(default_factory=dict)
    response: _Headers = Field(default_factory=dict)


class SecurityRule(FilePart):
    """Headers by which browsers protect people; each may be changed, and "" leaves it out."""

    frame: Literal["", "DENY", "SAMEORIGIN"] = "SAMEORIGIN"
    sniffing: Literal["", "nosniff"] = "nosniff"
    referrer: _HeaderValue = "strict-origin-when-cross-origin"
    content: _HeaderValue = Field("", description="Content-Security-Policy.")
    permissions: _HeaderValue = Field("", description="Permissions-Policy.")

    def headers(self) -> Pairs:
        found = {
            "X-Frame-Options": self.frame,
            "X-Content-Type-Options": self.sniffing,
            "Referrer-Policy": self.referrer,
            "Content-Security-Policy": self.content,
            "Permissions-Policy": self.permissions,
        }
        return tuple((name, value) for name, value in found.items() if value)


class CorsRule(FilePart):
    """Which pages of other origins may read the answers."""

    origins: _Origins
    methods: _Methods = Cors(()).methods
    headers: _HeaderNames = ()
    expose: _HeaderNames = ()
    credentials: bool = False
    max_age: Seconds = 600.0

    @model_validator(mode="after")
    def _names_whom_it_trusts(self) -> CorsRule:
        if self.credentials and "*" in self.origins:
            raise ValueError(": with `credentials` every origin is named: browsers refuse * there")
        return self


class RedirectRule(FilePart):
    """Other hosts that are sent to this route's first host, with the same path."""

    from_: Annotated[_Hosts, Field(alias="from", min_length=1)]
    permanent: bool = True


class AuthRule(FilePart):
    """People are asked for name and password, which are kept as hashes alone."""

    users: _Users = Field((), description="name:hash, as htpasswd -nB prints it.")
    users_from: Annotated[str, AfterValidator(lambda v: _by(names.variable_name)(v) if v else v)] = Field(
        "", description="A variable that holds such lines."
    )
    realm: _HeaderValue = ""
    hide: bool = Field(False, description="The service does not see who it is.")

    @model_validator(mode="after")
    def _has_users(self) -> AuthRule:
        if not self.users and not self.users_from:
            raise ValueError(": needs `users` or `users_from`: without either nobody could get in")
        return self


class AllowRule(FilePart):
    """Only these networks get through; a proxy before the edge is the one that connects."""

    from_: Annotated[_Networks, Field(alias="from", min_length=1)]


class RateRule(FilePart):
    """Per client address; more is answered with 429."""

    requests: Annotated[int, Field(ge=1, le=routechecks.MOST_REQUESTS)]
    per: Annotated[Seconds, Field(gt=0, le=routechecks.LONGEST_S)] = 1.0
    burst: Annotated[int, Field(ge=1, le=routechecks.MOST_REQUESTS)] | None = Field(
        None, description="So many at once; left out: `requests`."
    )


class StickyRule(FilePart):
    """A client stays with the replica that served it first."""

    cookie: Annotated[str, AfterValidator(lambda v: _by(routechecks.cookie_name)(v) if v else v)] = ""
    max_age: Seconds = 0.0
    secure: bool = False
    same_site: Literal["", "none", "lax", "strict"] = "lax"


class ErrorRule(FilePart):
    """Answers with these statuses are replaced by a page of a service of this app."""

    status: _Statuses = Field(description="404, or 500-599.")
    service: _ServiceName
    path: Annotated[str, AfterValidator(_by(routechecks.page_path))] = Field(
        "/{status}.html", description="{status} stands for the status."
    )
    port: Port | None = None


class RetryRule(FilePart):
    """Another try while nothing of the request was sent."""

    attempts: Annotated[int, Field(ge=2, le=routechecks.LONGEST_RETRY)] = 3
    every: Annotated[Seconds, Field(gt=0, le=60)] = 0.1


_Strip = Annotated[
    bool | tuple[Annotated[str, AfterValidator(_by(routechecks.prefix))], ...],
    BeforeValidator(listed),
    WithJsonSchema({"anyOf": [{"type": "boolean"}, *_LIST["anyOf"]]}),
]


class RouteRule(FilePart):
    """Which requests go to which service."""

    host: Names = Field((), description="One, or a list of them. Left out: the app's default host.")
    path: str = Field("/", description="This path and all below it; the longest path goes first.")
    match: Match = Field("below", description="exact: this path alone; prefix: whatever begins with it.")
    service: str
    port: Port | None = Field(None, description="Left out: the port on which the service most likely serves HTTP.")
    protocol: Protocol = Field("http", description="How the service is spoken to; h2c for gRPC.")
    priority: int = Field(0, ge=0, le=4000, description="A higher number goes before longer paths.")
    strip_prefix: _Strip = Field(False, description="true: the path of the route.")
    add_prefix: Annotated[str, AfterValidator(lambda v: _by(routechecks.prefix)(v) if v else v)] = ""
    headers: HeaderRule = HeaderRule()
    security_headers: Annotated[SecurityRule | None, BeforeValidator(_on)] = None
    cors: CorsRule | None = None
    redirect: RedirectRule | None = None
    compress: bool = False
    basic_auth: AuthRule | None = None
    allow: AllowRule | None = None
    rate_limit: RateRule | None = None
    body_limit: Annotated[_Size, Field(ge=0, le=routechecks.LARGEST_BODY)] = 0
    timeout: Annotated[Seconds, Field(ge=0, le=routechecks.LONGEST_S)] = Field(
        0.0, description="How long the service may take to begin its answer; left out: as long as it wants."
    )
    sticky: Annotated[StickyRule | None, BeforeValidator(_on)] = None
    errors: tuple[ErrorRule, ...] = ()
    retry: Annotated[RetryRule | None, BeforeValidator(_on)] = None

    @model_validator(mode="after")
    def _can_be_carried_out(self) -> RouteRule:
        if self.redirect is not None and (not self.host or self.host[0].startswith("*")):
            raise ValueError(": `redirect` sends other hosts to this route's host, so `host` must name one")
        if self.redirect is not None and set(self.redirect.from_) & {host.lower() for host in self.host}:
            raise ValueError(": `redirect` would send a host of this route to itself")
        if self.strip_prefix is True and not self.path.rstrip("/"):
            raise ValueError(": `strip_prefix` has nothing to take off: the path of the route is /")
        return self

    def routes(self) -> Iterator[Route]:
        """One for each host, and one for each that is sent there; port 0 where left out."""
        options = self.options()
        for host in self.host or ("",):
            yield Route(host, self.service, self.port or 0, self.path, self.priority, options)
        if self.redirect is None:
            return
        to = RouteOptions(redirect=Redirect(self.host[0].lower(), permanent=self.redirect.permanent))
        for host in self.redirect.from_:
            yield Route(host, self.service, self.port or 0, "/", 0, to)

    def options(self) -> RouteOptions:
        """Checked, and as the edge is told it."""
        secured = self.security_headers.headers() if self.security_headers is not None else ()
        return RouteOptions(
            match=self.match,
            protocol=self.protocol,
            strip=self._stripped(),
            add=self.add_prefix.rstrip("/"),
            request_headers=tuple(self.headers.request.items()),
            response_headers=tuple({**dict(secured), **self.headers.response}.items()),
            cors=_cors(self.cors) if self.cors is not None else None,
            compress=self.compress,
            auth=_auth(self.basic_auth) if self.basic_auth is not None else None,
            allowed=Allowed(self.allow.from_) if self.allow is not None else None,
            rate=_rate(self.rate_limit) if self.rate_limit is not None else None,
            body_bytes=self.body_limit,
            answer_within_s=self.timeout,
            sticky=_sticky(self.sticky) if self.sticky is not None else None,
            errors=tuple(ErrorPage(e.status, e.service, e.path, e.port or 0) for e in self.errors),
            retries=Retries(self.retry.attempts, self.retry.every) if self.retry is not None else None,
        )

    def _stripped(self) -> tuple[str, ...]:
        if isinstance(self.strip_prefix, bool):
            return (self.path.rstrip("/"),) if self.strip_prefix else ()
        return tuple(text.rstrip("/") for text in self.strip_prefix)


def _cors(rule: CorsRule) -> Cors:
    return Cors(rule.origins, rule.methods, rule.headers, rule.expose, rule.credentials, int(rule.max_age))


def _auth(rule: AuthRule) -> BasicAuth:
    return BasicAuth(rule.users, rule.users_from, rule.realm, rule.hide)


def _rate(rule: RateRule) -> RateLimit:
    return RateLimit(rule.requests, rule.per, rule.burst or rule.requests)


def _sticky(rule: StickyRule) -> Sticky:
    return Sticky(rule.cookie, int(rule.max_age), rule.secure, rule.same_site)
