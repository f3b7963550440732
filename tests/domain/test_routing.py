"""Default routes, written routes, and hosts that belong to somebody else."""

from typing import Any

import pytest
from tests.domain.samples import model_of

from windlass.domain.imagehints import ImageHints
from windlass.domain.placement import place
from windlass.domain.release import Route
from windlass.domain.routeoptions import RouteOptions
from windlass.domain.routing import Routing, by_precedence, default_routes, routes_from_manifest, taken_hosts

BUILD = {"build": {"context": "/p"}}
DB = {"image": "postgres:16"}
WHOLE_PREFIX = RouteOptions(match="prefix")


def defaults(services: dict[str, Any], hints: dict[str, ImageHints] | None = None) -> Routing:
    model = model_of(services)
    return default_routes(model, place(model, images=hints).placements, hints or {})


DEFAULTS: list[tuple[str, dict[str, Any], list[Route]]] = [
    ("one HTTP service", {"api": {**BUILD, "expose": ["8000"]}, "db": DB}, [Route("", "api", 8000)]),
    ("the one with ports", {"api": {**BUILD, "expose": ["8000"]}, "site": {**BUILD, "ports": ["3000"]}},
     [Route("", "site", 3000)]),
    ("the one with the name", {"backend": {**BUILD, "ports": ["8090"]}, "frontend": {**BUILD, "ports": ["3000:80"]}},
     [Route("", "frontend", 80)]),
    ("web before frontend", {"web": {**BUILD, "ports": ["1"]}, "frontend": {**BUILD, "ports": ["2"]}},
     [Route("", "web", 1)]),
    ("a name among several words", {"shop-web": {**BUILD, "ports": ["81"]}, "shop-api": {**BUILD, "ports": ["82"]}},
     [Route("", "shop-web", 81)]),
    ("names among services without ports", {"web": {**BUILD, "expose": ["81"]}, "api": {**BUILD, "expose": ["82"]}},
     [Route("", "web", 81)]),
    ("the one on the web's own port", {"flask-app": {**BUILD, "ports": ["8000:8000"]},
                                       "outer": {**BUILD, "ports": ["80:8080"]}}, [Route("", "outer", 8080)]),
    ("the one that needs the other", {"backend": {**BUILD, "ports": ["8000"]},
                                      "outer": {**BUILD, "ports": ["8080"], "depends_on": ["backend"]}},
     [Route("", "outer", 8080)]),
    ("proxy labels without a host", {"a": {**BUILD, "ports": ["80"], "labels": {
        "traefik.http.routers.a.rule": "PathPrefix(`/a`)"}}, "b": BUILD},
     [Route("", "a", 80, "/a", options=WHOLE_PREFIX)]),
    ("no HTTP at all", {"worker": BUILD, "db": DB}, []),
    ("proxy labels", {"web": {**BUILD, "labels": {
        "traefik.http.routers.w.rule": "Host(`a.example`) || Host(`b.example`)",
        "traefik.http.services.w.loadbalancer.server.port": "99"}}, "api": {**BUILD, "ports": ["80"]}},
     [Route("a.example", "web", 99), Route("b.example", "web", 99)]),
    ("proxy labels with a path", {"api": {**BUILD, "ports": ["80"], "labels": {
        "traefik.http.routers.a.rule": "Host(`a.example`) && PathPrefix(`/api`)"}}},
     [Route("a.example", "api", 80, "/api", options=WHOLE_PREFIX)]),
    ("the proxy's own page is no route", {"proxy": {"image": "traefik:3", "ports": ["80"], "labels": {
        "traefik.http.routers.d.rule": "Host(`d.example`)", "traefik.http.routers.d.service": "api@internal"}}},
     [Route("", "proxy", 80)]),
    ("switched off labels", {"web": {**BUILD, "ports": ["80"], "labels": {
        "traefik.enable": "false", "traefik.http.routers.w.rule": "Host(`a.example`)"}}}, [Route("", "web", 80)]),
    ("a route variable", {"app": {**BUILD, "environment": {"SERVICE_URL_APP_3000": ""}}, "api": BUILD},
     [Route("", "app", 3000)]),
    ("a route variable with a path", {"app": {**BUILD, "ports": ["80"], "environment": {"SERVICE_FQDN_APP": "/x"}}},
     [Route("", "app", 80, "/x")]),
]  # fmt: skip


