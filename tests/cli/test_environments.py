"""--env, the same on every command: `shop` with staging is the app shop@staging."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest

from windlass.cli.app import COMMANDS
from windlass.cli.app import windlass as program

Windlass = Callable[..., Any]
STAGING = "/api/v1/apps/shop%40staging"
CALLS: list[tuple[tuple[str, ...], str]] = [
    (("status", "shop", "--env", "staging"), f"GET {STAGING}"),
    (("status", "--env", "staging", "shop"), f"GET {STAGING}"),
    (("status", "shop@staging", "--env", "staging"), f"GET {STAGING}"),
    (("status", "shop", "--env", "production"), "GET /api/v1/apps/shop"),
    (("status", "shop@production"), "GET /api/v1/apps/shop"),
    (("releases", "shop", "--env", "staging"), f"GET {STAGING}/releases"),
    (("stats", "shop", "--env", "staging"), f"GET {STAGING}/stats"),
    (("logs", "shop", "web", "--env", "staging"), f"GET {STAGING}/logs"),
    (("env", "list", "shop", "--env", "staging"), f"GET {STAGING}/env"),
    (("env", "set", "shop", "A=1", "--env", "staging"), f"PUT {STAGING}/env"),
    (("env", "diff", "shop", "1", "2", "--env", "staging"), f"GET {STAGING}/env/diff"),
    (("consent", "shop", "--env", "staging"), f"GET {STAGING}/consents"),
    (("rollback", "shop", "--env", "staging", "--detach"), f"POST {STAGING}/rollback"),
    (("cancel", "shop", "--env", "staging"), f"POST {STAGING}/cancel"),
    (("restart", "shop", "web", "--env", "staging"), f"POST {STAGING}/restart"),
    (("scale", "shop", "web=2", "--env", "staging"), f"POST {STAGING}/scale"),
    (("exec", "shop", "web", "--env", "staging", "--", "ls", "--env", "x"), f"POST {STAGING}/exec"),
    (("remove", "shop", "--env", "staging", "--yes"), f"DELETE {STAGING}"),
]


@pytest.mark.parametrize(("words", "call"), CALLS)
def test_leads_to_the_app_of_its_own(api: Any, windlass: Windlass, words: tuple[str, ...], call: str) -> None:
    api.on(call, {"app": "shop@staging", "items": [], "status": "queued", "deployment": "d", "steps": []})
    at = words.index("--") if "--" in words else len(words)
    typed = windlass(*words[:at], "--json", *words[at:])
    assert typed.code == 0, typed.err
    made = api.requests[-1]
    assert f"{made.method} {made.path.partition('?')[0]}" == call


@pytest.mark.parametrize("command", ["deploy", "plan"])
@pytest.mark.parametrize("words", [(), ("--app", "shop"), ("--app", "shop@staging")])
def test_deploys_into_it(api: Any, windlass: Windlass, tmp_path: Path, command: str, words: tuple[str, ...]) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "windlass.yaml").write_text("name: shop\n")
    (folder / "compose.yaml").write_text("services: {}\n")
    document = {"app": "shop@staging", "status": "live", "deployment": "d", "steps": []}
    api.on(f"POST {STAGING}/deployments", document)
    api.on(f"POST {STAGING}/plan", document)
    assert windlass(command, str(folder), *words, "--env", "staging", "--json").code == 0


WRONG: list[tuple[tuple[str, ...], str]] = [
    (("status", "shop@staging", "--env", "production"), "environment_differs"),
    (("status", "shop@production", "--env", "staging"), "environment_differs"),
    (("deploy", ".", "--app", "shop@test", "--env", "staging"), "environment_differs"),
    (("status", "--env", "staging"), "usage"),
    (("token", "create", "ci", "--scope", "all", "--env", "staging"), "usage"),
    (("status", "shop", "--env", "Staging"), "environment_invalid"),
    (("status", "shop", "--env", "a--b"), "environment_invalid"),
    (("status", "shop", "--env", ""), "environment_invalid"),
]


@pytest.mark.parametrize(("words", "code"), WRONG)
def test_what_contradicts_or_says_nothing_is_a_usage_error(
    api: Any, windlass: Windlass, words: tuple[str, ...], code: str
) -> None:
    typed = windlass(*words, "--json")
    assert (typed.code, typed.json["error"]["code"]) == (2, code)
    assert api.requests == []


def test_every_command_about_an_app_has_it() -> None:
    context = click.Context(program)
    found: dict[str, bool] = {}

    def look(name: str, command: click.Command) -> None:
        for inner, sub in (command.commands if isinstance(command, click.Group) else {}).items():
            look(f"{name} {inner}", sub)
        names = {word for parameter in command.params for word in parameter.opts}
        if names & {"app", "--app"}:
            found[name] = "--env" in names

    for name in COMMANDS:
        command = program.get_command(context, name)
        assert command is not None
        look(name, command)
    assert len(found) > 15
    assert [name for name, has in found.items() if not has] == []
