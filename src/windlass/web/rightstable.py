"""The table of all routes and roles, in words for docs/rights.md: `python -m windlass.web.rightstable` prints it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fastapi import APIRouter

from windlass.domain.rights import DEFAULT_PROJECT, OWNER, PERMISSIONS_OF, Caller, Permission, Role, may
from windlass.web.needs import Need
from windlass.web.routing import routes_of

STRANGER = "no token"
ADMIN = "admin"
COLUMNS = (STRANGER, *(role.value for role in Role), ADMIN)

_HEAD = """# Who may do what

Made from the code by `python -m windlass.web.rightstable`; a test says when it differs, and asks every route as every
role. A route that does not say what it needs cannot be registered.

A role is given in a project, and counts for the apps of that project; each role may all that the one before it may. An
admin may everything, and so may whoever can open the unix socket (its owner, `root`). A token is its user with a scope:
it never may more than its user may at that moment. "No token" is somebody whom windlass does not know: such a request
ends with 401 before its path or body is looked at, a known caller without the right with 403.

`app.deploy.protected` is asked for beside `app.deploy` where the app or its environment is protected
(`windlass protect`, `windlass project protect`), `app.deploy.unapproved` for a rollback `--without-approval`, and
`env.write` where values are sent with a deployment.
"""


def callers() -> dict[str, Caller | None]:
    """One caller of each column."""
    roles = {role.value: Caller(role.value, "user", roles={DEFAULT_PROJECT: role}) for role in Role}
    return {STRANGER: None, **roles, ADMIN: OWNER}


def lets_in(need: Need, caller: Caller | None) -> bool:
    """Whether the route is for this caller, on something of the default project."""
    if need.open:
        return True
    return caller is not None and (need.permission is None or may(caller, need.permission, DEFAULT_PROJECT))


def rights_document(routers: Iterable[tuple[str, APIRouter]]) -> str:
    """The document as Markdown."""
    parts = [_HEAD, "## Rights of the roles\n", *_permissions(), "\n## Routes\n", *_routes(routers)]
    return "\n".join(parts) + "\n"


def _permissions() -> Iterator[str]:
    names = [role.value for role in Role]
    yield from _head("Right", [*names, ADMIN])
    for permission in Permission:
        marks = [_mark(permission in PERMISSIONS_OF[role]) for role in Role]
        yield _row(f"`{permission}`", [*marks, _mark(True)])


def _routes(routers: Iterable[tuple[str, APIRouter]]) -> Iterator[str]:
    yield from _head("Route", ["right", *COLUMNS])
    for prefix, router in routers:
        for route in routes_of(router):
            need = route.need
            right = need.permission or ("open: " + need.open if need.open else "whoever is known; one's own")
            more = "".join(f"; with `{flag}` also `{extra}`" for flag, extra in need.also.items())
            more += "; on this machine's loopback open" if need.local else ""
            shown = f"`{right}`{more}" if need.permission else right
            marks = [_mark(lets_in(need, caller)) for caller in callers().values()]
            yield _row(f"`{' '.join(sorted(route.methods or ()))} {prefix}{route.path}`", [shown, *marks])


def _head(first: str, names: list[str]) -> Iterator[str]:
    yield _row(first, names)
    yield _row("---", [":---" if name == "right" else ":---:" for name in names])


def _row(first: str, cells: list[str]) -> str:
    return "| " + " | ".join([first, *cells]) + " |"


def _mark(yes: bool) -> str:
    return "yes" if yes else "–"


if __name__ == "__main__":
    from windlass.web.server import ROUTERS

    print(rights_document(ROUTERS), end="")
