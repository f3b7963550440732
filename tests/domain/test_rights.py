"""Roles, scopes and the decision whether a caller has a right."""

import pytest

from windlass.domain.errors import Usage
from windlass.domain.rights import (
    IN_PROJECTS,
    ON_SERVER,
    OWNER,
    PERMISSIONS_OF,
    Caller,
    Limits,
    Permission,
    Role,
    may,
    may_somewhere,
    role_named,
    scope_named,
)

P = Permission
ANN = Caller("ann", "user", roles={"blue": Role.MAINTAINER, "green": Role.VIEWER})
ADMIN = Caller("admin", "user", admin=True)


def confined(caller: Caller, *permissions: Permission, project: str = "", app: str = "") -> Caller:
    limits = Limits(frozenset(permissions), project, app)
    return Caller(caller.name, "token", caller.admin, caller.roles, limits, "t")


def test_each_role_may_all_that_the_one_before_it_may() -> None:
    sets = [PERMISSIONS_OF[role] for role in Role]
    assert all(less < more for less, more in zip(sets, sets[1:], strict=False))
    assert set(Permission) == IN_PROJECTS | ON_SERVER
    assert not IN_PROJECTS & ON_SERVER


CASES = [
    (ANN, P.ENV_WRITE, "blue", "shop", True),
    (ANN, P.ENV_WRITE, "green", "shop", False),
    (ANN, P.APP_READ, "green", "shop", True),
    (ANN, P.APP_READ, "red", "shop", False),
    (ANN, P.APP_READ, "", "", False),
    (ANN, P.APP_CONSENT, "blue", "shop", False),
    (ANN, P.SERVER_READ, "blue", "", False),
    (ADMIN, P.SERVER_MANAGE, "", "", True),
    (ADMIN, P.APP_REMOVE, "anything", "shop", True),
    (OWNER, P.AUDIT_READ, "", "", True),
    (confined(ANN, P.APP_DEPLOY), P.APP_DEPLOY, "blue", "shop", True),
    (confined(ANN, P.APP_DEPLOY), P.APP_DEPLOY, "green", "shop", False),
    (confined(ANN, P.APP_DEPLOY), P.APP_READ, "blue", "shop", False),
    (confined(ANN, P.APP_CONSENT), P.APP_CONSENT, "blue", "shop", False),
    (confined(ANN, P.APP_DEPLOY, app="shop"), P.APP_DEPLOY, "blue", "shop", True),
    (confined(ANN, P.APP_DEPLOY, app="shop"), P.APP_DEPLOY, "blue", "shop--staging", False),
    (confined(ADMIN, P.APP_DEPLOY, project="blue"), P.APP_DEPLOY, "blue", "shop", True),
    (confined(ADMIN, P.APP_DEPLOY, project="blue"), P.APP_DEPLOY, "green", "shop", False),
    (confined(ADMIN, P.AUDIT_READ), P.AUDIT_READ, "", "", True),
    (confined(ADMIN, P.AUDIT_READ), P.SERVER_READ, "", "", False),
    (confined(ADMIN, P.AUDIT_READ, app="shop"), P.AUDIT_READ, "", "", False),
    (confined(ADMIN, P.AUDIT_READ, project="blue"), P.AUDIT_READ, "blue", "", False),
    (confined(ANN, *Permission), P.SERVER_READ, "", "", False),
]


@pytest.mark.parametrize(("caller", "permission", "project", "app", "expected"), CASES)
def test_may(caller: Caller, permission: Permission, project: str, app: str, expected: bool) -> None:  # noqa: PLR0913
    assert may(caller, permission, project, app) is expected


@pytest.mark.parametrize(
    ("caller", "permission", "expected"),
    [
        (ANN, P.APP_READ, True),
        (ANN, P.APP_CONSENT, False),
        (Caller("x", "user"), P.APP_READ, False),
        (confined(ANN, P.APP_READ), P.APP_READ, True),
        (confined(ANN, P.APP_READ), P.APP_DEPLOY, False),
        (confined(ADMIN, P.APP_READ, app="shop"), P.APP_READ, True),
    ],
)
def test_may_somewhere(caller: Caller, permission: Permission, expected: bool) -> None:
    assert may_somewhere(caller, permission) is expected


def test_only_who_is_not_confined_is_unlimited() -> None:
    unlimited = [c.is_unlimited for c in (OWNER, ADMIN, ANN, confined(ADMIN, *Permission))]
    assert unlimited == [True, True, False, False]


def test_words_of_scopes_and_roles() -> None:
    assert scope_named("all") == set(Permission)
    assert scope_named("deployer") == PERMISSIONS_OF[Role.DEPLOYER]
    assert scope_named("env.write") == {P.ENV_WRITE}
    assert role_named("owner") is Role.OWNER
    for name in (scope_named, role_named):
        with pytest.raises(Usage):
            name("root")
