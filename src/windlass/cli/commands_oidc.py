"""oidc: log-in by an OpenID provider, and who is who there."""

from __future__ import annotations

import sys
from typing import Any

import click

from windlass.cli.session import Session, json_option
from windlass.cli.text import line_of, table
from windlass.domain.errors import Usage
from windlass.domain.oidc import identity, valid_issuer
from windlass.domain.people import user_name
from windlass.domain.rights import Role
from windlass.wire.people import IdentityBody, ProviderBody


@click.group("oidc")
def oidc_command() -> None:
    """Log-in by an OpenID provider (needs windlass[oidc])."""


@oidc_command.command("set")
@click.argument("issuer")
@click.option("--client-id", required=True, help="As it is registered with the provider.")
@click.option("--secret-stdin", is_flag=True, required=True, help="Read the client's secret from standard input.")
@click.option(
    "--url", required=True, metavar="URL", help="Where people reach windlass, as in https://deploy.example.com."
)
@click.option("--role", type=click.Choice([r.value for r in Role]), help="Let people in who are no users yet, as this.")
@json_option
@click.pass_obj
def set_provider(session: Session, /, issuer: str, **options: Any) -> None:
    """Let people log in by ISSUER; those that `oidc bind` names, and with --role everybody it knows."""
    wanted, place = valid_issuer(issuer), valid_issuer(options["url"])
    try:
        secret = sys.stdin.buffer.read().decode().strip()
    except UnicodeDecodeError:
        raise Usage("the secret is not UTF-8", code="value_invalid") from None
    body = ProviderBody(wanted, options["client_id"], secret, place, options["role"] or "")
    session.show(session.client.call("PUT", ("oidc",), body.as_dict()), _draw)


@oidc_command.command("show")
@json_option
@click.pass_obj
def show(session: Session) -> None:
    """The provider, and who logs in as whom."""
    session.show(session.client.get("oidc"), _draw)


@oidc_command.command("off")
@json_option
@click.pass_obj
def off(session: Session) -> None:
    """People log in by password alone again."""
    session.show(session.client.call("DELETE", ("oidc",)), _draw)


@oidc_command.command("bind")
@click.argument("user", metavar="NAME")
@click.argument("who", metavar="ADDRESS")
@json_option
@click.pass_obj
def bind(session: Session, user: str, who: str) -> None:
    """Let whom the provider knows by this e-mail ADDRESS (or sub:SUBJECT) log in as NAME."""
    identity(who)
    path = ("users", user_name(user), "identity")
    session.show(session.client.call("PUT", path, IdentityBody(who).as_dict()), _draw)


@oidc_command.command("unbind")
@click.argument("user", metavar="NAME")
@json_option
@click.pass_obj
def unbind(session: Session, user: str) -> None:
    """Let nobody log in as NAME by the provider."""
    session.show(session.client.call("DELETE", ("users", user_name(user), "identity")), _draw)


def _draw(document: dict[str, Any]) -> str:
    if not document.get("issuer"):
        return "people log in by password: windlass oidc set ISSUER --client-id ID --secret-stdin --url URL"
    new = document.get("role")
    lines = [
        f"log-in by {line_of(document['issuer'])}",
        f"  to be registered there: {line_of(document.get('callback', ''))}",
        f"  who is no user yet: {f'becomes one, {line_of(new)} of the project default' if new else 'is not let in'}",
    ]
    rows = [(i.get("identity"), i.get("user")) for i in document.get("items") or []]
    return "\n".join([*lines, *(["", table(("IDENTITY", "USER"), rows)] if rows else [])])
