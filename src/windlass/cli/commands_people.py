"""user, project: who may do what, where."""

from __future__ import annotations

import sys
from typing import Any

import click

from windlass.cli.arguments import app_argument
from windlass.cli.render import draw_done
from windlass.cli.session import Session, json_option
from windlass.cli.text import line_of, moment, table
from windlass.domain.errors import Usage
from windlass.domain.people import project_name, user_name
from windlass.domain.rights import DEFAULT_PROJECT, Role, role_named
from windlass.domain.units import format_duration, parse_duration
from windlass.wire.people import AdminBody, ProjectBody, ProtectBody, RoleBody, UserBody


class _Name(click.ParamType[str]):
    name = "name"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        return user_name(str(value))


class _Project(click.ParamType[str]):
    name = "project"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        return project_name(str(value))


_ROLES = [role.value for role in Role]
_user = click.argument("user", metavar="NAME", type=_Name())
_project = click.argument("project", type=_Project())


# ---- user -----------------------------------------------------------------------------------------------------------


@click.group("user")
def user_command() -> None:
    """People, and what they are in each project."""


@user_command.command("add")
@_user
@click.option("--admin", is_flag=True, help="May everything on this server.")
@click.option("--role", type=click.Choice(_ROLES), help="What the user is in the project.")
@click.option("--project", type=_Project(), default=DEFAULT_PROJECT, show_default=True)
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input; else a link is printed.")
@json_option
@click.pass_obj
def add_user(session: Session, /, user: str, **options: Any) -> None:
    """Add a user; the one-time link that is printed sets the password."""
    password = _password_from_stdin() if options["password_stdin"] else None
    body = UserBody(user, options["admin"], password)
    document = session.client.call("POST", ("users",), body.as_dict())
    if options["role"]:
        path = ("projects", options["project"], "members", user)
        document |= session.client.call("PUT", path, RoleBody(options["role"]).as_dict())
    session.show(_with_url(session, document), _draw_link)


@user_command.command("list")
@json_option
@click.pass_obj
def list_users(session: Session) -> None:
    """Everybody, and what they are in each project."""
    session.show({"items": session.client.items("users")}, _draw_users)


@user_command.command("remove")
@_user
@json_option
@click.pass_obj
def remove_user(session: Session, user: str) -> None:
    """Remove a user; sessions and tokens end at once."""
    session.show(session.client.call("DELETE", ("users", user)), draw_done(f"{user} is removed"))


@user_command.command("role")
@_user
@click.argument("role", type=click.Choice([*_ROLES, "none", "admin", "no-admin"]))
@click.option("--project", type=_Project(), default=DEFAULT_PROJECT, show_default=True)
@json_option
@click.pass_obj
def give_role(session: Session, user: str, role: str, project: str) -> None:
    """Make NAME a viewer, deployer, maintainer or owner of a project; or an admin of the server."""
    if role in ("admin", "no-admin"):
        body = AdminBody(role == "admin").as_dict()
        session.show(session.client.call("PUT", ("users", user, "admin"), body), draw_done(f"{user}: {role}"))
        return
    path = ("projects", project, "members", user)
    if role == "none":
        document = session.client.call("DELETE", path)
    else:
        document = session.client.call("PUT", path, RoleBody(role_named(role).value).as_dict())
    session.show(document, draw_done(f"{user} in {project}: {role}"))


@user_command.command("link")
@_user
@json_option
@click.pass_obj
def new_link(session: Session, user: str) -> None:
    """A one-time link with which NAME sets a new password."""
    document = session.client.call("POST", ("users", user, "link"))
    session.show(_with_url(session, document), _draw_link)


@user_command.command("unlock")
@_user
@json_option
@click.pass_obj
def unlock_user(session: Session, user: str) -> None:
    """Let NAME log in again at once, after too many wrong passwords."""
    session.show(session.client.call("POST", ("users", user, "unlock")), draw_done(f"{user} may log in again"))


@user_command.command("reset-second-factor")
@_user
@json_option
@click.pass_obj
def reset_second_factor(session: Session, user: str) -> None:
    """Take the second factor away from NAME, who has lost it."""
    document = session.client.call("DELETE", ("users", user, "second-factor"))
    session.show(document, draw_done(f"{user} logs in by password alone, until a new second factor is set"))


def _password_from_stdin() -> str:
    try:
        return sys.stdin.buffer.read().decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise Usage("the password is not UTF-8", code="value_invalid") from None


