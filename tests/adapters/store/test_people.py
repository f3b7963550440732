"""People, projects, tokens, sessions and links: what goes in comes out, and what belongs together goes together."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from windlass.adapters.store.database import Database
from windlass.adapters.store.store import SqlStore
from windlass.domain.errors import Conflict, NotFound
from windlass.domain.people import Link, Membership, Project, SecondFactor, Session, Token, User
from windlass.domain.records import App
from windlass.domain.rights import DEFAULT_PROJECT, Role

ANN = User("ann", 1.0, admin=True, password="scrypt$…")
BOB = User("bob", 2.0)
TOKEN = Token("t1", "ci", "bob", "h" * 64, ("deployer", "audit.read"), 1.0, 9.0, "default", "shop--staging")
SESSION = Session("s" * 64, "bob", 1.0, 9.0, 1.0, "192.0.2.1")


@pytest.fixture
def town(store: SqlStore) -> SqlStore:
    store.users.add_first(ANN)
    store.users.add(BOB)
    return store


def test_users_come_back_as_they_went_in(town: SqlStore) -> None:
    assert town.users.all() == [ANN, BOB]
    assert (town.users.get("bob"), town.users.find("eve"), town.users.count()) == (BOB, None, 2)
    with pytest.raises(Conflict, match="ann"):
        town.users.add(ANN)
    with pytest.raises(NotFound):
        town.users.get("eve")


def test_only_one_is_the_first(store: SqlStore) -> None:
    made: list[str] = []

    def become_first(name: str) -> None:
        try:
            store.users.add_first(User(name, 1.0, admin=True))
            made.append(name)
        except Conflict:
            pass

    threads = [threading.Thread(target=become_first, args=(f"u{n}",)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == store.users.count() == 1


def test_somebody_stays_an_admin(town: SqlStore) -> None:
    for change in (lambda: town.users.set_admin("ann", False), lambda: town.users.remove("ann")):
        with pytest.raises(Conflict) as refused:
            change()
        assert refused.value.code == "last_admin"
    assert town.users.all() == [ANN, BOB]
    town.users.set_admin("bob", True)
    town.users.remove("ann")
    assert [u.name for u in town.users.all()] == ["bob"]


def test_roles_are_given_changed_and_taken(town: SqlStore) -> None:
    town.projects.add(Project("blue", 1.0))
    town.users.set_role("bob", "blue", Role.OWNER)
    town.users.set_role("bob", DEFAULT_PROJECT, Role.VIEWER)
    town.users.set_role("bob", DEFAULT_PROJECT, Role.DEPLOYER)
    assert town.users.roles("bob") == {"blue": Role.OWNER, "default": Role.DEPLOYER}
    assert town.users.members("blue") == [Membership("bob", "blue", Role.OWNER)]
    town.users.set_role("bob", "blue", None)
    assert town.users.roles("bob") == {"default": Role.DEPLOYER}
    for user, project in (("eve", "blue"), ("bob", "green")):
        with pytest.raises(NotFound):
            town.users.set_role(user, project, Role.VIEWER)


def test_whoever_is_removed_leaves_nothing(town: SqlStore) -> None:
    town.users.set_role("bob", DEFAULT_PROJECT, Role.OWNER)
    town.tokens.add(TOKEN)
    town.sessions.add(SESSION)
    town.links.put(Link("l" * 64, "bob", 1.0, 9.0))
    town.users.set_second_factor("bob", SecondFactor(b"secret", 0, True))
    town.users.remove("bob")
    town.users.add(BOB)
    assert town.users.roles("bob") == {}
    assert town.users.second_factor("bob") is None
    assert (town.tokens.all(), town.sessions.by_hash(SESSION.hash), town.links.by_hash("l" * 64)) == ([], None, None)


def test_a_new_password_ends_the_sessions(town: SqlStore) -> None:
    town.sessions.add(SESSION)
    town.users.set_password("bob", "scrypt$new")
    assert town.users.get("bob").password == "scrypt$new"
    assert town.sessions.by_hash(SESSION.hash) is None


def test_a_second_factor_is_sealed_and_each_step_is_used_once(town: SqlStore, database: Database) -> None:
    town.users.set_second_factor("bob", SecondFactor(b"a-secret-of-twenty-b", 4, False))
    assert not town.users.get("bob").has_totp
    town.users.set_second_factor("bob", SecondFactor(b"a-secret-of-twenty-b", 4, True))
    assert town.users.get("bob").has_totp
    assert [town.users.use_step("bob", step) for step in (4, 5, 5, 3, 6)] == [False, True, False, False, True]
    assert town.users.second_factor("bob") == SecondFactor(b"a-secret-of-twenty-b", 6, True)
    with database.read() as connection:
        kept = connection.exec_driver_sql("SELECT * FROM second_factors").all()
    assert b"a-secret" not in repr(kept).encode()


def test_projects_hold_apps_and_their_environments(store: SqlStore) -> None:
    for name in ("shop", "shop--staging", "shopping"):
        store.apps.add(App(name, 1.0))
    assert [p.name for p in store.projects.all()] == ["default"]
    store.projects.add(Project("blue", 2.0, ("production",)))
    store.projects.move("shop--staging", "blue")
    assert {a.name: a.project for a in store.apps.all()} == {
        "shop": "blue",
        "shop--staging": "blue",
        "shopping": "default",
    }
    with pytest.raises(Conflict, match="shop"):
        store.projects.remove("blue")
    store.projects.move("shop", "default")
    store.projects.remove("blue")
    assert [p.name for p in store.projects.all()] == ["default"]


def test_the_default_project_is_there_before_its_row(store: SqlStore) -> None:
    assert store.projects.find("default") == Project("default", 0.0)
    assert store.projects.update("default", protected=("production",)).protected == ("production",)
    assert store.projects.all() == [Project("default", 0.0, ("production",))]
    for call, error in (
        (lambda: store.projects.remove("default"), Conflict),
        (lambda: store.projects.remove("green"), NotFound),
        (lambda: store.projects.update("green"), NotFound),
        (lambda: store.projects.move("shop", "green"), NotFound),
        (lambda: store.projects.move("shop", "default"), NotFound),
        (lambda: store.projects.add(Project("default", 1.0)), Conflict),
    ):
        with pytest.raises(error):
            call()


def test_tokens(store: SqlStore) -> None:
    store.tokens.add(TOKEN)
    assert store.tokens.by_hash(TOKEN.hash) == TOKEN
    assert store.tokens.by_hash("x" * 64) is None
    store.tokens.touch("t1", 5.0)
    assert store.tokens.all() == [replace(TOKEN, used_at=5.0)]
    store.tokens.remove("t1")
    with pytest.raises(NotFound):
        store.tokens.remove("t1")


def test_sessions_end_by_themselves_and_by_hand(town: SqlStore) -> None:
    town.sessions.add(SESSION)
    town.sessions.touch(SESSION.hash, 3.0)
    assert town.sessions.by_hash(SESSION.hash) == replace(SESSION, seen_at=3.0)
    town.sessions.prune(8.9)
    assert town.sessions.by_hash(SESSION.hash) is not None
    town.sessions.prune(9.0)
    assert town.sessions.by_hash(SESSION.hash) is None
    town.sessions.add(SESSION)
    town.sessions.end("x" * 64)
    town.sessions.end_of("bob")
    assert town.sessions.by_hash(SESSION.hash) is None


def test_a_link_is_taken_once(store: SqlStore) -> None:
    store.links.put(Link("a" * 64, "", 1.0, 9.0))
    store.links.put(Link("b" * 64, "", 2.0, 9.0))
    assert store.links.by_hash("a" * 64) is None
    taken: list[Link] = []

    def take() -> None:
        if (link := store.links.take("b" * 64, 3.0)) is not None:
            taken.append(link)

    threads = [threading.Thread(target=take) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert taken == [Link("b" * 64, "", 2.0, 9.0)]
    store.links.put(Link("c" * 64, "bob", 2.0, 9.0))
    assert store.links.take("c" * 64, 9.0) is None


def test_attempts_are_counted_locked_and_forgotten(store: SqlStore) -> None:
    assert [store.attempts.fail("user:ann", 100.0 + n, 60.0) for n in range(3)] == [1, 2, 3]
    assert store.attempts.fail("user:ann", 161.0, 60.0) == 1
    store.attempts.lock("user:ann", 500.0)
    store.attempts.fail("user:bob", 400.0, 60.0)
    found = store.attempts.get("user:ann")
    assert found is not None
    assert found.locked_until == 500.0
    store.attempts.fail("user:bob", 700.0, 60.0)
    assert store.attempts.get("user:ann") is None
    store.attempts.clear("user:bob")
    assert store.attempts.get("user:bob") is None
