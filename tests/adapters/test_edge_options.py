"""Every option of a route, through the real Traefik."""

from __future__ import annotations

import base64
import gzip
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest
from tests.adapters.edgestand import LIMIT_S, Stand, stand_of

from windlass.domain.edgefile import Maintenance
from windlass.domain.routeoptions import (
    Allowed,
    BasicAuth,
    Condition,
    Cors,
    ErrorPage,
    Match,
    RateLimit,
    Redirect,
    Retries,
    RouteOptions,
    Sticky,
)
from windlass.ports.edge import EdgePage, EdgeServer

BCRYPT = "ana:$2y$05$V8k7HCn3GRs0V2/96ascE.5iwhh.GR2l6C.fSaup0ymu7sZGBsuKy"
APR1 = "bob:$apr1$abcdefgh$h9FWgUz3n9YxylKLlR5SQ/"


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    with stand_of(tmp_path_factory.mktemp("edge")) as made:
        yield made


@pytest.fixture
def refusing() -> Iterator[EdgeServer]:
    """An address of this machine at which nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield EdgeServer("127.0.0.1", held.getsockname()[1])


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.mark.parametrize(
    ("options", "asked", "seen"),
    [
        (RouteOptions(), "/api/x?q=1", "/api/x?q=1"),
        (RouteOptions(strip=("/api",)), "/api/x?q=1", "/x?q=1"),
        (RouteOptions(strip=("/api",)), "/api", "/"),
        (RouteOptions(add="/v1"), "/api/x", "/v1/api/x"),
        (RouteOptions(strip=("/api",), add="/v1"), "/api/x", "/v1/x"),
    ],
)
def test_the_path_that_the_service_sees(stand: Stand, options: RouteOptions, asked: str, seen: str) -> None:
    stand.serve(stand.route(options, path="/api"))
    assert stand.ask(asked).told["path"] == seen


@pytest.mark.parametrize(
    ("match", "answers"),
    [
        ("below", {"/api": 200, "/api/x": 200, "/apix": 404}),
        ("exact", {"/api": 200, "/api/x": 404, "/apix": 404}),
        ("prefix", {"/api": 200, "/api/x": 200, "/apix": 200}),
    ],
)
def test_which_paths_are_meant(stand: Stand, match: Match, answers: dict[str, int]) -> None:
    stand.serve(stand.route(RouteOptions(match=match), path="/api"))
    assert {path: stand.ask(path).status for path in answers} == answers


def test_a_path_alone_goes_before_all_below_it_and_a_number_before_both(stand: Stand) -> None:
    below, exact = (RouteOptions(request_headers=(("X-Route", name),)) for name in ("below", "exact"))
    routes = (stand.route(below, path="/a"), stand.route(replace(exact, match="exact"), path="/a"))
    stand.serve(*routes)
    assert [stand.ask(path).told["headers"]["x-route"] for path in ("/a", "/a/b")] == ["exact", "below"]
    stand.serve(replace(routes[0], priority=1), routes[1])
    assert stand.ask("/a").told["headers"]["x-route"] == "below"


def test_conditions(stand: Stand) -> None:
    conditions = (
        Condition("Method", ("POST",), negated=True),
        Condition("Header", ("X-Beta", "yes")),
        Condition("PathPrefix", ("/admin",), negated=True),
    )
    stand.serve(stand.route(RouteOptions(conditions=conditions)))
    assert stand.ask(X_Beta="yes").status == 200
    assert stand.ask().status == 404
    assert stand.ask("/", "POST", b"", X_Beta="yes").status == 404
    assert stand.ask("/admin/x", X_Beta="yes").status == 404


def test_headers(stand: Stand) -> None:
    asked = (("X-Tenant", 'a"b {{ env "HOME" }} `c`'), ("X-Secret", ""))
    answered = (("X-Served-By", "edge"), ("X-From-App", ""))
    stand.serve(stand.route(RouteOptions(request_headers=asked, response_headers=answered)))
    answer = stand.ask(X_Secret="s", X_Kept="k")
    seen = answer.told["headers"]
    assert (seen["x-tenant"], seen["x-kept"], "x-secret" in seen) == ('a"b {{ env "HOME" }} `c`', "k", False)
    assert (answer.headers["x-served-by"], "x-from-app" in answer.headers) == ("edge", False)


@pytest.mark.parametrize(
    ("permanent", "method", "status"), [(True, "GET", 301), (True, "POST", 308), (False, "GET", 302)]
)
def test_another_host_is_sent_here(stand: Stand, permanent: bool, method: str, status: int) -> None:
    redirect = RouteOptions(redirect=Redirect("a.test", permanent=permanent))
    stand.serve(stand.route(), stand.route(redirect, host="www.a.test"))
    answer = stand.ask("/x/y?q=a%20b", method, host=f"www.a.test:{stand.port}")
    assert (answer.status, answer.headers["location"]) == (status, f"http://a.test:{stand.port}/x/y?q=a%20b")
    assert stand.ask("/", host="www.a.test").headers["location"] == "http://a.test/"
    assert stand.ask().status == 200


def test_a_pattern_of_addresses_is_sent_elsewhere(stand: Stand) -> None:
    redirect = Redirect("", r"^https?://a\.test(?::[0-9]+)?/old/(.*)", "https://new.test/${1}", False)
    stand.serve(stand.route(RouteOptions(redirect=redirect)))
    assert stand.ask("/old/x?y=1").headers["location"] == "https://new.test/x?y=1"
    assert stand.ask("/new").status == 200


def test_compression(stand: Stand) -> None:
    stand.serve(stand.route(RouteOptions(compress=True)))
    answer = stand.ask(Accept_Encoding="gzip")
    assert answer.headers["content-encoding"] == "gzip"
    assert b'"filling"' in gzip.decompress(answer.body)
    assert "content-encoding" not in stand.ask().headers
    assert "content-encoding" not in stand.ask("/status/404", Accept_Encoding="gzip").headers


@pytest.mark.parametrize("hide", [False, True])
def test_names_and_passwords(stand: Stand, hide: bool) -> None:
    stand.serve(stand.route(RouteOptions(auth=BasicAuth((BCRYPT, APR1), realm='our "place"', hide=hide))))
    refused = stand.ask()
    assert (refused.status, refused.headers["www-authenticate"].startswith("Basic realm=")) == (401, True)
    assert stand.ask(Authorization=basic("ana", "wrong")).status == 401
    assert stand.ask(Authorization=basic("bob", "secret")).status == 200
    seen = stand.ask(Authorization=basic("ana", "secret")).told["headers"]
    assert ("authorization" in seen) is not hide


def test_only_some_networks(stand: Stand) -> None:
    stand.serve(stand.route(RouteOptions(allowed=Allowed(("10.99.0.0/16",)))))
    assert stand.ask().status == 403
    # Nobody is believed who says where the request comes from.
    assert stand.ask(X_Forwarded_For="10.99.0.1", X_Real_Ip="10.99.0.1").status == 403
    stand.serve(stand.route(RouteOptions(allowed=Allowed(("10.99.0.0/16", "127.0.0.1", "::1")))))
    assert stand.ask().status == 200


def test_so_many_requests(stand: Stand) -> None:
    stand.serve(stand.route(RouteOptions(rate=RateLimit(1, 3600, 3))))
    assert [stand.ask().status for _ in range(5)] == [200, 200, 200, 429, 429]


def test_large_bodies(stand: Stand) -> None:
    stand.serve(stand.route(RouteOptions(body_bytes=10_000)))
    assert stand.ask("/", "POST", b"x" * 9_000).told["length"] == 9_000
    assert stand.ask("/", "POST", b"x" * 11_000).status == 413
    assert stand.ask("/", "PUT", iter([b"x" * 6_000] * 2), Transfer_Encoding="chunked").status == 413
    assert stand.ask("/", "PUT", iter([b"x" * 3_000] * 2), Transfer_Encoding="chunked").told["length"] == 6_000
    assert stand.ask().status == 200


def test_a_service_that_takes_too_long(stand: Stand) -> None:
    stand.serve(stand.route(RouteOptions(answer_within_s=0.3)))
    assert stand.ask("/slow").status == 504
    assert stand.ask().status == 200


def test_a_client_stays_where_it_was(stand: Stand) -> None:
    both = (stand.server.at, stand.other.at)
    stand.serve(replace(stand.route(RouteOptions(sticky=Sticky("seat", 3600))), servers=both))
    first = stand.ask()
    cookie = first.cookies[0]
    assert cookie.startswith("seat=")
    assert {"HttpOnly", "Max-Age=3600", "SameSite=Lax"} <= set(cookie.split("; "))
    seat = cookie.partition(";")[0]
    assert {stand.ask(Cookie=seat).told["name"] for _ in range(6)} == {first.told["name"]}
    assert {stand.ask().told["name"] for _ in range(6)} == {"one", "two"}
    # A new version knows the seat no more: it gives another.
    stand.serve(replace(stand.route(RouteOptions(sticky=Sticky("seat"))), servers=(stand.other.at,)))
    moved = stand.ask(Cookie="seat=gone")
    assert (moved.told["name"], moved.cookies[0].startswith("seat=")) == ("two", True)


def test_pages_of_other_origins(stand: Stand) -> None:
    cors = Cors(("https://shop.test",), ("GET", "PUT"), ("X-Token",), ("X-Total",), credentials=True)
    stand.serve(stand.route(RouteOptions(cors=cors, auth=BasicAuth((BCRYPT,)))))
    asked = {"Origin": "https://shop.test", "Access_Control_Request_Method": "PUT"}
    first = stand.ask("/", "OPTIONS", **asked)
    assert first.status == 200
    assert first.headers["access-control-allow-origin"] == "https://shop.test"
    assert first.headers["access-control-allow-methods"] == "GET,PUT"
    assert first.headers["access-control-allow-headers"] == "X-Token"
    assert first.headers["access-control-max-age"] == "600"
    answer = stand.ask(Origin="https://shop.test", Authorization=basic("ana", "secret"))
    assert (answer.status, answer.headers["access-control-allow-credentials"]) == (200, "true")
    assert answer.headers["access-control-expose-headers"] == "X-Total"
    assert "access-control-allow-origin" not in stand.ask(Origin="https://evil.test").headers


def test_pages_of_the_app_for_its_errors(stand: Stand, refusing: EdgeServer) -> None:
    page = ErrorPage(("404", "500-599"), "pages", "/page/{status}.html", 80)
    options = RouteOptions(errors=(page,), response_headers=(("X-Edge", "e"),))
    stand.serve(stand.route(options, pages=(EdgePage(page, (stand.other.at,)),)))
    answer = stand.ask("/status/503")
    assert (answer.status, answer.body, answer.headers["x-edge"]) == (503, b"<p>sorry: /page/503.html</p>", "e")
    assert stand.ask("/status/404").body == b"<p>sorry: /page/404.html</p>"
    assert stand.ask("/status/403").body == b"the service's own words"
    gone = replace(stand.route(options, pages=(EdgePage(page, (stand.other.at,)),)), servers=(refusing,))
    stand.serve(gone)
    assert stand.ask().body == b"<p>sorry: /page/502.html</p>"


def test_maintenance(stand: Stand) -> None:
    route = stand.route(RouteOptions(compress=True))
    app = stand.serve(route)
    assert stand.ask().status == 200
    # The release stays the same: what the edge confirms is the change itself.
    stand.apply(replace(app, maintenance=Maintenance()))
    closed = stand.ask()
    assert (closed.status, closed.headers["retry-after"], closed.headers["refresh"]) == (503, "10", "10")
    stand.apply(replace(app, maintenance=Maintenance(("127.0.0.1", "::1"))))
    assert stand.ask().status == 200
    stand.apply(app)
    assert (stand.ask().status, "retry-after" in stand.ask().headers) == (200, False)


def test_maintenance_with_a_page_of_the_app(stand: Stand) -> None:
    page = ErrorPage(("503",), "pages", "/page/closed.html", 80)
    route = stand.route(RouteOptions(errors=(page,)), pages=(EdgePage(page, (stand.other.at,)),))
    stand.serve(route, maintenance=Maintenance())
    answer = stand.ask()
    assert (answer.status, answer.body) == (503, b"<p>sorry: /page/closed.html</p>")


def test_http2_without_tls_to_the_service(stand: Stand) -> None:
    """As gRPC needs it; the edge itself takes it, so it is the service here."""
    to_b = RouteOptions(protocol="h2c", request_headers=(("Host", "b.test"),))
    through = replace(stand.route(to_b), servers=(EdgeServer("127.0.0.1", stand.port),))
    stand.serve(through, stand.route(host="b.test"))
    assert stand.ask("/x", "POST", b"1234").told["length"] == 4
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.settimeout(LIMIT_S)
        stand.serve(replace(through, servers=(EdgeServer("127.0.0.1", listener.getsockname()[1]),)))
        with stand.connected("GET / HTTP/1.1\nHost: a.test"):
            link, _ = listener.accept()
            with link:
                link.settimeout(LIMIT_S)
                assert link.recv(14, socket.MSG_WAITALL) == b"PRI * HTTP/2.0"


EVERYTHING = RouteOptions(
    compress=True,
    body_bytes=10_000,
    answer_within_s=30.0,
    response_headers=(("X-Edge", "e"),),
    cors=Cors(("https://shop.test",)),
    rate=RateLimit(1000, 1.0, 1000),
    allowed=Allowed(("127.0.0.1", "::1")),
    auth=BasicAuth((BCRYPT,)),
    retries=Retries(3),
    sticky=Sticky(),
    strip=("/app",),
    errors=(ErrorPage(("500-599",), "pages", "/page/{status}.html", 80),),
)
HEAD = "Host: a.test\nAuthorization: " + basic("ana", "secret")


def everything(stand: Stand, **more: object) -> None:
    pages = (EdgePage(EVERYTHING.errors[0], (stand.other.at,)),)
    route = stand.route(EVERYTHING, path="/app", pages=pages)
    stand.serve(replace(route, **more), fallback_release=stand.release if more else None)  # type: ignore[arg-type]


@pytest.mark.parametrize("in_bake", [False, True])
def test_a_stream_of_events_flows_through_every_option(stand: Stand, in_bake: bool) -> None:
    everything(stand, **({"fallback": (stand.other.at,)} if in_bake else {}))
    stand.server.seen.clear()
    with (
        stand.connected(f"GET /app/events HTTP/1.1\nAccept-Encoding: gzip\n{HEAD}") as link,
        link.makefile("rb") as reader,
    ):
        lines = []
        for line in reader:
            lines.append(line.strip())
            if line.strip() == b"data: one":
                stand.server.seen.set()
            if line.strip() == b"data: two":
                break
    assert lines[0].split()[1] == b"200"
    assert lines.count(b"data: one") == lines.count(b"data: two") == 1


@pytest.mark.parametrize("in_bake", [False, True])
def test_a_socket_works_through_every_option(stand: Stand, in_bake: bool) -> None:
    everything(stand, **({"fallback": (stand.other.at,)} if in_bake else {}))
    asked = f"GET /app/socket HTTP/1.1\nConnection: Upgrade\nUpgrade: websocket\n{HEAD}"
    with stand.connected(asked) as link, link.makefile("rb") as reader:
        assert reader.readline().split()[1] == b"101"
        while reader.readline().strip():
            pass
        link.sendall(b"hello\n")
        assert reader.readline() == b"HELLO\n"


def test_every_option_while_the_old_generation_is_behind(stand: Stand, refusing: EdgeServer) -> None:
    everything(stand, servers=(refusing,), fallback=(stand.other.at,))
    authorization = basic("ana", "secret")
    answer = stand.ask("/app/x", Authorization=authorization)
    assert (answer.status, answer.told["name"], answer.told["path"]) == (200, "two", "/x")
    assert stand.ask("/app/x", "POST", b"x" * 900, Authorization=authorization).told["name"] == "two"
    assert stand.ask("/app/x", "POST", b"x" * 11_000, Authorization=authorization).status == 413
    assert stand.ask("/app/x").status == 401


def test_old_and_new_release_differ_under_load(stand: Stand) -> None:
    """The options change with the release, in one go, and no request fails or meets half of them."""
    over, wrong = threading.Event(), []

    def load() -> None:
        while not over.is_set():
            told = stand.ask("/v/x")
            seen = (
                (told.status, told.told["path"], told.headers.get("x-release")) if told.status == 200 else told.status
            )
            if seen not in ((200, "/x", "1"), (200, "/new/v/x", "2")):
                wrong.append(seen)

    first = stand.route(RouteOptions(strip=("/v",), response_headers=(("X-Release", "1"),)))
    second = stand.route(RouteOptions(add="/new", response_headers=(("X-Release", "2"),)))
    stand.serve(first)
    asking = threading.Thread(target=load)
    asking.start()
    try:
        for _ in range(5):
            stand.serve(second)
            stand.serve(first)
    finally:
        over.set()
        asking.join(LIMIT_S)
    assert wrong == []


def test_the_edge_takes_nothing_of_a_value_as_its_own(stand: Stand) -> None:
    """A template in a value is text: the edge carries out those in its files."""
    told = '{{ env "PATH" }}{{{{'
    stand.serve(stand.route(RouteOptions(response_headers=(("X-Told", told),))))
    assert stand.ask().headers["x-told"] == told