def _with_url(session: Session, document: dict[str, Any]) -> dict[str, Any]:
    """A link is a path: where the API answers, it is a whole address."""
    link = document.get("link")
    if not link:
        return document
    known = session.target.url or str(session.client.get("control").get("admin_url") or "")
    return {**document, "link": known.rstrip("/") + link}


def _draw_link(document: dict[str, Any]) -> str:
    user = line_of(document.get("user", ""))
    if not document.get("link"):
        return f"{user} is added"
    link = line_of(document["link"])
    lines = [f"{user} sets the password at this link, once, within three days:", f"  {link}"]
    if link.startswith("/"):
        lines.append("the API is not served on TCP yet: windlass up --listen HOST:PORT")
    return "\n".join(lines)


def _draw_users(document: dict[str, Any]) -> str:
    rows = [
        (
            i.get("user"),
            "yes" if i.get("admin") else "",
            ", ".join(f"{p}: {r}" for p, r in (i.get("roles") or {}).items()),
            "yes" if i.get("second_factor") else "",
            "" if i.get("has_password") else "not set",
            moment(i.get("created_at")),
        )
        for i in document.get("items") or []
    ]
    if not rows:
        return "there are no users: windlass user add NAME --admin"
    return table(("USER", "ADMIN", "ROLES", "2ND FACTOR", "PASSWORD", "SINCE"), rows)


# ---- project --------------------------------------------------------------------------------------------------------


@click.group("project")
def project_command() -> None:
    """Projects: apps that belong together, and who is what there."""


@project_command.command("list")
@json_option
@click.pass_obj
def list_projects(session: Session) -> None:
    """The projects, their apps, and their protected environments."""
    session.show({"items": session.client.items("projects")}, _draw_projects)


@project_command.command("add")
@_project
@json_option
@click.pass_obj
def add_project(session: Session, project: str) -> None:
    """Add a project."""
    document = session.client.call("POST", ("projects",), ProjectBody(project).as_dict())
    session.show(document, draw_done(f"added {project}"))


@project_command.command("remove")
@_project
@json_option
@click.pass_obj
def remove_project(session: Session, project: str) -> None:
    """Remove a project that no app belongs to."""
    session.show(session.client.call("DELETE", ("projects", project)), draw_done(f"removed {project}"))


@project_command.command("move")
@app_argument
@_project
@json_option
@click.pass_obj
def move_app(session: Session, app: str, project: str) -> None:
    """Move APP and its environments to PROJECT."""
    document = session.client.call("PUT", ("apps", app, "project"), ProjectBody(project).as_dict())
    session.show(document, draw_done(f"{app} belongs to {project}"))


@project_command.command("protect")
@_project
@click.argument("environments", nargs=-1, metavar="[ENVIRONMENT]...")
@click.option("--approval", is_flag=True, help="A second maintainer approves each deployment.")
@click.option("--within", default="24h", show_default=True, metavar="TIME", help="How long it waits for that.")
@json_option
@click.pass_obj
def protect(session: Session, project: str, environments: tuple[str, ...], approval: bool, within: str) -> None:
    """Let only maintainers deploy to these ENVIRONMENTs of PROJECT; with none: to all, whoever may deploy."""
    path = ("projects", project, "protected")
    body = ProtectBody(list(environments), parse_duration(within) if approval else 0.0)
    document = session.client.call("PUT", path, body.as_dict())
    words = f"only maintainers deploy to {', '.join(environments)}" if environments else "nothing is protected"
    if environments and approval:
        words += f", when another one approves within {within}"
    session.show(document, draw_done(f"{project}: {words}"))


@project_command.command("members")
@_project
@json_option
@click.pass_obj
def members(session: Session, project: str) -> None:
    """Who is what in PROJECT."""
    session.show({"items": session.client.items("projects", project, "members")}, _draw_members)


def _draw_members(document: dict[str, Any]) -> str:
    return table(("USER", "ROLE"), [(i.get("user"), i.get("role")) for i in document.get("items") or []])


def _draw_projects(document: dict[str, Any]) -> str:
    rows = [
        (
            i.get("project"),
            ", ".join(i.get("apps") or []),
            ", ".join(i.get("protected") or []),
            f"within {format_duration(i['approval_s'])}" if i.get("approval_s") else "",
        )
        for i in document.get("items") or []
    ]
    return table(("PROJECT", "APPS", "PROTECTED", "APPROVAL"), rows)
