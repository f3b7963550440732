"""On TCP nothing is let in without a token but what is open; whoever has the socket file is the owner."""

import hashlib
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from windlass.web.guard import OPEN_PATHS, Guard
from windlass.web.options import WebOptions
from windlass.web.server import build_app
from windlass.web.serving import Listeners, bind_unix

TOKEN = "a-token"
HASH = hashlib.sha256(TOKEN.encode()).hexdigest()


def routes(app: FastAPI) -> list[tuple[str, str]]:
    """Every method of every path, as the OpenAPI document tells them; and a path that is not there."""
    paths = app.openapi()["paths"]
    found = [(method.upper(), re.sub(r"\{\w+\}", "shop", path)) for path, verbs in paths.items() for method in verbs]
    assert len(found) > 25
    return [*found, ("GET", "/api/openapi.json"), ("GET", "/api/v1/nothing"), ("GET", "/"), ("GET", "/metrics")]


@pytest.fixture
def guarded(app: FastAPI) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(Guard(app, HASH)), base_url="http://windlass")


CREDENTIALS = [
    pytest.param({}, id="none"),
    pytest.param({"Authorization": "Bearer wrong"}, id="wrong"),
    pytest.param({"Authorization": "Bearer "}, id="empty"),
    pytest.param({"Authorization": f"Basic {TOKEN}"}, id="scheme"),
    pytest.param({"Authorization": HASH}, id="hash"),
    pytest.param({"Cookie": f"token={TOKEN}"}, id="cookie"),
    pytest.param({"X-Forwarded-For": "127.0.0.1"}, id="forwarded"),
]


@pytest.mark.parametrize("headers", CREDENTIALS)
def test_every_route_refuses_a_stranger(app: FastAPI, guarded: httpx2.AsyncClient, headers: dict[str, str]) -> None:
    import asyncio

    async def ask() -> dict[tuple[str, str], int]:
        async with guarded:
            return {(m, p): (await guarded.request(m, p, headers=headers)).status_code for m, p in routes(app)}

    answers = asyncio.run(ask())
    let_in = {path for (_, path), status in answers.items() if status not in (401, 403)}
    assert let_in == OPEN_PATHS
    assert all(answers["GET", path] == 200 for path in OPEN_PATHS)


def test_two_authorization_headers_are_none(app: FastAPI, guarded: httpx2.AsyncClient) -> None:
    import asyncio

    async def ask() -> int:
        headers = [("Authorization", f"Bearer {TOKEN}"), ("Authorization", f"Bearer {TOKEN}")]
        async with guarded:
            return (await guarded.get("/api/v1/apps", headers=headers)).status_code

    assert asyncio.run(ask()) == 401


def test_no_token_known_means_nobody_is_let_in(app: FastAPI) -> None:
    import asyncio

    async def ask(headers: dict[str, str]) -> int:
        transport = httpx2.ASGITransport(Guard(app, ""))
        async with httpx2.AsyncClient(transport=transport, base_url="http://windlass") as client:
            return (await client.get("/api/v1/apps", headers=headers)).status_code

    assert [asyncio.run(ask(h)) for h in ({}, {"Authorization": "Bearer "}, {"Authorization": "Bearer x"})] == [401] * 3


def test_socket_is_the_owners_and_tcp_needs_the_token(outside: Any, serve: Callable[..., Any], tmp_path: Path) -> None:
    app = build_app(outside, WebOptions(token_hash=HASH))
    socket = tmp_path / "api.sock"
    with serve(app, Listeners(socket, "127.0.0.1:0")) as served:
        assert stat.S_IMODE(socket.stat().st_mode) == 0o600
        port = served.serving.ports[0]
        over_unix = httpx2.Client(transport=httpx2.HTTPTransport(uds=str(socket)), base_url="http://windlass")
        with over_unix, httpx2.Client(base_url=f"http://127.0.0.1:{port}") as over_tcp:
            assert over_unix.get("/api/v1/apps").status_code == 200
            assert over_tcp.get("/api/v1/apps").status_code == 401
            answer = over_tcp.get("/api/v1/apps", headers={"Authorization": f"Bearer {TOKEN}"})
            assert (answer.status_code, answer.json()) == (200, {"items": []})
            refused = over_tcp.get("/api/v1/apps").json()
            assert refused["error"]["code"] == "unauthenticated"


def test_socket_of_a_killed_process_is_replaced(tmp_path: Path) -> None:
    first = bind_unix(tmp_path / "api.sock")
    first.close()
    assert (tmp_path / "api.sock").exists()
    with bind_unix(tmp_path / "api.sock") as second:
        assert second.getsockname().startswith(str(tmp_path))
    assert sorted(p.name for p in tmp_path.glob("api*")) == ["api.sock"]


@pytest.mark.parametrize("url", ["file:///srv/x.git", "/srv/x.git"])
@pytest.mark.parametrize("verb", ["deployments", "plan"])
def test_a_local_repository_is_not_for_those_who_come_by_tcp(app: FastAPI, url: str, verb: str) -> None:
    import asyncio

    async def ask() -> httpx2.Response:
        transport = httpx2.ASGITransport(Guard(app, HASH))
        async with httpx2.AsyncClient(transport=transport, base_url="http://windlass") as client:
            body = {"source_kind": "git", "url": url}
            path = f"/api/v1/apps/shop/{verb}"
            return await client.post(path, json=body, headers={"Authorization": f"Bearer {TOKEN}"})

    answer = asyncio.run(ask())
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "git_url_invalid")
    assert [d["code"] for d in answer.json()["error"]["details"]] == ["git_url_invalid"]
