"""source: where an app comes from, a branch of a Git repository or an image."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from windlass.cli.arguments import app_argument
from windlass.cli.render import draw_done
from windlass.cli.session import Session, json_option
from windlass.cli.text import line_of
from windlass.domain.errors import Usage
from windlass.domain.sources import DEFAULT_BRANCH, image_of
from windlass.domain.units import format_duration, parse_duration
from windlass.wire.bodies import SourceBody

GENERATE = "generate"
HOSTS = ("github", "gitlab", "gitea")
NOBODY = "none"


@click.group("source")
def source_command() -> None:
    """Where an app comes from: a branch of a Git repository, or an image."""


@source_command.command("set")
@app_argument
@click.argument("url", required=False, default="", metavar="[URL|image:NAME]")
@click.option("--branch", help=f"The branch that is deployed (default: {DEFAULT_BRANCH}).")
@click.option("--path", metavar="DIR", help="The folder of the repository that is the project.")
@click.option("--compose", multiple=True, metavar="FILE", help="Compose file in the project.")
@click.option("--deploy-key", "key", metavar="FILE|generate", help="Private SSH key; `generate` makes one.")
@click.option("--token-stdin", is_flag=True, help="Read an access token for an https address from standard input.")
@click.option("--token-file", metavar="FILE", help="Read the access token from a file.")
@click.option("--user", default="", help="User name that goes with the token, where the server wants a certain one.")
@click.option("--public", is_flag=True, help="Forget token and key that were given before.")
@click.option("--watch", multiple=True, metavar="GLOB", help="Deploy a push only if it changes one of these files.")
@click.option("--poll", metavar="DURATION", help="Ask the repository every so often, where no webhook can reach.")
@click.option("--submodules/--no-submodules", default=None, help="Fetch submodules too.")
@click.option("--lfs/--no-lfs", default=None, help="Fetch the files of Git LFS too.")
@click.option("--status", type=click.Choice([*HOSTS, NOBODY]), help="Tell there how a deployment ended.")
@click.option("--status-token-file", metavar="FILE", help="Token for --status, if it is not the one of the source.")
@json_option
@click.pass_obj
def set_source(session: Session, /, app: str, url: str, **options: Any) -> None:
    """Set where APP comes from. The next `windlass deploy --app APP` deploys it.

    Without URL only what is said changes; a new environment begins with what production has. An empty word, as in
    --watch '', takes away what was said before.
    """
    body = SourceBody(
        url=url if image_of(url) else _absolute(url),
        branch=options["branch"],
        path=options["path"],
        compose=list(options["compose"]) or None,
        watch=list(options["watch"]) or None,
        submodules=options["submodules"],
        lfs=options["lfs"],
        poll=parse_duration(options["poll"]) if options["poll"] else None,
        user=options["user"],
        token=_token(options),
        key=_key(options["key"]),
        public=options["public"],
        status="" if options["status"] == NOBODY else options["status"],
        status_token=_content("--status-token-file", options["status_token_file"]).strip(),
    )
    document = session.client.call("PUT", ("apps", app, "source"), body.as_dict())
    session.show(document, draw_source)


@source_command.command("show")
@app_argument
@json_option
@click.pass_obj
def show_source(session: Session, app: str) -> None:
    """Where APP comes from, and the public half of its key."""
    session.show(session.client.get("apps", app, "source"), draw_source)


@source_command.command("remove")
@app_argument
@json_option
@click.pass_obj
def remove_source(session: Session, app: str) -> None:
    """Forget where APP comes from, with its token and key; the app goes on."""
    session.show(session.client.call("DELETE", ("apps", app, "source"), {}), draw_done(f"{app} has no source any more"))


@source_command.command("trust")
@app_argument
@json_option
@click.pass_obj
def trust_source(session: Session, app: str) -> None:
    """Take the SSH keys that the server of APP shows next: after it got new ones, and they were proved."""
    document = session.client.call("POST", ("apps", app, "source", "trust"), {})
    session.show(document, draw_done("the server's keys are forgotten; the next fetch remembers those it shows"))


def draw_source(document: dict[str, Any]) -> str:
    """One line for each thing that is said."""
    poll = document.get("poll")
    rows = [
        ("source", document.get("url")),
        ("branch", document.get("branch")),
        ("folder", document.get("path")),
        ("compose", " ".join(document.get("compose") or [])),
        ("watch", " ".join(document.get("watch") or [])),
        ("with", " ".join(word for word in ("submodules", "lfs") if document.get(word))),
        ("poll", f"every {format_duration(poll)}" if poll else ""),
        ("access", document.get("auth") if document.get("auth") != "none" else ""),
        ("status", document.get("status")),
        ("seen", str(document.get("seen") or "")[:12]),
        ("problem", document.get("problem")),
        ("server", ", ".join(document.get("host_keys") or [])),
    ]
    lines = [f"{name:<8} {line_of(value)}" for name, value in rows if value]
    if document.get("public_key"):
        lines += ["", "Put this key into the repository's deploy keys, for reading:", line_of(document["public_key"])]
    return "\n".join(lines)


def _absolute(url: str) -> str:
    """A path of this machine, as the control plane can find it."""
    folder = Path(url)
    return str(folder.resolve()) if url and "://" not in url and folder.is_dir() else url


def _token(options: dict[str, Any]) -> str:
    if options["token_stdin"] and options["token_file"]:
        raise Usage("give one of --token-stdin and --token-file")
    if not options["token_stdin"]:
        return _content("--token-file", options["token_file"]).strip()
    token = sys.stdin.read().strip()
    if not token:
        raise Usage("--token-stdin: nothing came on standard input", hint='printf %s "$TOKEN" | windlass source set …')
    return token


def _key(named: str | None) -> str:
    return named if named == GENERATE else _content("--deploy-key", named)


def _content(option: str, name: str | None) -> str:
    if not name:
        return ""
    try:
        return Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Usage(f"{option} {name}: {getattr(error, 'strerror', None) or 'is not a text'}") from None
