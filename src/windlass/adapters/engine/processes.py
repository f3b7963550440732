"""Commands run in a container that runs."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from docker.api.client import APIClient

from windlass.adapters.engine.connection import Speaker, checked
from windlass.adapters.engine.streams import Frames, Stream
from windlass.ports.engine import ExecOptions, ExecResult

_OUTPUT_LIMIT = 1 << 20
_POLL_S = 0.25


class Processes(Speaker):
    def exec(self, ref: str, argv: Sequence[str], options: ExecOptions | None = None) -> ExecResult:
        """Keeps the last MiB of the output. A command that runs beyond the time is killed where possible."""
        wanted = options or ExecOptions()
        deadline = time.monotonic() + wanted.timeout_s
        with self._connection.call(f"container {ref}, command {argv[0]}") as api:
            made = api.exec_create(
                checked(ref),
                list(argv),
                user=wanted.user,
                workdir=wanted.working_dir or None,
                environment=dict(wanted.environment),
                privileged=wanted.privileged,
            )["Id"]
            body = {"Detach": False, "Tty": False}
            stream = Stream(lambda: self._connection.post(api, f"/exec/{made}/start", body))
            try:
                output = _output(api, made, stream, deadline)
            finally:
                stream.close()
            code = _exit_code(api, made, deadline)
            if code is None:
                _end(int(api.exec_inspect(made)["Pid"]), ref if len(ref) == 64 else api.inspect_container(ref)["Id"])
                raise TimeoutError(f"{argv[0]} has not ended within {wanted.timeout_s:g} s")
            return ExecResult(code, output)


def _output(api: APIClient, made: str, stream: Stream, deadline: float) -> str:
    """Until the end of the output; a process left behind may keep that open, so the command's own end counts too."""
    frames, kept, ended = Frames(tty=False), bytearray(), False
    while time.monotonic() < deadline:
        data = stream.read(min(_POLL_S, max(deadline - time.monotonic(), 0.0)))
        if data is None or (data == b"" and ended):
            break
        if data == b"":
            ended = not api.exec_inspect(made)["Running"]
        for _, payload in frames.feed(data):
            kept += payload
        del kept[:-_OUTPUT_LIMIT]
    return kept.decode(errors="replace")


def _exit_code(api: APIClient, made: str, deadline: float) -> int | None:
    """None when the command still runs at the deadline. The engine knows of the end a moment after the output's end."""
    pause = 0.005
    while True:
        found = api.exec_inspect(made)
        if not found["Running"] and found["ExitCode"] is not None:
            return int(found["ExitCode"])
        if time.monotonic() >= deadline:
            return None
        time.sleep(pause)
        pause = min(pause * 2, 0.1)


def _end(pid: int, container: str) -> None:
    """The engine can not stop a command; on the same machine the kernel can, once it says whose process that is."""
    with suppress(OSError):
        if pid > 1 and container in Path(f"/proc/{pid}/cgroup").read_text():
            os.killpg(os.getpgid(pid), signal.SIGKILL)
