"""Nobody passes whom windlass does not know; every route × every role is as the table in the docs says."""

import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import APIRouter, FastAPI
from tests.web.people import HTTP, Town

from windlass.domain.records import Deployment
from windlass.domain.release import DeploymentStatus
from windlass.domain.rights import Permission
from windlass.ports.outside import Outside
from windlass.web.guard import AllowList, Guard
from windlass.web.needs import needs
from windlass.web.options import WebOptions
from windlass.web.rightstable import ADMIN, STRANGER, callers, lets_in, rights_document
from windlass.web.routing import guarded_router, routes_of
from windlass.web.server import ROUTERS, build_app
from windlass.web.serving import Listeners, bind_unix

DOCUMENT = Path(__file__).parents[2] / "docs" / "rights.md"
NAMES = {"app": "ghost", "id": "d1", "project": "default", "user": "ghost", "secret": "x"}

ROUTES = [
    (method, prefix + route.path, route.need)
    for prefix, router in ROUTERS
    for route in routes_of(router)
    for method in sorted(route.methods or ())
]


@pytest.fixture
def town(app: FastAPI, outside: Outside, deployment: Deployment) -> Town:
    """With an app `shop` in the default project, whose deployment d1 has ended."""
    outside.store.deployments.finish(deployment.id, DeploymentStatus.FAILED, 1.0, None)
    return Town(app, outside).settle()


def path_of(template: str) -> str:
    return re.sub(r"\{(\w+)\}", lambda m: NAMES.get(m.group(1), "x"), template)


def test_the_document_is_what_the_code_says() -> None:
    words = "docs/rights.md differs from the code: python -m windlass.web.rightstable > docs/rights.md"
    assert DOCUMENT.read_text() == rights_document(ROUTERS), words


def test_every_route_of_the_application_is_in_the_table(app: FastAPI) -> None:
    served = {(method.upper(), path) for path, verbs in app.openapi()["paths"].items() for method in verbs}
    assert served == {(method, path) for method, path, _ in ROUTES}
    assert len(served) > 60


def test_every_role_is_let_in_or_refused_as_the_table_says(town: Town) -> None:
    """All routes × all roles × no token; what differs from the table is what is shown when it fails."""
    different = {}
    for method, template, need in ROUTES:
        who_asks = {who: "" if who == STRANGER else who for who in callers()}
        answers = {who: town.ask(method, path_of(template), name).status_code for who, name in who_asks.items()}
        refused = {who for who, status in answers.items() if status in (401, 403)}
        expected = {who for who, caller in callers().items() if not lets_in(need, caller)}
        if refused != expected or (STRANGER in refused and answers[STRANGER] != 401):
            different[f"{method} {template}"] = answers
    assert different == {}


def test_an_owner_of_another_project_has_no_right_here(town: Town) -> None:
    """Neither on what is there nor on what is not, and is told the same for both."""
    on_something = [(m, t) for m, t, need in ROUTES if need.permission is not None and "{" in t]
    assert len(on_something) > 40
    names = ("shop", "ghost", "d1", "default")
    seen = {
        (method, template, name): town.ask(method, re.sub(r"\{\w+\}", name, template), "foreign").status_code
        for method, template in on_something
        for name in names
    }
    assert {key: status for key, status in seen.items() if status != 403} == {}


CREDENTIALS = [
    pytest.param({}, id="none"),
    pytest.param({"Authorization": "Bearer wrong"}, id="wrong"),
    pytest.param({"Authorization": "Bearer "}, id="empty"),
    pytest.param({"Authorization": "Basic {token}"}, id="scheme"),
    pytest.param({"Authorization": "{hash}"}, id="hash"),
    pytest.param({"Authorization": "Bearer {hash}"}, id="stolen row"),
    pytest.param({"Cookie": "windlass={token}"}, id="token as cookie"),
    pytest.param({"Cookie": "windlass={hash}"}, id="hash as cookie"),
    pytest.param({"Authorization": "Bearer wrong", "Cookie": "windlass={session}"}, id="wrong token beside a session"),
    pytest.param({"X-Forwarded-For": "127.0.0.1"}, id="forwarded"),
]


