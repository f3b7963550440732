"""token, audit: what programs may, and who changed what."""

from __future__ import annotations

import json
from typing import Any

import click

from windlass.cli.arguments import app_option
from windlass.cli.render import draw_done
from windlass.cli.session import Session, json_option
from windlass.cli.text import line_of, moment, styled, table
from windlass.domain.rights import scope_named
from windlass.domain.units import parse_duration
from windlass.wire.people import TokenBody

BROKEN = 1  # exit code of `audit verify` for a log that is not as it was written


@click.group("token")
def token_command() -> None:
    """Tokens for programs: WINDLASS_URL=https://host WINDLASS_TOKEN=wl_… windlass deploy"""


@token_command.command("create")
@click.argument("name")
@click.option("--scope", "scopes", multiple=True, required=True, help="A right, a role, or `all`; may be repeated.")
@app_option("Only for this app.")
@click.option("--project", default="", help="Only for apps of this project.")
@click.option("--expires", default="90d", show_default=True, help="How long it is good: 12h, 90d, or `never`.")
@json_option
@click.pass_obj
def create_token(session: Session, /, name: str, **options: Any) -> None:
    """Make a token that may what its scope says, and never more than you; it is shown once."""
    for word in options["scopes"]:
        scope_named(word)
    seconds = 0.0 if options["expires"] == "never" else parse_duration(options["expires"])
    body = TokenBody(name, list(options["scopes"]), seconds, options["app"] or "", options["project"])
    session.show(session.client.call("POST", ("tokens",), body.as_dict()), _draw_created)


@token_command.command("list")
@json_option
@click.pass_obj
def list_tokens(session: Session) -> None:
    """Your tokens; an admin sees all."""
    session.show({"items": session.client.items("tokens")}, _draw_tokens)


@token_command.command("revoke")
@click.argument("token", metavar="ID")
@json_option
@click.pass_obj
def revoke_token(session: Session, token: str) -> None:
    """Take a token back, by its id or name; it is refused at once."""
    session.show(session.client.call("DELETE", ("tokens", token)), draw_done(f"{token} is revoked"))


def _draw_created(document: dict[str, Any]) -> str:
    end = f"until {moment(document['expires_at'])}" if document.get("expires_at") else "for ever"
    return f"{line_of(document.get('token', ''))}\n  shown only now; good {end}"


def _draw_tokens(document: dict[str, Any]) -> str:
    rows = [
        (
            i.get("id"),
            i.get("name"),
            i.get("user"),
            ", ".join(i.get("scopes") or []),
            i.get("app") or i.get("project"),
            moment(i.get("expires_at")) if i.get("expires_at") else "never",
            moment(i.get("used_at")),
        )
        for i in document.get("items") or []
    ]
    return table(("ID", "NAME", "USER", "SCOPE", "ONLY", "ENDS", "USED"), rows) if rows else "there are no tokens"


# ---- audit ----------------------------------------------------------------------------------------------------------


@click.group("audit")
def audit_command() -> None:
    """The log of every change: who, from where, what."""


@audit_command.command("list")
@app_option("Only changes of this app.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@click.option("--before", type=click.IntRange(1), default=None, help="Only entries before this number.")
@json_option
@click.pass_obj
def list_audit(session: Session, app: str | None, limit: int, before: int | None) -> None:
    """The newest changes first."""
    session.show(session.client.get("audit", app=app, limit=limit, before=before), _draw_entries)


@audit_command.command("verify")
@json_option
@click.pass_obj
def verify_audit(session: Session) -> int:
    """Read the whole log; exit code 1 when an entry was changed, removed or put in."""
    document = session.client.get("audit", "verify")
    session.show(document, _draw_verified)
    return 0 if document.get("status") == "ok" else BROKEN


def _draw_entries(document: dict[str, Any]) -> str:
    rows = [
        (
            i.get("number"),
            moment(i.get("at")),
            i.get("actor"),
            i.get("source"),
            i.get("action"),
            i.get("app"),
            json.dumps(i["data"], ensure_ascii=False) if i.get("data") else "",
        )
        for i in document.get("items") or []
    ]
    return table(("NO", "AT", "WHO", "FROM", "WHAT", "APP", "DETAILS"), rows) if rows else "nothing was changed yet"


def _draw_verified(document: dict[str, Any]) -> str:
    if document.get("status") == "ok":
        return str(styled(f"{document.get('entries')} entries, all as they were written", fg="green"))
    lines = [line_of(i.get("message", "")) for i in document.get("items") or []]
    head = styled("the audit log is not as windlass wrote it", fg="red", bold=True)
    return "\n".join([str(head), *(f"  {line}" for line in lines)])
