"""The rotation of the master key, cut off at every write and while others write: no value is ever lost."""

from __future__ import annotations

import base64
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import event, insert, select, update
from tests.usecases.worlds import World, make_world

from windlass.adapters import keyfile
from windlass.adapters.store.sealed import SEALED
from windlass.adapters.store.store import SqlStore
from windlass.adapters.store.tables import metadata, variables
from windlass.domain.errors import Conflict, Failed, OutOfReach, Refused
from windlass.domain.records import App, Deployment, Job
from windlass.domain.release import DeploymentStatus
from windlass.usecases import doctor, keys
from windlass.usecases.keys import BATCH, key_status, resume_rotation, rotate_key

ODD = "p@ss w'o\"r$d{}\\#é\r\n\t\N{PILE OF POO}"
VARIABLES = {f"NAME_{n}": f"{ODD}{n}" for n in range(BATCH + 3)} | {"EMPTY": "", "LONG": "x" * 9000}
SNAPSHOTS = {n: os.urandom(7000) + str(n).encode() for n in range(1, 4)}
HELD = b'{"GIVEN": "held"}'


def fill(store: SqlStore) -> None:
    for app in ("shop", "shop--staging"):
        store.apps.add(App(app, 1.0))
        store.variables.set(app, VARIABLES, 1.0)
    for number, document in SNAPSHOTS.items():
        store.releases.add("shop", 1.0, "", "")
        store.releases.save_snapshot("shop", number, document)
    deployment = Deployment("d1", "shop", "deploy", DeploymentStatus.QUEUED, 1.0)
    store.deployments.add(deployment, Job("d1", "deployment", "shop", {}, "queued", 1.0, 1.0), HELD)


def assert_whole(store: SqlStore) -> None:
    for app in ("shop", "shop--staging"):
        assert store.variables.all(app) == VARIABLES
    assert {n: store.releases.snapshot("shop", n) for n in SNAPSHOTS} == SNAPSHOTS
    assert store.deployments.held("d1") == HELD


def ids_of(folder: Path) -> list[str]:
    """Of the keys in the file."""
    words = (folder / "secret.key").read_bytes().split()
    return [keys_id(base64.b64decode(word)) for word in words]


def keys_id(key: bytes) -> str:
    from windlass.adapters.vault import Vault

    return Vault([key]).current


