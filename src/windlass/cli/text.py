"""Plain words for a terminal: safe text, tables, times, sizes, and how an error is told."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import click

from windlass.domain.errors import WindlassError

_CONTROL = re.compile(
    "\x1b\\[[0-?]*[ -/]*[@-~]"  # CSI
    "|\x1b[\\]PX^_].*?(?:\x07|\x1b\\\\|$)"  # OSC and other strings
    "|\x1b.?"
    "|[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)


def clean(text: object) -> str:
    """Without escape sequences and control characters, as foreign words must be before a terminal shows them."""
    return _CONTROL.sub("", str(text)).replace("\t", "    ")


def line_of(text: object) -> str:
    """`clean`, on one line."""
    return " ".join(clean(text).splitlines())


def width(text: str) -> int:
    """Columns on a terminal."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in click.unstyle(text)
    )


def table(titles: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Columns two spaces apart under dim titles; a cell may already carry colour."""
    cells = [[_cell(c) for c in row] for row in rows]
    widths = [max([width(t), *(width(click.unstyle(r[i])) for r in cells)]) for i, t in enumerate(titles)]
    head = click.style(_joined(titles, widths), dim=True)
    return "\n".join([head, *(_joined(row, widths) for row in cells)])


def _cell(value: object) -> str:
    if value is None or value == "":
        return "–"
    return value if isinstance(value, Styled) else line_of(value)


class Styled(str):
    """Text that is already clean and coloured."""

    __slots__ = ()


def styled(text: object, **style: Any) -> Styled:
    return Styled(click.style(line_of(text), **style))


def _joined(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [c + " " * (w - width(click.unstyle(c))) for c, w in zip(cells, widths, strict=True)]
    return "  ".join(padded).rstrip()


def seconds(value: Any) -> str:
    """3.2s, 1m 05s, 2h 03m."""
    if not isinstance(value, int | float):
        return "–"
    if value < 60:
        return f"{value:.1f}s"
    minutes, rest = divmod(round(value), 60)
    if minutes < 60:
        return f"{minutes}m {rest:02d}s"
    return f"{minutes // 60}h {minutes % 60:02d}m"


def size(value: Any) -> str:
    """Bytes as B, KiB, MiB, GiB."""
    if not isinstance(value, int | float):
        return "–"
    amount = float(value)
    for unit in ("B", "KiB", "MiB"):
        if abs(amount) < 1024:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} GiB"


def moment(value: Any) -> str:
    """A time of the API (seconds since the epoch, or ISO 8601) as local time."""
    if isinstance(value, int | float):
        return datetime.fromtimestamp(value).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    return line_of(value) if value else "–"


def tell_error(error: WindlassError) -> str:
    """What happened, every reason, the next command."""
    return tell_error_document(error.as_dict())


def tell_error_document(error: dict[str, Any]) -> str:
    lines = [click.style("error", fg="red", bold=True) + ": " + clean(error.get("message", ""))]
    details = error.get("details") or []
    fixes = [d.get("fix") for d in details]
    if len(details) == 1 and details[0].get("message") == error.get("message"):
        details, fixes = [], []
    for detail in details:
        lines += _tell_detail(detail)
    hint = error.get("hint")
    if hint and hint not in fixes:
        lines.append(click.style("next", bold=True) + ":  " + clean(hint))
    return "\n".join(lines)


def _tell_detail(detail: dict[str, Any]) -> list[str]:
    name, message, fix = (clean(detail.get(k, "")) for k in ("name", "message", "fix"))
    lines = [f"  {message}" if not name or name in message else f"  {click.style(name, bold=True)}: {message}"]
    if fix:
        lines.append(f"    {click.style('→', dim=True)} {fix}")
    return lines


def told_waiting(waiting: dict[str, Any] | None) -> str:
    """What a deployment waits for; "" when it does not."""
    if not waiting:
        return ""
    place = f"place {line_of(waiting['position'])} in the queue: " if waiting.get("position") else "waits for "
    return place + line_of(waiting.get("reason", ""))
