"""Routes from Traefik's labels: what is taken, what is said to be left out, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.domain.samples import model_of

from windlass.domain.release import Route
from windlass.domain.routeoptions import (
    Allowed,
    BasicAuth,
    Cors,
    ErrorPage,
    RateLimit,
    Redirect,
    Retries,
    RouteOptions,
    Sticky,
)
from windlass.domain.traefiklabels import Labelled, labelled_routes

USER = "ana:$2y$05$G1ZxlyQVXzvpw2JgE6a2s.r5bnzwLBeqAs93OU11ihCCMiNzUaRAS"
HTTP = "traefik.http."


def read(services: dict[str, dict[str, str]]) -> Labelled:
    model = model_of({n: {"image": "x", "labels": _escaped(labels)} for n, labels in services.items()})
    return labelled_routes(tuple(model.services.values()))


def _escaped(labels: dict[str, str]) -> dict[str, Any]:
    """As Compose prints them."""
    return {k: v.replace("$", "$$") for k, v in labels.items()}


def one(middlewares: dict[str, str], used: str = "m", **router: str) -> Labelled:
    """A router for a.test on web, with these middlewares."""
    return read(
        {
            "web": {
                HTTP + "routers.r.rule": "Host(`a.test`)",
                HTTP + "routers.r.middlewares": used,
                HTTP + "services.s.loadbalancer.server.port": "80",
                **{f"{HTTP}routers.r.{key}": value for key, value in router.items()},
                **{f"{HTTP}middlewares.{key}": value for key, value in middlewares.items()},
            }
        }
    )


TAKEN: list[tuple[dict[str, str], RouteOptions]] = [
    ({"m.stripprefix.prefixes": "/api, /v1/"}, RouteOptions(strip=("/api", "/v1"))),
    ({"m.stripPrefix.prefixes[0]": "/api", "m.stripPrefix.prefixes[1]": "/v1"}, RouteOptions(strip=("/api", "/v1"))),
    ({"m.addprefix.prefix": "/v1"}, RouteOptions(add="/v1")),
    (
        {
            "m.redirectregex.regex": r"^https?://www\.a\.test/(.*)",
            "m.redirectregex.replacement": "http://a.test/${1}",
            "m.redirectregex.permanent": "true",
        },
        RouteOptions(redirect=Redirect("", r"^https?://www\.a\.test/(.*)", "http://a.test/${1}", True)),
    ),
    (
        {"m.headers.customrequestheaders.X-Script-Name": "test", "m.headers.customResponseHeaders.X-B": ""},
        RouteOptions(request_headers=(("X-Script-Name", "test"),), response_headers=(("X-B", ""),)),
    ),
    (
        {"m.headers.framedeny": "true", "m.headers.contentTypeNosniff": "true"},
        RouteOptions(response_headers=(("X-Frame-Options", "DENY"), ("X-Content-Type-Options", "nosniff"))),
    ),
    (
        {
            "m.headers.accesscontrolalloworiginlist": "https://shop.test,https://b.test",
            "m.headers.accesscontrolallowmethods": "GET,PUT",
            "m.headers.accesscontrolmaxage": "100",
            "m.headers.addvaryheader": "true",
        },
        RouteOptions(cors=Cors(("https://shop.test", "https://b.test"), ("GET", "PUT"), max_age_s=100)),
    ),
    ({"m.basicauth.users": USER}, RouteOptions(auth=BasicAuth((USER,)))),
    (
        {"m.basicauth.users": f"{USER},{USER}", "m.basicauth.removeheader": "true"},
        RouteOptions(auth=BasicAuth((USER, USER), hide=True)),
    ),
    (
        {"m.ratelimit.average": "100", "m.ratelimit.period": "1m", "m.ratelimit.burst": "50"},
        RouteOptions(rate=RateLimit(100, 60.0, 50)),
    ),
    ({"m.ratelimit.average": "5"}, RouteOptions(rate=RateLimit(5, 1.0, 1))),
    ({"m.compress": "true"}, RouteOptions(compress=True)),
    ({"m.compress": "false"}, RouteOptions()),
    (
        {"m.ipallowlist.sourcerange": "10.0.0.0/8, 192.168.1.7", "m.ipallowlist.ipstrategy.depth": "0"},
        RouteOptions(allowed=Allowed(("10.0.0.0/8", "192.168.1.7"))),
    ),
    ({"m.ipwhitelist.sourcerange": "10.0.0.0/8"}, RouteOptions(allowed=Allowed(("10.0.0.0/8",)))),
    ({"m.buffering.maxRequestBodyBytes": "2000000"}, RouteOptions(body_bytes=2_000_000)),
    ({"m.retry.attempts": "4", "m.retry.initialinterval": "100ms"}, RouteOptions(retries=Retries(4, 0.1))),
    ({"m.chain.middlewares": "x,y@docker", "x.addprefix.prefix": "/v1", "y.compress": "true"},
     RouteOptions(add="/v1", compress=True)),
    (
        {"m.errors.status": "404,500-599", "m.errors.service": "s", "m.errors.query": "/{status}.html"},
        RouteOptions(errors=(ErrorPage(("404", "500-599"), "web", "/{status}.html", 80),)),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("middlewares", "options"), TAKEN, ids=[next(iter(labels)) for labels, _ in TAKEN])
def test_middlewares_become_options(middlewares: dict[str, str], options: RouteOptions) -> None:
    assert one(middlewares) == Labelled((Route("a.test", "web", 80, options=options),))


NOTED: list[tuple[dict[str, str], str]] = [
    ({"m.stripprefixregex.regex": "/[a-z]+"}, "web: the router r: its middleware m (stripprefixregex) is left out"),
    ({"m.circuitbreaker.expression": "LatencyAtQuantileMS(50.0) > 100"}, "(circuitbreaker) is left out"),
    ({"m.plugin.cache.ttl": "5"}, "(plugin) is left out"),
    ({"m.headers.stsseconds": "315360000"}, "(headers.stsseconds) is left out"),
    ({"m.headers.customrequestheaders.X-A": "a\nb"}, "is left out: 'a\\nb' is not the value of a header"),
    ({"m.headers.customrequestheaders.Connection": "close"}, "belongs to the connection"),
    ({"m.stripprefix.prefixes": "/a`b"}, "is not a path"),
    ({"m.addprefix.prefix": "v1"}, "is not a path"),
    ({"m.redirectregex.regex": "(?=x)", "m.redirectregex.replacement": "y"}, "do not know"),
    ({"m.redirectregex.regex": "(", "m.redirectregex.replacement": "y"}, "is not a regular expression"),
    ({"m.redirectregex.regex": "x", "m.redirectregex.replacement": "{{ env }}"}, "a template is no address"),
    ({"m.ratelimit.average": "5", "m.ratelimit.period": "soon"}, "'soon' is not a duration"),
    ({"m.errors.status": "404", "m.errors.service": "other", "m.errors.query": "/"}, "no label defines its service"),
    ({"m.errors.status": "9", "m.errors.service": "s", "m.errors.query": "/"}, "'9' is not a status"),
    ({}, "its middleware m is left out, as no label of this project defines it"),
    ({"m.chain.middlewares": "m"}, "(chain) is left out"),
]


@pytest.mark.parametrize(("middlewares", "note"), NOTED, ids=[str(n) for n in range(len(NOTED))])
def test_what_is_left_out_is_said(middlewares: dict[str, str], note: str) -> None:
    found = one(middlewares)
    assert found.routes == (Route("a.test", "web", 80),)
    assert len(found.notes) == 1
    assert note in found.notes[0]
    assert found.problems == ()


GUARDS: list[tuple[dict[str, str], str]] = [
    ({"m.forwardauth.address": "http://authelia:9091"}, "m"),
    ({"m.digestauth.users": "a:b:c"}, "m"),
    ({"m.basicauth.usersfile": "/users"}, "m"),
    ({"m.basicauth.users": "ana:secret"}, "m"),
    ({"m.ipallowlist.sourcerange": "all"}, "m"),
    ({"m.ipallowlist.sourcerange": "10.0.0.0/8", "m.ipallowlist.ipstrategy.depth": "2"}, "m"),
    ({"m.ipallowlist.ipstrategy.depth": "2"}, "m"),
    ({"m.ipallowlist.sourcerange": "10.0.0.0/8", "m.ipallowlist.ipstrategy.excludedips": "172.16.0.1"}, "m"),
    ({"m.plugin.keycloakopenid.url": "x"}, "m"),
    ({}, "authelia@docker"),
    ({}, "chain-oauth@file"),
    ({"m.chain.middlewares": "gzip,auth@file"}, "m"),
]


@pytest.mark.parametrize(("middlewares", "used"), GUARDS, ids=[str(n) for n in range(len(GUARDS))])
def test_what_would_be_open_without_its_guard_is_refused(middlewares: dict[str, str], used: str) -> None:
    found = one(middlewares, used)
    assert found.routes == ()
    assert [p.code for p in found.problems] == ["label_unprotected"]
    assert "secret" not in str(found)


PORT = {HTTP + "services.s.loadbalancer.server.port": "80"}
WEB = Route("a.test", "web", 80)
SHAPES: list[tuple[str, dict[str, dict[str, str]], list[Route], list[str]]] = [
    ("no labels", {"web": {}}, [], []),
    ("other labels", {"web": {"traefik.enable": "true", "x": "traefik.http.routers.r.rule"}}, [], []),
    ("names of any case", {"web": {
        "Traefik.HTTP.Routers.R.Rule": "Host(`a.test`)", "traefik.http.services.S.loadBalancer.server.port": "80"}},
     [WEB], []),
    ("TLS", {"web": {**PORT, HTTP + "routers.r.rule": "Host(`a.test`)", HTTP + "routers.r.entrypoints": "websecure",
                     HTTP + "routers.r.tls.certresolver": "le"}}, [WEB], ["TLS of Traefik's labels"]),
    ("http sends to https", {"web": {
        **PORT,
        HTTP + "routers.plain.rule": "Host(`a.test`)",
        HTTP + "routers.plain.entrypoints": "web",
        HTTP + "routers.plain.middlewares": "to-tls",
        HTTP + "middlewares.to-tls.redirectscheme.scheme": "https",
        HTTP + "routers.safe.rule": "Host(`a.test`)",
        HTTP + "routers.safe.tls": "true",
        HTTP + "routers.safe.middlewares": "auth",
        HTTP + "middlewares.auth.basicauth.users": USER}},
     [replace(WEB, options=RouteOptions(auth=BasicAuth((USER,))))], ["TLS of Traefik's labels"]),
    ("http sends to https, and nothing else is there", {"web": {
        **PORT,
        HTTP + "routers.r.rule": "Host(`a.test`)",
        HTTP + "routers.r.middlewares": "to-tls",
        HTTP + "middlewares.to-tls.redirectscheme.scheme": "https"}}, [WEB], ["the router r sends people to https"]),
    ("a closed entry point", {"web": {
        **PORT, HTTP + "routers.r.rule": "Host(`a.test`)", HTTP + "routers.r.entrypoints": "metrics"}},
     [], ["web: the router r is left out: the edge has no entry point metrics"]),
    ("one of its entry points", {"web": {
        **PORT, HTTP + "routers.r.rule": "Host(`a.test`)", HTTP + "routers.r.entrypoints": "metrics,web"}}, [WEB], []),
    ("two routers on one service", {"web": {
        **PORT,
        HTTP + "routers.r.rule": "Host(`a.test`)",
        HTTP + "routers.q.rule": "Host(`a.test`) && PathPrefix(`/x`)",
        HTTP + "routers.q.service": "s"}},
     [WEB, Route("a.test", "web", 80, "/x", 0, RouteOptions("prefix"))], []),
    ("a route and a socket on two ports", {"app": {
        HTTP + "routers.web.rule": "Host(`a.test`)",
        HTTP + "routers.socket.rule": "Host(`a.test`) && PathPrefix(`/_event`)",
        HTTP + "routers.socket.priority": "100",
        HTTP + "services.web.loadbalancer.server.port": "3000",
        HTTP + "services.socket.loadbalancer.server.port": "8000"}},
     [Route("a.test", "app", 3000, "/", 1), Route("a.test", "app", 8000, "/_event", 2, RouteOptions("prefix"))],
     ["app: the router web names none of web, socket: linked to the service web",
      "app: the router socket names none of web, socket: linked to the service socket"]),
    ("a service of another container", {
        "web": {HTTP + "routers.r.rule": "Host(`a.test`)", HTTP + "routers.r.service": "s@docker"},
        "api": PORT}, [Route("a.test", "api", 80)], []),
    ("a middleware of another container", {
        "web": {**PORT, HTTP + "routers.r.rule": "Host(`a.test`)", HTTP + "routers.r.middlewares": "add@docker"},
        "api": {HTTP + "middlewares.add.addprefix.prefix": "/v1"}},
     [replace(WEB, options=RouteOptions(add="/v1"))], []),
    ("how the service is spoken to", {"web": {
        **PORT,
        HTTP + "routers.r.rule": "Host(`a.test`)",
        HTTP + "services.s.loadbalancer.server.scheme": "h2c",
        HTTP + "services.s.loadbalancer.sticky.cookie.name": "seat",
        HTTP + "services.s.loadbalancer.sticky.cookie.secure": "true",
        HTTP + "services.s.loadbalancer.healthcheck.path": "/up"}},
     [replace(WEB, options=RouteOptions(protocol="h2c", sticky=Sticky("seat", secure=True, same_site="")))],
     ["web: loadbalancer.healthcheck.path of the service s is left out"]),
    ("the proxy's own page", {"proxy": {
        HTTP + "routers.d.rule": "Host(`d.test`)", HTTP + "routers.d.service": "api@internal"}}, [], []),
    ("switched off", {"web": {"traefik.enable": "false", HTTP + "routers.r.rule": "Host(`a.test`)"}}, [], []),
    ("no rule", {"web": {**PORT, HTTP + "routers.r.tls": "true"}}, [],
     ["web: the router r is left out: it has no rule"]),
    ("a rule that cannot be kept", {"web": {**PORT, HTTP + "routers.r.rule": "Host(`a.test`) && PathRegexp(`x`)"}},
     [], ["web: the router r is left out: of its rule 'Host(`a.test`) && PathRegexp(`x`)', PathRegexp is not known"]),
    ("TCP and UDP", {"web": {"traefik.tcp.routers.t.rule": "HostSNI(`*`)"}}, [],
     ["web: traefik.tcp.routers.t.rule is left out: the edge serves HTTP alone"]),
    ("a number that is none", {"web": {
        HTTP + "routers.r.rule": "Host(`a.test`)", HTTP + "routers.r.priority": "9" * 30,
        HTTP + "services.s.loadbalancer.server.port": "٣٠٠٠٠٠٠"}}, [Route("a.test", "web", 0)], []),
]  # fmt: skip


@pytest.mark.parametrize(("services", "routes", "notes"), [s[1:] for s in SHAPES], ids=[s[0] for s in SHAPES])
def test_shapes(services: dict[str, dict[str, str]], routes: list[Route], notes: list[str]) -> None:
    found = read(services)
    assert list(found.routes) == routes
    assert len(found.notes) == len(notes)
    assert all(told.startswith(note) for told, note in zip(found.notes, notes, strict=True)), found.notes
    assert found.problems == ()
