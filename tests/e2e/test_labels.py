"""A Compose file with Traefik's labels, deployed as it is; and an app that is closed for a while."""

from __future__ import annotations

import base64
import http.client
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.projects import edit, write
from tests.e2e.station import Station
from tests.e2e.web import Answer, ask

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

ECHO = """\
import json, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        told = {"name": sys.argv[1], "path": self.path, "tenant": self.headers.get("X-Tenant")}
        body = json.dumps(told).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

ThreadingHTTPServer(("0.0.0.0", 8000), Handler).serve_forever()
"""
COMPOSE = """\
x-echo: &echo
  image: python:3.11-slim
  volumes: ["./echo.py:/srv/echo.py:ro"]
  stop_grace_period: 1s
services:
  web:
    <<: *echo
    command: [python, -u, /srv/echo.py, web]
    labels:
      - traefik.enable=true
      - traefik.http.routers.web.rule=Host(`HOST`)
      - traefik.http.routers.web.entrypoints=websecure
      - traefik.http.routers.web.tls.certresolver=letsencrypt
      - traefik.http.services.web.loadbalancer.server.port=8000
  api:
    <<: *echo
    command: [python, -u, /srv/echo.py, api]
    labels:
      traefik.enable: "true"
      traefik.http.routers.api.rule: Host(`HOST`) && PathPrefix(`/api`)
      traefik.http.routers.api.middlewares: bare,named
      traefik.http.middlewares.bare.stripprefix.prefixes: /api
      traefik.http.middlewares.named.headers.customrequestheaders.X-Tenant: blue
      traefik.http.middlewares.named.headers.customresponseheaders.X-Served-By: labels
      traefik.http.services.api.loadbalancer.server.port: "8000"
  admin:
    <<: *echo
    command: [python, -u, /srv/echo.py, admin]
    labels:
      traefik.http.routers.admin.rule: Host(`HOST`) && (Path(`/admin`) || PathPrefix(`/admin/`))
      traefik.http.routers.admin.middlewares: guard
      traefik.http.middlewares.guard.basicauth.users: bob:$$apr1$$abcdefgh$$h9FWgUz3n9YxylKLlR5SQ/
      traefik.http.services.admin.loadbalancer.server.port: "8000"
"""
HOST = "labels.localhost"
BOB = "Basic " + base64.b64encode(b"bob:secret").decode()


def get(station: Station, path: str, **headers: str) -> Answer:
    connection = http.client.HTTPConnection(station.engine.address, station.http_port, timeout=30)
    return ask(connection, path, None, {"Host": HOST, "Connection": "close", **headers})


@pytest.fixture(scope="module")
def labelled(shared: Station) -> Iterator[tuple[str, Path]]:
    app = shared.app("labels")
    files = {"compose.yaml": COMPOSE.replace("HOST", HOST), "echo.py": ECHO, "windlass.yaml": "verify: {bake: 1s}\n"}
    folder = write(shared.folder / app, files)
    yield app, folder
    shared.run("remove", app, "--data", "--yes")


def test_labels_are_routes(shared: Station, labelled: tuple[str, Path]) -> None:
    app, folder = labelled
    plan: dict[str, Any] = shared.ok("plan", folder, "--app", app)
    assert {(r["host"], r["path"], r["service"]) for r in plan["routes"]} == {
        (HOST, "/", "web"),
        (HOST, "/api", "api"),
        (HOST, "/admin", "admin"),
        (HOST, "/admin/", "admin"),
    }
    assert any("TLS of Traefik's labels" in note for note in plan["notes"])
    shared.deploy(folder, app)
    assert get(shared, "/x").json() == {"name": "web", "path": "/x", "tenant": None}
    answer = get(shared, "/api/x?y=1")
    assert answer.json() == {"name": "api", "path": "/x?y=1", "tenant": "blue"}
    assert answer.headers["x-served-by"] == "labels"
    assert [get(shared, path).status for path in ("/admin", "/admin/x", "/adminx")] == [401, 401, 200]
    assert get(shared, "/admin", Authorization=BOB).json()["name"] == "admin"
    # Another Traefik on this engine would take them for its own.
    assert not [name for c in shared.containers(app) for name in c.labels if name.startswith("traefik.")]


def test_the_next_release_has_its_own(shared: Station, labelled: tuple[str, Path]) -> None:
    app, folder = labelled
    edit(folder / "compose.yaml", "X-Tenant: blue", "X-Tenant: red")
    shared.deploy(folder, app)
    assert get(shared, "/api").json()["tenant"] == "red"
    shared.ok("rollback", app)
    assert get(shared, "/api").json()["tenant"] == "blue"


def test_closed_for_maintenance(shared: Station, labelled: tuple[str, Path]) -> None:
    """Also while a new release comes, whose own checks get through."""
    app, folder = labelled
    assert shared.ok("maintenance", app, "on") == {"app": app, "closed": True, "allowed": []}
    closed = get(shared, "/")
    assert (closed.status, closed.headers["retry-after"]) == (503, "10")
    write(folder, {"windlass.yaml": f"verify: {{bake: 1s, steps: [{{get: /api/up, host: {HOST}}}]}}\n"})
    shared.deploy(folder, app, "--force")
    assert get(shared, "/").status == 503
    assert shared.ok("maintenance", app)["closed"] is True
    shared.ok("maintenance", app, "on", "--allow", "127.0.0.0/8")
    assert get(shared, "/").status == 200
    shared.ok("maintenance", app, "off")
    assert get(shared, "/").status == 200
