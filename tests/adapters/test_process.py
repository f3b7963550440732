"""Programs are run with exactly what they are given, and nothing of them is left behind."""

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from windlass.adapters.process import Command, memory, plain, run, surroundings
from windlass.domain.errors import Cancelled, Failed, OutOfReach


def python(code: str, **changes: Any) -> Command:
    return Command((sys.executable, "-I", "-c", code), **changes)


def test_gives_standard_input_environment_and_folder(tmp_path: Path) -> None:
    code = "import os,sys; print(sys.stdin.read(), dict(os.environ).get('A'), os.getcwd(), 'HOME' in os.environ)"
    result = run(python(code, cwd=tmp_path, environment={"A": "1"}, stdin=b"in"))
    assert (result.code, result.text) == (0, f"in 1 {tmp_path} False\n")


def test_takes_and_returns_more_than_a_pipe_holds() -> None:
    result = run(python("import sys; sys.stdout.write(sys.stdin.read())", stdin=b"x" * 1_000_000))
    assert len(result.stdout) == 1_000_000


def test_streams_lines_of_both_outputs_without_control_codes() -> None:
    seen: list[str] = []
    code = r"import sys; print('\x1b[31mred\x1b[0m'); print('half\rwhole', file=sys.stderr); sys.exit(3)"
    result = run(python(code), seen.append)
    assert (result.code, sorted(seen), result.errors) == (3, ["red", "whole"], ("whole",))


def test_keeps_only_the_last_lines() -> None:
    result = run(python("for n in range(2000): print(n)", stdout_limit=0))
    assert (result.lines[-1], len(result.lines) < 1000, result.stdout) == ("1999", True, b"")


def test_refuses_output_beyond_the_limit() -> None:
    with pytest.raises(Failed) as caught:
        run(python("print('x' * 100_000)", stdout_limit=1000))
    assert caught.value.code == "output_too_large"


def test_gives_values_as_memory_files_and_not_by_name() -> None:
    command = Command(
        (sys.executable, "-I", "-c", "import sys; print(open(sys.argv[1]).read() * 2, sys.argv[1])", memory(0)),
        files=(b"secret",),
    )
    out = run(command).text
    assert out.startswith("secretsecret /dev/fd/")
    assert "secret" not in repr(command)


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def ends(pid: int) -> bool:
    """A killed process takes a moment to be gone; one that was not killed would sleep for a minute."""
    until = time.monotonic() + 10.0
    while alive(pid) and time.monotonic() < until:
        time.sleep(0.01)
    return not alive(pid)


FAMILY = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = os.fork()
if child:
    print(os.getpid(), child, flush=True)
time.sleep(60)
"""


def test_ends_the_whole_group_when_time_is_over() -> None:
    seen: list[str] = []
    with pytest.raises(TimeoutError):
        run(python(FAMILY, timeout_s=5.0), seen.append)
    assert all(ends(int(pid)) for pid in seen[0].split())


def test_ends_the_whole_group_when_cancelled() -> None:
    seen: list[str] = []
    with pytest.raises(Cancelled):
        run(python(FAMILY), seen.append, lambda: bool(seen))
    assert all(ends(int(pid)) for pid in seen[0].split())


def test_ends_the_whole_group_when_the_listener_fails() -> None:
    seen: list[str] = []

    def listen(line: str) -> None:
        seen.append(line)
        raise KeyError(line)

    with pytest.raises(KeyError):
        run(python(FAMILY), listen)
    assert all(ends(int(pid)) for pid in seen[0].split())


def test_does_not_wait_for_what_the_child_left_behind() -> None:
    code = "import os, time\nif os.fork() == 0: time.sleep(60)\nelse: print('done', flush=True)"
    result = run(python(code, timeout_s=30.0))
    assert (result.code, result.text) == (0, "done\n")


OUTER = """
import sys
from windlass.adapters.process import Command, run
run(Command((sys.executable, "-I", "-c", "import os, time; print(os.getpid(), flush=True); time.sleep(60)")), print)
"""


def test_a_child_does_not_outlive_a_killed_windlass() -> None:
    seen: list[str] = []

    def kill(line: str) -> None:
        seen.append(line)
        (parent,) = (p for p in children(os.getpid()) if int(line) in children(p))
        os.kill(parent, signal.SIGKILL)

    code = f"import sys; sys.path[:0] = {sys.path!r}\n{OUTER}"
    own = Command((sys.executable, "-u", "-c", code))
    assert run(own, kill).code == -signal.SIGKILL
    deadline = time.monotonic() + 10
    while alive(int(seen[0])) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not alive(int(seen[0]))


def children(pid: int) -> set[int]:
    return {int(p) for task in Path(f"/proc/{pid}/task").iterdir() for p in (task / "children").read_text().split()}


def test_says_what_is_not_installed() -> None:
    with pytest.raises(OutOfReach) as caught:
        run(Command(("/nowhere/tool",)))
    assert (caught.value.code, "tool" in caught.value.message) == ("program_missing", True)


def test_says_which_folder_is_missing(tmp_path: Path) -> None:
    with pytest.raises(Failed) as caught:
        run(python("", cwd=tmp_path / "no"))
    assert caught.value.code == "folder_missing"


def test_surroundings_hold_nothing_of_an_app(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "x")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy")
    found = surroundings()
    assert "DATABASE_URL" not in found
    assert (found["HTTPS_PROXY"], found["PATH"]) == ("http://proxy", os.environ["PATH"])


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"\x1b]0;title\x07text\r\n", "text"),
        (b"a\tb\x00c\x7f", "a\tbc"),
        (b"\xff", "\N{REPLACEMENT CHARACTER}"),
        ("é".encode(), "é"),
    ],
)
def test_plain_text(raw: bytes, expected: str) -> None:
    assert plain(raw) == expected
