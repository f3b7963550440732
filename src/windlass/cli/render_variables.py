"""How what is wrong with variables, and what changed in them, is drawn."""

from __future__ import annotations

from typing import Any

import click

from windlass.cli.render import word
from windlass.cli.text import line_of, moment, styled, table

_MARKS = {"added": ("+", "green"), "removed": ("-", "red"), "changed": ("~", "yellow")}


def draw_findings(document: dict[str, Any]) -> str:
    """`env check`: refusals first, each with the way out."""
    items = document.get("items") or []
    lines = []
    for item in items:
        lines.append(f"{word(item.get('status'))}  {line_of(item.get('message', ''))}")
        if item.get("fix"):
            lines.append(f"    {click.style('→', dim=True)} {line_of(item['fix'])}")
    refused = sum(1 for item in items if item.get("status") == "refused")
    if not items:
        return f"{click.style('ok', fg='green')}: every variable is as the app needs it"
    return "\n".join([*lines, "", f"{refused} refused, {len(items) - refused} to look at"])


def draw_changes(document: dict[str, Any]) -> str:
    """`env diff`: names, and values where they were revealed; what is the same is only counted."""
    items = document.get("items") or []
    changed = [i for i in items if i.get("change") in _MARKS]
    same = len(items) - len(changed)
    rows = []
    for item in changed:
        mark, colour = _MARKS[item["change"]]
        shown = [line_of(item[k]) if item.get(k) is not None else "" for k in ("before", "after")]
        rows.append((styled(mark, fg=colour), item.get("name"), item["change"], *shown))
    if not rows:
        return f"the same {same} variables"
    revealed = any(row[3] or row[4] for row in rows)
    head = ("", "NAME", "CHANGE", "BEFORE", "AFTER")
    drawn = table(head if revealed else head[:3], rows if revealed else [row[:3] for row in rows])
    return f"{drawn}\n\n{same} unchanged"


def draw_history(document: dict[str, Any]) -> str:
    """`env history`: a line per release, below it what was set for it; first what waits for a release."""
    lines = [f"{click.style('not deployed yet', fg='yellow')}"] if document.get("pending") else []
    lines += [_draw_edit(edit) for edit in document.get("pending") or []]
    for item in document.get("items") or []:
        head = click.style(f"r{item.get('release')}", bold=True)
        when = moment(item.get("live_at") or item.get("created_at"))
        lines.append(f"{head} {word(item.get('state'))} {when}  {_draw_names(item)}")
        lines += [_draw_edit(edit) for edit in item.get("edits") or []]
    return "\n".join(lines) or "no releases yet"


def _draw_names(item: dict[str, Any]) -> str:
    if not item.get("known"):
        return "it ended before its variables were read"
    drawn = [styled(mark + name, fg=colour) for k, (mark, colour) in _MARKS.items() for name in item.get(k) or ()]
    return " ".join(drawn) or "no change"


def _draw_edit(edit: dict[str, Any]) -> str:
    said = [f"{verb} {', '.join(map(line_of, edit[verb]))}" for verb in ("set", "unset") if edit.get(verb)]
    return f"    {click.style(moment(edit.get('at')), dim=True)} {'; '.join(said)}"


def draw_generated(document: dict[str, Any]) -> str:
    names = [line_of(i.get("name", "")) for i in document.get("items") or []]
    if not names:
        return "nothing to generate: what can be generated is set"
    return f"{click.style('done', fg='green')}: generated {', '.join(names)}; used by the next deploy"
