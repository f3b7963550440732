"""The document of an app that the edge reads, with exactly the keys windlass uses of Traefik's configuration."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field


class _Typed(BaseModel):
    """Nothing but what is declared gets through: one unknown key would stop the changes of every app."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Server(_Typed):
    url: str


class HealthCheck(_Typed):
    """Asked by the edge itself; here only because a passive one needs it, and so rarely that it never happens."""

    path: str = "/"
    interval: str = "1h"
    timeout: str = "1s"


class PassiveHealthCheck(_Typed):
    maxFailedAttempts: int = 3
    failureWindow: str = "10s"


class Cookie(_Typed):
    name: str | None = None
    httpOnly: bool = True
    secure: bool | None = None
    sameSite: str | None = None
    maxAge: int | None = None
    path: str | None = None


class StickySessions(_Typed):
    cookie: Cookie


class LoadBalancer(_Typed):
    servers: tuple[Server, ...] = Field(min_length=1)
    serversTransport: str
    passHostHeader: bool = True
    sticky: StickySessions | None = None
    healthCheck: HealthCheck | None = None
    passiveHealthCheck: PassiveHealthCheck | None = None


class FailoverErrors(_Typed):
    """Which answers are asked for once more of the fallback. A body of more bytes is not kept; -1 sets no limit."""

    status: tuple[str, ...]
    maxRequestBodyBytes: int


class Failover(_Typed):
    service: str
    fallback: str
    errors: FailoverErrors | None = None


class Service(_Typed):
    """Either servers, or a service with another one behind it."""

    loadBalancer: LoadBalancer | None = None
    failover: Failover | None = None


class Retry(_Typed):
    """Another try when nothing of the request was sent yet."""

    attempts: int
    initialInterval: str


class Headers(_Typed):
    customRequestHeaders: Mapping[str, str] | None = None
    customResponseHeaders: Mapping[str, str] | None = None
    accessControlAllowOriginList: tuple[str, ...] | None = None
    accessControlAllowMethods: tuple[str, ...] | None = None
    accessControlAllowHeaders: tuple[str, ...] | None = None
    accessControlExposeHeaders: tuple[str, ...] | None = None
    accessControlAllowCredentials: bool | None = None
    accessControlMaxAge: int | None = None
    addVaryHeader: bool | None = None


class Compress(_Typed):
    """A stream of events would wait for the compressor."""

    excludedContentTypes: tuple[str, ...] = ("text/event-stream",)
    minResponseBodyBytes: int = 1024


class Errors(_Typed):
    status: tuple[str, ...]
    service: str
    query: str


class IpAllowList(_Typed):
    sourceRange: tuple[str, ...] = Field(min_length=1)
    rejectStatusCode: int | None = None


class RateLimit(_Typed):
    average: int
    period: str
    burst: int


class BasicAuth(_Typed):
    users: tuple[str, ...] = Field(min_length=1)
    realm: str | None = None
    removeHeader: bool | None = None


class Buffering(_Typed):
    maxRequestBodyBytes: int


class RedirectRegex(_Typed):
    regex: str
    replacement: str
    permanent: bool


class StripPrefix(_Typed):
    prefixes: tuple[str, ...] = Field(min_length=1)


class AddPrefix(_Typed):
    prefix: str


class Middleware(_Typed):
    """One of these."""

    retry: Retry | None = None
    headers: Headers | None = None
    compress: Compress | None = None
    errors: Errors | None = None
    ipAllowList: IpAllowList | None = None
    rateLimit: RateLimit | None = None
    basicAuth: BasicAuth | None = None
    buffering: Buffering | None = None
    redirectRegex: RedirectRegex | None = None
    stripPrefix: StripPrefix | None = None
    addPrefix: AddPrefix | None = None


class Router(_Typed):
    rule: str
    priority: int
    service: str
    entryPoints: tuple[str, ...]
    middlewares: tuple[str, ...] | None = None


class ForwardingTimeouts(_Typed):
    dialTimeout: str = "1s"
    responseHeaderTimeout: str = "0s"
    idleConnTimeout: str = "250ms"


class ServersTransport(_Typed):
    """Idle connections end soon, so that a drained server is seen to be drained; 64 of them keep the cost low."""

    maxIdleConnsPerHost: int = 64
    insecureSkipVerify: bool | None = None
    forwardingTimeouts: ForwardingTimeouts = ForwardingTimeouts()


class Http(_Typed):
    """`middlewares` None when there are none: the edge refuses an empty section."""

    routers: Mapping[str, Router]
    services: Mapping[str, Service]
    serversTransports: Mapping[str, ServersTransport]
    middlewares: Mapping[str, Middleware] | None = None


class EdgeFile(_Typed):
    http: Http

    def text(self) -> str:
        """JSON, as the edge reads it. It carries out templates in its files: nobody's value may begin one."""
        return self.model_dump_json(exclude_none=True, indent=1).replace("{{", "{\\u007b") + "\n"
