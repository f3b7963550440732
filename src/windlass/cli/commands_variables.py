"""env: the values that windlass keeps for an app."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from windlass.cli.arguments import app_argument, split_assignment, valid_text
from windlass.cli.render import draw_done, draw_variables
from windlass.cli.render_variables import draw_changes, draw_findings, draw_generated, draw_history
from windlass.cli.session import Session, json_option
from windlass.domain.errors import Refused, Usage
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
@click.option(
    "--url-encode",
    is_flag=True,
    help="Percent-encode user and password in the URL; with a name alone, in the value that is set already.",
)
@json_option
@click.pass_obj
def set_variables(session: Session, app: str, assignments: tuple[str, ...], stdin: bool, url_encode: bool) -> None:
    """Set variables, used by the next deploy."""
    if url_encode and not stdin and not any("=" in word for word in assignments):
        document = session.client.call("POST", ("apps", app, "env", "encode"), NamesBody(list(assignments)).as_dict())
        changed = [str(i.get("name")) for i in document.get("items") or []]
        words = f"encoded {', '.join(changed)}; used by the next deploy" if changed else "nothing had to be encoded"
        session.show(document, draw_done(words))
        return
    values = _value_from_stdin(assignments) if stdin else dict(split_assignment(word) for word in assignments)
    if url_encode:
        values = {name: _encoded(name, value) for name, value in values.items()}
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


@env_command.command("check")
@app_argument
@json_option
@click.pass_obj
def check_variables(session: Session, app: str) -> int:
    """Everything that is wrong with the values; ends with 3 when a deploy would be refused."""
    document = session.client.get("apps", app, "env", "check")
    session.show(document, draw_findings)
    return Refused.exit_code if document.get("status") == "refused" else 0


@env_command.command("generate")
@app_argument
@json_option
@click.pass_obj
def generate_variables(session: Session, app: str) -> None:
    """Make the secrets that are missing and that windlass.yaml says how to generate."""
    session.show(session.client.call("POST", ("apps", app, "env", "generate")), draw_generated)


@env_command.command("diff")
@app_argument
@click.argument("one", type=click.IntRange(min=1), metavar="RELEASE")
@click.argument("two", type=click.IntRange(min=1), metavar="RELEASE")
@click.option("--reveal", is_flag=True, help="Show the values.")
@json_option
@click.pass_obj
def diff_variables(session: Session, app: str, one: int, two: int, reveal: bool) -> None:
    """Which variables changed from one release to another."""
    asked = "true" if reveal else None
    document = session.client.get("apps", app, "env", "diff", one=one, two=two, reveal=asked)
    session.show(document, draw_changes)


@env_command.command("history")
@app_argument
@click.option(
    "-n", "--last", type=click.IntRange(1, 200), default=20, show_default=True, help="How many releases, newest first."
)
@json_option
@click.pass_obj
def show_history(session: Session, app: str, last: int) -> None:
    """What each release changed in the variables, and what was set in between; values never."""
    session.show(session.client.get("apps", app, "env", "history", limit=last), draw_history)


def _encoded(name: str, value: str) -> str:
    from windlass.domain.contract_urls import encode_credentials, has_credentials

    if not has_credentials(value):
        raise Usage(f"{name} is not a URL with a user or password", code="value_invalid")
    return encode_credentials(value)


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
