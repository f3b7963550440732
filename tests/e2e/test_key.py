"""The master key: rotated under deployments and under kill -9, and worth nothing to whoever has the database alone."""

from __future__ import annotations

import base64
import secrets
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from tests.contents import contents_of
from tests.e2e.projects import edit, shape
from tests.e2e.station import Running, Station, eventually, station

from windlass.cli.load_report import describe

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]

MANY = {f"NAME_{n}": f"{secrets.token_urlsafe(12)} $'\"é {n}" for n in range(1200)}
LIMIT_S = 60.0


def project(station: Station, app: str, version: str = "v1") -> Path:
    folder = shape(station.folder / app, "no-base", version)
    compose = folder / "compose.yaml"
    if "TOKEN" not in compose.read_text():
        edit(compose, "    build: .\n", "    build: .\n    environment:\n      TOKEN: ${TOKEN}\n")
    return folder


@pytest.fixture(scope="module")
def rich() -> Iterator[tuple[Station, str]]:
    """A windlass with a live app, and with so many variables that a rotation takes its time."""
    with station() as made:
        app = made.app("key")
        made.ok("env", "set", app, "TOKEN=first-token-value")
        made.deploy(project(made, app), app)
        lines = "".join(f"{name}={_quoted(value)}\n" for name, value in MANY.items())
        made.ok("env", "import", f"{app}@many", stdin=lines)
        yield made, app


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$") + '"'


def key_lines(station: Station) -> list[bytes]:
    return (station.home / "secret.key").read_bytes().split()


def left_over(station: Station, prefix: bytes) -> int:
    """How many variables are under that key."""
    with closing(sqlite3.connect(f"file:{station.home / 'windlass.db'}?mode=ro", uri=True)) as database:
        query = "SELECT count(*) FROM variables WHERE substr(sealed, 1, 5) = ?"
        return int(database.execute(query, (prefix,)).fetchone()[0])


def prefix_of(station: Station) -> bytes:
    return b"\x01" + bytes.fromhex(station.ok("key", "status")["key"])


def assert_whole(station: Station, app: str) -> None:
    found = {i["name"]: i["value"] for i in station.ok("env", "list", f"{app}@many", "--reveal")["items"]}
    assert found == MANY
    assert [i["value"] for i in station.ok("env", "list", app, "--reveal")["items"]] == ["first-token-value"]
    same = station.ok("env", "diff", app, 1, 1, "--reveal")["items"]
    assert [(i["name"], i["after"]) for i in same] == [("TOKEN", "first-token-value")]


def await_moment(station: Station, old: bytes, share: float, rotation: Running) -> None:
    """Until no more than this share of the variables is under the old key, and the new one is in the file."""
    while rotation.process.poll() is None:
        if len(key_lines(station)) == 2 and left_over(station, old) <= share * len(MANY):
            return
        time.sleep(0.001)


@pytest.mark.parametrize("share", [1.0, 0.8, 0.5, 0.1, 0.0])
def test_killed_in_the_midst_of_a_rotation(rich: tuple[Station, str], share: float) -> None:
    """The old key or the new one opens each value, nobody notices, and the next start finishes."""
    station, app = rich
    old = prefix_of(station)
    with station.load(app, rate=50.0, get_path="/", post_path="/") as load:
        rotation = station.begin("key", "rotate", "--json")
        await_moment(station, old, share, rotation)
        assert station.kill() > 0
        rotation.wait()
        if share >= 0.5:
            assert len(key_lines(station)) == 2, "it was cut off"
        station.up()
        assert_whole(station, app)
        assert eventually(lambda: station.ok("key", "status")["rotation"] == "done", LIMIT_S)
        report = load.stop()
    assert report.failed == 0, describe(report)
    assert len(key_lines(station)) == 1
    assert left_over(station, old) == 0
    assert prefix_of(station) != old
    assert_whole(station, app)
    assert {i["status"] for i in station.ok("doctor")["items"] if i["name"] == "master key"} == {"ok"}


