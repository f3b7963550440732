"""What only a real engine can show: commands, files, logs, and its errors in our words."""

from __future__ import annotations

import io
import secrets
import socket
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import docker
import pytest

from windlass.adapters.engine import open_engine
from windlass.adapters.engine.connection import checked
from windlass.adapters.engine.logs import Lines
from windlass.adapters.engine.streams import Frames
from windlass.domain.errors import Conflict, Failed, OutOfReach, Usage, WindlassError
from windlass.ports.engine import Engine, ExecOptions

URL = "unix:///var/run/docker.sock"
IMAGE = "python:3.11-slim"


@dataclass
class Bench:
    engine: Engine = field(default_factory=lambda: open_engine(URL))
    api: docker.APIClient = field(default_factory=lambda: docker.APIClient(URL, version="auto"))
    made: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)

    def created(self, script: str, **options: Any) -> str:
        argv = ["sh", "-c", script]
        ref = str(self.api.create_container(IMAGE, argv, name=f"wlt-{secrets.token_hex(4)}", **options)["Id"])
        self.made.append(ref)
        return ref

    def started(self, script: str = "sleep 300", **options: Any) -> str:
        ref = self.created(script, **options)
        self.engine.start(ref)
        return ref

    def clear(self) -> None:
        for ref in self.made:
            self.engine.remove(ref)
        for tag in self.tags:
            self.engine.untag(tag)
        self.api.close()


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.clear()


def never() -> bool:
    return False


def later(seconds: float) -> Callable[[], bool]:
    at = time.monotonic() + seconds
    return lambda: time.monotonic() > at


# ---- commands and files ---------------------------------------------------------------------------------------------


@pytest.mark.real
def test_a_command_gives_code_and_output(bench: Bench) -> None:
    ref = bench.started()
    found = bench.engine.exec(ref, ["sh", "-c", "echo out; echo err >&2; exit 7"])
    assert (found.exit_code, sorted(found.output.split())) == (7, ["err", "out"])


@pytest.mark.real
def test_a_command_gets_user_folder_and_variables_byte_for_byte(bench: Bench) -> None:
    ref = bench.started()
    value = "a $HOME ' \" \\ {} = é\nnext "
    options = ExecOptions(user="1000:1000", working_dir="/tmp", environment={"VALUE": value})
    found = bench.engine.exec(ref, ["sh", "-c", 'id -u; pwd; printf "%s|" "$VALUE"'], options)
    assert found.output == f"1000\n/tmp\n{value}|"


@pytest.mark.real
def test_a_command_that_takes_too_long_is_given_up_and_ended(bench: Bench) -> None:
    ref = bench.started()
    with pytest.raises(TimeoutError):
        bench.engine.exec(ref, ["sh", "-c", "echo begun; sleep 4711"], ExecOptions(timeout_s=0.5))
    listed = str(bench.api.top(ref))
    assert "sleep 300" in listed
    assert "4711" not in listed


@pytest.mark.real
def test_a_process_left_behind_does_not_hold_the_command_up(bench: Bench) -> None:
    ref = bench.started()
    found = bench.engine.exec(ref, ["sh", "-c", "sleep 30 & echo done"], ExecOptions(timeout_s=20))
    assert (found.exit_code, found.output) == (0, "done\n")


@pytest.mark.real
def test_a_command_in_a_container_that_does_not_run(bench: Bench) -> None:
    with pytest.raises(Conflict) as refused:
        bench.engine.exec(bench.created("true"), ["true"])
    assert refused.value.code == "not_running"
    assert bench.made[-1][:12] in refused.value.message
    assert bench.made[-1] not in refused.value.message


@pytest.mark.real
def test_much_output_is_kept_at_its_end(bench: Bench) -> None:
    ref = bench.started()
    found = bench.engine.exec(ref, ["python", "-c", "print('x' * 3_000_000); print('end')"])
    assert found.output.endswith("x\nend\n")
    assert len(found.output) <= 1 << 20


