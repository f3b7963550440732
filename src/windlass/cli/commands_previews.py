"""previews: an app of its own for each pull or merge request."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click

from windlass.cli.arguments import app_argument
from windlass.cli.session import Session, json_option
from windlass.cli.text import line_of
from windlass.domain.units import format_duration, format_size, parse_duration, parse_size
from windlass.wire.bodies import PreviewsBody


@click.group("previews")
def previews_command() -> None:
    """Previews: an app of its own for each pull or merge request that the webhook tells of."""


@previews_command.command("on")
@app_argument
@click.option("--limit", type=int, help="So many at once (5).")
@click.option("--keep", metavar="DURATION", help="So long after the last push (7d).")
@click.option("--memory", metavar="SIZE", help="Of each container, at most (512MiB).")
@click.option("--cpus", type=float, help="Of each container, at most (1).")
@click.option("--pids", type=int, help="Processes of each container, at most (256).")
@json_option
@click.pass_obj
def turn_on(session: Session, /, app: str, **options: Any) -> None:
    """Make previews of APP from now on, or change their limits.

    A preview has the variables of APP@preview (windlass env set APP@preview NAME=VALUE) and its own, and none of
    APP's. The request of a fork waits for an owner: windlass consent APP fork:NUMBER.
    """
    body = PreviewsBody(
        limit=options["limit"],
        keep=parse_duration(options["keep"]) if options["keep"] else None,
        memory=parse_size(options["memory"]) if options["memory"] else None,
        cpus=options["cpus"],
        pids=options["pids"],
    )
    session.show(session.client.call("PUT", ("apps", app, "previews"), body.as_dict()), draw_previews)


@previews_command.command("off")
@app_argument
@json_option
@click.pass_obj
def turn_off(session: Session, app: str) -> None:
    """Make none any more; those of APP that are there go, with their data."""
    session.show(session.client.call("DELETE", ("apps", app, "previews"), {}), draw_previews)


@previews_command.command("list")
@app_argument
@json_option
@click.pass_obj
def list_previews(session: Session, app: str) -> None:
    """The requests of APP that are known, with where their previews are and until when."""
    session.show(session.client.get("apps", app, "previews"), draw_previews)


def draw_previews(document: dict[str, Any]) -> str:
    """The limits in one line, and a line for each request."""
    if not document.get("on"):
        lines = [f"off; windlass previews on {line_of(document.get('app', ''))}"]
    else:
        size, kept = format_size(int(document["memory"])), format_duration(float(document["keep"]))
        share = f"{size}, {document['cpus']:g} CPUs and {document['pids']} processes for each container"
        lines = [f"on: at most {document['limit']}, each for {kept}; {share}"]
        lines.append(f"their variables: windlass env list {line_of(document['values'])}")
    return "\n".join([*lines, *(_line(item) for item in document.get("items") or [])])


def _line(item: dict[str, Any]) -> str:
    until = datetime.fromtimestamp(float(item["until"])).strftime("%Y-%m-%d %H:%M")
    if item["state"] == "waiting":
        base = str(item["app"]).partition("@")[0]
        said = f"waits for: windlass consent {base} fork:{item['number']}"
    else:
        said = str(item["url"]) or "is not live"
    return f"  {line_of(item['app'])}  {'fork  ' if item['fork'] else ''}{line_of(said)}  until {until}"
