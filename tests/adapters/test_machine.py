"""This computer, and a kernel made of files."""

import os
import socket
from pathlib import Path

import pytest

from windlass.adapters.clock import SystemClock
from windlass.adapters.machine import LocalMachine
from windlass.ports.machine import PortHolder

ROUTES = """\
Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT
eth0 00000000 0102A8C0 0003 0 0 0 00000000 0 0 0
eth0 0002A8C0 00000000 0001 0 0 0 00FFFFFF 0 0 0
docker0 000011AC 00000000 0001 0 0 0 0000FFFF 0 0 0
eth1 0000000A 00000000 0000 0 0 0 000000FF 0 0 0
"""
TCP = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 111 1
   1: 0100007F:1F90 0100007F:0050 01 00000000:00000000 00:00000000 00000000     0        0 222 1
"""
TCP6 = """\
  sl  local_address                         remote_address st tx_queue rx_queue tr tm->when retrnsmt uid timeout inode
   0: 00000000000000000000000000000000:01BB 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 333 1
"""


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    (tmp_path / "net").mkdir()
    for name, text in (("route", ROUTES), ("tcp", TCP), ("tcp6", TCP6)):
        (tmp_path / "net" / name).write_text(text)
    (tmp_path / "42" / "fd").mkdir(parents=True)
    (tmp_path / "42" / "comm").write_text("nginx\n")
    (tmp_path / "42" / "fd" / "1").symlink_to("/dev/null")
    (tmp_path / "42" / "fd" / "2").symlink_to("socket:[111]")
    (tmp_path / "7").mkdir()
    return tmp_path


def test_routes_that_are_up_without_the_default_one(proc: Path) -> None:
    assert LocalMachine(proc).routes() == ["172.17.0.0/16", "192.168.2.0/24"]


@pytest.mark.parametrize(
    ("port", "protocol", "expected"),
    [
        (80, "tcp", PortHolder(80, 42, "nginx")),
        (443, "tcp", PortHolder(443, 0, "")),
        (8080, "tcp", None),
        (80, "udp", None),
    ],
)
def test_who_holds_a_port(proc: Path, port: int, protocol: str, expected: PortHolder | None) -> None:
    assert LocalMachine(proc).holder(port, protocol) == expected


def test_finds_a_port_of_this_very_process() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        holder = LocalMachine().holder(server.getsockname()[1])
    assert holder is not None
    assert holder.pid == os.getpid()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        found = LocalMachine().holder(udp.getsockname()[1], "udp")
    assert found is not None
    assert found.pid == os.getpid()


def test_room_and_addresses(tmp_path: Path) -> None:
    machine = LocalMachine()
    assert machine.disk_free(tmp_path / "not" / "yet") == pytest.approx(machine.disk_free(tmp_path), rel=0.1)
    assert machine.memory_available() > 0
    assert all(socket.inet_aton(address) for address in machine.addresses())
    assert "127.0.0.1" not in machine.addresses()


@pytest.mark.parametrize(
    ("line", "files", "used"),
    [
        ("4:memory:/docker/abc", {"memory/docker/abc/memory.usage_in_bytes": "900\n"}, 800),
        ("0::/system.slice/docker-abc.scope", {"system.slice/docker-abc.scope/memory.current": "500\n"}, 400),
        ("0::/docker/abc", {"unified/docker/abc/memory.current": "500\n"}, 400),
        ("4:memory:/docker/other", {"memory/docker/other/memory.usage_in_bytes": "900\n"}, None),
        ("4:memory:/docker/abc", {}, None),
    ],
)
def test_memory_of_a_container(tmp_path: Path, line: str, files: dict[str, str], used: int | None) -> None:
    (tmp_path / "proc" / "9").mkdir(parents=True)
    (tmp_path / "proc" / "9" / "cgroup").write_text(f"9:name=systemd:/x\n{line}\n")
    for name, text in files.items():
        file = tmp_path / "cgroup" / name
        file.parent.mkdir(parents=True)
        file.write_text(text)
        (file.parent / "memory.stat").write_text("cache 300\ninactive_file 100\n")
    machine = LocalMachine(tmp_path / "proc", tmp_path / "cgroup")
    assert machine.memory_of(9, "abc") == used
    assert machine.memory_of(10, "abc") is None


def test_names_and_addresses() -> None:
    machine = LocalMachine()
    assert "127.0.0.1" in machine.resolve("localhost")
    assert machine.resolve("nobody.invalid") == []
    assert machine.resolve("x" * 70 + ".example") == []
    assert [machine.is_own(a) for a in ("127.0.0.1", "198.51.100.1", "2001:db8::1", "nonsense")] == [
        True, False, False, False,
    ]  # fmt: skip
    assert all(machine.is_own(address) for address in machine.addresses())


def test_other_processors_and_programs(tmp_path: Path) -> None:
    rules = tmp_path / "sys" / "fs" / "binfmt_misc"
    rules.mkdir(parents=True)
    for name in ("qemu-aarch64", "qemu-arm", "python3", "register"):
        (rules / name).touch()
    assert LocalMachine(tmp_path).emulated() == ["arm", "arm64"]
    assert LocalMachine(tmp_path / "none").emulated() == []
    assert LocalMachine().has_program("sh")
    assert not LocalMachine().has_program("no-such-program-4711")
    assert LocalMachine().swap_free() >= 0


def test_the_clock_goes_forward() -> None:
    clock = SystemClock()
    before = clock.monotonic(), clock.now()
    clock.sleep(0.001)
    clock.sleep(-1)
    assert clock.monotonic() > before[0]
    assert clock.now() >= before[1]
