"""`routes:` of windlass.yaml: every key, its mistakes, and what never reaches the edge."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.domain.samples import model_of

from windlass.domain.edgefile import EdgeApp, EdgePage, EdgeRoute, EdgeServer, Maintenance, edge_file
from windlass.domain.errors import Refused
from windlass.domain.manifestfile import parse_manifest
from windlass.domain.placement import place
from windlass.domain.release import Route
from windlass.domain.routeoptions import (
    PLAIN,
    Allowed,
    BasicAuth,
    Condition,
    Cors,
    ErrorPage,
    RateLimit,
    Redirect,
    Retries,
    RouteOptions,
    Sticky,
)
from windlass.domain.routing import Routing, routes_from_manifest, with_users

USER = "ana:$2y$05$G1ZxlyQVXzvpw2JgE6a2s.r5bnzwLBeqAs93OU11ihCCMiNzUaRAS"


def routes_of(rule: str) -> tuple[Route, ...]:
    return parse_manifest(f"routes:\n  - {{host: a.test, service: web, {rule}}}\n").route_list() or ()


KEYS: list[tuple[str, RouteOptions]] = [
    ("port: 80", PLAIN),
    ("path: /api, strip_prefix: true", RouteOptions(strip=("/api",))),
    ("strip_prefix: /api/", RouteOptions(strip=("/api",))),
    ("strip_prefix: [/api, /v1], add_prefix: /v2", RouteOptions(strip=("/api", "/v1"), add="/v2")),
    ("match: exact", RouteOptions(match="exact")),
    ("protocol: h2c", RouteOptions(protocol="h2c")),
    (
        "headers: {request: {X-A: 1, X-B: ''}, response: {X-C: true}}",
        RouteOptions(request_headers=(("X-A", "1"), ("X-B", "")), response_headers=(("X-C", "true"),)),
    ),
    (
        "security_headers: true",
        RouteOptions(
            response_headers=(
                ("X-Frame-Options", "SAMEORIGIN"),
                ("X-Content-Type-Options", "nosniff"),
                ("Referrer-Policy", "strict-origin-when-cross-origin"),
            )
        ),
    ),
    (
        "security_headers: {frame: DENY, sniffing: '', referrer: '', content: \"default-src 'self'\"}",
        RouteOptions(response_headers=(("X-Frame-Options", "DENY"), ("Content-Security-Policy", "default-src 'self'"))),
    ),
    ("security_headers: false", PLAIN),
    ("cors: {origins: https://b.test}", RouteOptions(cors=Cors(("https://b.test",)))),
    (
        "cors: {origins: [https://b.test], methods: GET, headers: [X-A], expose: X-B, credentials: true, max_age: 1h}",
        RouteOptions(cors=Cors(("https://b.test",), ("GET",), ("X-A",), ("X-B",), True, 3600)),
    ),
    ("compress: true", RouteOptions(compress=True)),
    (f"basic_auth: {{users: ['{USER}'], realm: r, hide: true}}", RouteOptions(auth=BasicAuth((USER,), "", "r", True))),
    ("basic_auth: {users_from: USERS}", RouteOptions(auth=BasicAuth((), "USERS"))),
    (
        "allow: {from: [10.0.0.0/8, '::1']}",
        RouteOptions(allowed=Allowed(("10.0.0.0/8", "::1/128"))),
    ),
    ("rate_limit: {requests: 100}", RouteOptions(rate=RateLimit(100, 1.0, 100))),
    ("rate_limit: {requests: 100, per: 1m, burst: 5}", RouteOptions(rate=RateLimit(100, 60.0, 5))),
    ("body_limit: 10MiB", RouteOptions(body_bytes=10 << 20)),
    ("timeout: 1m30s", RouteOptions(answer_within_s=90.0)),
    ("sticky: true", RouteOptions(sticky=Sticky())),
    (
        "sticky: {cookie: seat, max_age: 1h, secure: true, same_site: none}",
        RouteOptions(sticky=Sticky("seat", 3600, True, "none")),
    ),
    (
        "errors: [{status: 404, service: web, path: /404.html}, {status: [500-599], service: web, port: 8080}]",
        RouteOptions(
            errors=(ErrorPage(("404",), "web", "/404.html"), ErrorPage(("500-599",), "web", "/{status}.html", 8080))
        ),
    ),
    ("retry: true", RouteOptions(retries=Retries(3, 0.1))),
    ("retry: {attempts: 5, every: 1s}", RouteOptions(retries=Retries(5, 1.0))),
]


@pytest.mark.parametrize(("rule", "options"), KEYS, ids=[rule[:40] for rule, _ in KEYS])
def test_keys(rule: str, options: RouteOptions) -> None:
    (route,) = routes_of(rule)
    assert (route.host, route.service, route.options) == ("a.test", "web", options)


def test_several_hosts_and_others_that_are_sent_there() -> None:
    text = """
