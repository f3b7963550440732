"""`windlass up` and `down`: once is enough, twice is harmless, and no kill leaves anything that stands in the way."""

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.contents import contents_of
from tests.e2e.engines import processes_of
from tests.e2e.station import Station, free_port, station

from windlass.cli.session import UpOptions
from windlass.domain.errors import Refused, Usage, WindlassError
from windlass.launch import _wanted, up
from windlass.settings import load


@pytest.fixture(scope="module")
def home() -> Iterator[Station]:
    with station() as made:
        yield made


def pid(home: Station, name: str) -> int:
    return int((home.home / "run" / name).read_text())


@pytest.mark.real
def test_twice_is_once(home: Station) -> None:
    document = home.up()
    assert document["edge"]["state"] == "ready"
    server = pid(home, "server.pid")
    assert home.up()["pid"] == server
    assert sorted(processes_of(home.home)) == sorted([server, pid(home, "windlass.pid")])


@pytest.mark.real
def test_other_settings_replace_it(home: Station) -> None:
    before = home.up()["pid"]
    port = free_port()
    document = home.up("--listen", f"127.0.0.1:{port}")
    assert document["pid"] != before
    token = document["token"]
    assert token
    assert document["setup"].startswith(f"http://127.0.0.1:{port}/setup/")
    kept = b"".join(contents_of(home.home).values())
    assert token.encode() not in kept
    home.engine.environment.update(WINDLASS_URL=f"http://127.0.0.1:{port}", WINDLASS_TOKEN=token)
    try:
        assert home.ok("apps") == {"items": []}
        home.engine.environment["WINDLASS_TOKEN"] = "wrong"
        assert home.run("apps").code == 9
    finally:
        del home.engine.environment["WINDLASS_URL"], home.engine.environment["WINDLASS_TOKEN"]
    assert home.up("--listen", "")["listen"] == ""


@pytest.mark.real
@pytest.mark.parametrize("killed", [("windlass.pid",), ("server.pid",), ("windlass.pid", "server.pid")], ids="+".join)
def test_up_after_a_kill(home: Station, killed: tuple[str, ...]) -> None:
    home.up()
    for name in killed:
        os.kill(pid(home, name), signal.SIGKILL)
    home.up()
    assert home.ok("apps") == {"items": []}
    assert len(processes_of(home.home)) == 2


@pytest.mark.real
def test_two_at_once_and_one_killed_halfway(home: Station) -> None:
    home.down()
    begun = [home.begin("up") for _ in range(3)]
    with contextlib.suppress(ProcessLookupError):
        begun[0].process.kill()
    assert [b.wait().code for b in begun[1:]] == [0, 0]
    begun[0].wait()
    assert len(processes_of(home.home)) == 2


@pytest.mark.real
def test_down_leaves_the_edge_unless_told(home: Station) -> None:
    home.up()
    home.down()
    assert processes_of(home.home) == []
    assert [c.status for c in home.containers() if "edge" in c.name] == ["running"]
    assert home.run("apps").code == 8
    assert home.ok("down")["was_running"] is False
    home.ok("down", "--edge")
    assert [c for c in home.containers() if "edge" in c.name] == []
    home.up()


WRONG = [
    (UpOptions(listen="0.0.0.0:9000"), Refused, "tls_required"),
    (UpOptions(listen="[::]:9000"), Refused, "tls_required"),
    (UpOptions(listen="example.com:9000"), Refused, "tls_required"),
    (UpOptions(admin_listen="0.0.0.0:9000"), Refused, "tls_required"),
    (UpOptions(listen="0.0.0.0:9000", tls_cert="/none.pem"), Usage, "usage"),
    (UpOptions(listen="0.0.0.0:9000", tls_cert="/none.pem", tls_key="/none.key"), Refused, "tls_invalid"),
    (UpOptions(admin_listen="127.0.0.1:9000", admin_allow=("10.0.0.1/8",)), Usage, "usage"),
    (UpOptions(hooks_host="a`b"), Usage, "host_invalid"),
    (UpOptions(hooks_host="*.example.com"), Usage, "host_invalid"),
    (UpOptions(listen="9000"), Usage, "usage"),
    (UpOptions(listen="127.0.0.1:0"), Usage, "usage"),
    (UpOptions(listen="127.0.0.1:x"), Usage, "usage"),
    (UpOptions(pool="10.0.0.1/8"), Usage, "cidr_invalid"),
]


@pytest.mark.parametrize(("options", "kind", "code"), WRONG)
def test_wrong_options_change_nothing(
    options: UpOptions, kind: type[WindlassError], code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WINDLASS_HOME", str(tmp_path / "home"))
    with pytest.raises(kind) as found:
        up(options, print)
    assert found.value.code == code
    assert not load().home.exists()


def test_the_limits_are_kept_until_others_are_asked_for(tmp_path: Path) -> None:
    home = tmp_path / "h"
    assert (_wanted(UpOptions(home)).deploys, load(home).builds) == (4, 2)
    _wanted(UpOptions(home, deploys=7, builds=1))
    _wanted(UpOptions(home, deploys=8))
    assert (load(home).deploys, load(home).builds) == (8, 1)
