"""Sources and their secrets: kept, replaced, gone with the app; what a webhook brought is known once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from windlass.adapters.store.database import Database
from windlass.adapters.store.store import SqlStore
from windlass.domain.errors import NotFound
from windlass.domain.records import App
from windlass.domain.sources import HOOK, KEY, TOKEN, Auth, Source, SourceKind, StatusHost

PLAIN = Source("shop", SourceKind.GIT, "https://git.example.com/shop.git", 1.0, "main")
FULL = Source(
    "shop",
    SourceKind.GIT,
    "git@git.example.com:shop.git",
    2.5,
    "develop",
    path="deploy",
    compose=("a.yaml", "b.yaml"),
    watch=("backend/**", "!*.md"),
    submodules=True,
    lfs=True,
    poll_s=60.0,
    auth=Auth.KEY,
    user="ann",
    public_key="ssh-ed25519 AAAA",
    host_keys="git.example.com ssh-ed25519 BBBB\n",
    status=StatusHost.GITLAB,
    seen="a" * 40,
    problem="no route",
)


@pytest.fixture
def shop(store: SqlStore) -> SqlStore:
    for name in ("shop", "shop--staging"):
        store.apps.add(App(name, 1.0))
    return store


def test_they_come_back_as_they_went_in(shop: SqlStore) -> None:
    staging = replace(PLAIN, app="shop--staging", branch="develop")
    for source in (PLAIN, staging, FULL):
        shop.sources.set(source, {})
    assert shop.sources.all() == [FULL, staging]
    assert shop.sources.find("shop") == FULL
    assert shop.sources.find("else") is None


def test_an_update_changes_what_it_names(shop: SqlStore) -> None:
    shop.sources.set(FULL, {})
    assert shop.sources.update("shop", seen="b", problem="") == replace(FULL, seen="b", problem="")
    assert shop.sources.find("shop") == replace(FULL, seen="b", problem="")
    assert shop.sources.update("else", seen="b") is None


def test_secrets_stay_until_they_are_replaced_or_gone(shop: SqlStore, database: Database) -> None:
    shop.sources.set(PLAIN, {TOKEN: "t0p-secret", KEY: "key"})
    shop.sources.set(PLAIN, {})
    assert shop.sources.secrets("shop") == {KEY: "key", TOKEN: "t0p-secret"}
    shop.sources.set(PLAIN, {TOKEN: "other"}, gone=(KEY,))
    assert shop.sources.secrets("shop") == {TOKEN: "other"}
    assert shop.sources.secrets("shop--staging") == {}


def test_a_hook_s_secret_is_made_once_and_outlives_the_source(shop: SqlStore) -> None:
    assert shop.sources.keep_secret("shop", HOOK, "first") == "first"
    assert shop.sources.keep_secret("shop", HOOK, "second") == "first"
    assert shop.sources.keep_secret("shop", HOOK, "third", renew=True) == "third"
    shop.sources.set(PLAIN, {TOKEN: "t"})
    shop.sources.remove("shop")
    assert (shop.sources.find("shop"), shop.sources.secrets("shop")) == (None, {HOOK: "third"})


def test_there_is_no_source_without_an_app(store: SqlStore) -> None:
    with pytest.raises(NotFound):
        store.sources.set(PLAIN, {})
    with pytest.raises(NotFound):
        store.sources.keep_secret("shop", HOOK, "x")


def test_what_was_brought_is_known_and_forgotten_in_time(shop: SqlStore) -> None:
    shop.sources.mark("shop", ("a", "b"), 10.0, 0.0)
    assert [shop.sources.is_marked("shop", marks) for marks in (("a",), ("c", "b"), ("c",), ())] == [
        True, True, False, False,
    ]  # fmt: skip
    assert not shop.sources.is_marked("shop--staging", ("a",))
    shop.sources.mark("shop", ("b", "c"), 12.0, 0.0)
    shop.sources.mark("shop", (), 20.0, 12.0)
    assert [shop.sources.is_marked("shop", (mark,)) for mark in "abc"] == [False, True, True]


def test_all_goes_with_the_app(shop: SqlStore) -> None:
    shop.sources.set(FULL, {KEY: "key"})
    shop.sources.keep_secret("shop", HOOK, "x")
    shop.sources.mark("shop", ("a",), 1.0, 0.0)
    shop.apps.remove("shop")
    shop.apps.add(App("shop", 2.0))
    assert (shop.sources.find("shop"), shop.sources.secrets("shop")) == (None, {})
    assert not shop.sources.is_marked("shop", ("a",))


def test_no_secret_lies_in_the_database_in_clear(shop: SqlStore, database: Database) -> None:
    shop.sources.set(PLAIN, {TOKEN: "t0p-secret"})
    if database.path is not None:
        files = [p for p in database.path.parent.iterdir() if p.name.startswith(database.path.name)]
        assert not [p for p in files if b"t0p-secret" in p.read_bytes()]
