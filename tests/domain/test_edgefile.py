"""The edge's file: names, rules, priorities, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from windlass.domain.edgedocument import EdgeFile
from windlass.domain.edgefile import (
    EdgeApp,
    EdgeRoute,
    EdgeServer,
    dump_edge_app,
    edge_file,
    read_edge_app,
    service_name,
)
from windlass.domain.errors import Refused

SERVER = EdgeServer("10.213.0.2", 8000)
OLD = EdgeServer("10.213.1.2", 8000)
ROUTE = EdgeRoute(("shop.example.com",), "/", 0, "web", (SERVER,))


def http(app: EdgeApp) -> Any:
    return json.loads(edge_file(app).text())["http"]


def router(route: EdgeRoute) -> Any:
    return http(EdgeApp("shop", 7, (route,)))["routers"]["shop-1"]


def test_the_whole_file() -> None:
    assert http(EdgeApp("shop", 7, (ROUTE,))) == {
        "routers": {
            "shop-1": {
                "rule": "(Host(`shop.example.com`))",
                "priority": 40_000_001,
                "service": "shop-web-r7",
                "entryPoints": ["web"],
            }
        },
        "services": {
            "shop-web-r7": {
                "loadBalancer": {
                    "servers": [{"url": "http://10.213.0.2:8000"}],
                    "serversTransport": "shop",
                    "passHostHeader": True,
                }
            }
        },
        "serversTransports": {
            "shop": {
                "maxIdleConnsPerHost": 64,
                "forwardingTimeouts": {
                    "dialTimeout": "1s",
                    "responseHeaderTimeout": "0s",
                    "idleConnTimeout": "250ms",
                },
            }
        },
    }


BARE = r"HostRegexp(`^(localhost|[0-9.]+|\[?[0-9a-f:]+\]?)$`)"
RULES = [
    (("a.example.com",), "/", "(Host(`a.example.com`))"),
    (("A.Example.com",), "/", "(Host(`a.example.com`))"),
    (("10.0.0.1",), "/", "(Host(`10.0.0.1`))"),
    (("a.test", "b.test"), "/x", "(Host(`a.test`) || Host(`b.test`)) && (Path(`/x`) || PathPrefix(`/x/`))"),
    (("a.test",), "/x/", "(Host(`a.test`)) && PathPrefix(`/x/`)"),
    (("*.a.test",), "/", r"(HostRegexp(`^[a-z0-9-]+\.a\.test$`))"),
    ((), "/", f"({BARE})"),
    ((), "/_event", f"({BARE}) && (Path(`/_event`) || PathPrefix(`/_event/`))"),
]


@pytest.mark.parametrize(("hosts", "path", "rule"), RULES)
def test_rule(hosts: tuple[str, ...], path: str, rule: str) -> None:
    assert router(replace(ROUTE, hosts=hosts, path=path))["rule"] == rule


def test_the_more_specific_route_goes_first() -> None:
    weakest_first = [
        replace(ROUTE, hosts=()),
        replace(ROUTE, hosts=(), path="/_event"),
        replace(ROUTE, hosts=(), priority=9_999_999),
        replace(ROUTE, hosts=("*.a.test",)),
        replace(ROUTE, hosts=("*.a.test",), path="/" + "x" * 1000),
        replace(ROUTE, hosts=("a.test",)),
        replace(ROUTE, hosts=("a.test",), path="/a"),
        replace(ROUTE, hosts=("a.test",), path="/a/b"),
        replace(ROUTE, hosts=("a.test",), path="/", priority=1),
        replace(ROUTE, hosts=("a.test",), path="/", priority=2),
    ]
    found = [router(route)["priority"] for route in weakest_first]
    assert found == sorted(set(found))
    assert found[0] == 1


HOSTILE = [
    {"hosts": ("a`) || PathPrefix(`/",)},
    {"hosts": ("a.test`)",)},
    {"hosts": ("a b",)},
    {"hosts": ("*.*.test",)},
    {"hosts": ("",)},
    {"path": "/`) || PathPrefix(`/"},
    {"path": "x"},
    {"path": ""},
    {"path": "/{{ env `HOME` }}"},
    {"path": "/a\n"},
    {"path": "/" + "x" * 2000},
    {"service": "web@internal"},
    {"service": "we b"},
    {"servers": ()},
    {"servers": (EdgeServer("evil.example.com", 80),)},
    {"servers": (EdgeServer("10.0.0.1", 0),)},
    {"servers": (EdgeServer("fe80::1%eth0", 80),)},
    {"fallback": (EdgeServer("10.0.0.1/x", 80),)},
]


@pytest.mark.parametrize("change", HOSTILE)
def test_what_would_break_out_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(Refused) as refused:
        edge_file(EdgeApp("shop", 7, (replace(ROUTE, **change),)))
    assert [d.code for d in refused.value.details] == ["route_invalid"]


def test_every_reason_at_once() -> None:
    with pytest.raises(Refused) as refused:
        edge_file(EdgeApp("shop`", 7, (replace(ROUTE, path="x", hosts=("`",)), replace(ROUTE, servers=()))))
    assert len(refused.value.details) == 4


def test_an_app_without_routes_is_refused() -> None:
    with pytest.raises(Refused):
        edge_file(EdgeApp("shop", 7, ()))


def test_services_are_shared_by_routes_and_told_apart_by_port() -> None:
    other = replace(ROUTE, path="/_event", servers=(EdgeServer("10.213.0.2", 9000),))
    found = http(EdgeApp("shop", 7, (ROUTE, replace(ROUTE, hosts=()), other)))
    assert [r["service"] for r in found["routers"].values()] == ["shop-web-r7", "shop-web-r7", "shop-web-r7.2"]
    assert found["services"]["shop-web-r7.2"]["loadBalancer"]["servers"] == [{"url": "http://10.213.0.2:9000"}]


def test_names_of_different_apps_never_meet() -> None:
    names = [
        service_name("shop", "web-x", 7),
        service_name("shop-web", "x", 7),
        service_name("shop", "web", 77),
        service_name("shop@staging", "web-x", 7),
    ]
    assert len(set(names)) == len(names)
    assert "@" not in "".join(names)


def test_ipv6_server() -> None:
    found = http(EdgeApp("shop", 7, (replace(ROUTE, servers=(EdgeServer("fd00::2", 80),)),)))
    assert found["services"]["shop-web-r7"]["loadBalancer"]["servers"] == [{"url": "http://[fd00::2]:80"}]


def test_an_unknown_key_does_not_pass() -> None:
    text = edge_file(EdgeApp("shop", 7, (ROUTE,))).text()
    assert EdgeFile.model_validate_json(text) == edge_file(EdgeApp("shop", 7, (ROUTE,)))
    with pytest.raises(ValueError, match="extra_forbidden|Extra inputs"):
        EdgeFile.model_validate_json(text.replace('"rule"', '"ruel"'))


def test_the_kept_form_comes_back_as_it_was() -> None:
    app = EdgeApp("shop@staging", 7, (replace(ROUTE, fallback=(OLD,)), replace(ROUTE, hosts=())), 6)
    assert read_edge_app(dump_edge_app(app)) == app
    for broken in ("", "{}", "[1]", dump_edge_app(app)[:-20]):
        with pytest.raises(Refused):
            read_edge_app(broken)


GUARDED = EdgeApp(
    "shop", 7, (replace(ROUTE, fallback=(OLD,)), replace(ROUTE, hosts=(), path="/api", fallback=(OLD,))), 6
)


def test_in_the_bake_the_old_generation_stands_behind_the_new_one() -> None:
    found = http(GUARDED)
    routers, services = found["routers"], found["services"]
    assert list(routers) == ["shop-1", "shop-1.once", "shop-2", "shop-2.once"]
    repeating, once = routers["shop-1"], routers["shop-1.once"]
    assert repeating["rule"].startswith(f"({once['rule']}) && (Method(`GET`)")
    assert repeating["priority"] == once["priority"] + 1
    assert services[repeating["service"]]["failover"] == {
        "service": "shop-web-r7",
        "fallback": "shop-web-r6",
        "errors": {"status": ["502", "504"], "maxRequestBodyBytes": -1},
    }
    assert "middlewares" not in repeating
    assert once["middlewares"] == list(found["middlewares"])
    behind = services[once["service"]]["failover"]
    assert (behind["fallback"], "errors" in behind) == ("shop-web-r6", False)
    assert services[behind["service"]]["loadBalancer"]["passiveHealthCheck"]["maxFailedAttempts"] == 3
    assert services["shop-web-r6"]["loadBalancer"]["servers"] == [{"url": "http://10.213.1.2:8000"}]
    assert services["shop-web-r7"]["loadBalancer"].keys() == {"servers", "serversTransport", "passHostHeader"}
    assert found["serversTransports"]["shop"]["forwardingTimeouts"]["dialTimeout"] == "250ms"


def test_replicas_answer_for_each_other() -> None:
    found = http(EdgeApp("shop", 7, (replace(ROUTE, servers=(SERVER, OLD)), replace(ROUTE, path="/one"))))
    assert found["routers"]["shop-1"]["middlewares"] == ["shop.replicas"]
    assert "middlewares" not in found["routers"]["shop-2"]
    assert found["middlewares"] == {"shop.replicas": {"retry": {"attempts": 6, "initialInterval": "20ms"}}}
    assert found["serversTransports"]["shop"]["forwardingTimeouts"]["dialTimeout"] == "250ms"


def test_priorities_of_guarded_routes_leave_room_for_each_other() -> None:
    paths = [replace(ROUTE, path=path, fallback=(OLD,)) for path in ("/", "/a", "/ab", "/ab/c")]
    routers = http(EdgeApp("shop", 7, tuple(paths), 6))["routers"]
    found = [router["priority"] for name, router in routers.items() if not name.endswith(".once")]
    below = [router["priority"] for name, router in routers.items() if name.endswith(".once")]
    assert sorted(found + below) == [p for pair in zip(below, found, strict=True) for p in pair]
    assert len(set(found + below)) == 8


def test_without_a_release_to_fall_back_to_there_is_nothing_behind() -> None:
    assert list(http(replace(GUARDED, fallback_release=None))["routers"]) == ["shop-1", "shop-2"]
