"""logs: the lines of all services of an app, interleaved, and followed across releases."""

from __future__ import annotations

import sys
import time
import zlib
from collections.abc import Iterator
from typing import Any

import click

from windlass.cli.arguments import app_argument
from windlass.cli.session import Session, json_option
from windlass.cli.text import clean, line_of
from windlass.domain.errors import OutOfReach

_COLOURS = ("cyan", "green", "yellow", "magenta", "blue", "bright_cyan", "bright_green", "bright_magenta")
_PATIENCE_S = 60.0
_PAUSE_S = 0.3


@click.command("logs")
@app_argument
@click.argument("service", required=False)
@click.option("-f", "--follow", is_flag=True, help="Go on with new lines, also those of coming releases.")
@click.option(
    "--tail", type=click.IntRange(min=0), default=100, show_default=True, help="Lines per container to begin with."
)
@click.option("--since", type=float, metavar="EPOCH", help="Only lines later than this time, in seconds since 1970.")
@json_option
@click.pass_obj
def logs_command(session: Session, app: str, service: str | None, follow: bool, tail: int, since: float | None) -> None:
    """What the containers of APP, or of one SERVICE, say."""
    query: dict[str, Any] = {"service": service, "tail": tail, "since": since}
    if follow:
        for item in _followed(session, app, query):
            _print(session, item)
    else:
        session.show(session.client.get("apps", app, "logs", **query), _draw)


def _followed(session: Session, app: str, query: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Lines until Ctrl-C; a restart of the control plane is waited for."""
    heard = time.monotonic()
    while True:
        try:
            for message in session.client.stream(("apps", app, "logs", "follow"), query):
                heard = time.monotonic()
                if isinstance(message.data, dict):
                    if message.kind == "line":
                        yield message.data
                    elif message.kind == "end":
                        return
        except OutOfReach:
            if time.monotonic() - heard > _PATIENCE_S:
                raise
        time.sleep(_PAUSE_S)
        query = {**query, "tail": 0, "since": round(time.time() - (time.monotonic() - heard), 3)}


def _print(session: Session, item: dict[str, Any]) -> None:
    if session.json:
        import json

        click.echo(json.dumps(item, ensure_ascii=False))
    else:
        session.say(_draw_line(item))
    sys.stdout.flush()


def _draw(document: dict[str, Any]) -> str:
    return "\n".join(_draw_line(i) for i in document.get("items") or [])


def _draw_line(item: dict[str, Any]) -> str:
    service = line_of(item.get("service", ""))
    release = f"/r{item['release']}" if item.get("release") else ""
    colour = _COLOURS[zlib.crc32(service.encode()) % len(_COLOURS)]
    return f"{click.style(f'{service}{release}', fg=colour)} {click.style('|', dim=True)} {clean(item.get('text', ''))}"
