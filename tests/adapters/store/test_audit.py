"""The audit log: every way to tamper with it shows, and a crash between row and head does not look like one."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from windlass.adapters.audithead import HeadFile
from windlass.adapters.store.audit import SqlAudit
from windlass.adapters.store.database import Database
from windlass.adapters.store.store import SqlStore, open_store
from windlass.adapters.vault import Vault
from windlass.domain.auditchain import AuditEntry
from windlass.domain.errors import OutOfReach

ROWS = 8


def entry(n: int = 0) -> AuditEntry:
    return AuditEntry(0, 1000.0 + n, "ann", "192.0.2.1", "env.set", "shop", {"values": [f"N{n}", 'é\n"'], "n": n})


@pytest.fixture
def head(tmp_path: Path) -> Path:
    return tmp_path / "audit.head"


@pytest.fixture
def written(store: SqlStore) -> SqlStore:
    for n in range(ROWS):
        store.audit.append(entry(n))
    return store


def codes(store: SqlStore) -> list[str]:
    return [problem.code for problem in store.audit.check()[1]]


def test_what_is_written_is_read_and_whole(written: SqlStore, head: Path) -> None:
    assert [e.number for e in written.audit.entries()] == list(range(ROWS, 0, -1))
    newest = written.audit.entries(limit=1)[0]
    assert (newest.actor, newest.action, newest.data) == ("ann", "env.set", entry(ROWS - 1).data)
    assert [e.number for e in written.audit.entries(before=4, limit=2)] == [3, 2]
    assert written.audit.entries(app="other") == []
    assert written.audit.check() == (ROWS, [])
    assert stat.S_IMODE(head.stat().st_mode) == 0o600


def test_an_empty_log_is_whole(store: SqlStore) -> None:
    assert store.audit.check() == (0, [])


TAMPERINGS = [
    pytest.param(["UPDATE audit SET actor = 'eve' WHERE number = 4"], ["audit_changed"], id="who"),
    pytest.param(["UPDATE audit SET at = at + 1 WHERE number = 1"], ["audit_changed"], id="when"),
    pytest.param(["UPDATE audit SET data = '{}' WHERE number = 8"], ["audit_changed"], id="what, the newest"),
    pytest.param(["UPDATE audit SET data = 'no json' WHERE number = 2"], ["audit_changed"], id="broken"),
    pytest.param(["UPDATE audit SET app = 'x', source = '' WHERE number = 2"], ["audit_changed"], id="where"),
    pytest.param(["DELETE FROM audit WHERE number = 3"], ["audit_removed"], id="one removed"),
    pytest.param(["DELETE FROM audit WHERE number < 3"], ["audit_removed"], id="beginning removed"),
    pytest.param(["DELETE FROM audit WHERE number > 7"], ["audit_cut"], id="newest cut"),
    pytest.param(["DELETE FROM audit WHERE number > 2"], ["audit_cut"], id="tail cut"),
    pytest.param(["DELETE FROM audit"], ["audit_cut"], id="all removed"),
    pytest.param(["DELETE FROM audit", "DELETE FROM keyring"], ["audit_cut"], id="all removed, with the key"),
    pytest.param(
        [
            "DELETE FROM audit WHERE number = 3",
            "UPDATE audit SET number = 3 WHERE number = 4",
            "UPDATE audit SET number = 4 WHERE number = 8",
        ],
        ["audit_changed", "audit_changed", "audit_changed", "audit_cut"],
        id="removed and numbered anew",
    ),
    pytest.param(
        [
            "UPDATE audit SET number = 99 WHERE number = 3",
            "UPDATE audit SET number = 3 WHERE number = 4",
            "UPDATE audit SET number = 4 WHERE number = 99",
        ],
        ["audit_changed", "audit_changed", "audit_changed"],
        id="two exchanged",
    ),
    pytest.param(
        ["INSERT INTO audit SELECT 9, at, actor, source, action, app, data, mac FROM audit WHERE number = 8"],
        ["audit_changed"],
        id="one put in",
    ),
]


@pytest.mark.parametrize(("statements", "expected"), TAMPERINGS)
def test_tampering_shows(written: SqlStore, database: Database, statements: list[str], expected: list[str]) -> None:
    with database.write() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    assert codes(written) == expected
    for n in range(3):
        written.audit.append(entry(n))
    assert codes(written), "what is written later does not heal it"


def test_a_rewrite_with_another_key_shows(written: SqlStore, database: Database, tmp_path: Path) -> None:
    """Somebody has the database and the program, but neither master key nor head: all of it is made anew."""
    with database.write() as connection:
        connection.exec_driver_sql("DELETE FROM audit")
        connection.exec_driver_sql("DELETE FROM keyring")
    forger = SqlAudit(database, Vault([bytes(range(32))]), HeadFile(tmp_path / "elsewhere"))
    for n in range(ROWS):
        forger.append(entry(n + 100))
    assert forger.check() == (ROWS, [])
    with database.write() as connection:
        connection.exec_driver_sql("DELETE FROM keyring")
    assert "audit_changed" in codes(written)


HEADS: list[tuple[Callable[[Path], object], str]] = [
    (lambda head: head.unlink(), "audit_head_lost"),
    (lambda head: head.write_text(""), "audit_head_lost"),
    (lambda head: head.write_text(head.read_text().replace('"number": 8', '"number": 5')), "audit_head_lost"),
]


@pytest.mark.parametrize(("change", "code"), HEADS)
def test_a_head_that_is_not_ours_shows(
    written: SqlStore, head: Path, change: Callable[[Path], object], code: str
) -> None:
    change(head)
    assert codes(written) == [code]
    written.audit.append(entry())
    assert codes(written) == ["audit_changed"]


def test_an_old_head_shows_that_it_is_old(written: SqlStore, head: Path) -> None:
    old = head.read_text()
    written.audit.append(entry())
    kept = head.read_text()
    head.write_text(old)
    assert codes(written) == [], "one ahead is what a crash leaves"
    head.write_text(kept)
    written.audit.append(entry())
    head.write_text(old)
    assert codes(written) == ["audit_head_behind"]


def test_a_head_that_cannot_be_written_refuses_the_change(
    written: SqlStore, head: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", full)
        with pytest.raises(OutOfReach) as told:
            written.audit.append(entry())
    assert told.value.code == "audit_unwritable"
    assert codes(written) == []
    written.audit.append(entry())
    assert written.audit.check() == (ROWS + 2, [])


def test_the_key_is_sealed_and_survives_a_rotation(tmp_path: Path) -> None:
    place = (f"sqlite:///{tmp_path}/w.db", tmp_path / "secret.key")
    store = open_store(*place)
    store.audit.append(entry())
    store.keys.add()
    assert store.keys.reseal(store.keys.stale()) == []
    assert store.keys.drop_unused()
    store.audit.append(entry())
    store.close()
    again = open_store(*place)
    again.audit.append(entry())
    assert again.audit.check() == (3, [])
    again.close()


def test_many_threads_make_one_chain(store: SqlStore) -> None:
    threads = [
        threading.Thread(target=lambda: [store.audit.append(entry(n)) for n in range(10)], daemon=True)
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.audit.check() == (40, [])


WRITER = """
import sys
from pathlib import Path
from windlass.adapters.store.store import open_store
from windlass.domain.auditchain import AuditEntry
home = Path(sys.argv[1])
store = open_store(f"sqlite:///{home}/w.db", home / "secret.key")
while True:
    written = store.audit.append(AuditEntry(0, 1.0, "ann", "socket", "env.set", "shop", {}))
    print(written.number, flush=True)
"""


@pytest.mark.parametrize("delay_s", [0.0, 0.005, 0.011, 0.017, 0.023, 0.031])
def test_killed_between_row_and_head(tmp_path: Path, delay_s: float) -> None:
    """Nothing that was told to be written is missing, and the log is whole."""
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    told = [int(writer.stdout.readline()) for _ in range(3)]
    time.sleep(delay_s)
    writer.send_signal(signal.SIGKILL)
    told += [int(line) for line in writer.stdout.read().splitlines()]
    writer.wait()
    writer.stdout.close()
    store = open_store(f"sqlite:///{tmp_path}/w.db", tmp_path / "secret.key")
    number, problems = store.audit.check()
    assert problems == []
    assert told[-1] <= number <= told[-1] + 1
    head = json.loads((tmp_path / "audit.head").read_text())["number"]
    assert number - 1 <= head <= number
    store.audit.append(entry())
    assert store.audit.check() == (number + 1, [])
    store.close()
