"""The option --env: another environment of an app is an app of its own, `shop@staging`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from windlass.domain.errors import Usage
from windlass.domain.names import app_name, environment_name

_KEPT = "windlass.environment"


def _keep(ctx: click.Context, _parameter: click.Parameter, value: str | None) -> None:
    if value is not None:
        ctx.meta[_KEPT] = environment_name(value)


# Eager: it is known before an app's name is looked at.
environment_option: Callable[[Callable[..., Any]], Callable[..., Any]] = click.option(
    "--env",
    metavar="NAME",
    expose_value=False,
    is_eager=True,
    callback=_keep,
    help="Environment, such as staging (default: production); short for APP@NAME.",
)


def in_environment(app: str, ctx: click.Context | None = None) -> str:
    """The app that is meant: `shop` with --env staging is shop@staging. Raises Usage when they contradict."""
    wanted = wanted_environment(ctx)
    _, at, named = app.partition("@")
    if not wanted or (at and named == wanted):
        return app_name(app)
    if at:
        raise Usage(
            f"{app} and --env {wanted} name two environments", code="environment_differs", hint="give one of them"
        )
    return app_name(f"{app}@{wanted}")


def wanted_environment(ctx: click.Context | None = None) -> str:
    """What --env says; "" when it was not given."""
    known = ctx or click.get_current_context(silent=True)
    return str(known.meta.get(_KEPT, "")) if known else ""


def check_environment(ctx: click.Context, _parameter: click.Parameter, app: str | None) -> str | None:
    """For commands that can do without an app: --env alone says nothing."""
    wanted = wanted_environment(ctx)
    if app is None and wanted:
        raise Usage(f"--env {wanted} needs an app", hint=f"{ctx.command_path} with an app and --env {wanted}")
    return app
