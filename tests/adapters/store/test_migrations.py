"""Databases from before: migrated, refused, or left alone."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from windlass.adapters.store.database import REVISION, Database, _engine, _parse, open_database
from windlass.adapters.store.migrate import scripts, upgrade
from windlass.adapters.store.tables import metadata
from windlass.domain.errors import OutOfReach, Refused, Usage


def unopened(file: Path) -> Database:
    return Database(_engine(_parse(f"sqlite:///{file}")))


def schema_of(file: Path) -> dict[str, list[tuple[object, ...]]]:
    connection = sqlite3.connect(file)
    tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    found = {
        f"{pragma} {table}": sorted((row[1:] for row in connection.execute(f"PRAGMA {pragma}({table})")), key=repr)
        for table in tables
        for pragma in ("table_xinfo", "foreign_key_list", "index_list")
    }
    found["counted"] = sorted(connection.execute("SELECT name FROM sqlite_master WHERE sql LIKE '%AUTOINCREMENT%'"))
    found["partial"] = sorted(connection.execute("SELECT sql FROM sqlite_master WHERE name = 'uq_jobs_running'"))
    connection.close()
    return found


def test_the_revisions_lead_to_the_tables_of_a_new_database(tmp_path: Path) -> None:
    open_database(f"sqlite:///{tmp_path}/new.db").close()
    migrated = unopened(tmp_path / "migrated.db")
    with migrated.write() as connection:
        upgrade(connection, REVISION)
    with migrated.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    migrated.close()
    assert schema_of(tmp_path / "migrated.db") == schema_of(tmp_path / "new.db")


def test_the_newest_revision_is_the_one_the_code_knows() -> None:
    assert scripts().get_heads() == [REVISION]


def test_a_newer_database_is_refused_and_not_touched(tmp_path: Path) -> None:
    file = tmp_path / "w.db"
    open_database(f"sqlite:///{file}").close()
    connection = sqlite3.connect(file)
    connection.execute("UPDATE alembic_version SET version_num = '9000'")
    connection.commit()
    connection.close()
    with pytest.raises(Refused) as refused:
        open_database(f"sqlite:///{file}")
    assert refused.value.code == "database_newer"
    assert "9000" in refused.value.message


def test_a_migration_that_fails_leaves_the_database_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "w.db"
    database = unopened(file)
    with database.write() as connection:
        connection.exec_driver_sql("CREATE TABLE consents (other TEXT)")  # in the way of the last tables
    before = schema_of(file)
    with pytest.raises(OutOfReach), database.write() as connection:
        upgrade(connection, REVISION)
    assert schema_of(file) == before
    database.close()


def test_alembic_is_not_loaded_when_nothing_is_due(tmp_path: Path) -> None:
    code = (
        "import sys; from windlass.adapters.store.database import open_database\n"
        "for _ in range(2): open_database(sys.argv[1]).close()\n"
        "sys.exit('alembic' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, f"sqlite:///{tmp_path}/w.db"], check=True)


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("", Usage),
        ("sqlite://", Usage),
        ("mysql://root@localhost/x", Usage),
        ("no url at all", Usage),
        ("sqlite:////no/such/folder/w.db", OutOfReach),
    ],
)
def test_an_unusable_url_is_told(url: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        open_database(url)


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    file = tmp_path / "w.db"
    file.write_text("something else " * 1000)
    with pytest.raises(OutOfReach) as told:
        open_database(f"sqlite:///{file}")
    assert str(file) in told.value.message


def test_the_password_of_a_url_is_not_told() -> None:
    with pytest.raises(OutOfReach) as told:
        open_database("postgresql://me:s3cr3t-word@127.0.0.1:1/x")
    assert "s3cr3t-word" not in repr(told.value.as_dict())
