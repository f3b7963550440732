"""key: the master key that protects what windlass keeps; it is never printed."""

from __future__ import annotations

from typing import Any

import click

from windlass.cli.render import draw_done, word
from windlass.cli.session import Session, json_option
from windlass.cli.text import line_of, moment, table


@click.group("key")
def key_command() -> None:
    """The key that protects variables and releases; it lies in the home, in secret.key."""


@key_command.command("rotate")
@json_option
@click.pass_obj
def rotate_key(session: Session) -> None:
    """Encrypt everything anew under a new key. May be stopped at any time, and repeated."""
    document = session.client.call("POST", ("key", "rotate"), {})
    gone_on = "finished the rotation that was cut off; " if document.get("resumed") else ""
    words = f"{gone_on}{document.get('resealed')} values under the key {line_of(document.get('key', ''))}"
    session.show(document, draw_done(f"{words}; back up secret.key together with the database"))


@key_command.command("status")
@json_option
@click.pass_obj
def key_status(session: Session) -> None:
    """Which keys protect how many values; keys are told by an id that says nothing of them."""
    session.show(session.client.get("key"), _draw_status)


def _draw_status(document: dict[str, Any]) -> str:
    rows = [(i.get("key"), word(i.get("state")), i.get("values")) for i in document.get("items") or []]
    lines = [table(("KEY", "STATE", "VALUES"), rows), "", f"key file of {moment(document.get('changed_at'))}"]
    if document.get("rotation") == "unfinished":
        lines.append(f"{click.style('a rotation is unfinished', fg='yellow')}: windlass key rotate")
    return "\n".join(lines)
