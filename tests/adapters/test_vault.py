"""Sealed values open only where they belong, with the key they were sealed with; a bad key file is refused."""

from __future__ import annotations

import base64
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from windlass.adapters.store.store import open_store
from windlass.adapters.vault import Vault, open_vault
from windlass.domain.errors import OutOfReach, Refused, WindlassError
from windlass.domain.records import App, Deployment, Job
from windlass.domain.release import DeploymentStatus


def test_a_sealed_value_opens_again(tmp_path: Path) -> None:
    sealed = open_vault(tmp_path / "master.key").seal(b"value", "variables:shop:A")
    assert b"value" not in sealed
    assert open_vault(tmp_path / "master.key", [sealed]).open(sealed, "variables:shop:A") == b"value"


def test_the_same_value_is_sealed_differently_each_time(tmp_path: Path) -> None:
    vault = open_vault(tmp_path / "master.key")
    assert vault.seal(b"value", "x") != vault.seal(b"value", "x")


def test_a_value_that_was_moved_or_changed_does_not_open(tmp_path: Path) -> None:
    vault = open_vault(tmp_path / "master.key")
    sealed = vault.seal(b"value", "variables:shop:A")
    changed = [sealed[:n] + bytes([sealed[n] ^ 1]) + sealed[n + 1 :] for n in range(len(sealed))]
    cases = [(sealed, "variables:shop:B"), *((case, "variables:shop:A") for case in (*changed, b"", sealed[:9]))]
    for case, label in cases:
        with pytest.raises(Refused) as refused:
            vault.open(case, label)
        assert refused.value.code == "sealed_unreadable"
        assert "shop" in refused.value.message


def test_after_a_rotation_old_values_open_and_new_ones_have_the_new_key() -> None:
    old, new = os.urandom(32), os.urandom(32)
    sealed = Vault([old]).seal(b"value", "x")
    rotated = Vault([new, old])
    assert rotated.open(sealed, "x") == b"value"
    assert Vault([new]).open(rotated.seal(b"value", "x"), "x") == b"value"


def test_a_new_key_is_the_owner_s_alone_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    open_vault(tmp_path / "master.key")
    assert [file.name for file in tmp_path.iterdir()] == ["master.key"]
    assert stat.S_IMODE((tmp_path / "master.key").stat().st_mode) == 0o600
    assert len(base64.b64decode((tmp_path / "master.key").read_text())) == 32


def test_a_key_is_never_replaced(tmp_path: Path) -> None:
    open_vault(tmp_path / "master.key")
    before = (tmp_path / "master.key").read_bytes()
    open_vault(tmp_path / "master.key")
    assert (tmp_path / "master.key").read_bytes() == before


KEY = base64.b64encode(bytes(32)) + b"\n"
BAD_FILES = [
    ("readable by the group", KEY, 0o640, "master_key_open"),
    ("readable by all", KEY, 0o604, "master_key_open"),
    ("empty", b"", 0o600, "master_key_damaged"),
    ("cut off", KEY[:20], 0o600, "master_key_damaged"),
    ("not base64", b"!" * 44, 0o600, "master_key_damaged"),
    ("too short", base64.b64encode(bytes(16)), 0o600, "master_key_damaged"),
    ("one good, one bad", KEY + b"x\n", 0o600, "master_key_damaged"),
]


@pytest.mark.parametrize(("content", "mode", "code"), [c[1:] for c in BAD_FILES], ids=[c[0] for c in BAD_FILES])
def test_a_bad_key_file_is_refused(tmp_path: Path, content: bytes, mode: int, code: str) -> None:
    file = tmp_path / "master.key"
    file.write_bytes(content)
    file.chmod(mode)
    with pytest.raises(Refused) as refused:
        open_vault(file)
    assert refused.value.code == code
    assert str(file) in refused.value.message
    assert refused.value.hint
    assert content.strip().decode() not in refused.value.message or not content
    assert file.read_bytes() == content


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(OutOfReach, match="no-such"):
        open_vault(tmp_path / "no-such" / "master.key")


def start_again(home: Path) -> None:
    open_store(f"sqlite:///{home}/windlass.db", home / "master.key").close()


def lose_the_key(home: Path) -> None:
    (home / "master.key").unlink()


def put_another_key(home: Path) -> None:
    (home / "master.key").write_bytes(KEY)


@pytest.mark.parametrize("what", ["variable", "snapshot", "held"])
@pytest.mark.parametrize(
    ("accident", "code"), [(lose_the_key, "master_key_missing"), (put_another_key, "master_key_wrong")]
)
def test_encrypted_rows_without_their_key_stop_the_start(
    tmp_path: Path, what: str, accident: Callable[[Path], None], code: str
) -> None:
    store = open_store(f"sqlite:///{tmp_path}/windlass.db", tmp_path / "master.key")
    store.apps.add(App("shop", 1.0))
    if what == "variable":
        store.variables.set("shop", {"A": "1"}, 1.0)
    elif what == "snapshot":
        store.releases.add("shop", 1.0, "", "")
        store.releases.save_snapshot("shop", 1, b"{}")
    else:
        deployment = Deployment("d", "shop", "deploy", DeploymentStatus.QUEUED, 1.0)
        store.deployments.add(deployment, Job("d", "x", "shop", {}, "queued", 1.0, 1.0), b"held")
    store.close()
    start_again(tmp_path)
    accident(tmp_path)
    files = sorted(file.name for file in tmp_path.iterdir() if not file.name.endswith(("-wal", "-shm")))
    with pytest.raises(WindlassError) as refused:
        start_again(tmp_path)
    assert refused.value.code == code
    assert sorted(f.name for f in tmp_path.iterdir() if not f.name.endswith(("-wal", "-shm"))) == files


def test_without_encrypted_rows_a_lost_key_is_made_anew(tmp_path: Path) -> None:
    start_again(tmp_path)
    lose_the_key(tmp_path)
    start_again(tmp_path)
    assert (tmp_path / "master.key").exists()
