"""Supervisor, locks and units: real processes, killed in every way."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from windlass.adapters import daemon
from windlass.adapters.daemon import Locks
from windlass.adapters.process import Command, first_existing, run, surroundings
from windlass.domain.errors import Conflict

# Takes the server's lock as `windlass serve` does, tells that it runs, and stays until SIGTERM.
SERVER = """
import os, signal, sys
from pathlib import Path
from windlass.adapters import daemon
daemon.hold(Path(sys.argv[1]), 5.0)
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
signal.pause()
"""


def until(condition: Callable[[], object], within_s: float = 20.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.02)


@pytest.fixture
def locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Locks]:
    found = Locks(tmp_path / "supervisor.pid", tmp_path / "server.pid", tmp_path / "starting.lock")
    command = [sys.executable, "-c", SERVER, str(found.server)]
    monkeypatch.setattr(daemon, "server_command", lambda _: command)
    yield found
    daemon.stop(found)


def children() -> set[int]:
    return {int(pid) for file in Path("/proc/self/task").glob("*/children") for pid in file.read_text().split()}


def start(locks: Locks) -> tuple[int, int]:
    daemon.start(locks, locks.server.with_name("log"), locks.server.parent)
    until(lambda: daemon.holder(locks.supervisor) and daemon.holder(locks.server))
    supervisor, server = daemon.holder(locks.supervisor), daemon.holder(locks.server)
    assert supervisor is not None
    assert server is not None
    return supervisor, server


def test_start_and_stop(locks: Locks) -> None:
    supervisor, server = start(locks)
    assert os.getsid(supervisor) == supervisor
    environment = Path(f"/proc/{server}/environ").read_bytes().split(b"\0")
    assert f"WINDLASS_HOME={locks.server.parent}".encode() in environment
    assert daemon.stop(locks)
    assert (daemon.holder(locks.supervisor), daemon.holder(locks.server)) == (None, None)
    assert not daemon.stop(locks)


def test_a_killed_server_is_started_again(locks: Locks) -> None:
    supervisor, server = start(locks)
    os.kill(server, signal.SIGKILL)
    until(lambda: daemon.holder(locks.server) not in (None, server))
    assert daemon.holder(locks.supervisor) == supervisor


def test_a_killed_supervisor_leaves_the_server_and_stop_finds_it(locks: Locks) -> None:
    supervisor, server = start(locks)
    os.kill(supervisor, signal.SIGKILL)
    until(lambda: daemon.holder(locks.supervisor) is None)
    assert daemon.holder(locks.server) == server
    assert daemon.stop(locks)
    assert start(locks)[1] != server


def test_all_killed_at_once(locks: Locks) -> None:
    for pid in start(locks):
        os.kill(pid, signal.SIGKILL)
    until(lambda: daemon.holder(locks.supervisor) is None and daemon.holder(locks.server) is None)
    assert locks.server.read_text().strip().isdigit()  # stale, and means nothing
    start(locks)


def test_a_second_supervisor_goes_at_once(locks: Locks) -> None:
    first = start(locks)
    before = children()
    daemon.start(locks, locks.server.with_name("log"), locks.server.parent)
    (second,) = children() - before
    until(lambda: os.waitpid(second, os.WNOHANG)[0] == second)
    assert (daemon.holder(locks.supervisor), daemon.holder(locks.server)) == first


def test_a_server_that_cannot_start_is_tried_ever_more_slowly(
    locks: Locks, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(
        daemon, "server_command", lambda _: [sys.executable, "-S", "-c", "print('no'); raise SystemExit(7)"]
    )
    daemon.start(locks, tmp_path / "log", tmp_path)
    until(lambda: (tmp_path / "log").exists() and (tmp_path / "log").read_text().count("ended with 7") >= 3)
    assert daemon.stop(locks)
    assert "no" in daemon.last_lines(tmp_path / "log", 4)


def test_a_pid_file_without_its_process_means_nothing(tmp_path: Path) -> None:
    file = tmp_path / "x.pid"
    assert daemon.holder(file) is None
    file.write_text("1\n")
    assert daemon.holder(file) is None


def test_only_one_holds_a_lock(tmp_path: Path) -> None:
    file = tmp_path / "x.pid"
    with daemon.held(file, 1.0):
        assert daemon.holder(file) == os.getpid()
        with pytest.raises(Conflict, match="another windlass"):
            daemon.hold(file, 0.05)
    with daemon.held(file, 0.05):
        pass


def test_the_supervisor_is_small(locks: Locks) -> None:
    supervisor, _ = start(locks)
    facts = Path(f"/proc/{supervisor}/smaps_rollup").read_text().splitlines()
    pss_kb = next(int(line.split()[1]) for line in facts if line.startswith("Pss:"))
    assert pss_kb < 12 * 1024


def test_nothing_of_the_shell_stays_but_what_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    monkeypatch.setenv("DOCKER_HOST", "unix:///x")
    found = daemon.environment(Path("/h"))
    assert (found["WINDLASS_HOME"], found["DOCKER_HOST"]) == ("/h", "unix:///x")
    assert "AWS_SECRET_ACCESS_KEY" not in found


UNITS = [
    (["/usr/bin/python3", "-m", "windlass"], {"WINDLASS_HOME": "/var/lib/windlass"}),
    (["/bin/echo", "a b", 'quo"te', "50%", "$HOME", "back\\slash"], {"A": "x y", "B": '%h"\\', "C": "$D"}),
]


@pytest.mark.parametrize(("command", "variables"), UNITS)
def test_a_unit(command: list[str], variables: dict[str, str], tmp_path: Path) -> None:
    text = daemon.unit_text(command, variables)
    assert "Restart=always" in text
    assert "WantedBy=multi-user.target" in text
    file = tmp_path / "windlass-test.service"
    file.write_text(text)
    program = first_existing([Path("/usr/bin/systemd-analyze"), Path("/bin/systemd-analyze")])
    if program is not None:
        result = run(Command((str(program), "verify", "--man=no", str(file)), environment=surroundings()))
        assert [line for line in result.lines if "windlass-test" in line] == []


def test_words_of_a_unit_are_quoted() -> None:
    text = daemon.unit_text(["/bin/echo", "$HOME 50%", 'a"b'], {"A": "x y%"})
    assert 'ExecStart="/bin/echo" "$$HOME 50%%" "a\\"b"' in text
    assert 'Environment="A=x y%%"' in text
