"""Projects in other tools' words, deployed as they are: what was made once is kept, and everything is reached."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.e2e.projects import edit, write
from tests.e2e.station import Station
from tests.e2e.truth import assert_true_and_tidy

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

SERVER = """\
#!/usr/bin/env python3
import json, os, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        told = {k: v for k, v in os.environ.items() if k.startswith(("TOLD_", "SERVICE_"))}
        told["length"] = len(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
        body = json.dumps({"version": "v1", "path": self.path, "port": int(sys.argv[1]), **told}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, *_):
        pass

ThreadingHTTPServer(("0.0.0.0", int(sys.argv[1])), Handler).serve_forever()
"""
ENV = "verify: {bake: 1s}\n"


def inline(text: str, depth: int = 10) -> str:
    return "".join(f"{' ' * depth}{line}\n" if line else "\n" for line in text.splitlines())


def of(answer: Any) -> dict[str, Any]:
    assert answer.status == 200, answer
    return dict(answer.json())


STORE_AND_WEB = f"""\
# documentation: https://example.com/docs
# slogan: A board for cards.
# tags: board, cards
# port: 8000
services:
  board:
    image: python:3.11-slim
    command: [python, -u, /srv/board.py, "8000"]
    environment:
      - SERVICE_FQDN_BOARD_8000
      - TOLD_URL=$SERVICE_URL_BOARD
      - TOLD_HOST=${{SERVICE_FQDN_BOARD}}
      - TOLD_DATABASE=postgresql://$SERVICE_USER_POSTGRES:$SERVICE_PASSWORD_POSTGRES@db:5432/board
      - TOLD_KEY=${{SERVICE_REALBASE64_64_KEY}}
      - TOLD_SEATS=${{SEATS:?12}}
    volumes:
      - type: bind
        source: ./board.py
        target: /srv/board.py
        read_only: true
        content: |
{inline(SERVER)}
    depends_on:
      db: {{condition: service_healthy}}
  db:
    image: postgres:16-alpine
    environment:
      - POSTGRES_USER=$SERVICE_USER_POSTGRES
      - POSTGRES_PASSWORD=$SERVICE_PASSWORD_POSTGRES
      - POSTGRES_DB=board
    volumes:
      - board-postgres:/var/lib/postgresql/data
      - type: bind
        source: ./init/cards.sql
        target: /docker-entrypoint-initdb.d/cards.sql
        content: |
          CREATE TABLE cards (word text);
          INSERT INTO cards VALUES ('$not_a_variable');
    healthcheck:
      test: [CMD-SHELL, "pg_isready -U $${{POSTGRES_USER}} -d $${{POSTGRES_DB}}"]
      interval: 1s
      retries: 30
"""


def board(folder: Path) -> Path:
    return write(folder, {"compose.yaml": STORE_AND_WEB, "windlass.yaml": ENV})


def test_a_store_a_password_a_route_and_a_file(shared: Station) -> None:
    app = shared.app("board")
    folder = board(shared.folder / app)
    planned = shared.ok("plan", folder, "--app", app)
    notes = " ".join(planned["notes"])
    for said in ("declared the volumes board-postgres", "board.py is written", "made once and kept", "for SEATS"):
        assert said in notes
    assert [(r["service"], r["port"]) for r in planned["routes"]] == [("board", 8000)]
    assert {i["service"]: i["strategy"] for i in planned["items"]} == {"board": "rolling", "db": "keep"}
    assert not shared.containers(app)

    shared.deploy(folder, app)
    first = of(shared.get(app))
    host = f"{app}.localhost"
    address = f"http://{host}:{shared.http_port}"
    assert (first["TOLD_HOST"], first["TOLD_URL"], first["TOLD_SEATS"]) == (host, address, "12")
    assert first["SERVICE_FQDN_BOARD_8000"] == host
    database = first["TOLD_DATABASE"].replace("@db:", "@127.0.0.1:")
    (db,) = shared.serving(app, "db")
    asked = db.exec_run(["psql", database, "-Atc", "SELECT word FROM cards"])
    assert asked.output.decode().strip() == "$not_a_variable"

    kept = {item["name"] for item in shared.ok("env", "list", app)["items"]}
    assert kept == {"SERVICE_USER_POSTGRES", "SERVICE_PASSWORD_POSTGRES", "SERVICE_REALBASE64_64_KEY"}
    assert shared.ok("deploy", folder, "--app", app)["status"] == "unchanged"

    edit(folder / "compose.yaml", '"version": "v1"', '"version": "v2"')
    with shared.load(app, get_path="/", rate=40.0, websockets=0) as running:
        shared.deploy(folder, app)
        report = running.stop()
    assert report.failed == 0
    second = of(shared.get(app))
    assert second["version"] == "v2"
    assert {k: v for k, v in second.items() if k != "version"} == {k: v for k, v in first.items() if k != "version"}
    assert shared.serving(app, "db")[0].id == db.id, "an unchanged store is not touched"
    shared.ok("rollback", app)
    assert of(shared.get(app))["version"] == "v1"
    assert_true_and_tidy(shared, app)


def test_a_host_of_the_operators_own(shared: Station) -> None:
    app = shared.app("board")
    folder = board(shared.folder / app)
    shared.ok("env", "set", app, f"SERVICE_FQDN_BOARD=cards.{app}.localhost")
    document = shared.deploy(folder, app)
    assert document["urls"][0] == f"http://cards.{app}.localhost:{shared.http_port}"


SEVERAL = f"""\
services:
  ui: &server
    image: python:3.11-slim
    entrypoint: [/serve.sh]
    command: ["8001"]
    environment:
      - SERVICE_URL_DESK_8001
    volumes:
      - desk-files:/files
      - type: bind
        source: ./serve.sh
        target: /serve.sh
        mode: "0755"
        content: |
          #!/bin/sh
          test "$(cat /files/ready)" = yes || exit 1
          exec python -u /server.py "$1"
      - type: bind
        source: ./server.py
        target: /server.py
        isDirectory: false
        content: |
{inline(SERVER)}
    depends_on:
      prepare: {{condition: service_completed_successfully}}
  api:
    <<: *server
    command: ["8002"]
    environment:
      SERVICE_URL_DESK_8002: /api
  console:
    <<: *server
    command: ["8003"]
    environment: {{SERVICE_URL_CONSOLE_8003: null, TOLD_DESK: "$SERVICE_URL_DESK"}}
  prepare:
    image: python:3.11-slim
    command: [sh, -c, "echo yes > /files/ready"]
    exclude_from_hc: true
    restart: "no"
    volumes:
      - desk-files:/files
"""


def test_several_places_a_program_and_a_job(shared: Station) -> None:
    app = shared.app("desk")
    folder = write(shared.folder / app, {"docker-compose.yml": SEVERAL, "windlass.yaml": ENV})
    document = shared.deploy(folder, app)
    below = f"console.{app}.localhost"
    assert sorted(document["urls"])[0] == f"http://{below}:{shared.http_port}"
    ports = {path: of(shared.get(app, path))["port"] for path in ("/", "/other", "/api", "/api/x")}
    assert ports == {"/": 8001, "/other": 8001, "/api": 8002, "/api/x": 8002}
    planned = {s["name"]: s["strategy"] for s in shared.status(app)["services"]}
    assert planned["prepare"] == "job"
    routes = {(r["host"], r["path"], r["service"]) for r in shared.status(app)["routes"]}
    assert {(below, "/", "console"), (f"{app}.localhost", "/api", "api")} <= routes


OLD = """\
version: "3.4"
services:
  web: {image: "nginx:alpine", expose: ["80"]}
  voice:
    image: nginx:alpine
    runtime: nvidia
    environment: [NVIDIA_VISIBLE_DEVICES=all]
"""


def test_an_old_way_to_ask_for_a_gpu_needs_consent(shared: Station) -> None:
    app = shared.app("voice")
    folder = write(shared.folder / app, {"compose.yaml": OLD})
    refused = shared.run("plan", folder, "--app", app)
    assert refused.code == 3
    fixes = {d["code"]: d["fix"] for d in refused.error["details"]}
    assert fixes["consent_missing"] == f"windlass consent {app} gpus:voice"
