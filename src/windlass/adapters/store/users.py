"""Users, what they are in each project, and their second factors."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from windlass.adapters.store.database import Database
from windlass.adapters.store.projects import ensure_default, no_such_project
from windlass.adapters.store.rows import to_record
from windlass.adapters.store.sealed import second_factor_label
from windlass.adapters.store.tables import links, memberships, projects, second_factors, sessions, tokens, users
from windlass.adapters.vault import Vault
from windlass.domain.errors import Conflict, NotFound
from windlass.domain.people import Membership, SecondFactor, User
from windlass.domain.rights import Role


class SqlUsers:
    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    def add(self, user: User) -> None:
        try:
            with self._database.write() as connection:
                connection.execute(insert(users).values(_columns(user)))
        except IntegrityError as error:
            words = f"a user named {user.name} exists already"
            raise Conflict(words, code="user_exists", hint="windlass user list") from error

    def add_first(self, user: User) -> None:
        with self._database.write() as connection:
            if connection.execute(select(func.count()).select_from(users)).scalar():
                raise Conflict("there are users already", code="user_exists", hint="an admin adds others")
            connection.execute(insert(users).values(_columns(user)))

    def get(self, name: str) -> User:
        found = self.find(name)
        if found is None:
            raise no_such_user(name)
        return found

    def find(self, name: str) -> User | None:
        with self._database.read() as connection:
            row = connection.execute(_users().where(users.c.name == name)).first()
        return None if row is None else _from_row(row)

    def all(self) -> list[User]:
        with self._database.read() as connection:
            return [_from_row(row) for row in connection.execute(_users().order_by(users.c.name))]

    def count(self) -> int:
        with self._database.read() as connection:
            return connection.execute(select(func.count()).select_from(users)).scalar() or 0

    def set_password(self, name: str, password: str) -> None:
        with self._database.write() as connection:
            if not connection.execute(update(users).where(users.c.name == name).values(password=password)).rowcount:
                raise no_such_user(name)
            connection.execute(delete(sessions).where(sessions.c.user == name))

    def set_admin(self, name: str, admin: bool) -> None:
        with self._database.write() as connection:
            _check_there(connection, name)
            connection.execute(update(users).where(users.c.name == name).values(admin=admin))
            _check_admin_left(connection)

    def remove(self, name: str) -> None:
        with self._database.write() as connection:
            was_admin = connection.execute(select(users.c.admin).where(users.c.name == name)).scalar()
            if was_admin is None:
                raise no_such_user(name)
            connection.execute(delete(tokens).where(tokens.c.user == name))
            connection.execute(delete(links).where(links.c.user == name))
            connection.execute(delete(users).where(users.c.name == name))
            if was_admin:
                _check_admin_left(connection)

    # --- roles ---

    def roles(self, name: str) -> dict[str, Role]:
        query = select(memberships).where(memberships.c.user == name).order_by(memberships.c.project)
        with self._database.read() as connection:
            return {row.project: Role(row.role) for row in connection.execute(query)}

    def members(self, project: str) -> list[Membership]:
        query = select(memberships).where(memberships.c.project == project).order_by(memberships.c.user)
        with self._database.read() as connection:
            return [Membership(row.user, row.project, Role(row.role)) for row in connection.execute(query)]

    def set_role(self, name: str, project: str, role: Role | None) -> None:
        with self._database.write() as connection:
            ensure_default(connection)
            _check_there(connection, name)
            if connection.execute(select(projects.c.name).where(projects.c.name == project)).scalar() is None:
                raise no_such_project(project)
            own = (memberships.c.user == name) & (memberships.c.project == project)
            connection.execute(delete(memberships).where(own))
            if role is not None:
                connection.execute(insert(memberships).values(user=name, project=project, role=role.value))

    # --- second factor ---

    def second_factor(self, name: str) -> SecondFactor | None:
        with self._database.read() as connection:
            row = connection.execute(select(second_factors).where(second_factors.c.user == name)).first()
        if row is None:
            return None
        return SecondFactor(self._vault.open(row.sealed, second_factor_label(name)), row.step, row.confirmed)

    def set_second_factor(self, name: str, factor: SecondFactor | None) -> None:
        with self._database.write() as connection:
            _check_there(connection, name)
            connection.execute(delete(second_factors).where(second_factors.c.user == name))
            if factor is not None:
                sealed = self._vault.seal(factor.secret, second_factor_label(name))
                row = {"user": name, "sealed": sealed, "step": factor.step, "confirmed": factor.confirmed}
                connection.execute(insert(second_factors).values(row))

    def use_step(self, name: str, step: int) -> bool:
        is_new = (second_factors.c.user == name) & (second_factors.c.step < step)
        with self._database.write() as connection:
            return bool(connection.execute(update(second_factors).where(is_new).values(step=step)).rowcount)


def no_such_user(name: str) -> NotFound:
    return NotFound(f"there is no user named {name}", code="user_not_found", hint="windlass user list")


def _users() -> Any:
    confirmed = second_factors.c.confirmed.label("confirmed")
    return select(users, confirmed).outerjoin(second_factors, second_factors.c.user == users.c.name)


def _from_row(row: Row[Any]) -> User:
    return to_record(User, row, has_totp=bool(row.confirmed))


def _columns(user: User) -> dict[str, Any]:
    return {"name": user.name, "created_at": user.created_at, "admin": user.admin, "password": user.password}


def _check_there(connection: Connection, name: str) -> None:
    if connection.execute(select(users.c.name).where(users.c.name == name)).scalar() is None:
        raise no_such_user(name)


def _check_admin_left(connection: Connection) -> None:
    """The write is taken back by the error."""
    if not connection.execute(select(func.count()).select_from(users).where(users.c.admin)).scalar():
        raise Conflict("nobody would be an admin any more", code="last_admin", hint="make somebody else an admin first")
