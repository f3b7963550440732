"""Commands, typed: what they send, what they print, how they end."""

import io
import json
import tarfile
from collections.abc import Callable
from email.parser import BytesParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.cli.conftest import Api, NoLauncher, Request, Typed

from windlass.cli.app import COMMANDS
from windlass.cli.session import UpOptions
from windlass.domain.errors import (
    Cancelled,
    Conflict,
    Detail,
    Failed,
    NotAllowed,
    NotFound,
    OutOfReach,
    Refused,
    SwitchedBack,
    Usage,
    WindlassError,
)
from windlass.wire import EXIT_OF_STATUS

Windlass = Callable[..., Typed]

DOCUMENT: dict[str, Any] = {
    "app": "shop", "release": 3, "deployment": "d1", "status": "queued", "url": "http://shop.localhost",
    "urls": ["http://shop.localhost"], "seconds": 12.5, "live_seconds": 3.25, "steps": [], "error": None,
}  # fmt: skip


def stream(*messages: tuple[str, Any], first: int = 1) -> list[str]:
    lines: list[str] = []
    for number, (kind, data) in enumerate(messages, first):
        lines += [f"id: {number}", f"event: {kind}", f"data: {json.dumps(data)}", ""]
    return lines


def ended(status: str, **more: Any) -> list[str]:
    step = {"data": {"name": "source", "status": "done", "seconds": 0.1}}
    return stream(("step", step), ("end", {**DOCUMENT, "status": status, **more}))


def form(request: Request) -> tuple[dict[str, Any], tarfile.TarFile]:
    """The two parts of an upload."""
    head = f"Content-Type: {request.headers['Content-Type']}\r\n\r\n".encode()
    parameters, source = BytesParser().parsebytes(head + request.body).get_payload()
    assert not isinstance(parameters, str)
    assert not isinstance(source, str)
    packed = source.get_payload(decode=True)
    return json.loads(parameters.get_payload(decode=True)), tarfile.open(fileobj=io.BytesIO(packed))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "My Shop"
    folder.mkdir()
    (folder / "compose.yaml").write_text("services: {}\n")
    return folder


# --- deploy ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "code"), [(s, c) for s, c in EXIT_OF_STATUS.items() if s not in ("queued", "running")]
)
def test_deploy_ends_as_the_deployment_does(
    api: Api, windlass: Windlass, project: Path, status: str, code: int
) -> None:
    api.on("POST /api/v1/apps/my-shop/deployments", DOCUMENT)
    api.on("GET /api/v1/deployments/d1/events", ended(status))
    typed = windlass("deploy", str(project), "--json")
    assert typed.code == code
    assert typed.json == {**DOCUMENT, "status": status}
    assert "source" in typed.err


def test_deploy_sends_the_folder_and_its_parameters(
    api: Api, windlass: Windlass, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "some.env").write_text("C=3\n")
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(b"D=4\n"), isatty=lambda: False))
    api.on("POST /api/v1/apps/shop/deployments", DOCUMENT)
    options = ["--set", "A==1 $x", "--set", "B=", "--compose", "a.yaml", "--compose", "b.yaml", "--profile", "p"]
    options += ["--env-file", str(tmp_path / "some.env"), "--env-file", "-", "--pull", "--force", "--yes"]
    options += ["--skip-check", "disk", "--skip-check", "reachability:DB_URL"]
    options += ["--skip-tests", "--skip-build"]
    typed = windlass("deploy", str(project), "--app", "shop", "--detach", *options)
    assert typed.code == 0, typed.err
    assert "windlass status shop" in typed.out
    parameters, archive = form(api.requests[0])
    assert archive.getnames() == ["compose.yaml"]
    assert parameters == {
        "source_kind": "upload", "url": "", "ref": "", "commit": "", "compose": ["a.yaml", "b.yaml"], "profiles": ["p"],
        "values": {"A": "=1 $x", "B": ""}, "env": ["C=3\n", "D=4\n"], "pull": True, "force": True, "yes": True,
        "skip_checks": ["disk", "reachability:DB_URL"], "dirty": False, "skip_tests": True, "skip_verify": False,
        "skip_build": True, "no_backup": False,
    }  # fmt: skip


def test_deploy_of_a_git_address_sends_no_folder(api: Api, windlass: Windlass) -> None:
    api.on("POST /api/v1/apps/shop/deployments", DOCUMENT)
    assert windlass("deploy", "https://host.example/team/Shop.git", "--ref", "main", "--detach").code == 0
    sent = api.requests[0].json
    assert (sent["source_kind"], sent["url"], sent["ref"]) == ("git", "https://host.example/team/Shop.git", "main")


