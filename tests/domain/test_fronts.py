"""An app's hosts and address, which request takes which route, and steps that nothing leads to."""

from __future__ import annotations

import pytest

from windlass.domain.fronts import Front, front_of, route_at
from windlass.domain.manifestfile import parse_manifest
from windlass.domain.release import Route
from windlass.domain.smokeplan import describe_steps, smoke_problems, smoke_steps

OWN = "shop.localhost"

# Routes, the edge's port, what comes of them.
FRONTS: list[tuple[tuple[Route, ...], int, Front]] = [
    ((), 80, Front()),
    ((Route("", "web", 1),), 80, Front("http://shop.localhost", (OWN,))),
    ((Route("", "web", 1),), 8080, Front("http://shop.localhost:8080", (OWN,))),
    ((Route("a.test", "web", 1, "/app"),), 80, Front("http://a.test/app", ("a.test",))),
    ((Route("b.test", "web", 1), Route("", "web", 1)), 80, Front("http://shop.localhost", (OWN, "b.test"))),
    ((Route("*.a.test", "web", 1), Route("b.test", "web", 1)), 80, Front("http://b.test", ("b.test",), ("*.a.test",))),
    ((Route("*.a.test", "web", 1),), 80, Front("", (), ("*.a.test",))),
]


@pytest.mark.parametrize(("routes", "port", "front"), FRONTS)
def test_fronts(routes: tuple[Route, ...], port: int, front: Front) -> None:
    assert front_of(routes, OWN, port) == front


ROUTES = (
    Route("", "web", 1),
    Route("", "api", 2, "/api"),
    Route("", "first", 3, "/api/v1", 7),
    Route("*.a.test", "wild", 4),
)

# Host, path, the service that answers.
TAKEN = [
    (OWN, "/", "web"),
    (OWN, "/api", "api"),
    (OWN, "/api?x=/api/v1", "api"),
    (OWN, "/api/v1/items", "first"),
    (OWN, "/apis", "web"),
    ("x.a.test", "/", "wild"),
    ("x.y.a.test", "/", None),
    ("b.test", "/", None),
]


@pytest.mark.parametrize(("host", "path", "service"), TAKEN)
def test_routes(host: str, path: str, service: str | None) -> None:
    found = route_at(ROUTES, host, path, OWN)
    assert (found.service if found else None) == service


ONE, WILD, BOTH = Front("u", ("a.test",)), Front("", (), ("*.a.test",)), Front("u", ("a.test",), ("*.b.test",))

# Step, the app's front, code and words of the problem.
PROBLEMS = [
    ("{get: /}", ONE, ""),
    ("{get: /, host: a.test}", ONE, ""),
    ("{get: /, host: x.b.test}", BOTH, ""),
    ("{run: [a], service: b}", Front(), ""),
    (
        "{get: /, host: b.test}",
        ONE,
        "smoke_host_unknown: get / asks b.test, which is no host of the app; did you mean a.test?",
    ),
    ("{get: /, host: example.com}", BOTH, "one of a.test, *.b.test"),
    ("{get: /}", WILD, "smoke_host_unknown: get /: the app answers on *.a.test, which is no single host; write `host`"),
    ("{get: /}", Front(), "smoke_no_route: get /: the app has no route"),
]


@pytest.mark.parametrize(("step", "front", "words"), PROBLEMS)
def test_problems(step: str, front: Front, words: str) -> None:
    found = smoke_problems(smoke_steps(parse_manifest(f"verify: {{steps: [{step}]}}").verify), front)
    assert words in "".join(f"{d.code}: {d.message}; {d.fix}" for d in found)
    assert len(found) == bool(words)


def test_what_the_plan_says() -> None:
    steps = """
verify:
  steps:
    - {name: log in, post: /login, form: {a: b}, expect: {status: [200, 302], text: hi, header: {x-a: "1"}}}
    - {websocket: /ws, send: a, expect: {json: {ok: true}, within: 5s}}
    - {run: [python, check.py, $WINDLASS_APP_URL], image: "acme/smoke:1", within: 2m}
    - {get: /slow, retry_for: 1m}
"""
    found = describe_steps(parse_manifest(steps).verify)
    assert [(s["number"], s["name"], s["request"], s["where"], s["expects"], s["within"]) for s in found] == [
        (1, "log in", "POST /login", "", 'status 200 or 302, header x-a: 1, text with "hi"', 30.0),
        (2, "websocket /ws", "WEBSOCKET /ws", "", 'a WebSocket, JSON with {"ok": true}', 5.0),
        (
            3, "run python check.py $WINDLASS_APP_URL", "python check.py $WINDLASS_APP_URL", "acme/smoke:1",
            "exit code 0", 120.0,
        ),
        (4, "get /slow", "GET /slow", "", "status 200 to 399", 60.0),
    ]  # fmt: skip
