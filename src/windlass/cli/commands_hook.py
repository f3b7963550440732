"""hook: the address and the secret by which a Git server tells of pushes."""

from __future__ import annotations

from typing import Any

import click

from windlass.cli.arguments import app_argument
from windlass.cli.session import Session, json_option
from windlass.cli.text import line_of
from windlass.wire.bodies import HookBody


@click.group("hook")
def hook_command() -> None:
    """The webhook of an app: a push to its branch deploys it."""


@hook_command.command("show")
@app_argument
@click.option("--reveal", is_flag=True, help="Show the secret.")
@click.option("--renew", is_flag=True, help="Make a new secret; the old one counts no more.")
@json_option
@click.pass_obj
def show_hook(session: Session, app: str, reveal: bool, renew: bool) -> None:
    """Address and secret of APP's webhook; the secret is made when it is asked for the first time."""
    body = HookBody(reveal=reveal, renew=renew)
    session.show(session.client.call("POST", ("apps", app, "hook"), body.as_dict()), _draw)


def _draw(document: dict[str, Any]) -> str:
    secret = document.get("secret")
    lines = [
        f"url     {line_of(document.get('url', ''))}",
        f"secret  {line_of(secret) if secret else 'kept; --reveal shows it'}",
        "",
        "GitHub, Gitea, Forgejo, Bitbucket: as the secret, content type application/json.",
        "GitLab: as the signing token (or as the secret token). Gitee: as the signature key.",
    ]
    lines += [f"note    {line_of(note)}" for note in document.get("notes") or []]
    return "\n".join(lines)