@pytest.mark.real
def test_a_file_is_written_before_the_start_and_folders_keep_their_modes(bench: Bench) -> None:
    ref = bench.created("stat -c '%a %u %g %s' /run/secrets/deep/key /run/secrets /tmp; cat /run/secrets/deep/key")
    content = b"p$ss'\"\\\x00\xff"
    bench.engine.put_file(ref, "/run/secrets/deep/key", content, 0o440, 1000, 1001)
    bench.engine.put_file(ref, "/tmp/other", b"", 0o600, 0, 0)
    bench.engine.start(ref)
    bench.engine.wait(ref, 30)
    lines = [line.text for line in bench.engine.logs(ref)]
    assert lines[:3] == [f"440 1000 1001 {len(content)}", "755 0 0 4096", "1777 0 0 4096"]


@pytest.mark.real
@pytest.mark.parametrize("path", ["relative", "/", "/a/../b", ""])
def test_a_path_that_leads_elsewhere_is_refused(bench: Bench, path: str) -> None:
    with pytest.raises(Usage):
        bench.engine.put_file("wlt-none", path, b"", 0o400, 0, 0)


# ---- logs -----------------------------------------------------------------------------------------------------------


@pytest.mark.real
def test_logs_tell_streams_and_times(bench: Bench) -> None:
    ref = bench.started("echo one; sleep 0.2; echo two >&2; sleep 0.2; printf three")
    bench.engine.wait(ref, 30)
    lines = bench.engine.logs(ref)
    assert [(line.stream, line.text) for line in lines] == [("stdout", "one"), ("stderr", "two"), ("stdout", "three")]
    assert [line.at for line in lines] == sorted(line.at for line in lines)
    assert [line.text for line in bench.engine.logs(ref, tail=1)] == ["three"]
    assert bench.engine.logs(ref, since=time.time() + 10) == []


@pytest.mark.real
def test_logs_of_a_terminal(bench: Bench) -> None:
    ref = bench.started("echo one; echo two >&2", tty=True)
    bench.engine.wait(ref, 30)
    assert [(line.stream, line.text) for line in bench.engine.logs(ref)] == [("stdout", "one"), ("stdout", "two")]


@pytest.mark.real
def test_a_long_line_stays_one_line(bench: Bench) -> None:
    ref = bench.started("python -c \"print('x' * 50_000); print('end')\"")
    bench.engine.wait(ref, 30)
    for lines in (bench.engine.logs(ref), list(bench.engine.follow(ref, None, never))):
        assert [len(line.text) for line in lines] == [50_000, 3]


@pytest.mark.real
def test_a_followed_log_is_whole_at_its_end(bench: Bench) -> None:
    ref = bench.started("for i in 1 2 3; do echo $i; sleep 0.1; done; echo 4; printf 5")
    assert [line.text for line in bench.engine.follow(ref, None, never)] == ["1", "2", "3", "4", "5"]


@pytest.mark.real
def test_a_quiet_followed_log_ends_when_told(bench: Bench) -> None:
    assert list(bench.engine.follow(bench.started(), None, later(0.5))) == []


@pytest.mark.real
def test_a_reader_that_leaves_takes_its_thread_along(bench: Bench) -> None:
    ref = bench.started("while true; do echo x; done")
    lines = bench.engine.follow(ref, None, never)
    assert next(lines).text == "x"
    lines.close()  # type: ignore[attr-defined]
    deadline = time.monotonic() + 20
    while any(thread.name == "engine-stream" for thread in threading.enumerate()):
        assert time.monotonic() < deadline, "the thread of the stream is still there"
        time.sleep(0.05)


FRAMES = b"\x01\0\0\0\0\0\0\x05T1 a\n" + b"\x02\0\0\0\0\0\0\x05T2 b\n" + b"\x01\0\0\0\0\0\0\x04T3 c"


@pytest.mark.parametrize("size", [1, 3, 100])
def test_frames_may_come_in_pieces(size: int) -> None:
    frames, lines = Frames(tty=False), Lines(tty=False)
    found = [
        line
        for start in range(0, len(FRAMES), size)
        for stream, payload in frames.feed(FRAMES[start : start + size])
        for line in lines.feed(stream, payload)
    ]
    assert [(line.at, line.stream, line.text) for line in found + lines.rest()] == [
        ("T1", "stdout", "a"),
        ("T2", "stderr", "b"),
        ("T3", "stdout", "c"),
    ]


