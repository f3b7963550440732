"""A dead process is known as dead at once, a living one never taken for dead."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from windlass.adapters.owner import owner_alive, owner_name


def test_this_process_is_alive_whatever_its_claims_are_called() -> None:
    assert owner_alive(owner_name())
    assert owner_alive(f"{owner_name()}:17")


def test_another_process_is_alive_until_it_is_killed() -> None:
    code = "from windlass.adapters.owner import owner_name; print(owner_name(), flush=True); input()"
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout is not None
        owner = process.stdout.readline().strip()
        assert owner.split(":")[1] == str(process.pid)
        assert owner_alive(owner)
        process.send_signal(signal.SIGKILL)
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert not owner_alive(owner), "a zombie"
        process.wait()
        assert not owner_alive(owner)


def changed(part: int, value: str) -> str:
    parts = owner_name().split(":")
    parts[part] = value
    return ":".join(parts)


@pytest.mark.parametrize(
    "owner",
    [
        changed(0, "00000000-0000-0000-0000-000000000000"),  # before the last boot
        changed(2, "1"),  # the number of the process was given anew
        changed(1, "0"),
        changed(1, "99999999"),
        changed(1, "x"),
        "",
        "someone",
    ],
    ids=["earlier boot", "number anew", "process 0", "no such process", "no number", "nothing", "a word"],
)
def test_names_of_the_dead(owner: str) -> None:
    assert not owner_alive(owner)


def test_of_another_machine_nothing_is_known_where_the_database_is_shared() -> None:
    assert owner_alive(changed(0, "00000000-0000-0000-0000-000000000000.1"), alone=False)
    assert not owner_alive(changed(1, "99999999"), alone=False)
