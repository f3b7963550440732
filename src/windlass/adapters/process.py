"""The only place where programs are run: argv lists, a clean environment, a time limit, and an end for every child."""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import re
import selectors
import shutil
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from windlass.domain.errors import Cancelled, Failed, OutOfReach
from windlass.domain.names import command_word

# What a tool needs of its surroundings to find its files, its peers and their certificates; nothing of an app is here.
SURROUNDINGS = (
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TZ",
    "TMPDIR",
    "XDG_RUNTIME_DIR",
    "SSH_AUTH_SOCK",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "all_proxy",
)

_KEPT_LINES = 400
_KEPT_LINE = 4096  # characters of one line
_POLL_S = 0.1
_TERM_GRACE_S = 2.0
_STRAY_PIPE_S = 1.0  # a grandchild may hold our pipe open after the child has ended
_CONTROL = re.compile(
    rb"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[@-_]|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]"
)

OnLine = Callable[[str], None]
Check = Callable[[], bool]


def never() -> bool:
    return False


class _Memory(str):
    """Told from a word that somebody typed by its type, whatever that word says."""

    __slots__ = ()


def memory(index: int) -> str:
    """Stands for the path of memory file `index` as an argument or a variable's value."""
    return _Memory(f"\0memory:{index}")


def surroundings(*names: str) -> dict[str, str]:
    """Those of the named variables that windlass itself has; without names, all that tools need."""
    return {name: os.environ[name] for name in names or SURROUNDINGS if name in os.environ}


@dataclass(frozen=True)
class Command:
    """A program to run. `environment` is all it gets. `files` are given as memory files, see `memory`."""

    argv: tuple[str, ...]
    cwd: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    stdin: bytes = field(default=b"", repr=False)
    files: tuple[bytes, ...] = field(default=(), repr=False)
    timeout_s: float = 60.0
    stdout_limit: int = 32 << 20  # bytes; 0: not kept, and without limit


@dataclass(frozen=True)
class Result:
    """`stdout` whole; `lines`: the last ones of both streams, `errors`: of standard error, without control codes."""

    code: int
    stdout: bytes = field(repr=False)
    lines: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        return self.stdout.decode("utf-8", "replace")


def run(command: Command, on_line: OnLine | None = None, cancelled: Check = never) -> Result:
    """Run to the end, and end everything it started with it.

    Raises OutOfReach when the program is not there, TimeoutError, Cancelled, Failed when it says too much.
    """
    with _started(command) as child:
        streams = _Streams(child, command, on_line)
        deadline = time.monotonic() + command.timeout_s
        ended_at: float | None = None
        while streams.open:
            streams.move(_POLL_S)
            now = time.monotonic()
            if cancelled():
                raise Cancelled(f"{Path(command.argv[0]).name} was stopped", code="cancelled")
            if now > deadline:
                raise TimeoutError(f"{Path(command.argv[0]).name} did not end within {command.timeout_s:g} s")
            if ended_at is None and child.poll() is not None:
                ended_at = now
            if ended_at is not None and now - ended_at > _STRAY_PIPE_S:
                break
        streams.finish()
        code = child.wait(max(0.1, deadline - time.monotonic()))
    return Result(code, bytes(streams.stdout), tuple(streams.lines), tuple(streams.errors))


@contextlib.contextmanager
def _started(command: Command) -> Iterator[subprocess.Popen[bytes]]:
    """The child, in a session of its own; whatever happens, the whole group is gone afterwards."""
    with contextlib.ExitStack() as stack:
        program = _located(command)
        descriptors = [stack.enter_context(_memory_file(content)) for content in command.files]
        paths = {memory(n): f"/dev/fd/{descriptor}" for n, descriptor in enumerate(descriptors)}
        try:
            child = subprocess.Popen(
                [*_leash(), program, *(_word(argument, paths) for argument in command.argv[1:])],
                cwd=command.cwd,
                env={name: _word(value, paths) for name, value in command.environment.items()},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                pass_fds=descriptors,
                start_new_session=True,
                umask=0o022,
            )
        except (FileNotFoundError, NotADirectoryError, PermissionError) as error:
            raise Failed(
                f"the folder {command.cwd} cannot be entered: {error.strerror}", code="folder_missing"
            ) from error
        except OSError as error:
            if error.errno != errno.E2BIG:
                raise
            raise Failed(f"{Path(program).name} cannot be given so much at once", code="command_too_long") from error
    with child:
        try:
            yield child
        finally:
            _end_group(child)


def _word(word: str, paths: Mapping[str, str]) -> str:
    """As the child gets it. Raises Usage command_invalid for what no process can be given."""
    return paths[word] if isinstance(word, _Memory) else command_word(word)


