"""user, project, token and audit: what is asked of the API, and what is shown."""

import io
import json
from collections.abc import Callable
from typing import Any

import pytest

Windlass = Callable[..., Any]

CALLS: list[tuple[str, str, Any]] = [
    ("user add ann --admin", "POST /api/v1/users", {"name": "ann", "admin": True, "password": None}),
    ("user remove ann", "DELETE /api/v1/users/ann", None),
    ("user role ann deployer", "PUT /api/v1/projects/default/members/ann", {"role": "deployer"}),
    ("user role ann none --project blue", "DELETE /api/v1/projects/blue/members/ann", None),
    ("user role ann no-admin", "PUT /api/v1/users/ann/admin", {"admin": False}),
    ("user link ann", "POST /api/v1/users/ann/link", None),
    ("user unlock ann", "POST /api/v1/users/ann/unlock", None),
    ("user reset-second-factor ann", "DELETE /api/v1/users/ann/second-factor", None),
    ("user list", "GET /api/v1/users", None),
    ("project add blue", "POST /api/v1/projects", {"name": "blue"}),
    ("project remove blue", "DELETE /api/v1/projects/blue", None),
    ("project move shop@staging blue", "PUT /api/v1/apps/shop%40staging/project", {"name": "blue"}),
    (
        "project protect blue production staging",
        "PUT /api/v1/projects/blue/protected",
        {"environments": ["production", "staging"], "approval_s": 0.0},
    ),
    (
        "project protect blue production --approval --within 2h",
        "PUT /api/v1/projects/blue/protected",
        {"environments": ["production"], "approval_s": 7200.0},
    ),
    ("protect shop --approval", "PUT /api/v1/apps/shop/protection", {"protected": True, "approval_s": 86400.0}),
    ("protect shop --no-approval", "PUT /api/v1/apps/shop/protection", {"protected": True, "approval_s": 0.0}),
    ("protect shop --off", "PUT /api/v1/apps/shop/protection", {"protected": False, "approval_s": 0.0}),
    ("protect shop --show", "GET /api/v1/apps/shop/protection", None),
    ("oidc show", "GET /api/v1/oidc", None),
    ("oidc off", "DELETE /api/v1/oidc", None),
    ("oidc bind ann ann@h.example", "PUT /api/v1/users/ann/identity", {"identity": "ann@h.example"}),
    ("oidc unbind ann", "DELETE /api/v1/users/ann/identity", None),
    ("project members blue", "GET /api/v1/projects/blue/members", None),
    ("project list", "GET /api/v1/projects", None),
    (
        "token create ci --scope deployer --scope audit.read --app shop --expires 12h",
        "POST /api/v1/tokens",
        {"name": "ci", "scopes": ["deployer", "audit.read"], "seconds": 43200.0, "app": "shop", "project": ""},
    ),
    (
        "token create ci --scope all --project blue --expires never",
        "POST /api/v1/tokens",
        {"name": "ci", "scopes": ["all"], "seconds": 0.0, "app": "", "project": "blue"},
    ),
    ("token revoke t1", "DELETE /api/v1/tokens/t1", None),
    ("token list", "GET /api/v1/tokens", None),
    ("audit list --app shop --limit 5", "GET /api/v1/audit", None),
    ("audit verify", "GET /api/v1/audit/verify", None),
]


@pytest.mark.parametrize(("words", "call", "body"), CALLS, ids=[c[0] for c in CALLS])
def test_each_command_is_one_call(windlass: Windlass, api: Any, words: str, call: str, body: Any) -> None:
    api.on(call, {"status": "ok", "items": [], "entries": 0})
    for extra in ((), ("--json",)):
        typed = windlass(*words.split(), *extra)
        assert (typed.code, typed.err) == (0, "")
        sent = api.requests[-1]
        assert (json.loads(sent.body) if sent.body else None) == body
    assert typed.json["items"] == []


def test_what_is_approved_is_shown_first(windlass: Windlass, api: Any) -> None:
    request = {"url": "https://h.example/x", "ref": "main", "pinned": "1" * 40, "given": ["TOKEN"], "digest": "d" * 64}
    asked = {"app": "shop", "deployment": "d1", "kind": "deploy", "status": "queued", "by": "ann", "flags": ["pull"]}
    api.on("GET /api/v1/deployments/d1", {**asked, "approval": {"state": "waiting", "request": request}})
    api.on("POST /api/v1/deployments/d1/approve", {**asked, "approval": {"state": "approved", "request": request}})
    api.on("POST /api/v1/deployments/d1/reject", {**asked, "status": "cancelled", "error": None})
    typed = windlass("approve", "d1", "--note", "looks well")
    assert typed.code == 0
    assert api.requests[-1].json == {"note": "looks well"}
    for words in ("deploy of shop, asked for by ann", "https://h.example/x", "1" * 40, "TOKEN", "pull", "queued"):
        assert words in typed.out, words
    assert "cancelled" in windlass("approve", "d1", "--reject").out
    assert api.requests[-1].path == "/api/v1/deployments/d1/reject"


