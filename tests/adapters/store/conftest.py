"""An empty store for each test: in SQLite, and in the PostgreSQL of WINDLASS_TEST_DATABASE_URL when that is set."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from windlass.adapters.store.database import Database, open_database
from windlass.adapters.store.store import SqlStore
from windlass.adapters.store.tables import metadata
from windlass.adapters.vault import Vault, open_vault

OTHER_DATABASE = os.environ.get("WINDLASS_TEST_DATABASE_URL", "")


@pytest.fixture(params=["sqlite", *(["postgresql"] if OTHER_DATABASE else [])])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return OTHER_DATABASE if request.param == "postgresql" else f"sqlite:///{tmp_path}/windlass.db"


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
