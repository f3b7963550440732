"""Examples of requests and answers, for the OpenAPI document: one for each route, as a small shop would see them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Example:
    """None: there is no body."""

    request: Any = None
    answer: Any = None


_THEN = 1_795_305_600.25

_DEPLOYMENT = {
    "app": "shop",
    "release": 7,
    "previous": 6,
    "deployment": "3f9c2b7a51de",
    "kind": "deploy",
    "status": "live",
    "url": "http://shop.localhost",
    "urls": ["http://shop.localhost"],
    "seconds": 9.812,
    "live_seconds": 6.041,
    "created_at": _THEN,
    "ended_at": _THEN + 9.812,
    "steps": [{"name": "source", "status": "done", "seconds": 0.31, "parts": [{}]}],
    "error": None,
    "report": None,
    "position": None,
    "waiting": None,
    "approval": None,
    "by": "ann (token ci)",
    "flags": ["pull"],
    "dirty": False,
}
_QUEUED = {**_DEPLOYMENT, "release": None, "status": "queued", "seconds": 0.002, "live_seconds": None}
_CONTAINER = {
    "id": "5d3c1a0b9e8f",
    "name": "shop-g7-web-1",
    "release": 7,
    "state": "running",
    "health": "healthy",
    "restarts": 0,
    "exit_code": None,
}
_SERVICE = {
    "name": "web",
    "role": "web",
    "strategy": "generation",
    "state": "running",
    "containers": [_CONTAINER],
}
_SERVICES = {"app": "shop", "services": [_SERVICE]}
_STATUS = {
    "app": "shop",
    "live": 7,
    "running": True,
    "services": [_SERVICE],
    "routes": [{"host": "shop.localhost", "path": "/", "service": "web", "port": 8080, "url": "http://shop.localhost"}],
    "deployment": None,
    "warm": None,
    "engine": "ok",
}
_APP = {
    "app": "shop",
    "live": 7,
    "running": True,
    "url": "http://shop.localhost",
    "deployment": None,
    "created_at": _THEN,
}
_RELEASE = {
    "release": 7,
    "state": "live",
    "live": True,
    "commit": "8b1f0c4d2e6a7f9b3c5d1e0f8a7b6c5d4e3f2a1b",
    "author": "Ann <ann@example.org>",
    "message": "Faster checkout",
    "committed_at": _THEN,
    "source": "https://git.example.org/shop.git",
    "ref": "main",
    "created_at": _THEN,
    "live_at": _THEN,
    "images": {},
    "can_roll_back": False,
    "deployment": "3f9c2b7a51de",
    "status": "live",
    "error": "",
    "by": "ann",
    "ended_at": _THEN,
    "flags": ["pull"],
    "dirty": False,
}
_EVENT = {"id": 4211, "at": _THEN, "app": "shop", "deployment": "3f9c2b7a51de", "kind": "step", "data": {}}
_LINE = {
    "at": "2026-11-22T00:00:00.25Z",
    "service": "web",
    "container": "shop-g7-web-1",
    "release": 7,
    "stream": "stdout",
    "text": "listening on 8080",
}
_USAGE = {"app": "shop", "service": "web", "container": "shop-g7-web-1", "release": 7}
_PLAN = {
    "app": "shop",
    "live": 7,
    "items": [
        {
            "service": "web",
            "role": "web",
            "strategy": "generation",
            "reason": "has a build and a port",
            "place": "generation",
            "image": "",
            "action": "replaced",
            "probe": "GET /health",
            "replicas": 2,
        }
    ],
    "tasks": [],
    "routes": [{"host": "shop.localhost", "path": "/", "service": "web", "port": 8080}],
    "notes": [],
    "downtime": [],
    "checks": [{"name": "disk", "status": "ok", "message": "41 GB are free", "fix": ""}],
}
_DEPLOY = {"source_kind": "git", "url": "https://git.example.org/shop.git", "ref": "main"}
_NAMES = {"items": [{"name": "DATABASE_URL"}]}
_FOUND = {"status": "ok", "code": "", "name": "", "message": "", "fix": ""}
_WISHES = {
    "items": [{"item": "web:cap_add:NET_ADMIN", "service": "web", "message": "asks for NET_ADMIN", "given": True}]
}
_SOURCE = {
    "app": "shop",
    "kind": "git",
    "url": "https://git.example.org/shop.git",
    "branch": "main",
    "path": "",
    "compose": ["compose.yaml"],
    "watch": ["backend/**"],
    "submodules": False,
    "lfs": False,
    "poll": 60.0,
    "auth": "token",
    "user": "",
    "public_key": "",
    "host_keys": ["256 SHA256:4vUq… git.example.org (ED25519)"],
    "status": "gitea",
    "seen": "8b1f0c4d2e6a7f9b3c5d1e0f8a7b6c5d4e3f2a1b",
    "problem": "",
    "set_at": _THEN,
}
_USER = {
    "user": "ann",
    "admin": False,
    "roles": {},
    "second_factor": True,
    "has_password": True,
    "created_at": _THEN,
}
_LINK = {"user": "ann", "link": "/setup/0eJ4…"}
_PROJECT = {
    "project": "default",
    "protected": ["production"],
    "approval_s": 86_400.0,
    "apps": ["shop"],
    "created_at": _THEN,
}
_ROLE = {"user": "ann", "project": "default", "role": "deployer"}
_TOKEN = {
    "id": "a1b2c3d4e5",
    "name": "ci",
    "user": "ann",
    "scopes": ["deployer"],
    "app": "shop",
    "project": None,
    "created_at": _THEN,
    "expires_at": _THEN + 7_776_000,
    "used_at": None,
}
_PREVIEWS = {
    "app": "shop",
    "on": True,
    "limit": 5,
    "keep": 604800.0,
    "memory": 536870912,
    "cpus": 1.0,
    "pids": 256,
    "values": "shop@preview",
    "items": [
        {
            "app": "shop@pr-12",
            "number": 12,
            "fork": False,
            "state": "open",
            "live": 1,
            "url": "http://pr-12.shop.localhost",
            "opened_at": _THEN,
            "until": _THEN,
        }
    ],
}

_ENTRY = {
    "number": 812,
    "at": _THEN,
    "actor": "ann (token ci)",
    "source": "192.0.2.7",
    "action": "app.deploy",
    "app": "shop",
    "data": {},
}

_MAINTENANCE = {"app": "shop", "closed": True, "allowed": ["192.0.2.7/32"]}

_APPS: Mapping[str, Example] = {
    "GET /apps": Example(answer={"items": [_APP], "next": None}),
    "GET /apps/{app}": Example(answer=_STATUS),
    "DELETE /apps/{app}": Example(answer={"app": "shop", "removed": {"container": 3}, "kept": ["volume shop_data"]}),
    "GET /apps/{app}/releases": Example(answer={"items": [_RELEASE], "next": None}),
    "GET /apps/{app}/events": Example(answer={"items": [_EVENT], "next": None}),
    "GET /apps/{app}/stats": Example(answer={"items": [_USAGE]}),
    "GET /stats": Example(answer={"items": [_USAGE]}),
    **{f"POST /apps/{{app}}/{verb}": Example({"service": "web"}, _SERVICES) for verb in ("restart", "stop", "start")},
    "POST /apps/{app}/scale": Example({"service": "web", "replicas": 2}, _SERVICES),
    "GET /apps/{app}/maintenance": Example(answer=_MAINTENANCE),
    "PUT /apps/{app}/maintenance": Example({"closed": True, "allowed": ["192.0.2.7"]}, _MAINTENANCE),
    "POST /apps/{app}/exec": Example(
        {"service": "web", "command": ["date", "-u"]}, {"exit_code": 0, "output": "Sun Nov 22 00:00:00 UTC 2026\n"}
    ),
    "GET /doctor": Example(answer={"items": [{"name": "disk", "status": "ok", "message": "41 GB free", "fix": ""}]}),
    "POST /apps/{app}/deployments": Example(_DEPLOY, _QUEUED),
    "POST /apps/{app}/plan": Example(_DEPLOY, _PLAN),
    "GET /apps/{app}/deployments": Example(answer={"items": [_DEPLOYMENT], "next": None}),
    "POST /apps/{app}/rollback": Example({"to": 6}, {**_QUEUED, "kind": "rollback"}),
    "POST /apps/{app}/cancel": Example(answer=_QUEUED),
    "GET /deployments/{id}": Example(answer=_DEPLOYMENT),
    "GET /apps/{app}/logs": Example(answer={"items": [_LINE]}),
}

_VARIABLES: Mapping[str, Example] = {
    "GET /apps/{app}/env": Example(
        answer={"items": [{"name": "DATABASE_URL", "value": None, "changed_at": _THEN, "used": True}]}
    ),
    "PUT /apps/{app}/env": Example({"values": {"DATABASE_URL": "postgres://shop:…@db/shop"}}, _NAMES),
    "POST /apps/{app}/env/unset": Example({"names": ["DATABASE_URL"]}, _NAMES),
    "POST /apps/{app}/env/import": Example({"text": "DATABASE_URL=postgres://shop:…@db/shop\n"}, _NAMES),
    "POST /apps/{app}/env/encode": Example({"names": ["DATABASE_URL"]}, _NAMES),
    "GET /apps/{app}/env/check": Example(answer={"app": "shop", "status": "ok", "items": [_FOUND]}),
    "POST /apps/{app}/env/generate": Example(answer=_NAMES),
    "GET /apps/{app}/env/diff": Example(
        answer={
            "app": "shop",
            "from": 6,
            "to": 7,
            "items": [{"name": "DATABASE_URL", "change": "changed", "before": None, "after": None}],
        }
    ),
    "GET /apps/{app}/env/history": Example(answer={"app": "shop", "items": [{}], "pending": [{}]}),
    "GET /apps/{app}/consents": Example(answer=_WISHES),
    "POST /apps/{app}/consents": Example({"items": ["web:cap_add:NET_ADMIN"]}, _WISHES),
    "POST /apps/{app}/consents/revoke": Example({"items": ["web:cap_add:NET_ADMIN"]}, _WISHES),
    "GET /apps/{app}/source": Example(answer=_SOURCE),
    "PUT /apps/{app}/source": Example({"url": _SOURCE["url"], "branch": "main", "poll": 60.0}, _SOURCE),
    "DELETE /apps/{app}/source": Example(answer={"app": "shop"}),
    "POST /apps/{app}/source/trust": Example(answer=_SOURCE),
    "POST /apps/{app}/hook": Example(
        {"reveal": True, "renew": False},
        {"app": "shop", "url": "https://windlass.example.org/hooks/shop", "secret": "k3N…", "notes": [""]},
    ),
    "GET /apps/{app}/previews": Example(answer=_PREVIEWS),
    "PUT /apps/{app}/previews": Example({"limit": 5, "keep": 604800.0}, _PREVIEWS),
    "DELETE /apps/{app}/previews": Example(answer={**_PREVIEWS, "on": False, "items": []}),
    "POST /hooks/{app}": Example(
        {"ref": "refs/heads/main"},
        {"result": "queued", "reason": "", "deployments": [{"app": "shop", "deployment": "3f9c2b7a51de"}]},
    ),
}

_OIDC = {
    "issuer": "https://id.example.org",
    "client_id": "windlass",
    "url": "https://windlass.example.org",
    "callback": "https://windlass.example.org/login/oidc/callback",
    "role": "",
    "items": [{"identity": "mail:ann@example.org", "user": "ann"}],
}
_PROTECTION = {"app": "shop", "protected": True, "approval_s": 86_400.0, "own": True, "waiting": ["3f9c2b7a51de"]}

_PEOPLE: Mapping[str, Example] = {
    "GET /users": Example(answer={"items": [_USER], "next": None}),
    "POST /users": Example({"name": "ann", "admin": False}, _LINK),
    "POST /users/first": Example(answer={"link": "/setup/0eJ4…"}),
    "DELETE /users/{user}": Example(answer={"user": "ann"}),
    "PUT /users/{user}/admin": Example({"admin": True}, _USER),
    "POST /users/{user}/link": Example(answer=_LINK),
    "POST /users/{user}/unlock": Example(answer={"user": "ann"}),
    "DELETE /users/{user}/second-factor": Example(answer={"user": "ann", "second_factor": False}),
    "GET /projects": Example(answer={"items": [_PROJECT], "next": None}),
    "POST /projects": Example({"name": "web"}, _PROJECT),
    "DELETE /projects/{project}": Example(answer={"project": "web"}),
    "PUT /projects/{project}/protected": Example({"environments": ["production"], "approval_s": 86_400.0}, _PROJECT),
    "GET /apps/{app}/protection": Example(answer=_PROTECTION),
    "PUT /apps/{app}/protection": Example({"protected": True, "approval_s": 86_400.0}, _PROTECTION),
    "POST /deployments/{id}/approve": Example({"note": "looks well"}, {**_DEPLOYMENT, "status": "queued"}),
    "POST /deployments/{id}/reject": Example({"note": "not on a friday"}, {**_DEPLOYMENT, "status": "cancelled"}),
    "PUT /apps/{app}/project": Example({"name": "web"}, {"app": "shop", "project": "web"}),
    "GET /projects/{project}/members": Example(answer={"items": [{"user": "ann", "role": "viewer"}], "next": None}),
    "PUT /projects/{project}/members/{user}": Example({"role": "deployer"}, _ROLE),
    "DELETE /projects/{project}/members/{user}": Example(answer=_ROLE),
    "GET /me": Example(
        answer={
            "name": "ann",
            "kind": "user",
            "admin": False,
            "token": "ci",
            "permissions": None,
            "roles": {},
            "rights": {},
            "csrf": None,
        }
    ),
    "GET /oidc": Example(answer=_OIDC),
    "PUT /oidc": Example(
        {"issuer": "https://id.example.org", "client_id": "windlass", "secret": "…", "url": "https://w.example.org"},
        _OIDC,
    ),
    "DELETE /oidc": Example(answer={**_OIDC, "issuer": None, "items": []}),
    "PUT /users/{user}/identity": Example({"identity": "ann@example.org"}, _OIDC),
    "DELETE /users/{user}/identity": Example(answer=_OIDC),
    "GET /me/sessions": Example(
        answer={
            "items": [
                {"created_at": _THEN, "seen_at": _THEN, "expires_at": _THEN, "source": "192.0.2.7", "current": True}
            ]
        }
    ),
    "DELETE /me/sessions": Example(answer={"user": "ann"}),
    "PUT /me/password": Example({"password": "a stork on the chimney", "new": "…"}, {"user": "ann"}),
    "POST /me/second-factor": Example(
        {"password": "a stork on the chimney"}, {"secret": "JBSW…", "uri": "otpauth://totp/windlass:ann?secret=…"}
    ),
    "POST /me/second-factor/confirm": Example({"code": "123456"}, {"user": "ann", "second_factor": True}),
    "POST /me/second-factor/remove": Example(
        {"password": "a stork on the chimney"}, {"user": "ann", "second_factor": False}
    ),
    "POST /login": Example({"name": "ann", "password": "…", "code": "123456"}, {"csrf": "b7d1…"}),
    "POST /setup/{secret}": Example({"name": "ann", "password": "…"}, {"csrf": "b7d1…"}),
}

_SERVER: Mapping[str, Example] = {
    "GET /health": Example(answer={"status": "ok", "version": "0.1.0"}),
    "GET /ready": Example(answer={"status": "ready"}),
    "GET /control": Example(answer={"version": "0.1.0", "pid": 4711, "url": "", "edge": {}}),
    "GET /key": Example(
        answer={
            "key": "9f2c41aa",
            "changed_at": _THEN,
            "rotation": "done",
            "items": [{"key": "9f2c41aa", "state": "current", "values": 12}],
        }
    ),
    "POST /key/rotate": Example(answer={"key": "77ab01ce", "before": "9f2c41aa", "resealed": 12, "resumed": False}),
    "GET /tokens": Example(answer={"items": [_TOKEN], "next": None}),
    "POST /tokens": Example(
        {"name": "ci", "scopes": ["deployer"], "app": "shop", "seconds": 7_776_000.0}, {**_TOKEN, "token": "wl_…"}
    ),
    "DELETE /tokens/{id}": Example(answer=_TOKEN),
    "GET /audit": Example(answer={"items": [_ENTRY], "next": 712}),
    "GET /audit/verify": Example(
        answer={"status": "ok", "entries": 812, "items": [{"code": "", "name": "", "message": "", "fix": ""}]}
    ),
}

EXAMPLES: Mapping[str, Example] = {**_APPS, **_VARIABLES, **_PEOPLE, **_SERVER}
"""By method and path; paths of the API without their beginning `/api/v1`."""
