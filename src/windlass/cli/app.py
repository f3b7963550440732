"""The command `windlass`: finds a command's module when it is called for; ends every error in words and a code."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from typing import Any

import click

from windlass import __version__
from windlass.cli.session import Launcher, RefusedAtTheDoor, Session, Target, print_json
from windlass.domain.errors import Usage, WindlassError
from windlass.wire import error_document

# Modules are imported only when one of their commands is used: `windlass status` is typed all day long.
COMMANDS = {
    "up": "control",
    "down": "control",
    "serve": "control",
    "doctor": "control",
    "demo": "control",
    "completion": "completion",
    "deploy": "deploy",
    "plan": "deploy",
    "rollback": "deploy",
    "cancel": "deploy",
    "approve": "protect",
    "protect": "protect",
    "status": "look",
    "apps": "look",
    "releases": "look",
    "events": "look",
    "stats": "look",
    "logs": "logs",
    "restart": "operate",
    "stop": "operate",
    "start": "operate",
    "scale": "operate",
    "maintenance": "operate",
    "exec": "operate",
    "remove": "operate",
    "env": "variables",
    "source": "source",
    "hook": "hook",
    "previews": "previews",
    "consent": "consent",
    "key": "key",
    "self": "self",
    "db": "self",
    "user": "people",
    "project": "people",
    "oidc": "oidc",
    "token": "access",
    "audit": "access",
}

_LEFT = 130


class _Group(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"windlass.cli.commands_{COMMANDS[cmd_name]}")
        command: click.Command = getattr(module, f"{cmd_name}_command")
        return command


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(__version__, prog_name="windlass", message="%(prog)s %(version)s")
def windlass() -> None:
    """Deploys Docker Compose projects on your own servers with no failed request."""


def run(arguments: Sequence[str], target: Target, launcher: Launcher) -> int:
    """Carry out one command line and return its exit code."""
    session = Session(target, launcher)
    try:
        code = windlass.main(list(arguments), prog_name="windlass", standalone_mode=False, obj=session)
        return code if isinstance(code, int) else 0
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return Usage.exit_code
    except click.ClickException as error:
        return _end(_usage(error), _wants_json(session, arguments), error)
    except click.Abort:
        click.echo("stopped", err=True)
        return _LEFT
    except WindlassError as error:
        return _end(error, _wants_json(session, arguments), None)
    except KeyboardInterrupt:
        return _LEFT
    except BrokenPipeError:
        _forget_output()
        return 0


def _end(error: WindlassError, as_json: bool, usage: click.ClickException | None) -> int:
    if as_json:
        print_json(error.document if isinstance(error, RefusedAtTheDoor) else error_document(error))
    elif usage is not None:
        usage.show()
    else:
        from windlass.cli.text import tell_error

        click.echo("\n".join([tell_error(error), *_beside(error)]), err=True)
    return error.exit_code


def _beside(error: WindlassError) -> list[str]:
    """The rest of the list of checks: what refuses stands in the error."""
    if not error.beside.get("checks"):
        return []
    from windlass.cli.render_checks import draw_findings

    return ["", *draw_findings(error.beside["checks"], without=("refused",))]


def _usage(error: click.ClickException) -> Usage:
    context = getattr(error, "ctx", None)
    return Usage(error.format_message(), hint=f"{context.command_path} --help" if context else "windlass --help")


def _wants_json(session: Session, arguments: Sequence[str]) -> bool:
    """Also when the command line was not understood far enough to know."""
    own = arguments[: arguments.index("--")] if "--" in arguments else arguments
    return session.json or "--json" in own


def _forget_output() -> None:
    """Whoever read our output is gone; the interpreter must not try to flush it again."""
    import os

    null: Any = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
