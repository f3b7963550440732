"""up, down, serve, doctor, demo: the control plane and the machine under it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from windlass.cli.render import draw_checks
from windlass.cli.session import HOOKS_HOST, Session, UpOptions, json_option
from windlass.cli.text import line_of, tell_error_document

_HOME = click.option(
    "--home", type=click.Path(path_type=Path, file_okay=False), help="Folder of this windlass (default: WINDLASS_HOME)."
)
_PORT = click.IntRange(1, 65535)
_AT_ONCE = click.IntRange(1, 64)


@click.command("up")
@_HOME
@click.option("--http", "http_port", type=_PORT, metavar="PORT", help="Port of the edge for HTTP (80).")
@click.option("--https", "https_port", type=_PORT, metavar="PORT", help="Port of the edge for HTTPS (443).")
@click.option("--listen", metavar="ADDR", help="Serve the API on this host:port too, for who has a token or logs in.")
@click.option("--admin-listen", metavar="ADDR", help="Serve API and pages here; --listen carries webhooks only then.")
@click.option("--admin-allow", multiple=True, metavar="CIDR", help="Networks that reach --admin-listen; `all` for all.")
@click.option(
    "--hooks-host",
    metavar="[HOST]",
    is_flag=False,
    flag_value=HOOKS_HOST,
    help="Let webhooks, and nothing else of windlass, come through the edge under this name; '' for none any more.",
)
@click.option("--tls-cert", metavar="FILE", help="The API's certificate; off this machine it is served with one only.")
@click.option("--tls-key", metavar="FILE", help="The certificate's private key.")
@click.option("--pool", metavar="CIDR", help="Addresses that the apps' networks are made of.")
@click.option("--deploys", type=_AT_ONCE, metavar="N", help="Deployments at once on this server (4).")
@click.option("--builds", type=_AT_ONCE, metavar="N", help="Of them, those that build images (2).")
@click.option("--systemd", is_flag=True, help="Let systemd start it, now and after a reboot.")
@json_option
@click.pass_obj
def up_command(session: Session, /, **options: Any) -> None:
    """Start the control plane and the edge in the background, or replace an older one of the same home."""
    session.show(session.launcher.up(UpOptions(**options), session.say), _draw_up)


@click.command("down")
@_HOME
@click.option("--edge", is_flag=True, help="Stop the edge too: the apps are out of reach then.")
@json_option
@click.pass_obj
def down_command(session: Session, home: Path | None, edge: bool) -> None:
    """Stop the control plane; apps, and without --edge the edge, go on."""
    document = session.launcher.down(home, edge, session.say)
    session.show(document, lambda d: "stopped; the apps go on" if d.get("was_running") else "it was not running")


@click.command("serve", hidden=True)
@_HOME
@click.pass_obj
def serve_command(session: Session, home: Path | None) -> None:
    """Be the control plane, in the foreground."""
    session.launcher.serve(home)


@click.command("doctor")
@json_option
@click.pass_obj
def doctor_command(session: Session) -> None:
    """Look at the machine: engine, Compose, edge, disk, ports, clock, address pool."""
    session.show(session.client.get("doctor"), draw_checks)


@click.command("demo")
@_HOME
@click.option("--http", "http_port", type=_PORT, metavar="PORT", help="Port of the demo's own edge (a free one).")
@click.option("--rate", type=click.FloatRange(1, 2000), default=40.0, show_default=True, help="Requests per second.")
@click.option("--remove", is_flag=True, help="Remove everything of the demo.")
@json_option
@click.pass_obj
def demo_command(session: Session, /, **options: Any) -> int:
    """Deploy an example under load, with good and bad versions, and count every request."""
    from windlass.cli.demo import DemoOptions, run

    return run(session, DemoOptions(**options))


def _draw_up(document: dict[str, Any]) -> str:
    edge = document.get("edge") or {}
    lines = [
        f"{click.style('windlass', bold=True)} {line_of(document.get('version', ''))} "
        f"{click.style('runs', fg='green')}, home {line_of(document.get('home', ''))}",
        f"  edge     HTTP on port {edge.get('http_port', '')}",
    ]
    if document.get("admin_url"):
        lines.append(f"  api      {line_of(document['admin_url'])}")
    if document.get("hooks_url"):
        lines.append(f"  webhooks {line_of(document['hooks_url'])}")
    elif document.get("url") and document["url"] != document.get("admin_url"):
        lines.append(f"  webhooks {line_of(document['url'])}")
    if document.get("token"):
        lines.append(f"  token    {line_of(document['token'])}  (shown only now)")
    if document.get("setup"):
        lines.append(f"  set-up   {line_of(document['setup'])}  (makes the first admin; good for an hour)")
    if edge.get("error"):
        lines.append(tell_error_document(edge["error"]))
    return "\n".join(lines)
