"""Many threads and processes at one database, and what is said when it is gone."""

from __future__ import annotations

import multiprocessing
import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from windlass.adapters.store.database import Database, open_database
from windlass.adapters.store.store import SqlStore, open_store
from windlass.domain.errors import OutOfReach
from windlass.domain.records import App, Job

ROUNDS = 100


def count_up(database: Database, rounds: int) -> None:
    for _ in range(rounds):
        with database.write() as connection:
            found = connection.execute(text("SELECT live FROM apps WHERE name = 'shop'")).scalar_one()
            connection.execute(text("UPDATE apps SET live = :n WHERE name = 'shop'"), {"n": found + 1})


def count_up_in_a_process(url: str) -> None:
    database = open_database(url)
    count_up(database, ROUNDS)
    database.close()


def in_threads(number: int, work: Callable[[], None]) -> None:
    errors: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001
            errors.append(error)

    threads = [threading.Thread(target=run) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_no_write_of_many_threads_is_lost_or_refused(store: SqlStore, database: Database) -> None:
    store.apps.add(App("shop", 1.0, live=0))
    in_threads(3, lambda: count_up(database, ROUNDS))
    assert store.apps.get("shop").live == 3 * ROUNDS


def test_no_write_of_many_processes_is_lost_or_refused(store: SqlStore, url: str) -> None:
    store.apps.add(App("shop", 1.0, live=0))
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=count_up_in_a_process, args=(url,)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    assert store.apps.get("shop").live == 2 * ROUNDS


def test_each_job_is_claimed_once_by_many_threads(store: SqlStore) -> None:
    for n in range(40):
        store.jobs.enqueue(Job(f"j{n}", "test", f"lock{n}", {}, "queued", 1.0, 1.0))
    claimed: list[str] = []

    def claim_all() -> None:
        while (job := store.jobs.claim(f"owner:{threading.get_ident()}", 2.0, 100.0)) is not None:
            claimed.append(job.id)

    in_threads(4, claim_all)
    assert sorted(claimed) == sorted(f"j{n}" for n in range(40))


def test_readers_are_not_kept_waiting_by_a_writer(store: SqlStore, database: Database) -> None:
    store.apps.add(App("shop", 1.0))
    with database.write() as connection:
        connection.execute(text("UPDATE apps SET live = 7"))
        assert store.apps.get("shop").live is None


def test_an_error_takes_back_the_whole_transaction(store: SqlStore, database: Database) -> None:
    store.apps.add(App("shop", 1.0, live=1))

    def write_in_part() -> None:
        with database.write() as connection:
            connection.execute(text("UPDATE apps SET live = 7"))
            raise KeyError

    with pytest.raises(KeyError):
        write_in_part()
    assert store.apps.get("shop").live == 1


def test_the_settings_that_keep_data_safe_are_on(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path}/w.db")
    asked = ("journal_mode", "foreign_keys", "synchronous", "busy_timeout")
    with database.write() as connection:
        found = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in asked]
    assert found == ["wal", 1, 2, 10_000]
    with database.write(durable=False) as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 1
    with database.write() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
    database.close()


def test_nobody_else_may_read_its_files(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        store = open_store(f"sqlite:///{tmp_path}/w.db", tmp_path / "master.key")
        store.apps.add(App("shop", 1.0))
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
        store.close()
    finally:
        os.umask(before)
    assert modes == dict.fromkeys(("w.db", "w.db-wal", "w.db-shm", "master.key"), 0o600)


def test_a_database_that_is_gone_is_not_ready(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/w.db", tmp_path / "master.key")
    assert store.ready()
    (tmp_path / "w.db").rename(tmp_path / "elsewhere.db")
    assert not store.ready()
    (tmp_path / "elsewhere.db").rename(tmp_path / "w.db")
    assert store.ready()
    store.close()


def test_a_full_disk_is_told_with_what_still_works(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/w.db", tmp_path / "master.key")
    with store._database.write() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(OutOfReach) as told:
        store.apps.add(App("shop" * 100_000, 1.0))
    assert "full" in told.value.message
    assert "apps that run go on running" in told.value.message
    assert "shopshop" not in told.value.message
    assert store.apps.all() == []
    store.close()


def test_waiting_for_an_event_ends_when_it_comes(store: SqlStore) -> None:
    last = store.events.last()
    assert not store.events.wait(last, 0.01)
    writer = threading.Timer(0.05, lambda: store.events.add(1.0, "a", "", "note", {}))
    writer.start()
    assert store.events.wait(last, 60.0)
    assert store.events.wait(last, 60.0), "one that came before"
    writer.join()


def test_waiting_for_work_misses_nothing(store: SqlStore) -> None:
    seen = store.jobs.changes()
    assert not store.jobs.wait(seen, 0.01)
    store.jobs.enqueue(Job("j", "test", "a", {}, "queued", 1.0, 1.0))
    assert store.jobs.wait(seen, 60.0)
    seen = store.jobs.changes()
    store.jobs.request_cancel("j")
    assert store.jobs.wait(seen, 60.0)


def test_a_job_for_at_once_does_not_wait_for_a_clock_that_was_set_back(store: SqlStore) -> None:
    store.jobs.enqueue(Job("j", "test", "a", {}, "queued", 5000.0, 5000.0))
    store.jobs.enqueue(Job("later", "test", "b", {}, "queued", 100.0, 200.0))
    claimed = store.jobs.claim("o", 100.0, 15.0)
    assert claimed is not None
    assert claimed.id == "j"
    assert store.jobs.claim("o", 100.0, 15.0) is None