def test_a_refusal_at_the_door_has_the_form_of_a_deployment(api: Api, windlass: Windlass, project: Path) -> None:
    reasons = [Detail("one", "a", "first", "fix it"), Detail("two", "b", "second")]
    api.on("POST /api/v1/apps/my-shop/deployments", Refused("2 reasons", code="one", details=reasons))
    typed = windlass("deploy", str(project), "--json")
    assert typed.code == 3
    assert typed.json["status"] == "refused"
    assert set(DOCUMENT) <= set(typed.json)
    assert [d["name"] for d in typed.json["error"]["details"]] == ["a", "b"]
    shown = windlass("deploy", str(project))
    assert shown.code == 3
    assert "a: first" in shown.err
    assert "fix it" in shown.err
    assert shown.out == ""


def test_a_failed_deployment_is_told_for_a_tired_reader(api: Api, windlass: Windlass, project: Path) -> None:
    report = {
        "service": "web", "container": "shop-g3-web-1", "exit_code": 137, "oom": True, "probe": "GET /ready: 503",
        "log": ["\x1b[31mno memory\x1b[0m"], "changed": ["web: image"], "serving": 2,
        "next": ["windlass logs shop web"],
    }  # fmt: skip
    error = Failed("web was killed", hint="windlass logs shop web").as_dict()
    api.on("POST /api/v1/apps/my-shop/deployments", DOCUMENT)
    api.on("GET /api/v1/deployments/d1/events", ended("failed", error=error, report=report))
    typed = windlass("deploy", str(project))
    assert typed.code == 4
    for words in ("web was killed", "out of memory", "GET /ready: 503", "│ no memory", "web: image", "r2, as before"):
        assert words in typed.out
    assert typed.out.count("windlass logs shop web") == 1


WRONG_LINES = [
    ("deploy", "/nowhere/at/all"),
    ("deploy", ".", "--ref", "main"),
    ("deploy", ".", "--set", "A"),
    ("deploy", ".", "--set", "=x"),
    ("deploy", ".", "--env-file", "/nowhere"),
    ("deploy", ".", "--app", "-rf"),
    ("deploy", ".", "--app", "Shop"),
    ("deploy", "--", "-rf"),
    ("status", "-rf"),
    ("status", "--", "-rf"),
    ("status", "a" * 300),
    ("status", "../../etc/passwd"),
    ("status", "shop/x"),
    ("status", "shop--x"),
    ("rollback", "shop", "--to", "0"),
    ("rollback", "shop", "--to", "x"),
    ("scale", "shop", "web"),
    ("scale", "shop", "web=-1"),
    ("scale", "shop", "web=²"),
    ("maintenance", "shop", "maybe"),
    ("maintenance", "shop", "off", "--allow", "10.0.0.1"),
    ("exec", "shop", "web"),
    ("env", "set", "shop", "A"),
    ("env", "set", "shop", "A=1", "--stdin"),
    ("env", "set", "shop"),
    ("consent", "shop", "--revoke"),
    ("remove", "shop"),
    ("completion", "tcsh"),
    ("nothing",),
    ("up", "--http", "70000"),
]


@pytest.mark.parametrize("words", WRONG_LINES, ids=" ".join)
def test_a_wrong_command_line(windlass: Windlass, words: tuple[str, ...], api: Api) -> None:
    typed = windlass(*words)
    assert (typed.code, typed.out) == (2, "")
    assert typed.err
    assert "Traceback" not in typed.err
    assert api.requests == []


@pytest.mark.parametrize("words", [w for w in WRONG_LINES if "--" not in w], ids=" ".join)
def test_a_wrong_command_line_in_json(windlass: Windlass, words: tuple[str, ...]) -> None:
    typed = windlass(*words, "--json")
    assert typed.code == 2
    assert set(typed.json["error"]) == {"code", "message", "hint", "details"}


@pytest.mark.parametrize(
    "error",
    [
        WindlassError("x"), Usage("x"), Refused("x"), Failed("x"), SwitchedBack("x"), Cancelled("x"), NotFound("x"),
        Conflict("x"), OutOfReach("x"), NotAllowed("x"),
    ],
    ids=lambda e: type(e).__name__,
)  # fmt: skip
def test_an_error_of_the_api_keeps_its_exit_code(api: Api, windlass: Windlass, error: WindlassError) -> None:
    api.on("GET /api/v1/apps/shop", error)
    assert windlass("status", "shop").code == error.exit_code
    typed = windlass("status", "shop", "--json")
    assert (typed.code, typed.json) == (error.exit_code, {"error": error.as_dict()})


