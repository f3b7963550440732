"""API: users, roles, projects, and one's own account."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from windlass.domain.people import project_name, user_name
from windlass.domain.protection import Protection
from windlass.domain.rights import Permission
from windlass.usecases import accounts, logins, projects
from windlass.web.guard import asker_of
from windlass.web.inputs import App, Document, Pages, Who, World
from windlass.web.needs import for_whom_it_concerns, needs
from windlass.web.routing import guarded_router
from windlass.wire.people import (
    AdminBody,
    CodeBody,
    NewPasswordBody,
    PasswordBody,
    ProjectBody,
    ProtectBody,
    ProtectionBody,
    RoleBody,
    UserBody,
)

router = guarded_router("people")


async def _user(user: str) -> str:
    return user_name(user)


async def _project(project: str) -> str:
    return project_name(project)


UserName = Annotated[str, Depends(_user)]
ProjectName = Annotated[str, Depends(_project)]


# ---- users ----------------------------------------------------------------------------------------------------------


@router.get("/users")
@needs(Permission.USERS_MANAGE)
def users(outside: World, pages: Pages) -> Document:
    """Everybody, and what they are in each project."""
    return pages.told(accounts.users_document(outside, pages.page()))


@router.post("/users", status_code=201)
@needs(Permission.USERS_MANAGE, "user.add", told=("name", "admin"))
def add_user(outside: World, body: UserBody) -> Document:
    """Add a user; without a password the answer holds a one-time link, shown only now."""
    return accounts.add_user(outside, body.name, body.admin, body.password)


@router.post("/users/first", status_code=201)
@needs(Permission.USERS_MANAGE, "user.first_link")
def first_link(outside: World) -> Document:
    """A one-time link that makes the first admin; null when there are users."""
    return accounts.first_link(outside)


@router.delete("/users/{user}")
@needs(Permission.USERS_MANAGE, "user.remove")
def remove_user(user: UserName, outside: World) -> Document:
    """Remove a user, with sessions and tokens."""
    return accounts.remove_user(outside, user)


@router.put("/users/{user}/admin")
@needs(Permission.USERS_MANAGE, "user.admin", told=("admin",))
def set_admin(user: UserName, outside: World, body: AdminBody) -> Document:
    """Make a user an admin of the server, or no longer."""
    return accounts.set_admin(outside, user, body.admin)


@router.post("/users/{user}/link", status_code=201)
@needs(Permission.USERS_MANAGE, "user.link")
def new_link(user: UserName, outside: World) -> Document:
    """A one-time link to set a new password, shown only now."""
    return accounts.new_link(outside, user)


@router.post("/users/{user}/unlock")
@needs(Permission.USERS_MANAGE, "user.unlock")
def unlock(user: UserName, outside: World) -> Document:
    """Forget the failed log-ins of a user who is locked out."""
    logins.unlock(outside, user)
    return {"user": user}


@router.delete("/users/{user}/second-factor")
@needs(Permission.USERS_MANAGE, "user.second_factor.reset")
def reset_second_factor(user: UserName, outside: World) -> Document:
    """Take the second factor away from a user who has lost it."""
    return accounts.reset_totp(outside, user)


# ---- projects -------------------------------------------------------------------------------------------------------


@router.get("/projects")
@needs(Permission.APP_READ)
def list_projects(outside: World, who: Who, pages: Pages) -> Document:
    """The projects in which the caller sees apps."""
    return pages.told(projects.projects_document(outside, who, pages.page()))


@router.post("/projects", status_code=201)
@needs(Permission.PROJECTS_MANAGE, "project.add", told=("name",))
def add_project(outside: World, body: ProjectBody) -> Document:
    """Add a project."""
    return projects.add_project(outside, body.name)


@router.delete("/projects/{project}")
@needs(Permission.PROJECTS_MANAGE, "project.remove")
def remove_project(project: ProjectName, outside: World) -> Document:
    """Remove a project that no app belongs to."""
    return projects.remove_project(outside, project)


@router.put("/projects/{project}/protected")
@needs(Permission.PROJECT_MEMBERS, "project.protect", told=("environments", "approval_s"))
def protect(project: ProjectName, outside: World, body: ProtectBody) -> Document:
    """Name the environments to which only maintainers deploy, with or without a second person's approval."""
    return projects.protect(outside, project, body.environments, body.approval_s)


