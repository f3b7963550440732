"""How a deployment is told when it is over: one line when it went well, the 3 a.m. screen when it did not."""

from __future__ import annotations

from typing import Any

import click

from windlass.cli.text import line_of, moment, seconds, tell_error_document, told_waiting

_WORDS = {
    "live": ("live", "green"),
    "unchanged": ("unchanged, nothing was done", "green"),
    "failed": ("failed", "red"),
    "switched_back": ("switched back", "red"),
    "cancelled": ("cancelled", "yellow"),
    "refused": ("refused, nothing was touched", "red"),
    "superseded": ("superseded by a newer one", "yellow"),
    "queued": ("queued", "cyan"),
    "running": ("running", "cyan"),
}


def draw_deployment(document: dict[str, Any]) -> str:
    status = line_of(document.get("status", ""))
    words, colour = _WORDS.get(status, (status, "white"))
    release = f" r{document['release']}" if document.get("release") else ""
    head = f"{click.style(line_of(document.get('app', '')), bold=True)}{release} {click.style(words, fg=colour)}"
    if status == "live" and document.get("live_seconds") is not None:
        head += f" after {seconds(document['live_seconds'])}, {seconds(document.get('seconds'))} in all"
    elif document.get("seconds") is not None:
        head += f" after {seconds(document['seconds'])}"
    lines = [head]
    if status in ("live", "unchanged"):
        lines += [f"  {line_of(url)}" for url in document.get("urls") or []]
    if status == "queued" and _waits_for_approval(document):
        lines.append(awaited(document))
    elif status in ("queued", "running"):
        if words := told_waiting(document.get("waiting")):
            lines.append(f"  {words}")
        lines.append(f"  windlass status {line_of(document.get('app', ''))}")
    report = document.get("report") or {}
    if document.get("error"):
        known = document["error"].get("hint") in (report.get("next") or [])
        lines.append(tell_error_document(document["error"] | ({"hint": ""} if known else {})))
    lines += draw_report(report)
    return "\n".join(lines)


def _waits_for_approval(document: dict[str, Any]) -> bool:
    return (document.get("approval") or {}).get("state") == "waiting"


def awaited(document: dict[str, Any]) -> str:
    return f"  waits for approval by another maintainer: windlass approve {line_of(document.get('deployment', ''))}"


def draw_request(document: dict[str, Any]) -> list[str]:
    """What exactly a second person is asked to approve."""
    approval = document.get("approval") or {}
    request = approval.get("request") or {}
    what = f"{line_of(document.get('kind', ''))} of {click.style(line_of(document.get('app', '')), bold=True)}"
    lines = [f"{what}, asked for by {line_of(document.get('by') or 'a webhook or poll')}"]
    told = {
        "source": request.get("url") or request.get("source_kind"),
        "ref": request.get("ref"),
        "commit": request.get("pinned") or document.get("commit"),
        "release": f"r{request['to']}" if request.get("to") else "",
        "values": ", ".join(line_of(name) for name in request.get("given") or []),
        "flags": ", ".join(line_of(flag) for flag in document.get("flags") or []),
        "state": "not everything was committed" if request.get("dirty") else "",
        "digest": request.get("digest"),
        "until": moment(approval["expires_at"]) if approval.get("expires_at") else "",
    }
    return lines + [_fact(title, line_of(words)) for title, words in told.items() if words]


def draw_report(report: dict[str, Any]) -> list[str]:
    """What failed, its last words, what changed, what serves now, what to type next."""
    lines: list[str] = []
    if report.get("service"):
        lines.append(_fact("service", _told_service(report)))
    if report.get("command"):
        lines.append(_fact("command", line_of(report["command"])))
    lines += _told_proof(report)
    if report.get("probe"):
        lines.append(_fact("probe", line_of(report["probe"])))
    if report.get("log"):
        lines.append(_fact("log", "its last lines"))
        lines += [click.style(f"    │ {line_of(entry)}", dim=True) for entry in report["log"]]
    if report.get("changed"):
        lines.append(_fact("changed", ", ".join(line_of(c) for c in report["changed"])))
    if "serving" in report:
        serving = report["serving"]
        lines.append(_fact("serving", f"r{serving}, as before" if serving else "nothing: there is no earlier release"))
    lines += [_fact("next", line_of(command)) for command in report.get("next") or []]
    return lines


def _told_proof(report: dict[str, Any]) -> list[str]:
    """The smoke step that failed, or the errors that were too many."""
    smoke, errors = report.get("smoke"), report.get("errors")
    lines = []
    if smoke:
        place = f"{line_of(smoke.get('number', ''))} of {line_of(smoke.get('of', ''))}"
        lines.append(_fact("step", f"{place}, {line_of(smoke.get('name', ''))}, after {seconds(smoke.get('seconds'))}"))
        lines.append(_fact("why", line_of(smoke.get("why", ""))))
    if errors:
        codes = ", ".join(f"{line_of(count)}× {line_of(code)}" for code, count in (errors.get("codes") or {}).items())
        told = f"{errors.get('errors', 0)} of {errors.get('requests', 0)} requests, {errors.get('rate', 0.0):.1%}"
        lines.append(_fact("errors", f"{told}: {codes}"))
        before = f"{errors.get('old_errors', 0)} of {errors.get('old_requests', 0)}, {errors.get('old_rate', 0.0):.1%}"
        lines.append(_fact("before", before))
    return lines


def _told_service(report: dict[str, Any]) -> str:
    words = click.style(line_of(report["service"]), bold=True)
    if report.get("container"):
        words += f" in {line_of(report['container'])}"
    if report.get("oom"):
        words += ", killed: out of memory"
    elif report.get("exit_code") is not None:
        words += f", exit code {line_of(report['exit_code'])}"
    return words


def _fact(title: str, words: str) -> str:
    return f"  {click.style(f'{title:<8}', dim=True)} {words}"