def test_a_deployment_that_waits_says_how_it_goes_on(windlass: Windlass, api: Any) -> None:
    waits = {"app": "shop", "deployment": "d1", "status": "queued", "approval": {"state": "waiting"}, "seconds": 1.0}
    api.on("POST /api/v1/apps/shop/rollback", waits)
    api.on("GET /api/v1/apps/shop", {"app": "shop", "live": 1, "deployment": waits})
    words = "waits for approval by another maintainer: windlass approve d1"
    assert words in windlass("rollback", "shop", "--detach").out
    assert words in windlass("status", "shop").out


def test_a_provider_is_set_with_a_secret_that_nobody_sees(
    windlass: Windlass, api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.on("PUT /api/v1/oidc", {"issuer": "https://id.example", "callback": "https://w.example/login/oidc/callback"})
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"s3cr3t\n")))
    words = "oidc set https://id.example --client-id x --secret-stdin --url https://w.example --role viewer"
    typed = windlass(*words.split())
    assert "https://w.example/login/oidc/callback" in typed.out
    assert "s3cr3t" not in typed.out
    body = {"issuer": "https://id.example", "client_id": "x", "url": "https://w.example", "role": "viewer"}
    assert api.requests[-1].json == {**body, "secret": "s3cr3t"}


REFUSED = [
    "user add Ann",
    "user add owner",
    "user role ann king",
    "user role ann viewer --project A/B",
    "token create ci",
    "token create ci --scope root",
    "token create ci --scope all --expires soon",
    "token create ci --scope all --app ../x",
    "project add Blue",
    "oidc bind ann nobody",
    "oidc set http://id.example --client-id x --secret-stdin --url https://w.example",
    "protect shop --off --approval",
    "protect shop --within soon",
]


@pytest.mark.parametrize("words", REFUSED)
def test_what_cannot_be_is_refused_before_a_call(windlass: Windlass, api: Any, words: str) -> None:
    assert windlass(*words.split()).code == 2
    assert api.requests == []


def test_a_user_with_a_role_and_a_link(windlass: Windlass, api: Any) -> None:
    api.on("POST /api/v1/users", {"user": "ann", "link": "/setup/abc"})
    api.on("PUT /api/v1/projects/blue/members/ann", {"user": "ann", "project": "blue", "role": "viewer"})
    api.on("GET /api/v1/control", {"admin_url": "https://0.0.0.0:9000"}, {"admin_url": ""})
    typed = windlass("user", "add", "ann", "--role", "viewer", "--project", "blue")
    assert "https://0.0.0.0:9000/setup/abc" in typed.out
    assert "--listen" in windlass("user", "add", "ann", "--role", "viewer", "--project", "blue").out


def test_a_password_from_standard_input(windlass: Windlass, api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import io
    import sys
    from types import SimpleNamespace

    api.on("POST /api/v1/users", {"user": "ann", "link": None})
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO("störche\n".encode()), isatty=lambda: False))
    assert windlass("user", "add", "ann", "--password-stdin").code == 0
    assert api.requests[0].json["password"] == "störche"


def test_lists_are_drawn(windlass: Windlass, api: Any) -> None:
    user = {"user": "ann", "admin": True, "roles": {"blue": "owner"}, "second_factor": True, "has_password": False}
    api.on("GET /api/v1/users", {"items": [{**user, "created_at": 1.0}]})
    assert all(word in windlass("user", "list").out for word in ("ann", "blue: owner", "not set"))
    token = {"id": "t1", "name": "ci", "user": "ann", "scopes": ["all"], "app": None, "project": "blue"}
    api.on("GET /api/v1/tokens", {"items": [{**token, "expires_at": None, "used_at": None}]})
    assert all(word in windlass("token", "list").out for word in ("t1", "ci", "blue", "never"))
    entry = {"number": 7, "at": 1.0, "actor": "ann", "source": "192.0.2.1", "action": "env.set", "app": "shop"}
    api.on("GET /api/v1/audit", {"items": [{**entry, "data": {"values": ["A\x1b[31m"]}}]})
    shown = windlass("audit", "list").out
    assert all(word in shown for word in ("192.0.2.1", "env.set", "shop"))
    assert "\x1b" not in shown


def test_a_new_token_is_shown_first(windlass: Windlass, api: Any) -> None:
    api.on("POST /api/v1/tokens", {"token": "wl_x", "expires_at": None})
    assert windlass("token", "create", "ci", "--scope", "all").out.splitlines()[0] == "wl_x"


def test_a_broken_log_ends_with_1(windlass: Windlass, api: Any) -> None:
    item = {"code": "audit_cut", "name": "3", "message": "the log ends at entry 3", "fix": ""}
    api.on("GET /api/v1/audit/verify", {"status": "broken", "entries": 3, "items": [item]})
    typed = windlass("audit", "verify")
    assert (typed.code, "ends at entry 3" in typed.out) == (1, True)
    assert windlass("audit", "verify", "--json").code == 1