@pytest.mark.parametrize("headers", CREDENTIALS)
def test_what_is_no_token_lets_nobody_in(town: Town, headers: dict[str, str]) -> None:
    from windlass.domain.credentials import hash_secret
    from windlass.domain.people import Session

    now = town.outside.clock.now()
    town.outside.store.sessions.add(Session(hash_secret("cookie"), "admin", now, now + 60, now))
    token = town.tokens["admin"]
    known = {"token": token, "hash": hash_secret(token), "session": "cookie"}
    shown = {name: value.format(**known) for name, value in headers.items()}
    for path in ("/api/v1/apps", "/api/v1/nothing", "/", "/metrics", "/api/v1/apps/shop"):
        assert town.send("GET", path, shown).status_code == 401, path


def test_two_authorization_headers_are_none(town: Town) -> None:
    value = f"Bearer {town.tokens['admin']}"
    assert town.send("GET", "/api/v1/apps", {"Authorization": value}).status_code == 200
    import asyncio

    async def twice() -> int:
        guard = Guard(town.app, town.app.state.authentication)
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(guard), base_url=HTTP) as client:
            return (await client.get("/api/v1/apps", headers=[("Authorization", value)] * 2)).status_code

    assert asyncio.run(twice()) == 401


def test_without_a_guard_nobody_is_let_in(app: FastAPI) -> None:
    """Whatever way a request came: the route itself does not know its caller."""
    import asyncio

    async def ask() -> int:
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url=HTTP) as client:
            return (await client.get("/api/v1/apps")).status_code

    assert asyncio.run(ask()) == 401


def test_a_route_that_does_not_say_what_it_needs_cannot_be_registered() -> None:
    router = guarded_router("x")
    with pytest.raises(TypeError, match="does not say"):

        @router.get("/x")
        def silent() -> None: ...

    with pytest.raises(TypeError, match="audit log"):

        @router.post("/x")
        @needs(Permission.APP_READ)
        def nameless() -> None: ...

    plain = APIRouter()

    @plain.get("/y")
    def unguarded() -> None: ...

    with pytest.raises(TypeError, match="without a guard"):
        routes_of(plain)


def test_socket_is_the_owners_and_tcp_needs_a_token(outside: Any, serve: Callable[..., Any], tmp_path: Path) -> None:
    app = build_app(outside, WebOptions())
    token = Town(app, outside).token("", "all")
    socket = tmp_path / "api.sock"
    with serve(app, Listeners(socket, "127.0.0.1:0")) as served:
        assert stat.S_IMODE(socket.stat().st_mode) == 0o600
        port = served.serving.ports[0]
        over_unix = httpx2.Client(transport=httpx2.HTTPTransport(uds=str(socket)), base_url="http://windlass")
        with over_unix, httpx2.Client(base_url=f"http://127.0.0.1:{port}") as over_tcp:
            assert over_unix.get("/api/v1/apps").status_code == 200
            assert over_tcp.get("/api/v1/apps").status_code == 401
            answer = over_tcp.get("/api/v1/apps", headers={"Authorization": f"Bearer {token}"})
            assert (answer.status_code, answer.json()) == (200, {"items": [], "next": None})
            refused = over_tcp.get("/api/v1/apps").json()
            assert refused["error"]["code"] == "unauthenticated"
            assert over_tcp.get("/api/openapi.json").status_code == 200


def test_socket_of_a_killed_process_is_replaced(tmp_path: Path) -> None:
    first = bind_unix(tmp_path / "api.sock")
    first.close()
    assert (tmp_path / "api.sock").exists()
    with bind_unix(tmp_path / "api.sock") as second:
        assert second.getsockname().startswith(str(tmp_path))
    assert sorted(p.name for p in tmp_path.glob("api*")) == ["api.sock"]


