"""How the API's documents are drawn: tables, lists and short facts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from windlass.cli.render_checks import count_findings, draw_findings
from windlass.cli.render_deployment import awaited
from windlass.cli.text import Styled, line_of, moment, seconds, size, styled, table, told_waiting

Draw = Callable[[dict[str, Any]], str]
_MESSAGE = 50  # characters of a commit's message in the list of releases
_GOOD = frozenset({"running", "healthy", "live", "ok", "ready", "done", "given", "set", "set by windlass"})
_BAD = frozenset(
    {"failed", "unhealthy", "exited", "dead", "error", "critical", "missing", "switched_back", "crashed", "refused"}
)
_DOUBTFUL = frozenset({"warning", "starting", "restarting", "queued", "stopped", "wanted", "needed", "degraded"})


def word(value: object) -> Styled:
    """A state word in its colour."""
    text = line_of(value) if value not in (None, "") else "–"
    colour = "green" if text in _GOOD else "red" if text in _BAD else "yellow" if text in _DOUBTFUL else None
    return styled(text, fg=colour)


def draw_status(document: dict[str, Any]) -> str:
    live = document.get("live")
    head = click.style(line_of(document.get("app", "")), bold=True)
    lines = [f"{head} {click.style(f'r{live}', fg='green') if live else click.style('not live', fg='yellow')}"]
    for route in document.get("routes") or []:
        lines.append(f"  {line_of(route.get('url', ''))} → {line_of(route.get('service', ''))}:{route.get('port', '')}")
    rows = [_service_row(s) for s in document.get("services") or []]
    if rows:
        lines += ["", table(("SERVICE", "STRATEGY", "STATE", "RELEASE", "HEALTH", "RESTARTS"), rows)]
    under_way = document.get("deployment")
    if under_way:
        running = [s for s in under_way.get("steps") or [] if s.get("status") == "running"]
        step = f" in {line_of(running[-1].get('name', ''))}" if running else ""
        lines += ["", f"deployment {line_of(under_way.get('status', ''))}{step}, {seconds(under_way.get('seconds'))}"]
        if (under_way.get("approval") or {}).get("state") == "waiting":
            lines.append(awaited(under_way))
        elif words := told_waiting(under_way.get("waiting")):
            lines.append(f"  {words}")
    return "\n".join(lines)


def _service_row(service: dict[str, Any]) -> tuple[object, ...]:
    containers = service.get("containers") or []
    releases = sorted({c["release"] for c in containers if c.get("release") is not None})
    health = sorted({line_of(c["health"]) for c in containers if c.get("health")})
    count = f" ×{len(containers)}" if len(containers) > 1 else ""
    state = word(service.get("state"))
    return (
        service.get("name"),
        service.get("strategy"),
        Styled(state + count),
        " ".join(f"r{r}" for r in releases),
        word(" ".join(health)),
        sum(c.get("restarts") or 0 for c in containers),
    )


def draw_apps(document: dict[str, Any]) -> str:
    items = document.get("items") or []
    if not items:
        return "no apps yet: windlass deploy FOLDER"
    rows = [
        (
            styled(i.get("app"), bold=True),
            f"r{i['live']}" if i.get("live") else "",
            word(_app_state(i)),
            i.get("url"),
        )
        for i in items
    ]
    return table(("APP", "LIVE", "STATE", "URL"), rows)


def _app_state(item: dict[str, Any]) -> str:
    if item.get("deployment"):
        return "deploying" if item["deployment"] == "running" else str(item["deployment"])
    if not item.get("live"):
        return "not live"
    return "running" if item.get("running", True) else "stopped"


def draw_releases(document: dict[str, Any]) -> str:
    rows = [
        (
            f"r{i.get('release')}",
            word(i.get("state")),
            moment(i.get("live_at") or i.get("created_at")),
            line_of(i.get("commit") or "")[:12],
            i.get("ref"),
            i.get("source"),
            line_of(i.get("message") or "")[:_MESSAGE],
            "yes" if i.get("can_roll_back") else "",
            word(i.get("status")),
            i.get("by"),
            " ".join([*(i.get("flags") or []), *(["dirty"] if i.get("dirty") else [])]),
        )
        for i in document.get("items") or []
    ]
    if not rows:
        return "no releases yet"
    titles = ("RELEASE", "STATE", "SINCE", "COMMIT", "REF", "SOURCE", "MESSAGE", "ROLLBACK", "ENDED", "BY", "FLAGS")
    return table(titles, rows)


def draw_events(document: dict[str, Any]) -> str:
    return "\n".join(draw_event(i) for i in document.get("items") or [])


def draw_event(item: dict[str, Any]) -> str:
    data = item.get("data") or {}
    if item.get("kind") == "checks":
        data = {"text": count_findings(data.get("items") or [])}
    facts = " ".join(
        f"{line_of(k)}={line_of(v)}" for k, v in data.items() if k != "text" and v not in (None, "", [], {})
    )
    text = line_of(data.get("text", ""))
    return f"{click.style(moment(item.get('at')), dim=True)} {line_of(item.get('kind', '')):<7} {facts} {text}".rstrip()


def draw_stats(document: dict[str, Any]) -> str:
    rows = [
        (
            i.get("app"),
            i.get("service"),
            i.get("container"),
            f"{i['cpu_percent']:.1f} %" if isinstance(i.get("cpu_percent"), int | float) else "",
            size(i.get("memory_bytes")),
            size(i.get("memory_limit_bytes")),
            i.get("pids"),
            f"{size(i.get('rx_bytes'))} / {size(i.get('tx_bytes'))}",
        )
        for i in document.get("items") or []
    ]
    if not rows:
        return "nothing runs"
    return table(("APP", "SERVICE", "CONTAINER", "CPU", "MEMORY", "LIMIT", "PIDS", "NET IN / OUT"), rows)


def draw_variables(document: dict[str, Any]) -> str:
    items = document.get("items") or []
    if not items:
        return "no variables: windlass env set APP NAME=VALUE"
    if any(i.get("value") is not None for i in items):
        return "\n".join(f"{line_of(i.get('name'))}={line_of(i.get('value') or '')}" for i in items)
    rows = [(i.get("name"), moment(i.get("changed_at")), i.get("used")) for i in items]
    return table(("NAME", "CHANGED", "USED LIVE"), rows)


def draw_wishes(document: dict[str, Any]) -> str:
    items = document.get("items") or []
    if not items:
        return "the app wishes nothing that needs consent"
    rows = [(i.get("item"), word("given" if i.get("given") else "needed"), i.get("message")) for i in items]
    return table(("ITEM", "CONSENT", "WHAT IT ALLOWS"), rows)


def draw_checks(document: dict[str, Any]) -> str:
    """`doctor`: one line per check, with the way out where something is wrong."""
    lines = []
    for item in document.get("items") or []:
        state = word(item.get("status"))
        lines.append(f"{state}  {line_of(item.get('name', ''))}: {line_of(item.get('message', ''))}")
        if item.get("fix"):
            lines.append(f"    {click.style('→', dim=True)} {line_of(item['fix'])}")
    return "\n".join(lines)


def draw_plan(document: dict[str, Any]) -> str:
    live = document.get("live")
    now = f"r{live} is live" if live else "nothing is live yet"
    lines = [f"{click.style(line_of(document.get('app', '')), bold=True)}: {now}; a deploy would do this", ""]
    for item in document.get("items") or []:
        name, strategy = line_of(item.get("service", "")), line_of(item.get("strategy", ""))
        count = f" ×{item['replicas']}" if (item.get("replicas") or 1) > 1 else ""
        lines.append(f"{click.style(name, bold=True)}{count}  {strategy}: {line_of(item.get('action', ''))}")
        lines.append(f"  {click.style('because', dim=True)} {line_of(item.get('reason', ''))}")
        for title in ("image", "probe"):
            if item.get(title):
                lines.append(f"  {click.style(f'{title:<7}', dim=True)} {line_of(item[title])}")
    for task in (t for t in document.get("tasks") or [] if t.get("phase") != "verify"):
        where, words = task.get("service") or task.get("image"), " ".join(task.get("command") or [])
        when = "not run" if task.get("skipped") else f"within {seconds(task.get('within'))}"
        lines.append(f"{line_of(task.get('phase', '')):<9} {line_of(words)}  in {line_of(where)}, {when}")
    for route in document.get("routes") or []:
        target = f"{line_of(route.get('service', ''))}:{route.get('port', '')}"
        lines.append(f"route  {line_of(route.get('host', ''))}{line_of(route.get('path', ''))} → {target}")
    lines += _told_verify(document.get("verify") or {})
    lines += [f"note   {line_of(note)}" for note in document.get("notes") or []]
    for reason in document.get("downtime") or []:
        lines.append(f"{click.style('short interruption', fg='yellow')}  {line_of(reason)}")
    lines += ["", *draw_findings(document.get("checks") or [])]
    return "\n".join(lines).rstrip()


def _told_verify(verify: dict[str, Any]) -> list[str]:
    """What the new version has to pass after the switch, in its order."""
    if not verify:
        return []
    if verify.get("skipped"):
        return ["verify    skipped: after the switch nothing is watched or asked"]
    lines = [f"verify    watch for {seconds(verify.get('bake'))}: probes, crashes, errors against the old version's"]
    for step in verify.get("steps") or []:
        where = f"  in {line_of(step['where'])}" if step.get("where") else ""
        head = f"{line_of(step.get('number', ''))}. {line_of(step.get('request', ''))}{where}"
        lines.append(f"verify    {head}: {line_of(step.get('expects', ''))}, within {seconds(step.get('within'))}")
    return lines


def draw_done(words: str) -> Draw:
    """For commands whose answer is only that it was done."""
    return lambda document: f"{click.style('done', fg='green')}: {words}"
