"""consent: what an app wishes of the machine, and what it was allowed."""

from __future__ import annotations

import click

from windlass.cli.arguments import app_argument
from windlass.cli.render import draw_wishes
from windlass.cli.session import Session, json_option
from windlass.domain.errors import Usage
from windlass.wire.bodies import ItemsBody


@click.command("consent")
@app_argument
@click.argument("items", nargs=-1, metavar="[ITEM]...")
@click.option("--revoke", is_flag=True, help="Take the consent back.")
@json_option
@click.pass_obj
def consent_command(session: Session, app: str, items: tuple[str, ...], revoke: bool) -> None:
    """List the dangerous wishes of APP; with ITEMs, consent to them."""
    if revoke and not items:
        raise Usage("--revoke needs the items to take back", hint=f"windlass consent {app}")
    if items:
        path = ("apps", app, "consents", "revoke") if revoke else ("apps", app, "consents")
        document = session.client.call("POST", path, ItemsBody(list(items)).as_dict())
    else:
        document = session.client.get("apps", app, "consents")
    session.show(document, draw_wishes)
