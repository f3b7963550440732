"""The network of another process, entered for real: sockets belong to it, this thread and its later sockets do not."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from windlass.adapters.netns import inside
from windlass.domain.errors import NotFound

APART = "import ctypes, sys; assert ctypes.CDLL(None).unshare(0x40000000) == 0; print('ready', flush=True); input()"

pytestmark = pytest.mark.real


@pytest.fixture
def apart() -> Iterator[int]:
    """A process with a network of its own, in which nothing is up."""
    with subprocess.Popen(
        [sys.executable, "-c", APART], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline().strip() == "ready"
        yield child.pid
        child.kill()


def networks() -> str:
    return os.readlink("/proc/thread-self/ns/net")


def test_work_is_done_there_and_this_thread_stays_here(apart: int) -> None:
    here = networks()
    there = os.readlink(f"/proc/{apart}/ns/net")
    assert here != there
    assert inside(apart, networks) == there
    assert networks() == here


def test_a_socket_stays_where_it_was_made(apart: int) -> None:
    def listening() -> socket.socket:
        made = socket.socket()
        made.bind(("0.0.0.0", 0))
        made.listen()
        return made

    with inside(apart, listening) as made, socket.socket() as caller, pytest.raises(ConnectionRefusedError):
        caller.connect(("127.0.0.1", made.getsockname()[1]))


def test_what_the_work_raises_comes_out_and_no_thread_is_left(apart: int) -> None:
    before = threading.active_count()
    with pytest.raises(ZeroDivisionError):
        inside(apart, lambda: 1 // 0)
    assert threading.active_count() == before


def test_a_process_that_is_gone() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    with pytest.raises(NotFound, match="is gone"):
        inside(child.pid, networks)
