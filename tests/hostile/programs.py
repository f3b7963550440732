"""Stands where the kernel would start a program: writes down what it would be given, and answers well in its place."""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path
from typing import Any

import pytest

from windlass.adapters import process

COMMIT = "a" * 40
_COMMITTED = f"{COMMIT}\0Ann <ann@example.com>\x001\0one"
_NUMBERS = re.compile(r"(?<=/dev/fd/)\d+|(?<=/releases/)\d+|(?<=\.new-)\d+|(?<=-g)\d+|(?<=/git)[0-9a-f]{8}")
_PLACE = re.compile(r"/(?:\.new-)?(?:plan|windlass)-[A-Za-z0-9_]+")


@dataclass(frozen=True)
class Seen:
    """One program as it would have been started; `stdin`: what was written to it."""

    program: str
    argv: tuple[str, ...]
    environment: Mapping[str, str]
    stdin: bytearray

    @property
    def shape(self) -> tuple[str, ...]:
        """The argv without what differs from one start to the next."""
        words = [_PLACE.sub("/-", _NUMBERS.sub("0", word)) for word in self.argv]
        if "-f" in words and "--project-directory" in words:
            place = words.index("--project-directory") + 1
            if words[place] == str(Path(words[words.index("-f") + 1]).parent):
                words[place] = "the folder of the file"
        return tuple(words)


class _Child:
    """What `subprocess.Popen` is to adapters/process.py: it has said everything, and ended well."""

    pid = 1 << 30  # nobody's

    def __init__(self, said: bytes, heard: bytearray) -> None:
        self.stdout, self.stderr = _readable(said), _readable(b"")
        self._heard = heard
        self._from, to = os.pipe()
        self.stdin = os.fdopen(to, "wb", buffering=0)

    def __enter__(self) -> _Child:
        return self

    def __exit__(self, *_: object) -> None:
        for pipe in (self.stdin, self.stdout, self.stderr):
            pipe.close()
        while piece := os.read(self._from, 65536):
            self._heard += piece
        os.close(self._from)

    def poll(self) -> int:
        return 0

    def wait(self, timeout: float | None = None) -> int:
        return 0


def _readable(content: bytes) -> FileIO:
    source, to = os.pipe()
    os.write(to, content)
    os.close(to)
    return os.fdopen(source, "rb", buffering=0)


@dataclass
class Programs:
    """Git and Compose. `model`: what `config` prints, and a repository holds. `values`: what a dotenv file holds."""

    model: Mapping[str, Any] = field(default_factory=dict)
    values: Mapping[str, str] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self) -> list[Seen]:
        """What was started since this was last asked."""
        with self.lock:
            found, self.seen = self.seen, []
        return found

    def start(self, argv: list[str], **options: Any) -> _Child:
        """In the place of `subprocess.Popen`."""
        assert isinstance(argv, list)
        assert not options.get("shell")
        assert options["start_new_session"]
        for word in (*argv, *options["env"], *options["env"].values()):
            assert "\0" not in word
            os.fsencode(word)
        program, *words = argv[len(process._leash()) :]
        one = Seen(Path(program).name, tuple(words), dict(options["env"]), bytearray())
        with self.lock:
            self.seen.append(one)
        return _Child(self._answer(one).encode(), one.stdin)

    def _answer(self, one: Seen) -> str:
        if one.program == "git":
            return self._git(one.argv)
        if "config" not in one.argv:
            return ""
        if one.argv[:2] == ("-p", "read"):
            return json.dumps({"services": {"read": {"environment": dict(self.values)}}})
        return json.dumps(self.model)

    def _git(self, argv: tuple[str, ...]) -> str:
        if "ls-remote" in argv:
            return f"{COMMIT}\t{argv[-1]}\n"
        if "checkout" in argv:
            place = Path(argv[argv.index("--work-tree") + 1])
            (place / "compose.yaml").write_text(json.dumps(self.model))
        return _COMMITTED if "log" in argv else ""


@contextmanager
def programs(folder: Path) -> Iterator[Programs]:
    """While it lasts no program is started; `folder` gets files by the names of those that are looked for."""
    for name in ("git", "docker-compose"):
        (folder / name).touch(mode=0o755)
    process._leash()  # asks a program of its own, once
    made = Programs()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
        patch.setattr(process.subprocess, "Popen", made.start)
        patch.setattr(process, "_end_group", lambda child: None)
        yield made
