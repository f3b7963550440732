"""What every command shares: where the control plane is, how it was asked to answer, and the two ways to print."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import click

from windlass.client.target import Target as Target
from windlass.domain.errors import Refused, WindlassError

if TYPE_CHECKING:
    from windlass.client.client import Client


HOOKS_HOST = "windlass.localhost"  # of `up --hooks-host` without a name


@dataclass(frozen=True)
class UpOptions:
    """What `up` was asked; None means: as it was."""

    home: Path | None = None
    http_port: int | None = None
    https_port: int | None = None
    listen: str | None = None
    pool: str | None = None
    systemd: bool = False
    tls_cert: str | None = None
    tls_key: str | None = None
    admin_listen: str | None = None
    admin_allow: tuple[str, ...] = ()
    hooks_host: str | None = None
    deploys: int | None = None
    builds: int | None = None


class Launcher(Protocol):
    """What main.py does for the commands that do not go over the API."""

    def up(self, options: UpOptions, say: Callable[[str], None]) -> dict[str, Any]: ...
    def down(self, home: Path | None, edge: bool, say: Callable[[str], None]) -> dict[str, Any]: ...
    def serve(self, home: Path | None) -> None: ...
    def backup(self, home: Path | None, file: str, passphrase: str) -> dict[str, Any]: ...
    def restore(self, home: Path | None, file: Path, passphrase: str) -> dict[str, Any]: ...
    def copy_database(self, home: Path | None, url: str) -> dict[str, Any]: ...


class RefusedAtTheDoor(Refused):
    """A refusal that is shown as `document` when JSON is wanted."""

    def __init__(self, error: WindlassError, document: dict[str, Any]) -> None:
        super().__init__(error.message, code=error.code, hint=error.hint, details=error.details)
        self.document = document


@dataclass
class Session:
    target: Target
    launcher: Launcher
    json: bool = False

    @property
    def client(self) -> Client:
        from windlass.client.client import Client

        return Client.at(self.target)

    @property
    def may_ask(self) -> bool:
        """A question is asked only of a person at a terminal who did not ask for JSON."""
        return not self.json and sys.stdin.isatty() and sys.stdout.isatty()

    def show(self, document: dict[str, Any], draw: Callable[[dict[str, Any]], str]) -> None:
        """Print the document: as JSON, or as `draw` draws it."""
        if self.json:
            print_json(document)
        else:
            text = draw(document)
            if text:
                click.echo(text, color=wants_colour(sys.stdout))

    def say(self, text: str) -> None:
        """Progress: on standard error when standard output carries JSON."""
        stream = sys.stderr if self.json else sys.stdout
        click.echo(text, file=stream, color=wants_colour(stream))
        stream.flush()


def print_json(document: dict[str, Any]) -> None:
    click.echo(json.dumps(document, indent=2, ensure_ascii=False))


def wants_colour(stream: Any) -> bool:
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return bool(stream.isatty())


def _set_json(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value:
        context.obj.json = True


json_option = click.option(
    "--json",
    is_flag=True,
    expose_value=False,
    callback=_set_json,
    is_eager=True,
    help="Print one JSON document, ask nothing.",
)
