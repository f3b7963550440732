"""The folder that a running edge has mounted: known as ours, taken over from a home that was moved, or given up."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from windlass.adapters.edge import mount


@pytest.fixture
def homes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """The folder of a home that was moved away, which this process has `mounted`, and the one of the restored home."""
    old, new = (tmp_path / name / "edge" / "dynamic" for name in ("old", "new"))
    for folder in (old, new):
        folder.mkdir(parents=True)
        (folder / "shop.yml").write_text(str(folder))
    (new.parent / "apps").mkdir()
    (new.parent / "apps" / "shop.json").write_text("{}")
    held = old.stat()
    monkeypatch.setattr(mount, "_mounted", lambda pid: held)
    monkeypatch.setattr(mount, "_paths", lambda pid: iter([tmp_path / "nowhere", old]))
    return old, new


def test_our_own_folder_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mount, "MOUNTED_AT", str(tmp_path))
    assert mount.reads(os.getpid(), tmp_path)
    (tmp_path / "other").mkdir()
    assert not mount.reads(os.getpid(), tmp_path / "other")
    assert mount.reads(0, tmp_path), "where nobody may look there is nothing to doubt"


def test_the_mounted_folder_takes_the_place_of_the_restored_one(homes: tuple[Path, Path]) -> None:
    old, new = homes
    node = old.stat().st_ino
    assert mount.take_over(1, new)
    assert new.stat().st_ino == node
    assert (new / "shop.yml").read_text() == str(old), "what is in force stays in force"
    assert (new.parent / "apps" / "shop.json").read_text() == "{}"
    assert not old.parent.exists()
    assert [p.name for p in new.parent.parent.iterdir()] == ["edge"]


def test_a_folder_that_is_gone_is_given_up(homes: tuple[Path, Path]) -> None:
    old, new = homes
    shutil.rmtree(old)
    assert not mount.take_over(1, new)
    assert (new / "shop.yml").read_text() == str(new)


def test_a_folder_on_another_disk_is_given_up(homes: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = homes
    rename = Path.rename

    def refusing(self: Path, target: Path) -> Path:
        if self == old.parent:
            raise OSError(18, "Invalid cross-device link")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refusing)
    assert not mount.take_over(1, new)
    assert (new / "shop.yml").read_text() == str(new)


def test_mounts_of_this_process_are_read() -> None:
    assert any(at == "/proc" for _, _, at in mount._mounts("self"))
    assert mount._plain("/a\\040b\\134é") == "/a b\\é"
