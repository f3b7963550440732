"""Two hundred who follow one deployment at once: each is told everything once, and it costs little."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pytest

ROOT = Path(__file__).parents[2]
FOLLOWERS = 200
RESUMED = 20  # of them go away in the middle, and come again
BATCH, BATCHES = 50, 6
MOST_MORE_KB = 30 * 1024
WAIT_S = 600


@dataclass
class Alone:
    """The API in a process of its own."""

    process: subprocess.Popen[str]
    socket: Path

    def say(self, words: str) -> None:
        """Come back when it is done."""
        assert self.process.stdin is not None
        self.process.stdin.write(words + "\n")
        self.process.stdin.flush()
        assert self._line() == words.partition(" ")[0]

    def _line(self) -> str:
        out: IO[str] | None = self.process.stdout
        assert out is not None
        return out.readline().strip()

    def memory_kb(self) -> int:
        """What is its own, and its share of what it shares."""
        rollup = Path(f"/proc/{self.process.pid}/smaps_rollup").read_text()
        return next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Alone]:
    command = [sys.executable, "-m", "tests.web.alone", str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        found = Alone(process, tmp_path / "api.sock")
        assert found._line() == "ready"
        yield found
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(WAIT_S) == 0


class Follower:
    """Keeps the ids of what it is told."""

    def __init__(self, socket: Path) -> None:
        self.socket = socket
        self.ids: list[int] = []
        self.ended = False

    async def begin(self) -> None:
        """Come back when the answer has begun."""
        self.reader, self.writer = await asyncio.open_unix_connection(str(self.socket))
        last = f"Last-Event-ID: {self.ids[-1]}\r\n" if self.ids else ""
        self.writer.write(f"GET /api/v1/deployments/d1/events HTTP/1.0\r\nHost: x\r\n{last}\r\n".encode())
        assert b" 200 " in await self.reader.readline()

    async def follow(self, until: int = 0) -> None:
        """To the end, or to this many events."""
        while not self.reader.at_eof() and not (until and len(self.ids) >= until):
            line = await self.reader.readline()
            if line.startswith(b"id: "):
                self.ids.append(int(line[4:]))
            self.ended = self.ended or line.strip() == b"event: end"

    async def leave(self) -> None:
        self.writer.close()
        await self.writer.wait_closed()

    async def follow_twice(self) -> None:
        await self.follow(until=BATCH)
        await self.leave()
        await self.begin()
        await self.follow()


@pytest.mark.timeout(900)
def test_each_of_200_is_told_everything_once(alone: Alone) -> None:
    first = Follower(alone.socket)
    followers = [Follower(alone.socket) for _ in range(FOLLOWERS)]

    async def run() -> tuple[int, int]:
        async with asyncio.timeout(WAIT_S):
            await first.begin()  # loads what is loaded for the first one only
            await asyncio.to_thread(alone.say, f"events {BATCH}")
            await first.follow(until=BATCH)
            before = alone.memory_kb()
            await asyncio.gather(*(one.begin() for one in followers))
            tasks = [one.follow_twice() if n < RESUMED else one.follow() for n, one in enumerate(followers)]
            following = asyncio.gather(first.follow(), *tasks)
            most = 0
            for _ in range(BATCHES):
                await asyncio.to_thread(alone.say, f"events {BATCH}")
                most = max(most, alone.memory_kb())
            await asyncio.to_thread(alone.say, "finish")
            await following
            most = max(most, alone.memory_kb())
            await asyncio.gather(*(one.leave() for one in (first, *followers)))
        return before, most

    before, most = asyncio.run(run())
    wanted = list(range(1, BATCH * (BATCHES + 1) + 1))
    assert first.ids == wanted
    assert [one.ids == wanted for one in followers].count(True) == FOLLOWERS
    assert all(one.ended for one in followers)
    assert most - before <= MOST_MORE_KB, f"{(most - before) / 1024:.1f} MB more for {FOLLOWERS} followers"
