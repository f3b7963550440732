"""The control plane as a background process: who holds which lock, how it is started, ended, and given to systemd."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from windlass.domain.errors import Conflict, OutOfReach

POLL_S = 0.02
STOP_S = 12.0
LOG_LIMIT = 10 << 20

# What a control plane needs of the shell it was started from; nothing else of it stays in a process for months.
_KEPT = (
    *("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "SSH_AUTH_SOCK", "PYTHONPATH"),
    *("XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "SSL_CERT_FILE", "SSL_CERT_DIR", "WINDLASS_DATABASE_URL"),
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "no_proxy", "all_proxy"),
    *("DOCKER_HOST", "DOCKER_CONFIG", "DOCKER_CERT_PATH", "DOCKER_TLS_VERIFY", "DOCKER_CONTEXT"),
)

# The C library would keep a pool of memory for every thread that once needed some.
_MEMORY = {"MALLOC_ARENA_MAX": "2", "MALLOC_TRIM_THRESHOLD_": "131072"}


@dataclass(frozen=True)
class Locks:
    """`supervisor` and `server` are pid files whose lock their process holds; `starting` is held by `up` and `down`."""

    supervisor: Path
    server: Path
    starting: Path


def environment(home: Path) -> dict[str, str]:
    """The environment of a control plane of this home."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return kept | _MEMORY | {"WINDLASS_HOME": str(home)}


def server_command(home: Path) -> list[str]:
    """Without the columns of tracebacks: they cost 6 MB."""
    return [sys.executable, "-P", "-X", "no_debug_ranges", "-m", "windlass", "serve", "--home", str(home)]


def holder(path: Path) -> int | None:
    """The process that holds the lock of this pid file; None when nobody does. A stale file means nothing."""
    try:
        descriptor = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return None
    try:
        for _ in range(50):
            if _try_lock(descriptor):
                return None
            text = os.pread(descriptor, 32, 0).strip()
            if text.isdigit() and Path(f"/proc/{int(text)}").exists():
                return int(text)
            time.sleep(POLL_S)  # it is between taking the lock and writing its number
        return None
    finally:
        os.close(descriptor)


def hold(path: Path, wait_s: float) -> int:
    """Take the lock of this pid file for this process, until it ends. Raises Conflict when someone else keeps it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + wait_s
    while not _try_lock(descriptor):
        if time.monotonic() > deadline:
            os.close(descriptor)
            raise Conflict(f"another windlass holds {path}", code="already_running", hint="windlass down")
        time.sleep(POLL_S)
    os.ftruncate(descriptor, 0)
    os.write(descriptor, b"%d\n" % os.getpid())
    return descriptor


@contextlib.contextmanager
def held(path: Path, wait_s: float) -> Iterator[None]:
    """Only one process at a time is inside."""
    descriptor = hold(path, wait_s)
    try:
        yield
    finally:
        os.close(descriptor)


def start(locks: Locks, log_file: Path, home: Path) -> None:
    """Start the supervisor, which starts the server; returns at once. `log_file` gets what they print."""
    script = str(Path(__file__).with_name("supervisor.py"))
    argv = [sys.executable, "-I", "-S", script, str(locks.supervisor), str(log_file), *server_command(home)]
    with contextlib.suppress(FileNotFoundError):
        if log_file.stat().st_size > LOG_LIMIT:
            log_file.replace(log_file.with_name(log_file.name + ".1"))
    null = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in (0, 1, 2)]
    os.posix_spawn(sys.executable, argv, environment(home), file_actions=null, setsid=True)


def stop(locks: Locks) -> bool:
    """End supervisor and server, also a server whose supervisor was killed; whether there was one to end."""
    found = [_end(locks.supervisor), _end(locks.server)]
    return any(found)


def _end(pid_file: Path) -> bool:
    pid = holder(pid_file)
    if pid is None:
        return False
    for number, wait_s in ((signal.SIGTERM, STOP_S), (signal.SIGKILL, STOP_S)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        deadline = time.monotonic() + wait_s
        while time.monotonic() < deadline:
            if holder(pid_file) != pid:
                return True
            time.sleep(POLL_S)
    raise OutOfReach(f"process {pid} does not end", code="not_stoppable", hint=f"kill -9 {pid}")


def end_children() -> None:
    """Kill every program this process still runs, with what it started: each leads a session of its own."""
    for listing in Path("/proc/self/task").glob("*/children"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            for pid in listing.read_text().split():
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(int(pid), signal.SIGKILL)


def last_lines(log_file: Path, count: int = 15) -> list[str]:
    try:
        with log_file.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 16384))
            return file.read().decode("utf-8", "replace").splitlines()[-count:]
    except FileNotFoundError:
        return []


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def unit_text(command: list[str], variables: Mapping[str, str]) -> str:
    """A systemd unit that keeps the control plane running."""
    lines = [f"Environment={_unit_word(f'{name}={value}')}" for name, value in sorted(variables.items())]
    return "\n".join(
        [
            "[Unit]",
            "Description=windlass control plane",
            "After=network-online.target docker.service",
            "Wants=network-online.target",
            "StartLimitIntervalSec=0",
            "",
            "[Service]",
            "Type=exec",
            *lines,
            f"ExecStart={' '.join(_unit_word(word.replace('$', '$$')) for word in command)}",
            "Restart=always",
            "RestartSec=1",
            "KillMode=mixed",
            "TimeoutStopSec=10",
            "UMask=0077",
            "",
            "[Install]",
            "WantedBy=multi-user.target",
            "",
        ]
    )


def _unit_word(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("\n", "\\n")
    return f'"{escaped}"'
