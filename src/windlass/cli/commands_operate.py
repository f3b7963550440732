"""restart, stop, start, scale, maintenance, exec, remove: commands that act on what runs."""

from __future__ import annotations

from typing import Any

import click

from windlass.cli.arguments import app_argument
from windlass.cli.render import draw_done
from windlass.cli.session import Session, json_option
from windlass.cli.text import clean
from windlass.domain.errors import Usage
from windlass.wire.bodies import ExecBody, MaintenanceBody, ScaleBody, ServiceBody


def _lifecycle(verb: str, session: Session, app: str, service: str | None) -> None:
    document = session.client.call("POST", ("apps", app, verb), ServiceBody(service).as_dict())
    session.show(document, draw_done(f"{verb} {app}{' ' + service if service else ''}"))


@click.command("restart")
@app_argument
@click.argument("service", required=False)
@json_option
@click.pass_obj
def restart_command(session: Session, app: str, service: str | None) -> None:
    """Restart the containers of APP, or of one SERVICE, one after another."""
    _lifecycle("restart", session, app, service)


@click.command("stop")
@app_argument
@click.argument("service", required=False)
@json_option
@click.pass_obj
def stop_command(session: Session, app: str, service: str | None) -> None:
    """Stop APP, or one SERVICE; it stays stopped after a reboot."""
    _lifecycle("stop", session, app, service)


@click.command("start")
@app_argument
@click.argument("service", required=False)
@json_option
@click.pass_obj
def start_command(session: Session, app: str, service: str | None) -> None:
    """Start what was stopped of APP."""
    _lifecycle("start", session, app, service)


@click.command("scale")
@app_argument
@click.argument("wanted", metavar="SERVICE=N")
@json_option
@click.pass_obj
def scale_command(session: Session, app: str, wanted: str) -> None:
    """Run N containers of a service of APP."""
    service, _, count = wanted.rpartition("=")
    if not service or not count.isascii() or not count.isdigit():
        raise Usage(f"{wanted!r} is not SERVICE=N", hint=f"windlass scale {app} web=2")
    body = ScaleBody(service, int(count)).as_dict()
    session.show(session.client.call("POST", ("apps", app, "scale"), body), draw_done(f"{service} runs {count} times"))


@click.command("maintenance")
@app_argument
@click.argument("wish", metavar="[on|off]", type=click.Choice(["on", "off"]), required=False)
@click.option("--allow", metavar="ADDRESS", multiple=True, help="Who gets through; may be repeated.")
@json_option
@click.pass_obj
def maintenance_command(session: Session, app: str, wish: str | None, allow: tuple[str, ...]) -> None:
    """Close APP to everybody, answering 503, until it is opened; deployments leave it closed."""
    if wish != "on" and allow:
        raise Usage(
            "--allow says who gets through while APP is closed", hint=f"windlass maintenance {app} on --allow …"
        )
    path = ("apps", app, "maintenance")
    if wish is None:
        document = session.client.call("GET", path)
    else:
        document = session.client.call("PUT", path, MaintenanceBody(wish == "on", list(allow)).as_dict())
    session.show(document, _draw_maintenance)


def _draw_maintenance(document: dict[str, Any]) -> str:
    app, allowed = clean(document.get("app", "")), [clean(text) for text in document.get("allowed", ())]
    if not document.get("closed"):
        return f"{app} is open"
    return f"{app} is closed for maintenance" + (f", but for {', '.join(allowed)}" if allowed else "")


@click.command("exec", context_settings={"ignore_unknown_options": False})
@app_argument
@click.argument("service")
@click.argument("command", nargs=-1, required=True, metavar="-- CMD...")
@json_option
@click.pass_obj
def exec_command(session: Session, app: str, service: str, command: tuple[str, ...]) -> int:
    """Run a command in a container of SERVICE; ends with the command's exit code."""
    body = ExecBody(service, list(command)).as_dict()
    document = session.client.call("POST", ("apps", app, "exec"), body)
    session.show(document, _draw_output)
    return int(document.get("exit_code", 0))


@click.command("remove")
@app_argument
@click.option("--data", is_flag=True, help="Also its volumes and data folders: there is no way back.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@click.pass_obj
def remove_command(session: Session, app: str, data: bool, yes: bool) -> None:
    """Remove APP: its containers, networks, images and releases. Its data stays, unless --data."""
    if not yes:
        what = f"Remove {app} AND ALL ITS DATA" if data else f"Remove {app}, and keep its data"
        if not session.may_ask:
            raise Usage(
                f"{what}? Nobody can be asked here", hint=f"windlass remove {app}{' --data' if data else ''} --yes"
            )
        click.confirm(what + "?", abort=True)
    query: dict[str, str | int | None] = {"data": "true" if data else "false"}
    document = session.client.call("DELETE", ("apps", app), query=query)
    session.show(document, draw_done(f"{app} is removed" + ("" if data else "; its data is kept")))


def _draw_output(document: dict[str, Any]) -> str:
    return "\n".join(clean(line) for line in str(document.get("output", "")).rstrip("\n").split("\n"))
