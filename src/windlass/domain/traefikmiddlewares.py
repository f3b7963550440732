"""Turns one middleware of Traefik's labels into options of a route; what has no counterpart is said."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from windlass.domain import routechecks, units
from windlass.domain.errors import Usage, WindlassError
from windlass.domain.routeoptions import (
    Allowed,
    BasicAuth,
    Cors,
    Pairs,
    RateLimit,
    Redirect,
    Retries,
    RouteOptions,
)

# Whoever relies on these lets nobody in without them.
GUARDS = frozenset({"forwardauth", "digestauth", "basicauth", "ipallowlist", "ipwhitelist", "passtlsclientcert"})
_GUARDING_WORDS = (
    "allow", "auth", "basic", "cloak", "crowdsec", "forward", "ipwhite", "login", "oidc", "protect", "sso", "whitelist",
)  # fmt: skip


class Unprotected(Exception):
    """A guard that has no counterpart: without it the route would be open."""


@dataclass(frozen=True)
class Settings:
    """What the labels say of one middleware: keys in small letters, as `prefixes` or `ipstrategy.depth`."""

    kind: str
    values: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)  # key -> the same with its own letters

    def text(self, key: str) -> str:
        return self.values.get(key, "").strip()

    def several(self, key: str) -> tuple[str, ...]:
        """Written `a, b`, or as `key[0]` and `key[1]`."""
        numbered = [v for k, v in sorted(self.values.items()) if k.startswith(f"{key}[")]
        found = [*self.values.get(key, "").split(","), *numbered]
        return tuple(v.strip() for v in found if v.strip())

    def number(self, key: str, default: int = 0) -> int:
        text = self.text(key)
        return int(text) if text.isdigit() and len(text) < 16 else default

    def seconds(self, key: str, default: float) -> float:
        """A bare number counts seconds."""
        text = self.text(key)
        if not text:
            return default
        return float(text) if text.isdigit() and len(text) < 10 else units.parse_duration(text)

    def flag(self, key: str) -> bool:
        return self.text(key).lower() in ("true", "1")

    def below(self, key: str) -> Pairs:
        """Names and values of `key.NAME`."""
        return tuple(
            (self.names[k].split(".", 1)[1], v) for k, v in self.values.items() if k.startswith(f"{key}.") and "." in k
        )

    def unused(self, *known: str) -> tuple[str, ...]:
        return tuple(k for k in self.values if k.split("[")[0] not in known and k.split(".")[0] not in known)


@dataclass(frozen=True)
class Read:
    """The options with it; `left` are keys that say something windlass does not do."""

    options: RouteOptions
    left: tuple[str, ...] = ()


def is_guard(name: str) -> bool:
    """Whether a middleware that is defined elsewhere sounds as if it kept people out."""
    return any(word in name.lower() for word in _GUARDING_WORDS)


def with_middleware(options: RouteOptions, settings: Settings) -> Read:
    """Raises Usage for values that cannot be taken, Unprotected for a guard that windlass has not."""
    reader = _READERS.get(settings.kind)
    if reader is None:
        if settings.kind in GUARDS or (settings.kind == "plugin" and any(map(is_guard, settings.values))):
            raise Unprotected(f"windlass has nothing like {settings.kind}")
        return Read(options, ("",))
    read = reader(options, settings)
    try:
        wrong = list(routechecks.wrong_options(read.options))
    except WindlassError as error:
        raise Usage(error.message, code="route_value_invalid") from error
    if wrong:
        if settings.kind in GUARDS:
            raise Unprotected(wrong[0].message)
        raise Usage(wrong[0].message, code="route_value_invalid")
    return read


def is_redirect_to_tls(settings: Settings) -> bool:
    if settings.kind == "redirectscheme":
        return settings.text("scheme").lower() == "https"
    target, pattern = settings.text("replacement"), settings.text("regex")
    return settings.kind == "redirectregex" and "http:" in pattern and target in ("https://${1}", "https://$1")


def _strip(options: RouteOptions, settings: Settings) -> Read:
    prefixes = tuple(p.rstrip("/") for p in settings.several("prefixes") if p != "/")
    return Read(replace(options, strip=(*options.strip, *prefixes)), settings.unused("prefixes", "forceslash"))


def _add(options: RouteOptions, settings: Settings) -> Read:
    added = settings.text("prefix").rstrip("/")
    return Read(replace(options, add=added + options.add), settings.unused("prefix"))


def _redirect_regex(options: RouteOptions, settings: Settings) -> Read:
    redirect = Redirect("", settings.text("regex"), settings.text("replacement"), settings.flag("permanent"))
    return Read(replace(options, redirect=redirect), settings.unused("regex", "replacement", "permanent"))


_CORS = {
    "origins": "accesscontrolalloworiginlist",
    "methods": "accesscontrolallowmethods",
    "headers": "accesscontrolallowheaders",
    "exposed": "accesscontrolexposeheaders",
}
_KNOWN_HEADERS = (
    "customrequestheaders", "customresponseheaders", *_CORS.values(), "accesscontrolallowcredentials",
    "accesscontrolmaxage", "addvaryheader", "framedeny", "customframeoptionsvalue", "contenttypenosniff",
    "browserxssfilter", "contentsecuritypolicy", "referrerpolicy", "permissionspolicy",
)  # fmt: skip


def _headers(options: RouteOptions, settings: Settings) -> Read:
    asked = dict((*options.request_headers, *settings.below("customrequestheaders")))
    answered = dict((*options.response_headers, *_secured(settings), *settings.below("customresponseheaders")))
    found = replace(
        options,
        request_headers=tuple(asked.items()),
        response_headers=tuple(answered.items()),
        cors=_cors(settings) or options.cors,
    )
    return Read(found, settings.unused(*_KNOWN_HEADERS))


def _secured(settings: Settings) -> Pairs:
    found = {
        "X-Frame-Options": settings.text("customframeoptionsvalue") or ("DENY" if settings.flag("framedeny") else ""),
        "X-Content-Type-Options": "nosniff" if settings.flag("contenttypenosniff") else "",
        "X-XSS-Protection": "1; mode=block" if settings.flag("browserxssfilter") else "",
        "Content-Security-Policy": settings.text("contentsecuritypolicy"),
        "Referrer-Policy": settings.text("referrerpolicy"),
        "Permissions-Policy": settings.text("permissionspolicy"),
    }
    return tuple((name, value) for name, value in found.items() if value)


def _cors(settings: Settings) -> Cors | None:
    origins = settings.several(_CORS["origins"])
    if not origins:
        return None
    return Cors(
        origins=origins,
        methods=settings.several(_CORS["methods"]),
        headers=settings.several(_CORS["headers"]),
        exposed=settings.several(_CORS["exposed"]),
        credentials=settings.flag("accesscontrolallowcredentials"),
        max_age_s=settings.number("accesscontrolmaxage"),
    )


def _auth(options: RouteOptions, settings: Settings) -> Read:
    users = settings.several("users")
    if settings.text("usersfile") or not users:
        raise Unprotected("its users are not in the labels")
    auth = BasicAuth(users, "", settings.text("realm"), settings.flag("removeheader"))
    return Read(replace(options, auth=auth), settings.unused("users", "realm", "removeheader"))


def _rate(options: RouteOptions, settings: Settings) -> Read:
    average = settings.number("average")
    if not average:
        return Read(options, settings.unused("average", "period", "burst"))
    rate = RateLimit(average, settings.seconds("period", 1.0), settings.number("burst", 1))
    return Read(replace(options, rate=rate), settings.unused("average", "period", "burst"))


def _compress(options: RouteOptions, settings: Settings) -> Read:
    if settings.text("").lower() == "false":
        return Read(options)
    return Read(replace(options, compress=True), settings.unused("", "excludedcontenttypes"))


def _allow(options: RouteOptions, settings: Settings) -> Read:
    if any(key.startswith("ipstrategy.") for key in settings.values) and settings.text("ipstrategy.depth") != "0":
        raise Unprotected("the edge takes nobody's word about the client, so `ipstrategy` cannot be kept")
    networks = settings.several("sourcerange")
    if not networks:
        raise Unprotected("it allows no network")
    if options.allowed is not None:
        raise Unprotected("a second list of networks on the same route cannot be kept")
    return Read(
        replace(options, allowed=Allowed(networks)), settings.unused("sourcerange", "ipstrategy")
    )  # fmt: skip


def _body(options: RouteOptions, settings: Settings) -> Read:
    limit = settings.number("maxrequestbodybytes")
    return Read(
        replace(options, body_bytes=limit), settings.unused("maxrequestbodybytes", "memrequestbodybytes")
    )  # fmt: skip


def _retry(options: RouteOptions, settings: Settings) -> Read:
    retries = Retries(max(settings.number("attempts"), 1), settings.seconds("initialinterval", 0.1))
    return Read(replace(options, retries=retries), settings.unused("attempts", "initialinterval"))


def _nothing(options: RouteOptions, settings: Settings) -> Read:
    return Read(options)


_READERS: dict[str, Callable[[RouteOptions, Settings], Read]] = {
    "stripprefix": _strip,
    "addprefix": _add,
    "redirectregex": _redirect_regex,
    "redirectscheme": _nothing,  # the reader of the routers has looked at it
    "headers": _headers,
    "basicauth": _auth,
    "ratelimit": _rate,
    "compress": _compress,
    "ipallowlist": _allow,
    "ipwhitelist": _allow,
    "buffering": _body,
    "retry": _retry,
}
