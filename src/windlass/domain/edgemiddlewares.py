"""What the edge does with the requests of a route, in the order in which it does it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from windlass.domain.edgedocument import (
    AddPrefix,
    BasicAuth,
    Buffering,
    Compress,
    Cookie,
    Errors,
    Headers,
    IpAllowList,
    Middleware,
    RateLimit,
    RedirectRegex,
    Retry,
    StickySessions,
    StripPrefix,
)
from windlass.domain.routechecks import network
from windlass.domain.routeoptions import OWN_ADDRESS, Allowed, Redirect, RouteOptions, Sticky

Named = tuple[str, Middleware]

MAINTENANCE_STATUS = 503
_RELOAD_S = "10"


def in_maintenance(allowed: tuple[str, ...]) -> tuple[Named, Named]:
    """What the others are told, and that nobody but `allowed` gets through. A browser asks again by itself; where
    some get through it does not, for the headers are those of their answers too."""
    told = {"Retry-After": _RELOAD_S}
    if not allowed:
        told |= {"Refresh": _RELOAD_S, "Cache-Control": "no-store"}
    networks = tuple(dict.fromkeys(network(text) for text in (OWN_ADDRESS, *allowed)))
    closed = IpAllowList(sourceRange=networks, rejectStatusCode=MAINTENANCE_STATUS)
    return (
        ("maintenance-told", Middleware(headers=Headers(customResponseHeaders=told))),
        ("maintenance", Middleware(ipAllowList=closed)),
    )


def before_limits(options: RouteOptions, errors: tuple[Errors, ...]) -> Iterator[Named]:
    """The edge's own answers get headers and pages too, and what a browser asks first needs no password."""
    headers = _headers(options)
    if headers is not None:
        yield "headers", Middleware(headers=headers)
    if options.compress:
        yield "compress", Middleware(compress=Compress())
    for page in errors:
        yield "errors", Middleware(errors=page)


def limits(options: RouteOptions) -> Iterator[Named]:
    """Who may ask, and how often."""
    if options.allowed is not None:
        yield "allow", Middleware(ipAllowList=_allowed(options.allowed))
    if options.rate is not None:
        rate = options.rate
        limit = RateLimit(average=rate.requests, period=milliseconds(rate.per_s), burst=max(rate.burst, 1))
        yield "rate", Middleware(rateLimit=limit)
    if options.auth is not None:
        auth = BasicAuth(
            users=options.auth.users, realm=options.auth.realm or None, removeHeader=options.auth.hide or None
        )
        yield "auth", Middleware(basicAuth=auth)


def body_limit(options: RouteOptions) -> Iterator[Named]:
    if options.body_bytes:
        yield "body", Middleware(buffering=Buffering(maxRequestBodyBytes=options.body_bytes))


def changed_address(options: RouteOptions) -> Iterator[Named]:
    """Sent elsewhere, or the path that the service sees."""
    if options.redirect is not None:
        yield "redirect", Middleware(redirectRegex=_redirect(options.redirect))
    if options.strip:
        yield "strip", Middleware(stripPrefix=StripPrefix(prefixes=options.strip))
    if options.add:
        yield "add", Middleware(addPrefix=AddPrefix(prefix=options.add))
    if options.retries is not None:
        retry = Retry(attempts=options.retries.attempts, initialInterval=milliseconds(options.retries.every_s))
        yield "retry", Middleware(retry=retry)


def sticky_sessions(sticky: Sticky | None) -> StickySessions | None:
    if sticky is None:
        return None
    cookie = Cookie(
        name=sticky.cookie or None,
        secure=sticky.secure or None,
        sameSite=sticky.same_site or None,
        maxAge=sticky.max_age_s or None,
        path="/",
    )
    return StickySessions(cookie=cookie)


def milliseconds(seconds: float) -> str:
    """As the edge reads a duration; it knows no days."""
    return f"{max(round(seconds * 1000), 0)}ms"


def _headers(options: RouteOptions) -> Headers | None:
    if not (options.request_headers or options.response_headers or options.cors):
        return None
    plain = Headers(
        customRequestHeaders=dict(options.request_headers) or None,
        customResponseHeaders=dict(options.response_headers) or None,
    )
    cors = options.cors
    if cors is None:
        return plain
    return plain.model_copy(
        update={
            "accessControlAllowOriginList": cors.origins,
            "accessControlAllowMethods": cors.methods,
            "accessControlAllowHeaders": cors.headers or None,
            "accessControlExposeHeaders": cors.exposed or None,
            "accessControlAllowCredentials": cors.credentials or None,
            "accessControlMaxAge": cors.max_age_s,
            "addVaryHeader": True,
        }
    )


def _allowed(allowed: Allowed) -> IpAllowList:
    return IpAllowList(sourceRange=tuple(map(network, allowed.networks)))


def _redirect(redirect: Redirect) -> RedirectRegex:
    """To another host: the same scheme, port, path and query."""
    if not redirect.host:
        return RedirectRegex(regex=redirect.pattern, replacement=redirect.target, permanent=redirect.permanent)
    host = re.sub(r"[^a-z0-9.-]", "", redirect.host.lower())
    return RedirectRegex(
        regex=r"^(https?)://[^/:]+(:[0-9]+)?(.*)$", replacement=f"${{1}}://{host}${{2}}${{3}}",
        permanent=redirect.permanent,
    )  # fmt: skip