def _located(command: Command) -> str:
    name = command.argv[0]
    found = shutil.which(name, path=command.environment.get("PATH", os.defpath))
    if found is None:
        tool = Path(name).name
        raise OutOfReach(
            f"{tool} is not installed, or cannot be run", code="program_missing", hint=f"install {tool} on this machine"
        )
    return found


@functools.cache
def _leash() -> tuple[str, ...]:
    """Lets a child end with windlass also when that is killed, so that the next start finds nobody at work.

    Without util-linux's setpriv there is none.
    """
    tool = shutil.which("setpriv")
    if tool is None:
        return ()
    leash = (tool, "--pdeathsig", "KILL", "--")
    tried = subprocess.run([*leash, tool, "--version"], env={}, capture_output=True, timeout=10, check=False)
    return leash if tried.returncode == 0 else ()


@contextlib.contextmanager
def _memory_file(content: bytes) -> Iterator[int]:
    descriptor = os.memfd_create("windlass")
    try:
        view = memoryview(content)
        while view:
            view = view[os.write(descriptor, view) :]
        yield descriptor
    finally:
        os.close(descriptor)


def _end_group(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        _signal_group(child.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(_TERM_GRACE_S)
    # Also when the child itself has ended: it may have left others behind, and they keep its group.
    _signal_group(child.pid, signal.SIGKILL)
    child.wait()


def _signal_group(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


class _Streams:
    """The three pipes of a child, moved without blocking."""

    def __init__(self, child: subprocess.Popen[bytes], command: Command, on_line: OnLine | None) -> None:
        self.stdout = bytearray()
        self.lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self.errors: deque[str] = deque(maxlen=_KEPT_LINES)
        self._limit = command.stdout_limit
        self._program = Path(command.argv[0]).name
        self._on_line = on_line
        self._to_send = memoryview(command.stdin)
        self._rest = {"stdout": b"", "stderr": b""}
        self._selector = selectors.DefaultSelector()
        for pipe, events, name in (
            (child.stdout, selectors.EVENT_READ, "stdout"),
            (child.stderr, selectors.EVENT_READ, "stderr"),
            (child.stdin, selectors.EVENT_WRITE, "stdin"),
        ):
            if pipe is not None:
                os.set_blocking(pipe.fileno(), False)
                self._selector.register(pipe, events, name)

    @property
    def open(self) -> bool:
        return bool(self._selector.get_map())

    def move(self, wait_s: float) -> None:
        """Send and receive what is possible now, waiting at most `wait_s` for the first of it."""
        for key, _ in self._selector.select(wait_s):
            if key.data == "stdin":
                self._send(key.fd, key.fileobj)
            else:
                self._receive(key.fd, key.fileobj, key.data)

    def finish(self) -> None:
        for name, rest in self._rest.items():
            if rest:
                self._keep(rest, name)
        self._selector.close()

    def _send(self, descriptor: int, pipe: object) -> None:
        try:
            if self._to_send:
                self._to_send = self._to_send[os.write(descriptor, self._to_send[:65536]) :]
        except BrokenPipeError:
            self._to_send = memoryview(b"")
        if not self._to_send:
            self._close(pipe)

    def _receive(self, descriptor: int, pipe: object, name: str) -> None:
        chunk = os.read(descriptor, 65536)
        if not chunk:
            self._close(pipe)
            return
        if name == "stdout" and self._limit:
            self.stdout += chunk
            if len(self.stdout) > self._limit:
                raise Failed(f"{self._program} said more than {self._limit} bytes", code="output_too_large")
        *whole, rest = (self._rest[name] + chunk).split(b"\n")
        self._rest[name] = rest[-(1 << 20) :]
        for line in whole:
            self._keep(line, name)

    def _keep(self, raw: bytes, name: str) -> None:
        line = plain(raw)[:_KEPT_LINE]
        self.lines.append(line)
        if name == "stderr":
            self.errors.append(line)
        if self._on_line is not None:
            self._on_line(line)

    def _close(self, pipe: object) -> None:
        self._selector.unregister(pipe)  # type: ignore[arg-type]
        pipe.close()  # type: ignore[attr-defined]


def plain(raw: bytes) -> str:
    """The text of one line without colours, cursor movements and other control codes."""
    return _CONTROL.sub(b"", raw.rstrip(b"\r\n").rsplit(b"\r", 1)[-1]).decode("utf-8", "replace").rstrip()


def first_existing(candidates: Sequence[Path]) -> Path | None:
    """The first that is a program we may run."""
    return next((c for c in candidates if c.is_file() and os.access(c, os.X_OK)), None)