@router.get("/apps/{app}/protection")
@needs(Permission.APP_READ)
def protection(app: App, outside: World) -> Document:
    """Whether only maintainers deploy to the app, whether a second person approves, and what waits for that."""
    return projects.protection_document(outside, app)


@router.put("/apps/{app}/protection")
@needs(Permission.PROJECT_MEMBERS, "app.protect", told=("protected", "approval_s"))
def protect_app(app: App, outside: World, body: ProtectionBody) -> Document:
    """Protect one app, or no longer; its project may protect its environment all the same."""
    wish = Protection(True, body.approval_s) if body.protected else None
    return projects.protect_app(outside, app, wish)


@router.put("/apps/{app}/project")
@needs(Permission.PROJECTS_MANAGE, "app.move", told=("name",))
def move_app(app: App, outside: World, body: ProjectBody) -> Document:
    """Move an app and its environments to another project."""
    return projects.move_app(outside, app, body.name)


@router.get("/projects/{project}/members")
@needs(Permission.PROJECT_MEMBERS)
def members(project: ProjectName, outside: World, pages: Pages) -> Document:
    """Who is what in the project."""
    return pages.told(accounts.members_document(outside, project, pages.page()))


@router.put("/projects/{project}/members/{user}")
@needs(Permission.PROJECT_MEMBERS, "project.role", told=("role",))
def set_role(project: ProjectName, user: UserName, outside: World, body: RoleBody) -> Document:
    """Give a user a role in the project."""
    return accounts.set_role(outside, project, user, body.role)


@router.delete("/projects/{project}/members/{user}")
@needs(Permission.PROJECT_MEMBERS, "project.role.remove")
def remove_role(project: ProjectName, user: UserName, outside: World) -> Document:
    """Take a user out of the project."""
    return accounts.set_role(outside, project, user, None)


# ---- oneself --------------------------------------------------------------------------------------------------------


@router.get("/me")
@for_whom_it_concerns()
def me(request: Request, outside: World, who: Who) -> Document:
    """Who asks, and what they may."""
    cookie = asker_of(request.scope).cookie
    return accounts.me_document(outside, who, logins.csrf_token(cookie) if cookie else "")


@router.put("/me/password")
@for_whom_it_concerns("me.password")
def change_password(outside: World, who: Who, body: NewPasswordBody) -> Document:
    """Set a new password; all sessions end."""
    return accounts.change_password(outside, who, body.password, body.new)


@router.get("/me/sessions")
@for_whom_it_concerns()
def sessions(request: Request, outside: World, who: Who) -> Document:
    """Where one is logged in."""
    return logins.sessions_document(outside, who, asker_of(request.scope).cookie)


@router.delete("/me/sessions")
@for_whom_it_concerns("me.sessions.end")
def end_sessions(outside: World, who: Who) -> Document:
    """Log out everywhere, here too."""
    return logins.end_sessions(outside, who)


@router.post("/me/second-factor", status_code=201)
@for_whom_it_concerns("me.second_factor.begin")
def begin_second_factor(outside: World, who: Who, body: PasswordBody) -> Document:
    """A secret for an authenticator, shown only now; in force when a code has been confirmed."""
    return accounts.begin_totp(outside, who, body.password)


@router.post("/me/second-factor/confirm")
@for_whom_it_concerns("me.second_factor.confirm")
def confirm_second_factor(outside: World, who: Who, body: CodeBody) -> Document:
    """Ask for a code at every log-in from now on."""
    return accounts.confirm_totp(outside, who, body.code)


@router.post("/me/second-factor/remove")
@for_whom_it_concerns("me.second_factor.remove")
def remove_second_factor(outside: World, who: Who, body: PasswordBody) -> Document:
    """Ask for the password alone again."""
    return accounts.remove_totp(outside, who, body.password)
