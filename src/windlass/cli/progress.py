"""How a running deployment is drawn: a live view for a terminal, one line per step for everything else."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from windlass.cli.render_checks import draw_findings
from windlass.cli.text import line_of, seconds, told_waiting
from windlass.domain.release import STEPS

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

SHOWN_LINES = 6
_MARKS = {"running": ("…", "cyan"), "done": ("✓", "green"), "failed": ("✗", "red"), "undone": ("↩", "yellow")}
_TOLD_STATES = frozenset({"taken up", "taking back"})


class PlainProgress:
    """A line for every step that ends, and for what is said meanwhile."""

    def __init__(self, write: Callable[[str], None], lines: bool = True) -> None:
        self._write = write
        self._lines = lines
        self._told: set[tuple[str, str]] = set()

    def event(self, kind: str, data: dict[str, Any]) -> None:
        if kind == "step":
            self._tell_step(data)
        elif kind == "line" and self._lines:
            self._write(click.style("  " + told_line(data), dim=True))
        elif kind in ("note", "warning", "error") or kind == "smoke" and data.get("status") != "running":
            self._write(f"  {told_line(data)}")
        elif kind == "checks":
            for line in doubts(data):
                self._write(f"  {line}")
        elif kind == "waiting" and (words := told_waiting(data.get("waiting"))):
            self._write(click.style(words, fg="yellow"))
        elif kind == "state" and data.get("status") in _TOLD_STATES:
            self._write(click.style(line_of(data["status"]), fg="yellow"))

    def say(self, text: str) -> None:
        self._write(text)

    def close(self) -> None: ...

    def _tell_step(self, data: dict[str, Any]) -> None:
        status, name = line_of(data.get("status", "")), line_of(data.get("name", ""))
        if status == "running" or (name, status) in self._told:
            return
        self._told.add((name, status))
        mark, colour = _MARKS.get(status, ("·", "white"))
        took = seconds(data["seconds"]) if "seconds" in data else ""
        words = f"{name:<8} {took:>7}" + (f"  {status}" if status != "done" else "")
        self._write(f"{click.style(mark, fg=colour)} {words}".rstrip())


class LiveProgress:
    """All steps with their times, and the last lines of what is at work, redrawn in place."""

    def __init__(self, console: Console, now: Callable[[], float] = time.monotonic) -> None:
        from rich.live import Live

        self._now = now
        self._steps: dict[str, tuple[str, float, float | None]] = {}
        self._tail: deque[str] = deque(maxlen=SHOWN_LINES)
        self._waiting = ""
        self._live = Live(console=console, get_renderable=self._draw, refresh_per_second=8, transient=False)
        self._live.start()

    def event(self, kind: str, data: dict[str, Any]) -> None:
        if kind == "step":
            name, status = line_of(data.get("name", "")), line_of(data.get("status", ""))
            begun = self._steps[name][1] if name in self._steps else self._now()
            took = data.get("seconds")
            self._steps[name] = (status, begun, float(took) if isinstance(took, int | float) else None)
            if status == "done":
                self._tail.clear()
        elif kind in ("line", "note", "warning", "error", "health", "smoke"):
            self._tail.append(told_line(data))
        elif kind == "waiting":
            self._waiting = told_waiting(data.get("waiting"))
        elif kind == "checks":
            for line in doubts(data):
                self.say(click.unstyle(line))
        elif kind == "state" and data.get("status") in _TOLD_STATES:
            self._tail.append(line_of(data["status"]))

    def say(self, text: str) -> None:
        self._live.console.print(line_of(text), markup=False, highlight=False)

    def close(self) -> None:
        self._tail.clear()
        self._waiting = ""
        self._live.stop()

    def _draw(self) -> Text:
        from rich.text import Text

        text = Text(no_wrap=True, overflow="ellipsis")
        for name in sorted(self._steps, key=_step_order):
            status, begun, took = self._steps[name]
            mark, colour = _MARKS.get(status, ("·", "white"))
            spent = took if took is not None else self._now() - begun if status == "running" else None
            text.append(f"{mark} ", style=colour)
            text.append(f"{name:<8} ", style="bold" if status == "running" else "")
            text.append(f"{seconds(spent) if spent is not None else status:>8}\n", style="dim")
        if self._waiting:
            text.append(f"{self._waiting}\n", style="yellow")
        for line in self._tail:
            text.append(f"  │ {line}\n", style="dim")
        text.rstrip()
        return text


def doubts(data: dict[str, Any]) -> list[str]:
    """What the checks before the deploy warn of; what refuses ends the deployment, and is told there."""
    return draw_findings(data.get("items") or [], without=("refused", "ok"))


def told_line(data: dict[str, Any]) -> str:
    """The words of an event: `service | text`, or service, container and state."""
    service = line_of(data.get("service", ""))
    words = line_of(data.get("text") or data.get("message") or data.get("state") or data.get("line") or "")
    return f"{service} | {words}" if service else words


def _step_order(name: str) -> int:
    return STEPS.index(name) if name in STEPS else len(STEPS)
