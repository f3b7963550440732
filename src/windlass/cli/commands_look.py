"""status, apps, releases, events, stats: commands that only look."""

from __future__ import annotations

from typing import Any

import click

from windlass.cli import render
from windlass.cli.arguments import app_argument, some_app_argument
from windlass.cli.session import Session, json_option


@click.command("status")
@some_app_argument
@json_option
@click.pass_obj
def status_command(session: Session, app: str | None) -> None:
    """What runs of APP: release, services, routes, the deployment under way. Without APP: all apps."""
    if app is None:
        session.show({"items": session.client.apps()}, render.draw_apps)
    else:
        session.show(session.client.get("apps", app), render.draw_status)


@click.command("apps")
@json_option
@click.pass_obj
def apps_command(session: Session) -> None:
    """All apps."""
    session.show({"items": session.client.apps()}, render.draw_apps)


@click.command("releases")
@app_argument
@json_option
@click.pass_obj
def releases_command(session: Session, app: str) -> None:
    """The releases of APP, newest first."""
    session.show({"items": session.client.releases(app)}, render.draw_releases)


@click.command("events")
@app_argument
@click.option("--after", type=click.IntRange(min=0), default=0, metavar="ID", help="Only events later than this one.")
@json_option
@click.pass_obj
def events_command(session: Session, app: str, after: int) -> None:
    """What happened to APP, from the first event that is kept to the last."""
    session.show({"items": _events(session, app, after)}, render.draw_events)


def _events(session: Session, app: str, after: int) -> list[dict[str, Any]]:
    """All of them: the API gives some hundreds at a time."""
    found: list[dict[str, Any]] = []
    while True:
        page = session.client.get("apps", app, "events", after=after).get("items") or []
        fresh = [item for item in page if int(item["id"]) > after]
        if not fresh:
            return found
        found += fresh
        after = int(fresh[-1]["id"])


@click.command("stats")
@some_app_argument
@json_option
@click.pass_obj
def stats_command(session: Session, app: str | None) -> None:
    """CPU, memory and traffic of APP's containers, or of all apps'."""
    document = session.client.get("apps", app, "stats") if app else session.client.get("stats")
    session.show(document, render.draw_stats)