@pytest.mark.parametrize(("services", "routes"), [c[1:] for c in DEFAULTS], ids=[c[0] for c in DEFAULTS])
def test_defaults(services: dict[str, Any], routes: list[Route]) -> None:
    routing = defaults(services)
    assert list(routing.routes) == routes
    assert routing.problems == ()


def test_several_candidates_are_a_question() -> None:
    routing = defaults({"blue": {**BUILD, "ports": ["80"]}, "green": {**BUILD, "ports": ["81"]}})
    (question,) = routing.problems
    assert routing.routes == ()
    assert question.code == "route_unclear"
    assert "blue (port 80), green (port 81)" in question.message
    assert "windlass.yaml" in question.fix


def test_the_image_may_know_the_port() -> None:
    services = {"web": BUILD, "db": DB}
    assert [p.code for p in defaults(services).problems] == ["route_port_unknown"]
    assert defaults(services, {"web": ImageHints(ports=(8080,))}).routes == (Route("", "web", 8080),)


MODEL = model_of({"web": {**BUILD, "ports": ["3000"]}, "migrate": BUILD, "worker": BUILD})


def written(*routes: Route) -> Routing:
    return routes_from_manifest(routes, MODEL, place(MODEL).placements, {})


def test_written_routes_are_completed_and_the_default_host_goes_first() -> None:
    routing = written(Route("Shop.Example.COM.", "web", 0), Route("", "web", 8000, "/_event"))
    assert routing.problems == ()
    assert routing.routes == (Route("", "web", 8000, "/_event"), Route("shop.example.com", "web", 3000))


WRONG: list[tuple[Route, str, str]] = [
    (Route("", "wbe", 80), "route_service_unknown", "did you mean web?"),
    (Route("", "migrate", 80), "route_service_unknown", "services are: web, worker"),
    (Route("", "worker", 0), "route_port_unknown", "worker"),
    (Route("a b", "web", 80), "host_invalid", "xn--"),
    (Route("a`) || Host(`b", "web", 80), "host_invalid", "xn--"),
    (Route("*.com*", "web", 80), "host_invalid", "xn--"),
    (Route("", "web", 80, "api"), "path_invalid", "windlass.yaml"),
    (Route("", "web", 80, "/a`) || Host(`b"), "path_invalid", "windlass.yaml"),
]


@pytest.mark.parametrize(("route", "code", "fix"), WRONG)
def test_wrong_routes(route: Route, code: str, fix: str) -> None:
    routing = written(route)
    assert routing.routes == ()
    assert [p.code for p in routing.problems] == [code]
    assert fix in routing.problems[0].fix


def test_every_wrong_route_is_told() -> None:
    assert [p.code for p in written(*(w[0] for w in WRONG)).problems] == [w[1] for w in WRONG]


def test_two_services_for_one_place() -> None:
    routing = written(Route("a.example", "web", 80), Route("A.example", "worker", 80), Route("a.example", "web", 80))
    assert [p.code for p in routing.problems] == ["route_repeated"]


def test_precedence() -> None:
    a, b, c = Route("", "web", 1), Route("", "web", 2, "/api"), Route("", "web", 3, "/x", priority=5)
    assert by_precedence([a, b, c]) == (c, b, a)


def test_hosts_of_other_apps() -> None:
    hosts = ["", "a.example", "b.example", "b.example"]
    routes = [Route(host, "web", 1, f"/{index}") for index, host in enumerate(hosts)]
    owners = {"a.example": "shop", "b.example": "blog", "c.example": "blog"}
    (taken,) = taken_hosts("shop", routes, owners)
    assert taken.code == "host_taken"
    assert "b.example already leads to the app blog" in taken.message