@pytest.mark.parametrize("url", ["file:///srv/x.git", "/srv/x.git"])
@pytest.mark.parametrize("verb", ["deployments", "plan"])
def test_a_local_repository_is_not_for_those_who_come_by_tcp(town: Town, url: str, verb: str) -> None:
    body = {"source_kind": "git", "url": url}
    answer = town.ask("POST", f"/api/v1/apps/shop/{verb}", ADMIN, json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "git_url_invalid")
    assert [d["code"] for d in answer.json()["error"]["details"]] == ["git_url_invalid"]


# ---- an admin surface of its own ------------------------------------------------------------------------------------


def test_beside_an_admin_surface_only_hooks_and_health_are_public(
    outside: Any, serve: Callable[..., Any], tmp_path: Path
) -> None:
    app = build_app(outside, WebOptions())
    known = {"Authorization": f"Bearer {Town(app, outside).token('', 'all')}"}
    listeners = Listeners(tmp_path / "api.sock", "127.0.0.1:0", admin="127.0.0.1:0", allow=("127.0.0.0/8",))
    with serve(app, listeners) as served:
        public, admin = (httpx2.Client(base_url=f"http://127.0.0.1:{port}") for port in served.serving.ports)
        with public, admin:
            paths = ("/health", "/hooks/shop", "/login", "/setup/x", "/api/v1/apps", "/api/openapi.json", "/")
            seen = {path: public.get(path, headers=known).status_code for path in paths}
            assert seen == {path: 200 if path == "/health" else 404 for path in paths}
            assert public.post("/hooks/shop", content=b"{}").status_code not in (404, 405)
            assert public.post("/login", json={}).status_code == 404
            assert [admin.get(path, headers=known).status_code for path in ("/login", "/api/v1/apps")] == [200, 200]
            assert admin.get("/api/v1/apps").status_code == 401


def test_behind_the_edge_there_are_hooks_and_nothing_else(
    outside: Any, serve: Callable[..., Any], tmp_path: Path
) -> None:
    app = build_app(outside, WebOptions())
    known = {"Authorization": f"Bearer {Town(app, outside).token('', 'all')}"}
    with serve(app, Listeners(tmp_path / "api.sock", hooks="127.0.0.1:0")) as served:
        (port,) = served.serving.ports
        with httpx2.Client(base_url=f"http://127.0.0.1:{port}") as edge:
            paths = ("/health", "/ready", "/metrics", "/login", "/api/v1/apps", "/hooks/shop", "/hooks/..%2flogin", "/")
            assert {path: edge.get(path, headers=known).status_code for path in paths} == dict.fromkeys(paths, 404)
            for path in ("/api/v1/tokens", "/login", "/hooks", "/hooks/", "/hooks/a%2fb", "/hooks/..%2flogin"):
                assert edge.post(path, headers=known, json={}).status_code == 404, path
            assert edge.post("/hooks/shop", headers=known, content=b"{}").status_code == 422


@pytest.mark.parametrize(
    ("source", "allow", "status"),
    [
        ("192.0.2.7", (), 200),
        ("192.0.2.7", ("192.0.2.0/24",), 200),
        ("192.0.2.7", ("10.0.0.0/8", "192.0.2.7/32"), 200),
        ("192.0.2.7", ("10.0.0.0/8",), 403),
        ("::ffff:192.0.2.7", ("192.0.2.0/24",), 200),
        ("2001:db8::1", ("192.0.2.0/24",), 403),
        ("2001:db8::1", ("2001:db8::/32",), 200),
        ("", ("0.0.0.0/0",), 403),
    ],
)
def test_only_listed_networks_reach_the_admin_surface(
    app: FastAPI, source: str, allow: tuple[str, ...], status: int
) -> None:
    import asyncio

    async def ask() -> int:
        guard = AllowList(Guard(app, app.state.authentication), allow)
        transport = httpx2.ASGITransport(guard, client=(source, 1))
        async with httpx2.AsyncClient(transport=transport, base_url=HTTP) as client:
            return (await client.get("/health", headers={"X-Forwarded-For": "192.0.2.7"})).status_code

    assert asyncio.run(ask()) == status
