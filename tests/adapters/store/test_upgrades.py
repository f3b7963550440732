"""From every revision to the newest, with rows, in SQLite and in PostgreSQL; and from one of these to the other."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select, text
from tests.adapters.store.samples import Rows, fill, found_in
from tests.postgres import empty_database, postgres_server

from windlass.adapters.audithead import HeadFile
from windlass.adapters.store import revisions
from windlass.adapters.store.database import REVISION, Database, open_database, reach_database
from windlass.adapters.store.dump import finish, lines_of, prepare_empty, tables_known, write_lines
from windlass.adapters.store.migrate import scripts, upgrade
from windlass.adapters.store.moving import copy_database
from windlass.adapters.store.store import SqlStore, open_store
from windlass.adapters.store.tables import apps, variables
from windlass.domain.auditchain import AuditEntry
from windlass.domain.errors import Failed, OutOfReach, Refused
from windlass.domain.records import App

pytestmark = pytest.mark.real

REVISIONS = sorted(script.revision for script in scripts().walk_revisions())


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgres_server() as url:
        yield url


@pytest.fixture
def other(server: str) -> Iterator[str]:
    """An empty database of PostgreSQL."""
    with empty_database(server) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path, server: str) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/windlass.db"
        return
    with empty_database(server) as made:
        yield made


def made_at(url: str, revision: str) -> Rows:
    """A database of that revision with a row in each table; closed again."""
    database = reach_database(url)
    with database.write() as connection:
        upgrade(connection, revision)
        rows = fill(connection)
    database.close()
    return rows


def is_kept(before: Rows, after: Rows) -> bool:
    """Every value that was there, in its table and column, or nothing of a column that is no more."""
    return all(
        after[table].get(name, value) == value for table, row in before.items() for name, value in row.items()
    ) and all(after[table] for table in before)


@pytest.mark.parametrize("revision", REVISIONS)
def test_each_revision_becomes_the_newest_with_its_rows(url: str, revision: str) -> None:
    before = made_at(url, revision)
    database = open_database(url)
    with database.read() as connection:
        after = found_in(connection)
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar() == REVISION
    database.close()
    assert is_kept(before, after)


def test_a_file_is_kept_as_it_was_before_the_upgrade(tmp_path: Path) -> None:
    file = tmp_path / "windlass.db"
    before = made_at(f"sqlite:///{file}", REVISIONS[0])
    open_database(f"sqlite:///{file}").close()
    copy = revisions.kept_copy(file)
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    kept = reach_database(f"sqlite:///{copy}")
    with kept.read() as connection:
        assert found_in(connection) == before
        assert revisions.revision_of(connection) == REVISIONS[0]
    kept.close()
    changed_at = copy.stat().st_mtime_ns
    open_database(f"sqlite:///{file}").close()
    assert copy.stat().st_mtime_ns == changed_at
    assert not list(tmp_path.glob("*.new"))


def test_without_room_for_the_copy_nothing_is_migrated(tmp_path: Path) -> None:
    file = tmp_path / "windlass.db"
    made_at(f"sqlite:///{file}", REVISIONS[0])
    revisions.kept_copy(file).mkdir()
    with pytest.raises(OutOfReach) as told:
        open_database(f"sqlite:///{file}")
    assert told.value.code == "database_not_copied"
    with sqlite3.connect(file) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [(REVISIONS[0],)]
    connection.close()


def test_a_newer_one_is_refused_and_not_touched(url: str) -> None:
    made_at(url, REVISION)
    database = reach_database(url)
    with database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9000'"))
        connection.execute(text("DROP TABLE consents"))  # as if the newer one had no such table
    with pytest.raises(Refused) as told:
        open_database(url)
    assert (told.value.code, "start the newer windlass" in told.value.hint) == ("database_newer", True)
    with database.read() as connection:
        assert "consents" not in found_in(connection)
    database.close()
    if database.path is not None:
        assert not revisions.kept_copy(database.path).exists()


# --- from one database to another ------------------------------------------------------------------------------------


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Database]:
    """An SQLite database with a row in each table."""
    made_at(f"sqlite:///{tmp_path}/from.db", REVISION)
    database = reach_database(f"sqlite:///{tmp_path}/from.db")
    yield database
    database.close()


def test_a_copy_has_every_row(kept: Database, other: str, tmp_path: Path) -> None:
    target = reach_database(other)
    told = copy_database(kept, target)
    assert {name: found["rows"] for name, found in told.items()} == {t.name: 1 for t in tables_known()}
    back = reach_database(f"sqlite:///{tmp_path}/back.db")
    assert copy_database(target, back) == told
    with kept.read() as first, back.read() as second:
        assert found_in(first) == found_in(second)
    target.close()
    back.close()
    open_database(other).close()


def test_numbers_go_on_where_they_were(tmp_path: Path, other: str) -> None:
    source = open_store(f"sqlite:///{tmp_path}/windlass.db", tmp_path / "secret.key")
    for n in range(5):
        source.events.add(1.0, f"a{n}", "", "line", {})
    source.apps.add(App("a4", 1.0))
    source.apps.remove("a4")  # takes the newest event away
    target = reach_database(other)
    copy_database(source._database, target)
    moved = open_store(other, tmp_path / "secret.key")
    assert moved.events.add(2.0, "b", "", "line", {}).id == source.events.add(2.0, "b", "", "line", {}).id == 6
    for closed in (source, moved, target):
        closed.close()


def test_sealed_values_open_and_the_audit_log_verifies(tmp_path: Path, other: str) -> None:
    source = open_store(f"sqlite:///{tmp_path}/windlass.db", tmp_path / "secret.key")
    source.apps.add(App("shop", 1.0))
    source.variables.set("shop", {"PASSWORD": "ä $x"}, 1.0)
    source.audit.append(AuditEntry(0, 1.0, "ann", "socket", "env.set", "shop", {"names": ["PASSWORD"]}))
    source.audit.append(AuditEntry(0, 2.0, "ann", "socket", "env.set", "shop", {}))
    target = reach_database(other)
    copy_database(source._database, target)
    target.close()
    source.close()
    moved: SqlStore = open_store(other, tmp_path / "secret.key")
    assert moved.variables.all("shop") == {"PASSWORD": "ä $x"}
    assert moved.audit.check() == (2, [])
    assert moved.audit.append(AuditEntry(0, 3.0, "ann", "socket", "x", "", {})).number == 3
    assert HeadFile(tmp_path / "audit.head").read() is not None
    assert moved.audit.check() == (3, [])
    moved.close()


def test_a_database_that_holds_something_is_refused(kept: Database, other: str) -> None:
    target = open_database(other)  # with our tables, all empty: that will do
    copy_database(kept, target)
    with pytest.raises(Refused) as told:
        copy_database(kept, target)
    assert told.value.code == "database_not_empty"
    with target.read() as connection:
        assert connection.execute(select(apps.c.name)).scalar() is not None
    target.close()


def test_somebody_elses_tables_are_refused(kept: Database, other: str) -> None:
    target = reach_database(other)
    with target.write() as connection:
        connection.execute(text("CREATE TABLE users (id INTEGER)"))
    with pytest.raises(Refused):
        copy_database(kept, target)
    with target.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM users")).scalar() == 0
    target.close()


def test_a_row_that_postgresql_cannot_hold_leaves_nothing(kept: Database, other: str) -> None:
    with kept.write() as connection:
        connection.execute(apps.insert().values(_like_an_app(connection, "nul\0")))
    target = reach_database(other)
    with pytest.raises(Failed) as told:
        copy_database(kept, target)
    assert told.value.code == "row_refused"
    assert "nul" not in told.value.message
    with target.read() as connection:
        assert found_in(connection) == {}
    target.close()


def _like_an_app(connection: object, name: str) -> dict[str, object]:
    row = connection.execute(select(apps)).mappings().first()  # type: ignore[attr-defined]
    return {**row, "name": name}


@pytest.mark.parametrize("revision", [REVISIONS[0], REVISIONS[-2]])
def test_lines_of_an_older_revision_are_taken(url: str, tmp_path: Path, revision: str) -> None:
    """As a backup of an earlier version holds them."""
    before = made_at(f"sqlite:///{tmp_path}/old.db", revision)
    old, new = reach_database(f"sqlite:///{tmp_path}/old.db"), reach_database(url)
    with old.read() as reader, new.write() as writer:
        for table in prepare_empty(writer, revision):
            write_lines(writer, table, lines_of(reader, table))
        finish(writer, revision)
        assert is_kept(before, found_in(writer))
    old.close()
    new.close()
    open_database(url).close()


def test_bytes_stay_bytes(kept: Database) -> None:
    with kept.read() as connection:
        assert b'"sealed":"AP9' in next(iter(lines_of(connection, variables)))