def assert_forgotten(folder: Path, id: str) -> None:
    """Nothing in the home is under that key any more: not in the database's free pages, not in its log."""
    assert (folder / "secret.key").stat().st_mode & 0o777 == 0o600
    assert [f.name for f in folder.iterdir() if f.name.startswith("secret.key")] == ["secret.key"]
    for file in folder.iterdir():
        if file.is_file():
            assert b"\x01" + bytes.fromhex(id) not in file.read_bytes(), file.name


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with values, closed."""
    folder = tmp_path_factory.mktemp("home")
    world = make_world(folder)
    fill(world.store)
    world.store.close()
    return folder


@contextmanager
def home(filled: Path) -> Iterator[Path]:
    """A copy of it, on a disk that is never synced."""
    shm = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shm if shm.is_dir() else None) as folder:
        yield Path(shutil.copytree(filled, folder, dirs_exist_ok=True))


@contextmanager
def started(folder: Path) -> Iterator[World]:
    world = make_world(folder)
    with closing(world.store):
        yield world


# --- a whole rotation ------------------------------------------------------------------------------------------------


def test_everything_is_under_the_new_key_and_the_old_one_is_forgotten(filled: Path) -> None:
    with home(filled) as folder:
        (old,) = ids_of(folder)
        with started(folder) as world:
            answer = rotate_key(world.outside)
            assert_whole(world.store)
            assert_forgotten(folder, old)
            status = key_status(world.outside)
        count = 2 * len(VARIABLES) + len(SNAPSHOTS) + 1
        assert answer == {"key": ids_of(folder)[0], "before": old, "resealed": count, "resumed": False}
        assert status["items"] == [{"key": answer["key"], "state": "current", "values": count}]
        assert (status["key"], status["rotation"]) == (answer["key"], "done")
        key = (folder / "secret.key").read_text().strip()
        assert key not in f"{answer}{status}"
        with started(folder) as world:
            assert_whole(world.store)


def test_it_can_be_done_again_and_without_any_value(tmp_path: Path) -> None:
    with started(tmp_path) as world:
        seen = {key_status(world.outside)["key"]}
        for _ in range(3):
            assert rotate_key(world.outside)["resealed"] == 0
            seen.add(key_status(world.outside)["key"])
    assert len(seen) == 4


def test_every_encrypted_column_is_among_those_that_are_rotated() -> None:
    assert set(SEALED) == {table.name for table in metadata.tables.values() if "sealed" in table.c}


# --- killed at every write -------------------------------------------------------------------------------------------


class Killed(BaseException):
    """The process is gone."""


@dataclass
class Fuse:
    """Burns after so many writes, to files or to the database; from then on there are none."""

    left: int
    seen: list[str] = field(default_factory=list)

    def burn(self, what: str) -> None:
        self.left -= 1
        if self.left < 0:
            raise Killed
        self.seen.append(what)


def wire_files(fuse: Fuse, patch: pytest.MonkeyPatch) -> None:
    def wired(name: str) -> Any:
        def call(*args: Any, **named: Any) -> Any:
            if name != "open" or args[1] & os.O_CREAT:
                fuse.burn(f"{name} {args[0]}")
            return getattr(os, name)(*args, **named)

        return call

    changed = {name: wired(name) for name in ("open", "fsync", "replace", "link")}
    known = {name: getattr(os, name) for name in dir(os) if not name.startswith("__")}
    patch.setattr(keyfile, "os", SimpleNamespace(**{**known, **changed}))


def wire_database(fuse: Fuse, store: SqlStore) -> None:
    engine = store._database._engine

    def statement(_connection: Any, _cursor: Any, words: str, *_: Any) -> None:
        if words.startswith(("INSERT", "UPDATE", "DELETE")):
            fuse.burn(words[:40])

    event.listen(engine, "before_cursor_execute", statement)
    event.listen(engine, "commit", lambda _connection: fuse.burn("commit"))


def rotate_until(folder: Path, left: int) -> list[str]:
    """A rotation in a process that dies after so many writes; what it wrote."""
    fuse = Fuse(left)
    world = make_world(folder)
    with pytest.MonkeyPatch.context() as patch, suppress(Killed):
        wire_files(fuse, patch)
        wire_database(fuse, world.store)
        rotate_key(world.outside)
    world.store._database._engine.dispose()
    return fuse.seen


def last_is_unsynced(seen: list[str]) -> bool:
    """Whether the key file has its new name only until the power fails."""
    return bool(seen) and seen[-1].startswith("replace")


def test_killed_before_any_write_no_value_is_lost_and_the_next_start_finishes(filled: Path) -> None:
    with home(filled) as folder:
        writes = rotate_until(folder, 1 << 30)
    assert len([w for w in writes if w.startswith("replace")]) == 2
    assert len(writes) > 60
    for moment in range(len(writes)):
        for power_fails in (False, True):
            with home(filled) as folder:
                (old,) = ids_of(folder)
                before = (folder / "secret.key").read_bytes()
                seen = rotate_until(folder, moment)
                if power_fails and not last_is_unsynced(seen):
                    continue
                if power_fails and len(ids_of(folder)) == 2:
                    (folder / "secret.key").write_bytes(before)
                assert_goes_on(folder, old, f"killed before write {moment}: {writes[moment]}")


def assert_goes_on(folder: Path, old: str, moment: str) -> None:
    begun = len(ids_of(folder)) == 2
    with started(folder) as world:
        assert_whole(world.store)
        items = {i["name"]: i["status"] for i in doctor.examine(world.outside)["items"] if i["name"] == "master key"}
        assert items == {"master key": "warning" if begun else "ok"}, moment
        resume_rotation(world.outside)
        assert_whole(world.store)
        if not begun and ids_of(folder) == [old]:
            assert rotate_key(world.outside)["resumed"] is False
        assert ids_of(folder) == [key_status(world.outside)["key"]], moment
        assert_forgotten(folder, old)
    with started(folder) as world:
        assert_whole(world.store)


def test_killed_twice_the_third_start_finishes(filled: Path) -> None:
    with home(filled) as folder:
        total = len(rotate_until(folder, 1 << 30))
    for first, second in ((total // 3, 5), (total // 2, total // 4), (total - 5, 0)):
        with home(filled) as folder:
            (old,) = ids_of(folder)
            rotate_until(folder, first)
            rotate_until(folder, second)
            assert_goes_on(folder, old, f"killed before write {first}, then {second}")


def test_the_next_rotate_goes_on_as_well(filled: Path) -> None:
    with home(filled) as folder:
        (old,) = ids_of(folder)
        rotate_until(folder, 20)
        with started(folder) as world:
            unfinished = key_status(world.outside)
            assert unfinished["rotation"] == "unfinished"
            assert {i["state"] for i in unfinished["items"]} == {"current", "older"}
            answer = rotate_key(world.outside)
            assert (answer["resumed"], answer["before"], answer["key"]) == (True, old, unfinished["key"])
            assert_forgotten(folder, old)


# --- others at work --------------------------------------------------------------------------------------------------


@dataclass
class Neighbours:
    """Who writes and reads while the key is rotated; `wrong` is what they met, `written` what is to be found."""

    store: SqlStore
    wrong: list[str] = field(default_factory=list)
    written: dict[str, str] = field(default_factory=dict)
    over: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Neighbours:
        self.threads = [threading.Thread(target=work) for work in (self.write, self.read, self.read)]
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        for thread in self.threads:
            thread.join()

    def write(self) -> None:
        while not self.over.is_set():
            self.written["BUSY"] = os.urandom(8).hex()
            self.store.variables.set("shop", self.written, 1.0)
            self.store.releases.save_snapshot("shop", 1, SNAPSHOTS[1])

    def read(self) -> None:
        while not self.over.is_set():
            try:
                found = self.store.variables.all("shop")
                if {n: v for n, v in found.items() if n != "BUSY"} != VARIABLES:
                    self.wrong.append("other values")
                self.store.releases.snapshot("shop", 2)
            except Refused as refused:
                self.wrong.append(refused.message)


def test_who_writes_and_reads_meanwhile_loses_nothing(filled: Path) -> None:
    with home(filled) as folder:
        with started(folder) as world, Neighbours(world.store) as neighbours:
            for _ in range(3):
                rotate_key(world.outside)
        assert neighbours.wrong == []
        with started(folder) as again:
            assert again.store.variables.all("shop") == {**VARIABLES, **neighbours.written}
            assert {n: again.store.releases.snapshot("shop", n) for n in SNAPSHOTS} == SNAPSHOTS


def test_one_rotation_at_a_time(filled: Path) -> None:
    with home(filled) as folder, started(folder) as world, world.store.keys.alone():
        with pytest.raises(Conflict) as refused:
            rotate_key(world.outside)
        assert refused.value.code == "rotation_running"


# --- what does not fit -----------------------------------------------------------------------------------------------


def test_a_value_that_does_not_open_keeps_the_older_key_and_is_named(filled: Path) -> None:
    with home(filled) as folder, started(folder) as world:
        moved = variables.c.name == "EMPTY"
        with world.store._database.write() as connection:
            other = connection.execute(select(variables.c.sealed).where(variables.c.name == "LONG")).scalar()
            connection.execute(update(variables).where(moved, variables.c.app == "shop").values(sealed=other))
        with pytest.raises(Failed) as failed:
            rotate_key(world.outside)
        assert failed.value.code == "values_unreadable"
        assert [d.name for d in failed.value.details] == ["the variable EMPTY of shop"]
        assert len(ids_of(folder)) == 2
        assert key_status(world.outside)["rotation"] == "unfinished"
        resume_rotation(world.outside)
        assert any("EMPTY" in str(e.data) or "decrypted" in str(e.data) for e in world.store.events.after(0))
        world.store.variables.set("shop", {"EMPTY": ""}, 2.0)
        assert rotate_key(world.outside)["resumed"] is True
        assert_whole(world.store)


def test_a_value_under_a_key_that_is_nowhere_is_told(filled: Path) -> None:
    with home(filled) as folder, started(folder) as world:
        foreign = b"\x01abcd" + bytes(40)
        with world.store._database.write() as connection:
            connection.execute(insert(variables).values(app="shop", name="LOST", sealed=foreign, changed_at=1.0))
        states = {i["state"]: i["values"] for i in key_status(world.outside)["items"]}
        assert states["missing"] == 1


@pytest.mark.parametrize("broken", ["replaced", "open to others", "damaged"])
def test_a_key_file_that_was_touched_is_refused_and_told_by_doctor(filled: Path, broken: str) -> None:
    codes = {"replaced": "master_key_changed", "open to others": "master_key_open", "damaged": "master_key_damaged"}
    with home(filled) as folder, started(folder) as world:
        file = folder / "secret.key"
        if broken == "replaced":
            file.write_bytes(base64.b64encode(bytes(32)) + b"\n")
        elif broken == "damaged":
            file.write_bytes(b"x")
        else:
            file.chmod(0o644)
        content = file.read_bytes()
        with pytest.raises(Refused) as refused:
            rotate_key(world.outside)
        assert refused.value.code == codes[broken]
        found = [i for i in doctor.examine(world.outside)["items"] if i["name"] == "master key"]
        assert [i["status"] for i in found] == ["failed"]
        assert_whole(world.store)
        assert file.read_bytes() == content


def test_a_key_file_that_is_gone_while_windlass_runs_comes_back_by_a_rotation(filled: Path) -> None:
    with home(filled) as folder:
        with started(folder) as world:
            (folder / "secret.key").unlink()
            found = [i["message"] for i in doctor.examine(world.outside)["items"] if i["name"] == "master key"]
            assert "missing" in found[0]
            rotate_key(world.outside)
        with started(folder) as world:
            assert_whole(world.store)


def test_a_disk_that_does_not_write_changes_nothing(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with home(filled) as folder, started(folder) as world:
        before = ids_of(folder)
        full = OSError(28, "No space left on device")

        def fail(*_: Any) -> None:
            raise full

        monkeypatch.setattr(keyfile, "_write", fail)
        with pytest.raises(OutOfReach, match="No space left"):
            rotate_key(world.outside)
        monkeypatch.undo()
        assert ids_of(folder) == before
        assert_whole(world.store)
        assert keys.rotate_key(world.outside)["resumed"] is False