def test_the_control_plane_does_not_run(windlass: Windlass, api: Api) -> None:
    api.socket.unlink()
    typed = windlass("status", "shop", "--json")
    assert (typed.code, typed.json["error"]["code"]) == (8, "control_plane_down")
    assert typed.json["error"]["hint"] == "windlass up"
    assert "windlass up" in windlass("deploy", "https://host.example/x.git").err


# --- looking ---------------------------------------------------------------------------------------------------------

STATUS = {
    "app": "shop",
    "live": 2,
    "services": [
        {
            "name": "web", "strategy": "rolling", "state": "running",
            "containers": [
                {"id": "a", "release": 2, "state": "running", "health": "healthy", "restarts": 1},
                {"id": "b", "release": 2, "state": "running", "health": "healthy", "restarts": 2},
            ],
        },
        {"name": "数据库", "strategy": "keep", "state": "running", "containers": []},
    ],
    "routes": [{"host": "h", "path": "/", "service": "web", "port": 80, "url": "http://shop.localhost"}],
    "deployment": {"status": "running", "seconds": 65, "steps": [{"name": "build", "status": "running"}]},
}  # fmt: skip


def test_status(api: Api, windlass: Windlass) -> None:
    api.on("GET /api/v1/apps/shop", STATUS)
    assert windlass("status", "shop", "--json").json == STATUS
    shown = windlass("status", "shop").out
    for words in ("http://shop.localhost → web:80", "running ×2", "healthy", "deployment running in build, 1m 05s"):
        assert words in shown
    assert "\x1b" not in shown


LISTS = [
    (("apps",), "apps", {"app": "shop", "live": 2, "running": True, "url": "http://x"}, "http://x"),
    (("releases", "shop"), "apps/shop/releases", {"release": 4, "state": "retired", "can_roll_back": True}, "r4"),
    (("events", "shop"), "apps/shop/events", {"id": 3, "at": 0, "kind": "line", "data": {"text": "hello"}}, "hello"),
    (("stats",), "stats", {"app": "shop", "service": "web", "memory_bytes": 3 << 20}, "3.0 MiB"),
    (("stats", "shop"), "apps/shop/stats", {"service": "web", "cpu_percent": 12.34}, "12.3 %"),
    (("env", "list", "shop"), "apps/shop/env", {"name": "A", "value": None, "changed_at": 1.0}, "A"),
    (("env", "list", "shop", "--reveal"), "apps/shop/env", {"name": "A", "value": "b c"}, "A=b c"),
    (("consent", "shop"), "apps/shop/consents", {"item": "privileged", "given": False, "message": "all"}, "needed"),
    (("doctor",), "doctor", {"name": "disk", "status": "warning", "message": "low", "fix": "free some"}, "free some"),
    (("logs", "shop", "web"), "apps/shop/logs", {"service": "web", "text": "\x1b]0;x\x07hi\r", "release": 2}, "| hi"),
]


@pytest.mark.parametrize(("words", "path", "item", "shown"), LISTS, ids=[" ".join(case[0]) for case in LISTS])
def test_lists(  # noqa: PLR0913
    api: Api, windlass: Windlass, words: tuple[str, ...], path: str, item: dict[str, Any], shown: str
) -> None:
    api.on(f"GET /api/v1/{path}", {"items": [item]})
    assert windlass(*words, "--json").json == {"items": [item]}
    assert shown in windlass(*words).out
    api.on(f"GET /api/v1/{path}", {"items": []})
    assert windlass(*words).code == 0


def test_events_are_all_of_them_though_the_api_gives_some_at_a_time(api: Api, windlass: Windlass) -> None:
    pages: list[Any] = [{"items": [{"id": n, "kind": "line"} for n in page]} for page in ((1, 2), (3, 7), ())]
    api.on("GET /api/v1/apps/shop/events", *pages)
    assert [item["id"] for item in windlass("events", "shop", "--json").json["items"]] == [1, 2, 3, 7]
    assert [request.path.partition("after=")[2] for request in api.requests] == ["0", "2", "7"]


# --- acting ----------------------------------------------------------------------------------------------------------