def test_rotated_while_deployments_go_on(rich: tuple[Station, str]) -> None:
    station, app = rich
    before = station.status(app)["live"]
    rotations = 0
    for version in ("v2", "v3"):
        deployment = station.begin(
            "deploy", project(station, app, version), "--app", app, "--set", f"GIVEN={version}", "--json"
        )
        while deployment.process.poll() is None:
            station.ok("key", "rotate")
            rotations += 1
        ended = deployment.wait()
        assert ended.code == 0, str(ended)
        station.wait_served(app, version=version)
    assert rotations > 1
    values = {i["name"]: i["value"] for i in station.ok("env", "list", app, "--reveal")["items"]}
    assert values == {"TOKEN": "first-token-value", "GIVEN": "v3"}
    station.ok("rollback", app, "--to", before)
    station.wait_served(app, version="v1")
    station.ok("env", "unset", app, "GIVEN")
    assert_whole(station, app)


# --- whoever has the database without the key ------------------------------------------------------------------------


def spellings(value: str) -> set[bytes]:
    """How a value could stand somewhere; in base64 also in the midst of a longer text."""
    raw = value.encode()
    inside = {base64.b64encode(raw[start:]).rstrip(b"=")[:-2] for start in range(3)}
    return {
        *(raw, value.encode("utf-16-le"), value.encode("unicode_escape")),
        *(inside | {base64.urlsafe_b64encode(raw)}),
        *(quote(value, safe="").encode(), quote_plus(value).encode()),
        *(raw.hex().encode(), raw.hex().upper().encode()),
        *(value.replace(a, b).encode() for a, b in (("$", "$$"), ('"', '\\"'), ("\\", "\\\\"))),
    }


STOLEN = {
    "SET_SECRET": 'set-V4lue with $ and "quotes" é',
    "GIVEN_SECRET": "given-V4lue-%40/with+url&parts",
    "FILE_SECRET": "file-V4lue-plain-0815",
    "OLD_SECRET": "old-V4lue-that-was-replaced",
    "HELD_SECRET": "held-V4lue-of-a-deployment-that-failed",
}


def test_a_database_without_its_key_reveals_no_value(own: Station) -> None:
    """Nor does anything else in the home: set, given, imported, replaced, and of a release that failed."""
    app = own.app("steal")
    folder = project(own, app)
    environment = "".join(f"      {name}: ${{{name}-}}\n" for name in STOLEN)
    edit(folder / "compose.yaml", "      TOKEN: ${TOKEN}\n", environment)
    (folder / ".env").write_text(f"FILE_SECRET={STOLEN['FILE_SECRET']}\n")
    own.ok("env", "set", app, f"OLD_SECRET={STOLEN['OLD_SECRET']}")
    own.ok("env", "set", app, f"SET_SECRET={STOLEN['SET_SECRET']}")
    own.deploy(folder, app, "--set", f"GIVEN_SECRET={STOLEN['GIVEN_SECRET']}")
    own.ok("env", "set", app, "OLD_SECRET=new")
    own.ok("key", "rotate")
    edit(folder / "compose.yaml", "    build: .\n", "    build: .\n    command: [python, -c, 'raise SystemExit(3)']\n")
    failed = own.run("deploy", folder, "--app", app, "--set", f"HELD_SECRET={STOLEN['HELD_SECRET']}")
    assert failed.code == 4, str(failed)
    revealed = {i["name"]: i["value"] for i in own.ok("env", "list", app, "--reveal")["items"]}
    assert revealed["GIVEN_SECRET"] == STOLEN["GIVEN_SECRET"]
    files = {p: held for p, held in contents_of(own.home).items() if p.name != "secret.key"}
    assert {"windlass.db", "windlass.db-wal", "windlass.db-shm"} <= {p.name for p in files}
    found = [
        (name, str(path), spelling)
        for name, value in STOLEN.items()
        for spelling in spellings(value)
        for path, content in files.items()
        if spelling in content
    ]
    assert found == []
    own.down()
    assert_useless_elsewhere(own)


def assert_useless_elsewhere(robbed: Station) -> None:
    """A windlass with this database and no key, or a key of its own, does not even start."""
    thief = Station()
    try:
        thief.home.mkdir(mode=0o700)
        for file in robbed.home.glob("windlass.db*"):
            shutil.copy(file, thief.home)
        refused = thief.run("up", "--http", thief.http_port, "--pool", thief.pool)
        assert refused.codes == {"master_key_missing"}
        (thief.home / "secret.key").write_bytes(base64.b64encode(bytes(32)) + b"\n")
        (thief.home / "secret.key").chmod(0o600)
        refused = thief.run("up", "--http", thief.http_port, "--pool", thief.pool)
        assert refused.codes == {"master_key_wrong"}
    finally:
        thief.remove()
