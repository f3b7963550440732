"""How the list of checks is drawn: what refuses first, then what warns, then all that is in order in one block."""

from __future__ import annotations

from typing import Any

import click

from windlass.cli.text import line_of

Items = list[dict[str, Any]]
_MARKS = {"refused": ("✗", "red"), "warning": ("!", "yellow")}
_NAME_WIDTH = 12


def draw_findings(items: Items, without: tuple[str, ...] = ()) -> list[str]:
    """`without`: states that are shown elsewhere."""
    lines = [line for s in ("refused", "warning") if s not in without for line in _doubts(items, s)]
    skipped = _names(items, "skipped")
    if skipped and "skipped" not in without:
        lines.append(f"{click.style('–', fg='yellow')} not checked: {', '.join(skipped)} (--skip-check)")
    if "ok" not in without:
        lines += _settled(items)
    return lines


def count_findings(items: Items) -> str:
    """`1 refused, 2 warnings, 17 ok`, and what is not ok."""
    counted = [(_names(items, s), words) for s, words in (("refused", "refused"), ("warning", "warning"), ("ok", "ok"))]
    parts = [f"{len(n)} {w if w != 'warning' or len(n) == 1 else 'warnings'}" for n, w in counted if n]
    doubts = [f"{line_of(i.get('name', ''))}: {line_of(i.get('message', ''))}" for i in items if _is_doubt(i)]
    skipped = _names(items, "skipped")
    parts += [f"not checked: {', '.join(skipped)}"] if skipped else []
    return "; ".join([", ".join(parts), *doubts])


def _doubts(items: Items, status: str) -> list[str]:
    mark, colour = _MARKS[status]
    lines = []
    for item in items:
        if item.get("status") == status:
            name, message = line_of(item.get("name", "")), line_of(item.get("message", ""))
            place = line_of(item.get("place") or "")
            where = f"{place}: " if place and place not in message else ""
            lines.append(f"{click.style(mark, fg=colour)} {click.style(name, bold=True)}  {where}{message}")
            if item.get("fix"):
                lines.append(f"    {click.style('→', dim=True)} {line_of(item['fix'])}")
    return lines


def _settled(items: Items) -> list[str]:
    told = [(line_of(i.get("name", "")), line_of(i.get("message", ""))) for i in items if i.get("status") == "ok"]
    mark = click.style("✓", fg="green")
    return [f"{mark} {name:<{_NAME_WIDTH}}  {click.style(message, dim=True)}" for name, message in told]


def _is_doubt(item: dict[str, Any]) -> bool:
    return item.get("status") in _MARKS


def _names(items: Items, status: str) -> list[str]:
    return [line_of(i.get("name", "")) for i in items if i.get("status") == status]
