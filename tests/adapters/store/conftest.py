"""An empty store for each test, in SQLite and in PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.postgres import empty_database

from windlass.adapters.store.database import Database, open_database
from windlass.adapters.store.store import SqlStore
from windlass.adapters.store.tables import metadata
from windlass.adapters.vault import Vault, open_vault


@pytest.fixture(scope="session")
def postgres_database(postgres: str) -> Iterator[str]:
    with empty_database(postgres) as url:
        yield url


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.real)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/windlass.db"
    found: str = request.getfixturevalue("postgres_database")
    return found


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    opened = open_database(url)
    with opened.write() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(table.delete())
    yield opened
    opened.close()


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return open_vault(tmp_path / "master.key")


@pytest.fixture
def store(database: Database, vault: Vault, tmp_path: Path) -> SqlStore:
    return SqlStore(database, vault, tmp_path / "audit.head")
