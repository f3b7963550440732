"""Parts of the edge that need no engine: the kernel's table of connections, and the folder of files."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from windlass.adapters.edge.files import EdgeFiles
from windlass.adapters.edge.sockets import established

HEADER = b"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
TCP = HEADER + (
    b"   0: 0100007F:A1B2 0200D50A:1F40 01 00000000:00000000 00:00000000 00000000     0        0 1 1 0\n"
    b"   1: 0100007F:A1B3 0200D50A:1F40 01 00000000:00000000 00:00000000 00000000     0        0 2 1 0\n"
    b"   2: 0100007F:A1B4 0200D50A:1F40 06 00000000:00000000 00:00000000 00000000     0        0 3 1 0\n"
    b"   3: 0200D50A:1F40 0100007F:A1B2 01 00000000:00000000 00:00000000 00000000     0        0 4 1 0\n"
    b"   4: 0100007F:A1B5 0300D50A:1F40 01 00000000:00000000 00:00000000 00000000     0        0 5 1 0\n"
)
TCP6 = HEADER + (
    b"   0: 0000000000000000FFFF00000100007F:A1B6 0000000000000000FFFF00000200D50A:1F40 01 00000000:00000000\n"
    b"   1: 000000FD000000000000000001000000:A1B7 000000FD000000000000000002000000:0050 01 00000000:00000000\n"
)

COUNTS = [
    ([("10.213.0.2", 8000)], 3),
    ([("10.213.0.3", 8000)], 1),
    ([("10.213.0.2", 8000), ("10.213.0.3", 8000)], 4),
    ([("10.213.0.2", 8000), ("10.213.0.2", 8000)], 3),
    ([("10.213.0.2", 8001)], 0),
    ([("127.0.0.1", 0xA1B2)], 1),
    ([("fd00::2", 80)], 1),
    ([("fd00::2", 81)], 0),
    ([], 0),
]


@pytest.fixture
def kernel(tmp_path: Path) -> Path:
    (tmp_path / "tcp").write_bytes(TCP)
    (tmp_path / "tcp6").write_bytes(TCP6)
    return tmp_path


@pytest.mark.parametrize(("servers", "count"), COUNTS)
def test_connections_are_counted_by_their_far_end(kernel: Path, servers: list[tuple[str, int]], count: int) -> None:
    assert established(servers, kernel) == count


def test_without_ipv6(kernel: Path) -> None:
    (kernel / "tcp6").unlink()
    assert established([("10.213.0.2", 8000)], kernel) == 2


@pytest.mark.parametrize(("family", "address"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_the_kernel_itself(family: socket.AddressFamily, address: str) -> None:
    with socket.socket(family) as server, socket.socket(family) as client:
        server.bind((address, 0))
        server.listen()
        port = server.getsockname()[1]
        assert established([(address, port)]) == 0
        client.connect((address, port))
        assert established([(address, port)]) == 1


def test_an_ipv4_connection_of_a_dual_stack_socket() -> None:
    with socket.socket() as server, socket.socket(socket.AF_INET6) as client:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        client.connect(("::ffff:127.0.0.1", port))
        assert established([("127.0.0.1", port)]) == 1


def test_files_come_and_go_whole(tmp_path: Path) -> None:
    files = EdgeFiles(tmp_path / "edge")
    files.prepare()
    assert (files.routes("shop"), files.confirmed("shop"), files.api_port()) == (None, None, 0)
    files.write_routes("shop@staging", "one")
    files.write_routes("shop@staging", "two")
    files.write_confirmed("shop@staging", "kept")
    files.write_api_port(4711)
    again = EdgeFiles(tmp_path / "edge")
    assert (again.routes("shop@staging"), again.confirmed("shop@staging"), again.api_port()) == ("two", "kept", 4711)
    assert (again.all_routes(), again.routes("shop")) == (["two"], None)
    assert [p.name for p in again.dynamic.iterdir()] == ["shop--staging.yml"]
    again.write_routes("shop@staging", None)
    again.write_routes("shop@staging", None)
    assert again.all_routes() == []


def test_what_a_crash_left_half_written_is_cleared_away(tmp_path: Path) -> None:
    files = EdgeFiles(tmp_path / "edge")
    files.prepare()
    old, fresh = (tmp_path / "edge" / "new" / name for name in ("shop.yml.0badcafe", "shop.yml.1badcafe"))
    for path in (old, fresh):
        path.write_text("{")
    os.utime(old, (0, 0))
    files.prepare()
    assert (old.exists(), fresh.exists()) == (False, True)