routes:
  - host: [Shop.test, m.shop.test]
    path: /a
    service: web
    redirect: {from: [www.shop.test, Old.test], permanent: false}
"""
    to = RouteOptions(redirect=Redirect("shop.test", permanent=False))
    assert parse_manifest(text).route_list() == (
        Route("Shop.test", "web", 0, "/a"),
        Route("m.shop.test", "web", 0, "/a"),
        Route("www.shop.test", "web", 0, "/", 0, to),
        Route("old.test", "web", 0, "/", 0, to),
    )


MISTAKES: list[tuple[str, str]] = [
    ("strip_prefx: true", "unknown key `strip_prefx`; did you mean `strip_prefix`?"),
    ("headers: {reqest: {X: y}}", "unknown key `reqest`; did you mean `request`?"),
    ("errors: [{status: 404, service: web, pth: /}]", "unknown key `pth`; did you mean `path`?"),
    ("allow: {frm: 10.0.0.0/8}", "did you mean `from`?"),
    ("redirect: {frm: b.test}", "did you mean `from`?"),
    ("cors: {origns: '*'}", "did you mean `origins`?"),
    ("sticky: {cooky: x}", "did you mean `cookie`?"),
    ("strip_prefix: true", "has nothing to take off"),
    ("strip_prefix: [/a`b]", "is not a path such as /api"),
    ("add_prefix: 'v1'", "is not a path such as /api"),
    ("headers: {request: {'X A': b}}", "is not the name of a header"),
    ('headers: {request: {X-A: "a\\nb"}}', "is not the value of a header"),
    ("headers: {response: {Content-Length: 5}}", "is the edge's own affair"),
    ("cors: {origins: shop.test}", "is not an origin"),
    ("cors: {origins: '*', credentials: true}", "every origin is named"),
    ("redirect: {from: a.test}", "would send a host of this route to itself"),
    ("redirect: {from: []}", "must not be empty"),
    ("redirect: {from: 'b.test`)'}", "is not a host name"),
    ("basic_auth: {}", "needs `users` or `users_from`"),
    ("basic_auth: {users: 'ana:secret'}", "never with the password itself"),
    ("basic_auth: {users_from: 'A-B'}", "cannot be the name of a variable"),
    ("allow: {from: somewhere}", "is not an address or a network"),
    ("allow: {from: []}", "must not be empty"),
    ("rate_limit: {requests: 0}", "greater than or equal to 1"),
    ("rate_limit: {requests: 5, per: 0}", "greater than 0"),
    ("body_limit: much", "is not a size"),
    ("timeout: soon", "is not a duration"),
    ("sticky: {cookie: 'a b'}", "is not the name of a cookie"),
    ("errors: [{status: 200, service: web}]", "is not a status such as 404"),
    ("errors: [{status: 599-500, service: web}]", "is not a status such as 404"),
    ("errors: [{status: 404, service: web, path: '/{{x}}'}]", "is not the path of a page"),
    ("retry: {attempts: 1}", "greater than or equal to 2"),
    ("match: regex", "must be 'below', 'exact' or 'prefix'"),
    ("protocol: ftp", "must be 'http', 'https' or 'h2c'"),
]


@pytest.mark.parametrize(("rule", "said"), MISTAKES, ids=[rule[:40] for rule, _ in MISTAKES])
def test_mistakes(rule: str, said: str) -> None:
    with pytest.raises(Refused) as refused:
        routes_of(rule)
    told = " ".join(detail.message for detail in refused.value.details)
    assert said in told
    assert told.startswith("windlass.yaml:2:")
    assert "secret" not in told


def test_every_mistake_at_once() -> None:
    with pytest.raises(Refused) as refused:
        routes_of("timeout: soon, compres: true, headers: {request: {'X A': b}}, rate_limit: {}")
    assert len(refused.value.details) == 4


# --- users of a variable, error pages ---------------------------------------------------------------------------------


def test_users_of_a_variable() -> None:
    (route,) = routes_of(f"basic_auth: {{users: ['{USER}'], users_from: USERS}}")
    other = USER.replace("ana", "bob")
    found = with_users([route], {"USERS": f"\n{other}\n\n"})
    assert found.problems == ()
    assert found.routes[0].options.auth == BasicAuth((USER, other))
    missing = with_users([route], {})
    assert [p.code for p in missing.problems] == ["route_users_missing"]


def written(rule: str) -> Routing:
    model = model_of({"web": {"build": {"context": "/p"}, "ports": ["80"]}, "pages": {"build": {"context": "/p"}}})
    return routes_from_manifest(routes_of(rule), model, place(model).placements, {})


def test_a_password_in_a_variable_is_refused_and_not_repeated() -> None:
    (route,) = routes_of("basic_auth: {users_from: USERS}")
    model = model_of({"web": {"build": {"context": "/p"}, "ports": ["80"]}})
    full = with_users([route], {"USERS": "ana:secret"})
    found = routes_from_manifest(full.routes, model, place(model).placements, {})
    assert [p.name for p in found.problems] == ["routes[0].basic_auth.users"]
    assert "secret" not in str(found.problems)


def test_where_error_pages_come_from() -> None:
    known = written("errors: [{status: 404, service: web}]").routes[0].options.errors
    assert known == (ErrorPage(("404",), "web", "/{status}.html", 80),)
    assert [p.code for p in written("errors: [{status: 404, service: pages}]").problems] == ["route_port_unknown"]
    assert [p.code for p in written("errors: [{status: 404, service: x}]").problems] == ["route_service_unknown"]


# --- whatever is said, the edge's document keeps its form -------------------------------------------------------------

EVIL = ["x`) || Host(`evil.test", "a\nb", "a\x00b", "\u2028", "ü"]
PLACES = [
    lambda text: RouteOptions(strip=(f"/{text}",)),
    lambda text: RouteOptions(add=f"/{text}"),
    lambda text: RouteOptions(request_headers=((text, "v"),)),
    lambda text: RouteOptions(conditions=(Condition("Header", ("X-A", text)),)),
    lambda text: RouteOptions(conditions=(Condition("Method", (text,)),)),
    lambda text: RouteOptions(conditions=(Condition("ClientIP", (text,)),)),
    lambda text: RouteOptions(conditions=(Condition("Path", (f"/{text}",)),)),
    lambda text: RouteOptions(conditions=(Condition("Host", (text,)),)),
    lambda text: RouteOptions(redirect=Redirect(text)),
    lambda text: RouteOptions(cors=Cors((text,))),
    lambda text: RouteOptions(cors=Cors(("*",), (text,))),
    lambda text: RouteOptions(auth=BasicAuth((text,))),
    lambda text: RouteOptions(allowed=Allowed((text,))),
    lambda text: RouteOptions(sticky=Sticky(text)),
    lambda text: RouteOptions(errors=(ErrorPage((text,), "web", "/", 80),)),
    lambda text: RouteOptions(errors=(ErrorPage(("404",), text, "/", 80),)),
    lambda text: RouteOptions(errors=(ErrorPage(("404",), "web", f"/{text}", 80),)),
]
SERVER = EdgeServer("10.213.0.2", 8000)


def app_with(options: RouteOptions, **more: Any) -> EdgeApp:
    pages = tuple(EdgePage(page, (SERVER,)) for page in options.errors)
    return EdgeApp("shop", 7, (EdgeRoute(("a.test",), "/", 0, "web", (SERVER,), (), options, pages),), **more)


@pytest.mark.parametrize("text", EVIL)
@pytest.mark.parametrize("number", range(len(PLACES)))
def test_what_could_break_out_is_refused(number: int, text: str) -> None:
    with pytest.raises(Refused):
        edge_file(app_with(PLACES[number](text)))


def test_networks_of_a_maintenance_are_checked() -> None:
    with pytest.raises(Refused):
        edge_file(app_with(PLAIN, maintenance=Maintenance(("everybody",))))


def test_a_template_is_no_template() -> None:
    text = edge_file(app_with(RouteOptions(response_headers=(("X-A", '{{ env "X" }}{{{'),)))).text()
    assert "{{" not in text
    (middleware,) = json.loads(text)["http"]["middlewares"].values()
    assert middleware["headers"]["customResponseHeaders"] == {"X-A": '{{ env "X" }}{{{'}


def test_names_of_middlewares_tell_release_and_content() -> None:
    def names(release: int, options: RouteOptions) -> set[str]:
        app = EdgeApp("shop", release, (EdgeRoute(("a.test",), "/", 0, "web", (SERVER,), (), options),))
        return set(json.loads(edge_file(app).text())["http"]["middlewares"])

    one, other = RouteOptions(add="/one"), RouteOptions(add="/two")
    assert len(names(1, one) | names(2, one) | names(1, other)) == 3
    assert names(1, one) == names(1, one)
