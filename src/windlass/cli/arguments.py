"""Arguments and options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from windlass.cli.environments import check_environment, environment_option, in_environment
from windlass.cli.session import Session
from windlass.domain.errors import Usage, WindlassError


class AppName(click.ParamType[str]):
    """An app's name in the environment of --env, checked before it goes anywhere; completed by the control plane."""

    name = "app"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        return in_environment(str(value), ctx)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[Any]:
        from click.shell_completion import CompletionItem

        session = ctx.find_object(Session)
        try:
            items = session.client.get("apps").get("items", []) if session else []
        except WindlassError:
            return []
        names = [str(i.get("app") or i.get("name")) for i in items]
        return [CompletionItem(n) for n in names if n.startswith(incomplete)]


def app_argument(command: Callable[..., Any]) -> Callable[..., Any]:
    """APP, and --env."""
    return click.argument("app", type=AppName())(environment_option(command))


def some_app_argument(command: Callable[..., Any]) -> Callable[..., Any]:
    """APP or nothing, and --env."""
    argument = click.argument("app", type=AppName(), required=False, callback=check_environment)
    return argument(environment_option(command))


def app_option(words: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """--app for commands that can do without one, and --env."""
    option = click.option("--app", type=AppName(), default=None, callback=check_environment, help=words)
    return lambda command: option(environment_option(command))


def split_assignment(word: str, option: str = "") -> tuple[str, str]:
    """`NAME=VALUE`; the value is everything behind the first `=`."""
    name, equals, value = word.partition("=")
    if not equals or not name:
        shown = name if equals else word
        raise Usage(f"{option + ' ' if option else ''}{shown!r} is not NAME=VALUE", hint="write NAME=VALUE")
    return name, valid_text(name, value)


def valid_text(name: str, value: str) -> str:
    """Raises Usage for what no process can have in its environment; the message does not show the value."""
    if "\0" in value:
        raise Usage(f"the value of {name} contains a NUL, which no environment can hold", code="value_invalid")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise Usage(f"the value of {name} is not UTF-8", code="value_invalid") from None
    return value
