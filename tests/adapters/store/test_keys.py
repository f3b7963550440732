"""The rows that the master key protects, in every kind of database: counted, sealed anew, and never left behind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from windlass.adapters.store.database import Database
from windlass.adapters.store.releases import SqlReleases
from windlass.adapters.store.store import SqlStore
from windlass.adapters.store.tables import variables
from windlass.adapters.store.variables import SqlVariables
from windlass.adapters.vault import Vault
from windlass.domain.errors import Refused
from windlass.domain.records import App, Deployment, Job
from windlass.domain.release import DeploymentStatus

VALUES = {f"N{n}": f"value {n} é" for n in range(7)}


def fill(store: SqlStore) -> None:
    store.apps.add(App("shop", 1.0))
    store.variables.set("shop", VALUES, 1.0)
    store.releases.add("shop", 1.0, "", "")
    store.releases.save_snapshot("shop", 1, b"snapshot")
    deployment = Deployment("d1", "shop", "deploy", DeploymentStatus.QUEUED, 1.0)
    store.deployments.add(deployment, Job("d1", "deployment", "shop", {}, "queued", 1.0, 1.0), b"held")


def test_step_by_step(store: SqlStore) -> None:
    fill(store)
    before = store.keys.use()
    assert (before.older, before.counts[before.current], store.keys.stale()) == ((), 9, [])
    store.keys.add()
    stale = store.keys.stale()
    assert store.keys.is_rotating()
    assert (len(stale), store.keys.drop_unused()) == (9, False)
    assert store.keys.reseal(stale[:4]) == []
    assert store.keys.use().counts == {store.keys.use().current: 4, before.current: 5}
    store.variables.set("shop", {"N6": "anew"}, 2.0)
    store.variables.unset("shop", ["N5"])
    assert store.keys.reseal(stale) == []
    assert (store.keys.stale(), store.keys.drop_unused(), store.keys.is_rotating()) == ([], True, False)
    assert store.variables.all("shop") == {**{n: v for n, v in VALUES.items() if n != "N5"}, "N6": "anew"}
    assert (store.releases.snapshot("shop", 1), store.deployments.held("d1")) == (b"snapshot", b"held")


def test_a_new_start_finds_each_value_at_every_step(store: SqlStore, database: Database, vault: Vault) -> None:
    def whole() -> bool:
        assert vault._file is not None
        again = Vault(vault._file.read())
        found = SqlReleases(database, again).snapshot("shop", 1), SqlVariables(database, again).all("shop")
        return found == (b"snapshot", VALUES)

    fill(store)
    store.keys.add()
    assert whole()
    for place in store.keys.stale():
        store.keys.reseal([place])
        assert whole()
    store.keys.drop_unused()
    assert whole()


def test_values_are_sealed_within_the_transaction_that_stores_them(
    store: SqlStore, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else one could be on its way under a key that is forgotten meanwhile."""
    writing: list[int] = []
    loose: list[str] = []
    write, seal = Database.write, Vault.seal

    @contextmanager
    def watched(self: Database, **options: Any) -> Iterator[Any]:
        with write(self, **options) as connection:
            writing.append(1)
            yield connection
            writing.pop()

    def sealed(self: Vault, plain: bytes, label: str) -> bytes:
        loose.extend([] if writing else [label])
        return seal(self, plain, label)

    monkeypatch.setattr(Database, "write", watched)
    monkeypatch.setattr(Vault, "seal", sealed)
    fill(store)
    store.deployments.hold("d1", b"more")
    store.keys.add()
    store.keys.reseal(store.keys.stale())
    assert loose == []


def test_a_moved_value_is_given_back(store: SqlStore, database: Database, vault: Vault) -> None:
    fill(store)
    foreign = vault.seal(b"x", "variables:other:N0")
    with database.write() as connection:
        connection.execute(variables.update().where(variables.c.name == "N0").values(sealed=foreign))
    store.keys.add()
    left = store.keys.reseal(store.keys.stale())
    assert [p.words for p in left] == ["the variable N0 of shop"]
    assert not store.keys.drop_unused()
    with pytest.raises(Refused):
        store.variables.all("shop")
