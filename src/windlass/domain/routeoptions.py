"""What a route does with a request besides sending it to a service: values only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

# From where windlass itself asks the edge: its checks of an app get through while people do not.
OWN_ADDRESS = "127.0.0.87"

Match = Literal["below", "exact", "prefix"]
Protocol = Literal["http", "https", "h2c"]
Matcher = Literal["Method", "Header", "Query", "ClientIP", "Host", "Path", "PathPrefix"]
Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Condition:
    """A further condition in the edge's own words; only Compose labels make them."""

    matcher: Matcher
    arguments: tuple[str, ...]
    negated: bool = False


@dataclass(frozen=True)
class Redirect:
    """`host` gets the same path by the same scheme; or what `pattern` finds in the address is written as `target`."""

    host: str = ""
    pattern: str = ""
    target: str = ""
    permanent: bool = True


@dataclass(frozen=True)
class Cors:
    """Which pages of other origins may read the answers."""

    origins: tuple[str, ...]
    methods: tuple[str, ...] = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
    headers: tuple[str, ...] = ()
    exposed: tuple[str, ...] = ()
    credentials: bool = False
    max_age_s: int = 600


@dataclass(frozen=True)
class BasicAuth:
    """`users`: name:hash. `variable` holds further ones, a line each, until they are filled in."""

    users: tuple[str, ...] = ()
    variable: str = ""
    realm: str = ""
    hide: bool = False  # the service does not see who it is


@dataclass(frozen=True)
class Allowed:
    """Networks whose requests pass, by the address that connects to the edge: nobody's word about another counts."""

    networks: tuple[str, ...]


@dataclass(frozen=True)
class RateLimit:
    """Per client address: `requests` in `per_s` seconds, and `burst` at once."""

    requests: int
    per_s: float = 1.0
    burst: int = 1


@dataclass(frozen=True)
class Sticky:
    """A client stays with the replica that served it first, as long as there is one."""

    cookie: str = ""
    max_age_s: int = 0
    secure: bool = False
    same_site: Literal["", "none", "lax", "strict"] = "lax"


@dataclass(frozen=True)
class ErrorPage:
    """Answers with one of these statuses (`500`, `500-599`) are replaced by a page of a service of the same app."""

    statuses: tuple[str, ...]
    service: str
    path: str
    port: int = 0


@dataclass(frozen=True)
class Retries:
    """Another try while nothing of the request was sent."""

    attempts: int
    every_s: float = 0.1


@dataclass(frozen=True)
class RouteOptions:
    """`match` says which paths are meant: the path and all below it, itself alone, or whatever begins with it.

    `strip` is taken off the path, `add` put before it. Of a header, "" takes it away. 0 is no limit.
    """

    match: Match = "below"
    conditions: tuple[Condition, ...] = ()
    protocol: Protocol = "http"
    strip: tuple[str, ...] = ()
    add: str = ""
    redirect: Redirect | None = None
    request_headers: Pairs = ()
    response_headers: Pairs = ()
    cors: Cors | None = None
    compress: bool = False
    auth: BasicAuth | None = None
    allowed: Allowed | None = None
    rate: RateLimit | None = None
    body_bytes: int = 0
    answer_within_s: float = 0.0
    sticky: Sticky | None = None
    errors: tuple[ErrorPage, ...] = ()
    retries: Retries | None = None


PLAIN = RouteOptions()
