"""completion: prints what makes a shell complete windlass's commands and app names."""

from __future__ import annotations

import click

from windlass.cli.session import Session, json_option


@click.command("completion")
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
@json_option
@click.pass_obj
def completion_command(session: Session, shell: str) -> None:
    """Print the completion script of a SHELL: eval "$(windlass completion bash)"."""
    from click.shell_completion import get_completion_class

    from windlass.cli.app import windlass

    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"no completion for {shell}")
    completion = kind(windlass, {}, "windlass", "_WINDLASS_COMPLETE")
    script = completion.source_template % completion.source_vars()
    session.show({"shell": shell, "script": script}, lambda document: str(document["script"]))
