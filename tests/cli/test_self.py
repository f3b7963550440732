"""`windlass self backup | restore` and `windlass db copy`, as they are typed; PostgreSQL is a real one."""

from __future__ import annotations

import io
import json
import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.postgres import empty_database, postgres_server

from windlass import launch, settings
from windlass.adapters import daemon
from windlass.adapters.selfbackup import cipher
from windlass.adapters.store.store import open_store
from windlass.cli.app import run
from windlass.cli.session import Target, UpOptions
from windlass.domain.auditchain import AuditEntry
from windlass.domain.errors import Refused
from windlass.domain.records import App
from windlass.main import _Launcher

WORDS = "a stork on the chimney"
SECRET = "s3cret-V4lue"


@dataclass
class Prompt:
    """`windlass WORDS --json`: its exit code, and what it printed."""

    home: Path
    capture: pytest.CaptureFixture[str]
    monkeypatch: pytest.MonkeyPatch

    def __call__(self, *words: object, stdin: str = "") -> tuple[int, dict[str, Any]]:
        self.monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        target = Target(self.home, self.home / "run" / "api.sock")
        code = run([*map(str, words), "--json"], target, _Launcher())
        return code, json.loads(self.capture.readouterr().out)

    def refused(self, *words: object, stdin: str = "") -> tuple[int, str]:
        code, document = self(*words, stdin=stdin)
        return code, document["error"]["code"]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With an app in it, and not running."""
    monkeypatch.setattr(cipher, "_SCRYPT", {"n": 16, "r": 8, "p": 1})
    monkeypatch.delenv("WINDLASS_DATABASE_URL", raising=False)
    known = settings.save(settings.load(tmp_path / "home"))
    fill(f"sqlite:///{known.home}/windlass.db", known.home)
    monkeypatch.setenv("WINDLASS_HOME", str(known.home))
    return known.home


def fill(url: str, home: Path) -> None:
    store = open_store(url, home / "secret.key")
    store.apps.add(App("shop", 1.0))
    store.variables.set("shop", {"PASSWORD": SECRET}, 1.0)
    store.audit.append(AuditEntry(0, 1.0, "ann", "socket", "env.set", "shop", {}))
    store.close()


def assert_known(url: str, home: Path, entries: int) -> None:
    store = open_store(url, home / "secret.key")
    assert store.variables.all("shop") == {"PASSWORD": SECRET}
    assert store.audit.check() == (entries, [])
    store.close()


@pytest.fixture
def prompt(home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Prompt:
    return Prompt(home, capsys, monkeypatch)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgres_server() as url:
        yield url


@pytest.fixture
def postgres(server: str) -> Iterator[str]:
    with empty_database(server) as url:
        yield url


# --- backup and restore ----------------------------------------------------------------------------------------------


def test_there_and_back(prompt: Prompt, home: Path, tmp_path: Path) -> None:
    (tmp_path / "words").write_text(WORDS + "\n")
    code, told = prompt("self", "backup", tmp_path / "b", "--passphrase-file", tmp_path / "words")
    assert (code, told["apps"], told["without_data"]) == (0, 1, [])
    assert stat.S_IMODE((tmp_path / "b").stat().st_mode) == 0o600
    home.rename(tmp_path / "old")
    code, told = prompt("self", "restore", tmp_path / "b", "--passphrase-file", "-", stdin=WORDS)
    assert (code, told["apps"], told["home"]) == (0, 1, str(home))
    assert_known(f"sqlite:///{home}/windlass.db", home, 2)
    assert settings.load(home).instance == settings.load(tmp_path / "old").instance


def test_what_cannot_be_is_refused(prompt: Prompt, tmp_path: Path) -> None:
    from_stdin = ("--passphrase-file", "-")
    assert prompt.refused("self", "backup", tmp_path / "b") == (2, "passphrase_missing")
    assert prompt.refused("self", "backup", tmp_path / "b", *from_stdin, stdin="short") == (2, "passphrase_short")
    assert prompt.refused("self", "backup", tmp_path / "b", "--passphrase-file", tmp_path / "x") == (
        7,
        "file_unreadable",
    )
    assert prompt.refused("self", "backup", tmp_path / "no" / "b", *from_stdin, stdin=WORDS) == (9, "file_not_writable")
    (tmp_path / "b").write_text("")
    assert prompt.refused("self", "backup", tmp_path / "b", *from_stdin, stdin=WORDS) == (3, "file_exists")
    assert (tmp_path / "b").read_text() == ""
    assert prompt.refused("self", "restore", tmp_path / "no", *from_stdin, stdin=WORDS) == (7, "backup_not_found")
    elsewhere = ("--home", tmp_path / "new")
    refused = prompt.refused("self", "restore", tmp_path / "b", *from_stdin, *elsewhere, stdin=WORDS)
    assert refused == (3, "backup_foreign")
    assert not (tmp_path / "new").exists()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["b", "home"]


# --- PostgreSQL ------------------------------------------------------------------------------------------------------


@pytest.mark.real
def test_to_postgresql(prompt: Prompt, home: Path, postgres: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WINDLASS_DATABASE_URL", postgres)
    code, told = prompt("db", "copy", "--to-env", "WINDLASS_DATABASE_URL")
    assert (code, told["tables"]["apps"]["rows"]) == (0, 1)
    assert_known(postgres, home, 1)
    assert postgres.split("@")[0] not in str(told)
    assert prompt.refused("db", "copy", "--to-env", "WINDLASS_DATABASE_URL") == (3, "database_moved")
    monkeypatch.delenv("WINDLASS_DATABASE_URL")
    with pytest.raises(Refused) as refused:
        launch.up(UpOptions(home=home), print)
    assert refused.value.code == "database_not_named"
    assert (home / "windlass.db").exists(), "it stays, and nobody uses it by accident"


@pytest.mark.real
def test_a_backup_goes_from_one_kind_to_the_other(
    prompt: Prompt, home: Path, postgres: str, server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("--passphrase-file", "-")
    prompt("self", "backup", tmp_path / "first", *words, stdin=WORDS)
    monkeypatch.setenv("WINDLASS_DATABASE_URL", postgres)
    second = tmp_path / "second"
    code, _ = prompt("self", "restore", tmp_path / "first", *words, "--home", second, stdin=WORDS)
    assert (code, (second / "windlass.db").exists()) == (0, False)
    assert_known(postgres, second, 2)
    full = prompt.refused("self", "restore", tmp_path / "first", *words, "--home", tmp_path / "x", stdin=WORDS)
    assert (full, (tmp_path / "x").exists()) == ((3, "database_not_empty"), False)
    code, _ = prompt("self", "backup", tmp_path / "back", *words, "--home", second, stdin=WORDS)
    assert code == 0
    monkeypatch.delenv("WINDLASS_DATABASE_URL")
    assert prompt("self", "restore", tmp_path / "back", *words, "--home", tmp_path / "third", stdin=WORDS)[0] == 0
    assert_known(f"sqlite:///{tmp_path}/third/windlass.db", tmp_path / "third", 3)


def test_a_copy_wants_windlass_stopped_and_a_url(prompt: Prompt, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = "postgresql://me:pass-w0rd@127.0.0.1:1/x"
    assert prompt.refused("db", "copy") == (2, "usage")
    assert prompt.refused("db", "copy", "--to-env", "NOTHING") == (2, "usage")
    assert prompt.refused("db", "copy", "--to-file", "-", stdin="sqlite:////tmp/x.db") == (2, "usage")
    code, document = prompt("db", "copy", "--to-file", "-", stdin=url + "\n")
    assert (code, "pass-w0rd" in json.dumps(document)) == (8, False)
    locks = launch.locks_of(settings.load(home))
    with daemon.held(locks.server, 5.0):
        assert prompt.refused("db", "copy", "--to-file", "-", stdin=url)[1] == "still_running"
    assert settings.load(home).database == "sqlite"