CALLS: list[tuple[tuple[str, ...], str, Any]] = [
    (("restart", "shop"), "POST apps/shop/restart", {"service": None}),
    (("stop", "shop", "web"), "POST apps/shop/stop", {"service": "web"}),
    (("start", "shop@staging"), "POST apps/shop%40staging/start", {"service": None}),
    (("scale", "shop", "web=3"), "POST apps/shop/scale", {"service": "web", "replicas": 3}),
    (("maintenance", "shop", "on"), "PUT apps/shop/maintenance", {"closed": True, "allowed": []}),
    (
        ("maintenance", "shop", "on", "--allow", "10.0.0.1", "--allow", "10.1.0.0/16"),
        "PUT apps/shop/maintenance",
        {"closed": True, "allowed": ["10.0.0.1", "10.1.0.0/16"]},
    ),
    (("maintenance", "shop@staging", "off"), "PUT apps/shop%40staging/maintenance", {"closed": False, "allowed": []}),
    (
        ("exec", "shop", "web", "--", "ls", "--json", "-la"),
        "POST apps/shop/exec",
        {"service": "web", "command": ["ls", "--json", "-la"]},
    ),
    (("env", "set", "shop", "A=b=c", "D=$'\"\\ {}"), "PUT apps/shop/env", {"values": {"A": "b=c", "D": "$'\"\\ {}"}}),
    (("env", "unset", "shop", "A", "B"), "POST apps/shop/env/unset", {"names": ["A", "B"]}),
    (("consent", "shop", "x", "y"), "POST apps/shop/consents", {"items": ["x", "y"]}),
    (("consent", "shop", "x", "--revoke"), "POST apps/shop/consents/revoke", {"items": ["x"]}),
    (("cancel", "shop"), "POST apps/shop/cancel", {}),
    (("rollback", "shop", "--to", "2", "--detach"), "POST apps/shop/rollback", {"to": 2, "without_approval": False}),
]  # fmt: skip


@pytest.mark.parametrize(("words", "call", "body"), CALLS, ids=[" ".join(case[0]) for case in CALLS])
def test_calls(api: Api, windlass: Windlass, words: tuple[str, ...], call: str, body: Any) -> None:
    method, path = call.split()
    api.on(f"{method} /api/v1/{path}", {**DOCUMENT, "items": [], "exit_code": 0, "output": ""})
    typed = windlass(*words)
    assert typed.code == 0, typed.err
    assert api.requests[0].json == body


def test_exec_ends_as_its_command(api: Api, windlass: Windlass) -> None:
    api.on("POST /api/v1/apps/shop/exec", {"exit_code": 42, "output": "one\n\x1b[2Jtwo\n"})
    typed = windlass("exec", "shop", "web", "--", "sh", "-c", "exit 42")
    assert (typed.code, typed.out) == (42, "one\ntwo\n")


@pytest.mark.parametrize(("data", "query"), [((), "data=false"), (("--data",), "data=true")])
def test_remove(api: Api, windlass: Windlass, data: tuple[str, ...], query: str) -> None:
    api.on("DELETE /api/v1/apps/shop", {"app": "shop", "removed": {}, "kept": []})
    assert windlass("remove", "shop", "--yes", *data, "--json").code == 0
    assert api.requests[0].path.endswith(query)


@pytest.mark.parametrize("value", [b"$ # ' \" \\ { } \n\xe4\xbd\xa0\xe5\xa5\xbd ", b"", b"ends with newline\n"])
def test_a_value_from_stdin_is_kept_byte_for_byte(
    api: Api, windlass: Windlass, monkeypatch: pytest.MonkeyPatch, value: bytes
) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(value), isatty=lambda: False))
    api.on("PUT /api/v1/apps/shop/env", {"items": []})
    typed = windlass("env", "set", "shop", "KEY", "--stdin")
    assert typed.code == 0
    assert api.requests[0].json["values"]["KEY"].encode() == value
    assert value.decode().strip() == "" or value.decode() not in typed.out + typed.err


@pytest.mark.parametrize("value", [b"\xff", b"a\0b"])
def test_a_value_that_no_environment_holds(windlass: Windlass, monkeypatch: pytest.MonkeyPatch, value: bytes) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(value), isatty=lambda: False))
    typed = windlass("env", "set", "shop", "KEY", "--stdin", "--json")
    assert (typed.code, typed.json["error"]["code"]) == (2, "value_invalid")


def test_up_and_down_are_the_launchers(windlass: Windlass, launcher: NoLauncher, tmp_path: Path) -> None:
    typed = windlass("up", "--home", str(tmp_path), "--http", "8080", "--json")
    assert (typed.code, typed.json["version"], typed.err) == (0, "1", "preparing\n")
    assert windlass("down", "--edge").code == 0
    assert launcher.asked == [UpOptions(home=tmp_path, http_port=8080), (None, True)]


# --- all of them -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(windlass: Windlass, name: str) -> None:
    typed = windlass(name, "--help")
    assert typed.code == 0
    assert "Usage: windlass" in typed.out
    groups = ("env", "key", "source", "hook", "previews", "user", "project", "token", "audit", "self", "db", "oidc")
    assert name in ("serve", *groups) or "--json" in typed.out


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(windlass: Windlass, shell: str) -> None:
    assert "_WINDLASS_COMPLETE" in windlass("completion", shell).out
