"""env: the values that windlass keeps for an app."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from windlass.cli.arguments import app_argument, split_assignment, valid_text
from windlass.cli.render import draw_done, draw_variables
from windlass.cli.session import Session, json_option
from windlass.domain.errors import Usage
from windlass.wire.bodies import ImportBody, NamesBody, ValuesBody


@click.group("env")
def env_command() -> None:
    """Variables of an app; they fill ${…} in its Compose file at the next deploy."""


@env_command.command("list")
@app_argument
@click.option("--reveal", is_flag=True, help="Show the values.")
@json_option
@click.pass_obj
def list_variables(session: Session, app: str, reveal: bool) -> None:
    """The names of the variables, and with --reveal their values."""
    document = session.client.get("apps", app, "env", reveal="true" if reveal else None)
    session.show(document, draw_variables)


@env_command.command("set")
@app_argument
@click.argument("assignments", nargs=-1, required=True, metavar="K=V...")
@click.option("--stdin", is_flag=True, help="Read the value of the one variable named from standard input, as it is.")
@json_option
@click.pass_obj
def set_variables(session: Session, app: str, assignments: tuple[str, ...], stdin: bool) -> None:
    """Set variables, used by the next deploy."""
    values = _value_from_stdin(assignments) if stdin else dict(split_assignment(word) for word in assignments)
    document = session.client.call("PUT", ("apps", app, "env"), ValuesBody(values).as_dict())
    session.show(document, draw_done(f"set {', '.join(values)}; used by the next deploy"))


@env_command.command("unset")
@app_argument
@click.argument("names", nargs=-1, required=True, metavar="K...")
@json_option
@click.pass_obj
def unset_variables(session: Session, app: str, names: tuple[str, ...]) -> None:
    """Forget variables."""
    document = session.client.call("POST", ("apps", app, "env", "unset"), NamesBody(list(names)).as_dict())
    session.show(document, draw_done(f"unset {', '.join(names)}"))


@env_command.command("import")
@app_argument
@click.argument("file", default="-")
@json_option
@click.pass_obj
def import_variables(session: Session, app: str, file: str) -> None:
    """Set every variable of a dotenv FILE (default: standard input)."""
    try:
        data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Usage(f"{file} is not UTF-8") from None
    except OSError as error:
        raise Usage(f"{file}: {error.strerror}") from None
    document = session.client.call("POST", ("apps", app, "env", "import"), ImportBody(text).as_dict())
    session.show(document, draw_done("imported; used by the next deploy"))


def _value_from_stdin(names: tuple[str, ...]) -> dict[str, str]:
    if len(names) != 1 or "=" in names[0]:
        raise Usage("--stdin reads the value of one variable", hint="windlass env set APP NAME --stdin")
    data = sys.stdin.buffer.read()
    try:
        value = valid_text(names[0], data.decode())
    except UnicodeDecodeError:
        raise Usage(f"the value of {names[0]} is not UTF-8", code="value_invalid") from None
    if value.endswith("\n"):
        click.echo(f"note: the value of {names[0]} ends with a newline, and it is kept (printf gives none)", err=True)
    return {names[0]: value}
