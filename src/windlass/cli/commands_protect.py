"""protect, approve: who deploys to an app, and whether a second person has to agree."""

from __future__ import annotations

from typing import Any

import click

from windlass.cli.arguments import app_argument
from windlass.cli.render_deployment import draw_deployment, draw_request
from windlass.cli.session import Session, json_option
from windlass.cli.text import line_of
from windlass.domain.errors import Usage
from windlass.domain.protection import WAIT_S
from windlass.domain.units import format_duration, parse_duration
from windlass.wire.people import DecisionBody, ProtectionBody


@click.command("protect")
@app_argument
@click.option("--approval/--no-approval", default=None, help="Whether a second person approves each deployment.")
@click.option("--within", default=None, metavar="TIME", help="How long a deployment waits for that (default: 24h).")
@click.option("--off", is_flag=True, help="Whoever may deploy, deploys to it again.")
@click.option("--show", is_flag=True, help="Change nothing; show what counts.")
@json_option
@click.pass_obj
def protect_command(session: Session, /, app: str, **options: Any) -> None:
    """Let only maintainers deploy to APP, and with --approval only when another one of them agrees."""
    if options["off"] and (options["approval"] or options["within"]):
        raise Usage("--off goes with no other option", hint=f"windlass protect {app} --off")
    if options["show"]:
        session.show(session.client.get("apps", app, "protection"), _draw_protection)
        return
    body = ProtectionBody(not options["off"], 0.0 if options["off"] else _wait_s(session, app, options))
    document = session.client.call("PUT", ("apps", app, "protection"), body.as_dict())
    session.show(document, _draw_protection)


@click.command("approve")
@click.argument("deployment")
@click.option("--reject", is_flag=True, help="End it instead.")
@click.option("--note", default="", metavar="TEXT", help="Why; it is kept, and shown to the one who asked.")
@json_option
@click.pass_obj
def approve_command(session: Session, deployment: str, reject: bool, note: str) -> None:
    """Let a DEPLOYMENT begin that somebody else asked for; `windlass status APP` shows what waits."""
    asked = session.client.get("deployments", deployment)
    session.say("\n".join(draw_request(asked)))
    word = "reject" if reject else "approve"
    document = session.client.call("POST", ("deployments", deployment, word), DecisionBody(note).as_dict())
    session.show(document, draw_deployment)


def _wait_s(session: Session, app: str, options: dict[str, Any]) -> float:
    """What was not said stays as it is."""
    if options["approval"] is False:
        return 0.0
    if options["within"] is not None:
        return parse_duration(options["within"])
    if options["approval"]:
        return WAIT_S
    before = session.client.get("apps", app, "protection")
    return float(before.get("approval_s") or 0.0) if before.get("own") else 0.0


def _draw_protection(document: dict[str, Any]) -> str:
    app = line_of(document.get("app", ""))
    if not document.get("protected"):
        return f"{app} is not protected: whoever may deploy, deploys to it"
    lines = [f"only maintainers deploy to {app}"]
    if document.get("approval_s"):
        lines[0] += f", and another one of them has to approve within {format_duration(document['approval_s'])}"
    if not document.get("own"):
        lines.append("  its project says so: windlass project list")
    lines += [f"  waits: windlass approve {line_of(id)}" for id in document.get("waiting") or []]
    return "\n".join(lines)
