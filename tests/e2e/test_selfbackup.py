"""windlass is restored onto an empty home beside apps that run: they are known again, and not one request fails."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tests.e2e.projects import edit, shape
from tests.e2e.station import Station

from windlass.cli.load_report import describe

pytestmark = [pytest.mark.real, pytest.mark.timeout(400)]

WORDS = "a stork on the chimney"
TOKEN = "t0ken $ of the app"


def project(station: Station, app: str, version: str) -> Path:
    folder = shape(station.folder / app, "no-base", version)
    compose = folder / "compose.yaml"
    if "TOKEN" not in compose.read_text():
        edit(compose, "    build: .\n", "    build: .\n    environment:\n      TOKEN: ${TOKEN}\n")
    return folder


def token_of(station: Station, app: str) -> str:
    (container,) = station.serving(app, "web")
    return next(line.partition("=")[2] for line in container.attrs["Config"]["Env"] if line.startswith("TOKEN="))


def backed_up(station: Station) -> Path:
    file = station.folder / "w.backup"
    told = station.ok("self", "backup", file, "--passphrase-file", "-", stdin=WORDS + "\n")
    assert (told["apps"], file.stat().st_mode & 0o777) == (1, 0o600)
    return file


def test_an_empty_home_is_filled_beside_a_running_app(own: Station) -> None:
    app = own.app("web")
    own.ok("env", "set", app, "--stdin", "TOKEN", stdin=TOKEN)
    own.deploy(project(own, app, "v1"), app)
    containers = {c.id for c in own.containers()}
    with own.load(app, rate=50.0, get_path="/", post_path="/") as load:
        file = backed_up(own)
        own.down()
        own.home.rename(own.folder / "before")
        wrong = own.run("self", "restore", file, "--passphrase-file", "-", stdin="not the passphrase")
        assert (wrong.code, wrong.codes, own.home.exists()) == (3, {"backup_passphrase"}, False)
        told = own.ok("self", "restore", file, "--passphrase-file", "-", stdin=WORDS)
        assert (told["apps"], told["home"]) == (1, str(own.home))
        own.up()
        assert {c.id for c in own.containers()} == containers
        assert own.status(app)["services"][0]["state"] == "running"
        shutil.rmtree(own.folder / "before")
        own.deploy(project(own, app, "v2"), app)
        own.wait_served(app, version="v2")
        assert token_of(own, app) == TOKEN
        own.ok("rollback", app)
        own.wait_served(app, version="v1")
        report = load.stop()
    assert report.failed == 0, describe(report)
    assert own.ok("audit", "verify")["status"] == "ok"
    assert {i["name"]: i["value"] for i in own.ok("env", "list", app, "--reveal")["items"]}["TOKEN"] == TOKEN
    strays = [i for i in own.ok("doctor")["items"] if "not live" in i["message"] or "the app is gone" in i["message"]]
    assert strays == []
    own.ok("remove", app, "--data", "--yes")
    left = own.leftovers(app)
    assert {kind: names for kind, names in left.items() if names} == {}
