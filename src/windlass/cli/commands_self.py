"""self, db: backup and restore of windlass itself, and the way of its database to PostgreSQL."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click

from windlass.cli.session import Session, json_option
from windlass.cli.text import line_of, moment
from windlass.domain.errors import NotFound, Usage

_HOME = click.option(
    "--home", type=click.Path(path_type=Path, file_okay=False), help="Folder of this windlass (default: WINDLASS_HOME)."
)
_PASSPHRASE = click.option(
    "--passphrase-file", metavar="FILE|-", help="Read the passphrase from there; else it is asked for."
)


@click.group("self")
def self_command() -> None:
    """windlass itself: what it needs to begin again on another disk or machine, in one encrypted file."""


@self_command.command("backup")
@click.argument("file", metavar="FILE|-")
@_PASSPHRASE
@_HOME
@json_option
@click.pass_obj
def self_backup(session: Session, file: str, passphrase_file: str | None, home: Path | None) -> None:
    """Write database, keys, settings, routes and sources into FILE, also while windlass runs. Not the apps' data."""
    passphrase = _passphrase(session, passphrase_file, twice=True)
    document = session.launcher.backup(home, file, passphrase)
    if file == "-":
        click.echo(_draw_backup(document), err=True)
    else:
        session.show(document, _draw_backup)


@self_command.command("restore")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@_PASSPHRASE
@_HOME
@json_option
@click.pass_obj
def self_restore(session: Session, file: Path, passphrase_file: str | None, home: Path | None) -> None:
    """Put a backup onto an empty home; apps that run are not touched. Afterwards: windlass up."""
    passphrase = _passphrase(session, passphrase_file, twice=False)
    session.show(session.launcher.restore(home, file, passphrase), _draw_restore)


@click.group("db")
def db_command() -> None:
    """The database of windlass itself."""


@db_command.command("copy")
@click.option(
    "--to-env", metavar="NAME", help="Environment variable with the URL, postgresql://user:password@host/name."
)
@click.option("--to-file", metavar="FILE|-", help="File with the URL, - for standard input.")
@_HOME
@json_option
@click.pass_obj
def db_copy(session: Session, to_env: str | None, to_file: str | None, home: Path | None) -> None:
    """Copy SQLite to an empty PostgreSQL and compare every row; windlass has to be stopped. The file stays."""
    if bool(to_env) == bool(to_file):
        raise Usage(
            "say where the URL is: it holds a password, which must not be in the command line",
            hint="windlass db copy --to-env WINDLASS_DATABASE_URL",
        )
    url = os.environ.get(to_env, "") if to_env else _line_of(to_file or "")
    if not url:
        raise Usage(f"{to_env or to_file} is empty", hint="write postgresql://user:password@host/name into it")
    session.show(session.launcher.copy_database(home, url), _draw_copy)


def _passphrase(session: Session, file: str | None, *, twice: bool) -> str:
    if file:
        return _line_of(file)
    if session.json or not sys.stdin.isatty():
        raise Usage("a passphrase is needed", code="passphrase_missing", hint="--passphrase-file FILE, or - for stdin")
    found: str = click.prompt("Passphrase", hide_input=True, confirmation_prompt=twice, err=True)
    return found


def _line_of(file: str) -> str:
    """The first line; a file that ends with one loses nothing."""
    try:
        whole = sys.stdin.read() if file == "-" else Path(file).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise NotFound(f"{file} cannot be read: {error}", code="file_unreadable") from error
    return whole.removesuffix("\n").removesuffix("\r")


def _draw_backup(document: dict[str, Any]) -> str:
    lines = [
        f"{document['apps']} apps, {document['rows']} rows, {document['files']} files: {line_of(document['file'])}",
        "  without the passphrase it is worth nothing: keep that elsewhere",
    ]
    if document["without_data"]:
        apps = line_of(", ".join(document["without_data"]))
        lines.append(f"  not in it: what apps keep in the home themselves ({apps}), and their volumes")
    return "\n".join(lines)


def _draw_restore(document: dict[str, Any]) -> str:
    lines = [f"{document['apps']} apps as of {moment(document['made_at'])} in {line_of(document['home'])}"]
    if document["was_at"] != document["home"]:
        lines.append(
            f"  it was in {line_of(document['was_at'])}: containers that run keep the files from there until they are"
            " deployed anew (windlass deploy --force), and the edge is started anew"
        )
    return "\n".join([*lines, "  next: windlass up"])


def _draw_copy(document: dict[str, Any]) -> str:
    return (
        f"{document['rows']} rows are in PostgreSQL, and every one was compared\n"
        "  next: windlass up, with WINDLASS_DATABASE_URL set; the SQLite file is no longer used"
    )
