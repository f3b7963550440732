"""Text for a terminal: safe, aligned, short; and the two ways a running deployment is shown."""

import io
from typing import Any

import click
import pytest
from rich.console import Console

from windlass.cli.progress import LiveProgress, PlainProgress
from windlass.cli.render_checks import count_findings, draw_findings
from windlass.cli.render_deployment import draw_deployment
from windlass.cli.text import clean, line_of, moment, seconds, size, styled, table, tell_error, width
from windlass.domain.errors import Detail, NotFound, refuse

HOSTILE = [
    ("\x1b[31mred\x1b[0m", "red"),
    ("\x1b]0;title\x07text", "text"),
    ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
    ("\x1b]0;never ended", ""),
    ("\x1bPq#0;2;0\x1b\\after", "after"),
    ("a\rb\x08c\x07\x00", "abc"),
    ("\x9b31mx", "31mx"),
    ("\u202egnp.exe", "gnp.exe"),
    ("tab\there", "tab    here"),
    ("数据 ok", "数据 ok"),
    ("\x1b", ""),
]


@pytest.mark.parametrize(("text", "safe"), HOSTILE)
def test_foreign_text_cannot_steer_the_terminal(text: str, safe: str) -> None:
    assert clean(text) == safe


def test_one_line() -> None:
    assert line_of("a\nb\r\nc") == "a b c"


def test_columns_are_aligned_whatever_is_in_them() -> None:
    drawn = table(("A", "B"), [("数据", 1), (styled("red", fg="red"), None), ("long word", "")])
    lines = click.unstyle(drawn).splitlines()
    assert lines == ["A          B", "数据       1", "red        –", "long word  –"]
    assert width("数据") == 4


@pytest.mark.parametrize(
    ("value", "told"),
    [(0.04, "0.0s"), (59.94, "59.9s"), (60, "1m 00s"), (3599.6, "1h 00m"), (7265, "2h 01m"), (None, "–")],
)
def test_seconds(value: Any, told: str) -> None:
    assert seconds(value) == told


@pytest.mark.parametrize(
    ("value", "told"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (5 << 30, "5.0 GiB"), ("x", "–")]
)
def test_size(value: Any, told: str) -> None:
    assert size(value) == told


def test_moment_of_nothing() -> None:
    assert (moment(None), moment("2026-01-01")) == ("–", "2026-01-01")


def test_an_error_tells_everything_once() -> None:
    one = click.unstyle(tell_error(refuse([Detail("c", "web", "web: privileged", "windlass consent shop privileged")])))
    assert one == "error: web: privileged\nnext:  windlass consent shop privileged"
    two = click.unstyle(tell_error(refuse([Detail("c", "a", "first", "fix"), Detail("c", "", "second")])))
    assert two == "error: 2 reasons, nothing was touched\n  a: first\n    → fix\n  second"
    plain = click.unstyle(tell_error(NotFound("no app", hint="windlass apps")))
    assert plain == "error: no app\nnext:  windlass apps"


EVENTS: list[tuple[str, dict[str, Any]]] = [
    ("step", {"name": "build", "status": "running"}),
    ("line", {"step": "build", "text": "\x1b[1mStep 1\x1b[0m"}),
    ("health", {"service": "web", "state": "ready"}),
    ("step", {"name": "build", "status": "done", "seconds": 2.25}),
    ("warning", {"text": "slow disk"}),
    ("state", {"status": "taking back"}),
    ("step", {"name": "start", "status": "failed", "seconds": 1.0}),
    ("step", {"name": "start", "status": "failed", "seconds": 1.0}),
    ("plan", {"services": []}),
]


def test_piped_progress_has_a_line_per_step() -> None:
    lines: list[str] = []
    progress = PlainProgress(lambda text: lines.append(click.unstyle(text)))
    for kind, data in EVENTS:
        progress.event(kind, data)
    progress.close()
    assert lines == [
        "  Step 1", "✓ build       2.2s", "  slow disk", "taking back", "✗ start       1.0s  failed",
    ]  # fmt: skip


def test_live_progress_shows_steps_and_the_last_lines() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=60, color_system=None)
    progress = LiveProgress(console, now=lambda: 5.0)
    for kind, data in EVENTS[:2]:
        progress.event(kind, data)
    for number in range(20):
        progress.event("line", {"text": f"line {number}"})
    drawn = progress._draw().plain
    assert "… build" in drawn
    assert "│ line 19" in drawn
    assert "line 13" not in drawn
    for kind, data in EVENTS[2:]:
        progress.event(kind, data)
    progress.say("the deployment goes on")
    progress.close()
    final = progress._draw().plain
    assert "✓ build        2.2s" in final
    assert "✗ start" in final
    assert "│" not in final
    assert "the deployment goes on" in out.getvalue()


def test_a_live_deployment_in_one_line() -> None:
    document = {
        "app": "shop",
        "release": 3,
        "status": "live",
        "seconds": 18.3,
        "live_seconds": 5.6,
        "urls": ["http://x"],
    }
    assert click.unstyle(draw_deployment(document)) == "shop r3 live after 5.6s, 18.3s in all\n  http://x"


CHECKS = [
    {"name": "ports", "status": "refused", "message": "port 80 is held", "fix": "stop it", "place": "services.w.ports"},
    {
        "name": "dns",
        "status": "warning",
        "message": "x leads \x1b[31melsewhere",
        "fix": "let it lead here",
        "place": "x",
    },
    {"name": "disk", "status": "ok", "message": "9GiB free", "fix": "", "place": ""},
    {"name": "clock", "status": "ok", "message": "right", "fix": "", "place": ""},
    {"name": "gpu", "status": "skipped", "message": "not checked: --skip-check", "fix": "", "place": ""},
]


def test_the_worst_of_the_checks_comes_first() -> None:
    assert [click.unstyle(line) for line in draw_findings(CHECKS)] == [
        "✗ ports  services.w.ports: port 80 is held",
        "    → stop it",
        "! dns  x leads elsewhere",
        "    → let it lead here",
        "– not checked: gpu (--skip-check)",
        "✓ disk          9GiB free",
        "✓ clock         right",
    ]
    assert count_findings(CHECKS) == (
        "1 refused, 1 warning, 2 ok, not checked: gpu; ports: port 80 is held; dns: x leads elsewhere"
    )


def test_who_deploys_sees_what_the_checks_warn_of() -> None:
    lines: list[str] = []
    progress = PlainProgress(lambda text: lines.append(click.unstyle(text)))
    progress.event("checks", {"items": CHECKS})
    assert lines == ["  ! dns  x leads elsewhere", "      → let it lead here", "  – not checked: gpu (--skip-check)"]
    out = io.StringIO()
    live = LiveProgress(Console(file=out, force_terminal=True, width=80, color_system=None), now=lambda: 5.0)
    live.event("checks", {"items": CHECKS})
    live.close()
    assert "! dns  x leads elsewhere" in out.getvalue()
