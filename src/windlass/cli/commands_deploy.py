"""deploy, plan, rollback, cancel."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from windlass.cli.arguments import AppName, app_argument, split_assignment
from windlass.cli.environments import environment_option, in_environment
from windlass.cli.render import draw_plan
from windlass.cli.render_deployment import draw_deployment
from windlass.cli.session import RefusedAtTheDoor, Session, json_option, wants_colour
from windlass.cli.source import Source, find_source, name_of
from windlass.cli.text import line_of
from windlass.domain.errors import Conflict, NotFound, Refused, Usage
from windlass.wire import error_document, exit_code_of
from windlass.wire.bodies import DeployBody, RollbackBody

_FINAL_LEFT = 130

Options = dict[str, Any]


def _source_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """What deploy and plan are both told."""
    for option in reversed(
        (
            click.argument("source", required=False),
            click.option("--app", type=AppName(), help="Deploy as this app, whatever the folder is called."),
            environment_option,
            click.option("--ref", default="", help="Branch, tag or commit of a Git address."),
            click.option("--compose", multiple=True, metavar="PATH", help="Compose file in the source."),
            click.option("--profile", multiple=True, metavar="P", help="Compose profile."),
            click.option("--env-file", multiple=True, metavar="FILE", help="Variables of this release; - reads stdin."),
            click.option("--set", "assignments", multiple=True, metavar="K=V", help="A variable of this release."),
            click.option("--pull", is_flag=True, help="Pull images also when they are here."),
            click.option(
                "--force", is_flag=True, help="Deploy also when nothing changed, or a tree that is not clean."
            ),
            click.option("--skip-tests", is_flag=True, help="Leave out the commands of `test`."),
            click.option("--skip-verify", is_flag=True, help="Do not watch the new version, nor send it smoke steps."),
            click.option("--skip-build", is_flag=True, help="Build nothing: the images of the live release again."),
            click.option("--no-backup", is_flag=True, help="Reserved: no backup before the jobs of the release."),
            click.option("--skip-check", multiple=True, metavar="NAME", help="A check to leave out this time."),
        )
    ):
        command = option(command)
    return command


@click.command("deploy")
@_source_options
@click.option("--detach", is_flag=True, help="Do not wait for the end.")
@click.option("--yes", is_flag=True, help="Answer what the plan asks with yes.")
@json_option
@click.pass_obj
def deploy_command(session: Session, /, source: str | None, detach: bool, **options: Any) -> int:
    """Deploy SOURCE: a folder, a Git address or image:NAME (default: the source of --app, else this folder)."""
    app, found, body = _request(session, source, options)
    try:
        document = _send(session, (app, "deployments"), found, body)
    except (Refused, Conflict) as error:
        raise at_the_door(error, app) from error
    return follow(session, document, detach)


@click.command("plan")
@_source_options
@json_option
@click.pass_obj
def plan_command(session: Session, /, source: str | None, **options: Any) -> None:
    """Show what a deploy of SOURCE would do and why, and every reason why it would be refused."""
    app, found, body = _request(session, source, options)
    session.show(_send(session, (app, "plan"), found, body), draw_plan)


@click.command("rollback")
@app_argument
@click.option("--to", type=click.IntRange(min=1), metavar="N", help="Release to go back to (default: the one before).")
@click.option("--without-approval", is_flag=True, help="An owner's emergency: nobody else is asked.")
@click.option("--detach", is_flag=True, help="Do not wait for the end.")
@json_option
@click.pass_obj
def rollback_command(session: Session, app: str, to: int | None, without_approval: bool, detach: bool) -> int:
    """Bring an earlier release of APP live again."""
    try:
        document = session.client.call("POST", ("apps", app, "rollback"), RollbackBody(to, without_approval).as_dict())
    except (Refused, Conflict) as error:
        raise at_the_door(error, app) from error
    return follow(session, document, detach)


@click.command("cancel")
@app_argument
@json_option
@click.pass_obj
def cancel_command(session: Session, app: str) -> None:
    """Cancel the deployment of APP that is under way; what it did is taken back."""
    document = session.client.call("POST", ("apps", app, "cancel"), {})
    session.show(document, lambda _: f"cancelling; what was done is taken back: windlass status {app}")


def follow(session: Session, document: dict[str, Any], detach: bool) -> int:
    """Wait for a deployment's end, show it, and return the exit code."""
    from windlass.cli.watch import Left, Watch

    deployment, app = str(document["deployment"]), line_of(document["app"])
    if not detach and document["status"] in ("queued", "running"):
        try:
            document = Watch(session.client, app, deployment, _progress(session)).run()
        except Left:
            return _FINAL_LEFT
    session.show(document, draw_deployment)
    return exit_code_of(str(document["status"]))


def at_the_door(error: Refused | Conflict, app: str) -> RefusedAtTheDoor:
    """A refusal at the door has the same JSON form as one by the deployment itself."""
    nothing: dict[str, Any] = {"release": None, "deployment": None, "status": "refused", "url": "", "urls": []}
    times: dict[str, Any] = {"seconds": 0, "live_seconds": None, "steps": []}
    return RefusedAtTheDoor(error, {"app": app, **nothing, **times, **error_document(error)})


def _found(session: Session, source: str | None, app: str | None) -> Source:
    """Of an app that is named and has a source of its own that is meant, unless another one is said."""
    if source is None and app:
        try:
            session.client.get("apps", app, "source")
            return Source(None, kind="source")
        except NotFound:
            pass
    return find_source(source or ".")


def _request(session: Session, source: str | None, options: Options) -> tuple[str, Source, DeployBody]:
    from windlass.domain.checks import skip_names

    found = _found(session, source, options["app"])
    app = options["app"] or in_environment(name_of(found))
    if found.folder is not None and options["ref"]:
        raise Usage("--ref goes with a Git address, not with a folder", hint="windlass deploy URL --ref REF")
    body = DeployBody(
        source_kind=found.kind,
        url=found.url,
        ref=options["ref"] or found.checkout.branch,
        commit=found.commit,
        compose=list(options["compose"]),
        profiles=list(options["profile"]),
        values=dict(split_assignment(word, "--set") for word in options["assignments"]),
        env=[_read_env_file(name) for name in options["env_file"]],
        pull=options["pull"],
        force=options["force"],
        yes=options.get("yes", False),
        dirty=found.checkout.dirty,
        **{name: options[name] for name in ("skip_tests", "skip_verify", "skip_build", "no_backup")},
        skip_checks=list(skip_names(options["skip_check"])),
    )
    return app, found, body


def _read_env_file(name: str) -> str:
    try:
        data = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Usage(f"--env-file {name}: is not UTF-8") from None
    except OSError as error:
        raise Usage(f"--env-file {name}: {error.strerror}") from None


def _send(session: Session, path: tuple[str, str], source: Source, body: DeployBody) -> dict[str, Any]:
    return session.client.submit(*path, body, source.folder)


def _progress(session: Session) -> Any:
    from windlass.cli.progress import LiveProgress, PlainProgress

    if not session.json and sys.stdout.isatty() and wants_colour(sys.stdout):
        from rich.console import Console

        return LiveProgress(Console())
    return PlainProgress(session.say)
