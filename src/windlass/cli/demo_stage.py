"""How the demo is shown: one line per act that lasts, with a line that moves while it lasts on a terminal."""

from __future__ import annotations

import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from windlass.cli.load_report import LoadReport
from windlass.cli.text import line_of

if TYPE_CHECKING:
    from rich.status import Status

    from windlass.cli.demo import Outcome

TICK_S = 0.2
_TOLD = {"live": "went live", "failed": "was taken back before the switch", "switched_back": "was switched back"}


class Meanwhile:
    """Follows a deployment's events for the line that moves; implements the Progress of a Watch."""

    def __init__(self, title: str, status: Status | None, facts: Callable[[], str]) -> None:
        self._title = title
        self._status = status
        self._facts = facts
        self._step = ""
        self._calls: dict[str, Callable[[], None]] = {}

    def on_state(self, call: Callable[[], None], state: str) -> None:
        """Call it when the deployment says that it is in this state."""
        self._calls[state] = call

    def event(self, kind: str, data: dict[str, Any]) -> None:
        if kind == "step":
            self._step = line_of(data.get("name", ""))
        elif kind == "state":
            self._step = line_of(data.get("status", "")) or self._step
            call = self._calls.get(str(data.get("status")))
            if call is not None:
                call()
        self.draw()

    def draw(self) -> None:
        if self._status is not None:
            told = " · ".join(t for t in (self._title, self._step, self._facts()) if t)
            self._status.update(Text(told, no_wrap=True, overflow="ellipsis"))

    def say(self, text: str) -> None:
        self._step = line_of(text)
        self.draw()

    def close(self) -> None: ...


class Stage:
    """Everything the demo prints: on standard output, or beside it when that carries JSON."""

    def __init__(self, as_json: bool) -> None:
        self.console = Console(file=sys.stderr if as_json else sys.stdout, highlight=False, soft_wrap=True)

    def head(self, title: str, words: str) -> None:
        self.console.print(Text.assemble((title, "bold"), "  ", (words, "dim")))
        self.console.print()

    def say(self, words: str) -> None:
        self.console.print(Text(f"  {line_of(words)}", style="dim"))

    def done(self, words: str) -> None:
        self.console.print(Text.assemble(("✓ ", "green"), line_of(words)))

    @contextmanager
    def doing(self, title: str, facts: Callable[[], str] = lambda: "") -> Iterator[Meanwhile]:
        """While it lasts: on a terminal a line that moves, elsewhere nothing."""
        if not self.console.is_terminal:
            yield Meanwhile(title, None, facts)
            return
        with self.console.status(title) as status:
            meanwhile, over = Meanwhile(title, status, facts), threading.Event()
            ticker = threading.Thread(target=_tick, args=(meanwhile, over), daemon=True)
            ticker.start()
            try:
                yield meanwhile
            finally:
                over.set()
                ticker.join()

    def outcome(self, outcome: Outcome) -> None:
        """One line, and why a version was taken back."""
        mark = ("✓ ", "green") if outcome.ok else ("✗ ", "red")
        told = _TOLD.get(outcome.status, outcome.status)
        if outcome.status == "live" and outcome.live_seconds is not None:
            told += f" after {outcome.live_seconds:.1f} s"
        failed = (f"{outcome.failed} failed", "bold green" if outcome.failed == 0 else "bold red")
        line = Text.assemble(mark, (line_of(outcome.title), "bold"), f": {told}; {outcome.requests} requests, ", failed)
        line.append(f"; {line_of(outcome.serving)} serves", style="dim")
        self.console.print(line)
        if outcome.cut:
            self.say(f"  {outcome.cut} streams that it had begun were cut by its crash")
        if outcome.reason:
            self.say(f"  {outcome.reason}")

    def end(self, outcomes: Sequence[Outcome], report: LoadReport, failed: int, seconds: float) -> None:
        table = Table(box=None, pad_edge=False, header_style="dim")
        for title in ("", "ended"):
            table.add_column(title)
        for title in ("seconds", "requests", "failed"):
            table.add_column(title, justify="right")
        table.add_column("then serves")
        for outcome in outcomes:
            style = "" if outcome.ok else "red"
            row = (outcome.title, outcome.status, f"{outcome.seconds:.1f}", str(outcome.requests), str(outcome.failed))
            table.add_row(*(Text(line_of(cell), style=style) for cell in (*row, outcome.serving)))
        self.console.print()
        self.console.print(table)
        self.console.print()
        self.console.print(
            Text.assemble(
                ("failed requests: ", "bold"),
                (str(failed), "bold green" if failed == 0 else "bold red"),
                f" of {report.requests + report.streams} in {report.seconds:.0f} s",
                (f"; the whole demo took {seconds:.0f} s", "dim"),
            )
        )
        latency = report.latency_ms
        self.say(f"latency p50 {latency.p50:.0f} ms, p99 {latency.p99:.0f} ms; {report.ws_messages} WebSocket messages")

    def failures(self, report: LoadReport) -> None:
        """How requests failed, and the first of them."""
        kinds = Counter(f"{f.kind} {f.status or ''}".strip() for f in report.failures)
        if kinds:
            self.say("  " + ", ".join(f"{kind} ×{count}" for kind, count in kinds.most_common()))
        for failure in report.failures[:5]:
            self.say(f"  {failure.method} at {failure.time:.1f} s: {failure.kind}, {failure.detail}")

    def advice(self, url: str, home_option: str, home: str) -> None:
        self.console.print()
        self.console.print(Text.assemble(("look at it   ", "dim"), (url, "bold")))
        for title, command in (
            ("what runs", "windlass status guestbook"),
            ("what failed", "windlass events guestbook"),
            ("its logs", "windlass logs guestbook -f"),
            ("remove it", f"windlass demo --remove{home_option}"),
        ):
            prefix = "" if command.startswith("windlass demo") else f"WINDLASS_HOME={home} "
            self.console.print(Text.assemble((f"{title:<12} ", "dim"), prefix + command))


def _tick(meanwhile: Meanwhile, over: threading.Event) -> None:
    while not over.wait(TICK_S):
        meanwhile.draw()
