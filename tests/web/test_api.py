"""Requests in, documents and errors out."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from windlass.adapters.store.store import SqlStore
from windlass.domain.errors import Detail, Refused
from windlass.domain.records import Deployment
from windlass.ports.outside import Outside
from windlass.usecases import lifecycle, views


@pytest.fixture
def api(served: Any) -> Iterator[httpx2.Client]:
    transport = httpx2.HTTPTransport(uds=str(served.socket))
    with httpx2.Client(transport=transport, base_url="http://windlass", timeout=60) as client:
        yield client


def upload(parameters: dict[str, Any], content: bytes = b"tar") -> dict[str, Any]:
    return {"data": {"parameters": json.dumps(parameters)}, "files": {"source": ("x.tar", content)}}


def error(answer: httpx2.Response) -> dict[str, Any]:
    document = answer.json()
    assert set(document) == {"error"}
    assert set(document["error"]) == {"code", "message", "hint", "details"}
    found: dict[str, Any] = document["error"]
    return found


WRONG = [
    ("GET", "/api/v1/apps/shop", None, 404, 7, "app_not_found"),
    ("GET", "/api/v1/apps/-rf", None, 400, 2, "app_name_invalid"),
    ("GET", f"/api/v1/apps/{'a' * 300}", None, 400, 2, "app_name_invalid"),
    ("GET", "/api/v1/apps/a%2Fb", None, 404, 7, "path_not_found"),
    ("GET", "/api/v1/apps/..%2f..%2fetc", None, 404, 7, "path_not_found"),
    ("GET", "/api/v1/apps/shop%00", None, 400, 2, "app_name_invalid"),
    ("GET", "/api/v1/deployments/none", None, 404, 7, "deployment_not_found"),
    ("GET", "/api/v1/deployments/none/events", None, 404, 7, "deployment_not_found"),
    ("GET", "/api/v1/nothing", None, 404, 7, "path_not_found"),
    ("DELETE", "/api/v1/apps", None, 405, 2, "http_405"),
    ("GET", "/api/v1/apps/shop/events?after=x", None, 400, 2, "invalid_request"),
    ("POST", "/api/v1/apps/shop/rollback", {"to": "x"}, 400, 2, "invalid_request"),
    ("POST", "/api/v1/apps/shop/rollback", {"till": 3}, 400, 2, "invalid_request"),
    ("PUT", "/api/v1/apps/shop/env", {"values": {"A": 1}}, 400, 2, "invalid_request"),
    ("PUT", "/api/v1/apps/shop/env", {"values": {"1A": "x"}}, 422, 3, "variable_name_invalid"),
    ("POST", "/api/v1/apps/shop/deployments", {"source_kind": "git", "url": "ext::sh"}, 422, 3, "git_url_invalid"),
    ("POST", "/api/v1/apps/shop/deployments", {"source_kind": "git", "url": "-u"}, 422, 3, "git_url_invalid"),
    (
        "POST",
        "/api/v1/apps/shop/deployments",
        {"source_kind": "git", "url": "https://h.example/x", "compose": ["../c.yaml"]},
        422,
        3,
        "path_invalid",
    ),
    ("POST", "/api/v1/apps/shop/deployments", {"source_kind": "upload"}, 400, 2, "source_invalid"),
    ("POST", "/api/v1/apps/shop/deployments", {"source_kind": "magic"}, 400, 2, "source_invalid"),
]


@pytest.mark.parametrize(("method", "path", "body", "status", "exit_code", "code"), WRONG)
def test_errors(  # noqa: PLR0913
    api: httpx2.Client, method: str, path: str, body: Any, status: int, exit_code: int, code: str
) -> None:
    answer = api.request(method, path, json=body)
    assert (answer.status_code, answer.headers["windlass-exit-code"]) == (status, str(exit_code))
    assert error(answer)["code"] == code


def test_values_are_not_repeated_in_errors(api: httpx2.Client) -> None:
    answer = api.put("/api/v1/apps/shop/env", json={"values": {"PASSWORD": ["hunter2"]}})
    assert answer.status_code == 400
    assert "hunter2" not in answer.text


def test_every_reason_is_told_at_once(api: httpx2.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    reasons = [Detail("one", "a", "first"), Detail("two", "b", "second", "do it")]

    def refuse(*_: Any) -> Any:
        raise Refused("2 reasons", code="one", details=reasons)

    monkeypatch.setattr(lifecycle, "stats", refuse)
    found = error(api.get("/api/v1/stats"))
    assert [d["code"] for d in found["details"]] == ["one", "two"]
    assert found["details"][1]["fix"] == "do it"


def test_the_unexpected_is_told_without_its_words(api: httpx2.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> Any:
        raise KeyError("a secret")

    monkeypatch.setattr(views, "apps_document", fail)
    answer = api.get("/api/v1/apps")
    assert (answer.status_code, error(answer)["code"]) == (500, "unexpected")
    assert "a secret" not in answer.text


def test_ready_tells_when_the_database_is_gone(api: httpx2.Client, outside: Outside) -> None:
    assert api.get("/ready").json() == {"status": "ready"}
    outside.store.ready = lambda: False  # type: ignore[method-assign]
    answer = api.get("/ready")
    assert (answer.status_code, error(answer)["code"]) == (503, "database_unavailable")
    assert api.get("/health").status_code == 200


def test_an_upload_is_kept_for_the_worker(api: httpx2.Client, outside: Outside, store: SqlStore) -> None:
    content = bytes(range(256)) * 1000
    parameters = {"commit": "c" * 40, "values": {"A": "1"}, "env": ["A=0\nB=2"], "compose": ["x.yaml"], "force": True}
    answer = api.post("/api/v1/apps/shop/deployments", **upload(parameters, content))
    assert answer.status_code == 202, answer.text
    document = answer.json()
    assert (document["app"], document["status"], document["error"]) == ("shop", "queued", None)
    options = store.deployments.get(document["deployment"]).options
    assert Path(options["upload"]).read_bytes() == content
    assert Path(options["upload"]).parent == outside.trees.uploads()
    assert (options["compose"], options["force"], options["commit"]) == (["x.yaml"], True, "c" * 40)
    held = json.loads(store.deployments.held(document["deployment"]))
    assert held == {"A": "1", "B": "2"}


def test_a_git_source_needs_no_file(api: httpx2.Client) -> None:
    body = {"source_kind": "git", "url": "https://host.example/x.git", "ref": "main"}
    answer = api.post("/api/v1/apps/shop@staging/deployments", json=body)
    assert (answer.status_code, answer.json()["app"]) == (202, "shop@staging")


@pytest.mark.parametrize("url", ["file:///srv/x.git", "/srv/x.git"])
def test_the_owner_may_name_a_repository_on_this_machine(api: httpx2.Client, url: str) -> None:
    answer = api.post("/api/v1/apps/shop/deployments", json={"source_kind": "git", "url": url})
    assert (answer.status_code, answer.json()["status"]) == (202, "queued")


UPLOADS = [
    pytest.param(upload({}, b"x" * (1 << 20) + b"y"), 413, "upload_too_large", id="too large"),
    pytest.param(
        {"data": {"parameters": "x" * (5 << 20)}, "files": {"source": b"x"}}, 413, "upload_too_large", id="parameters"
    ),
    pytest.param({"files": {"parameters": (None, "{}")}}, 400, "no_upload", id="no file"),
    pytest.param({"files": {"source": b"x", "other": b"y"}}, 400, "malformed_body", id="another part"),
    pytest.param({"data": {"parameters": "{"}, "files": {"source": b"x"}}, 400, "invalid_request", id="no JSON"),
    pytest.param({"data": {"parameters": '{"a":1}'}, "files": {"source": b"x"}}, 400, "invalid_request", id="unknown"),
    pytest.param({"content": b"x", "headers": {"content-type": "text/plain"}}, 400, "content_type", id="type"),
    pytest.param(
        {"content": b"x", "headers": {"content-type": "multipart/form-data; boundary=b"}},
        400,
        "malformed_body",
        id="junk",
    ),
    pytest.param(
        {
            "content": b'--b\r\nContent-Disposition: form-data; name="source"\r\n\r\nhalf',
            "headers": {"content-type": "multipart/form-data; boundary=b"},
        },
        400,
        "upload_incomplete",
        id="broken off",
    ),
]


@pytest.mark.parametrize(("request_", "status", "code"), UPLOADS)
def test_a_wrong_upload_leaves_nothing(
    api: httpx2.Client, outside: Outside, request_: dict[str, Any], status: int, code: str
) -> None:
    answer = api.post("/api/v1/apps/shop/deployments", **request_)
    assert (answer.status_code, error(answer)["code"]) == (status, code)
    assert list(outside.trees.uploads().iterdir()) == []
    assert outside.store.apps.all() == []


def test_a_deployment_is_told_by_its_id(api: httpx2.Client, deployment: Deployment) -> None:
    document = api.get(f"/api/v1/deployments/{deployment.id}").json()
    fields = {"app", "release", "deployment", "status", "url", "urls", "seconds", "live_seconds", "steps", "error"}
    assert fields <= set(document)
    assert api.get("/api/v1/apps/shop/deployments").json()["items"][0]["deployment"] == deployment.id


def test_openapi_describes_the_errors(app: FastAPI) -> None:
    for path, verbs in app.openapi()["paths"].items():
        for method, described in verbs.items():
            assert described.get("description"), f"{method} {path}"
            assert {"500", "503"} <= set(described["responses"]), f"{method} {path}"
            assert "default" not in described["responses"], f"{method} {path}"