# ---- figures, images, errors ----------------------------------------------------------------------------------------


@pytest.mark.real
def test_stats(bench: Bench) -> None:
    found = bench.engine.stats(bench.started("while true; do :; done"))
    assert found["cpu_percent"] > 1
    assert 0 < found["memory_bytes"] < found["memory_limit_bytes"]
    assert found["pids"] == 1


@pytest.mark.real
def test_an_image_is_made_of_a_tar(bench: Bench) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("file"))
    tag = f"windlass/wlt-{secrets.token_hex(4)}:1"
    bench.tags.append(tag)
    changes = ['ENTRYPOINT ["/file"]', "LABEL a=b", "EXPOSE 53/udp 80", "VOLUME /data"]
    made = bench.engine.import_image(iter([packed.getvalue()]), tag, changes)
    facts = bench.engine.image(tag)
    assert facts is not None
    assert (facts.id, facts.ports, facts.volumes, facts.labels) == (made, (80,), ("/data",), {"a": "b"})


@pytest.mark.real
def test_the_tag_of_an_image_that_is_needed_stays(bench: Bench) -> None:
    packed = io.BytesIO()
    tarfile.open(fileobj=packed, mode="w").close()
    tag = f"windlass/wlt-{secrets.token_hex(4)}:1"
    bench.engine.import_image(iter([packed.getvalue()]), tag, ['ENTRYPOINT ["/x"]'])
    ref = str(bench.api.create_container(tag)["Id"])
    with pytest.raises(Conflict):
        bench.engine.untag(tag)
    bench.engine.remove(ref)
    bench.engine.untag(tag)
    assert bench.engine.image(tag) is None


@pytest.mark.real
@pytest.mark.parametrize("by", ["container", "program"])
def test_a_taken_port(bench: Bench, by: str) -> None:
    with socket.socket() as probe:
        probe.bind(("", 0))
        port = probe.getsockname()[1]
        if by == "program":
            probe.listen()
        host = bench.api.create_host_config(port_bindings={80: port})
        if by == "container":
            probe.close()
            bench.started(ports=[80], host_config=host)
        second = bench.created("sleep 300", ports=[80], host_config=host)
        with pytest.raises(Failed) as failed:
            bench.engine.start(second)
    assert failed.value.code == "port_taken"


@pytest.mark.parametrize("url", ["unix:///nonexistent/docker.sock", "tcp://127.0.0.1:1"])
@pytest.mark.parametrize(
    "call",
    [
        lambda e: e.facts(),
        lambda e: e.exec("x", ["true"]),
        lambda e: list(e.events({}, 0, never)),
        lambda e: list(e.follow("x", None, never)),
    ],
)
def test_an_engine_that_does_not_answer(url: str, call: Callable[[Engine], object]) -> None:
    with pytest.raises(OutOfReach) as failed:
        call(open_engine(url))
    assert (failed.value.code, failed.value.hint) == ("engine_unreachable", "windlass doctor")


class Vanishing(threading.Thread):
    """An engine that answers, begins to stream events, and goes away."""

    def __init__(self, path: str) -> None:
        super().__init__(daemon=True)
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(path)
        self._server.listen()

    def run(self) -> None:
        while True:
            connection, _ = self._server.accept()
            asked = connection.recv(65536)
            if b"/events" in asked:
                connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n")
                connection.close()
                return
            body = b'{"ApiVersion": "1.41"}'
            head = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body)
            connection.sendall(head + body)
            connection.close()


def test_events_say_when_the_engine_goes_away(tmp_path: Any) -> None:
    path = str(tmp_path / "docker.sock")
    Vanishing(path).start()
    with pytest.raises(OutOfReach):
        list(open_engine(f"unix://{path}").events({}, 0, never))


@pytest.mark.parametrize("ref", ["", "../images/json", "a/b", "a?b", "-x", "a..b", "é"])
def test_what_can_not_be_a_name_never_becomes_a_path(ref: str) -> None:
    with pytest.raises(WindlassError):
        checked(ref)


def test_the_package_loads_nothing_until_an_engine_is_opened() -> None:
    script = "import sys, windlass.adapters.engine; sys.exit('docker' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
