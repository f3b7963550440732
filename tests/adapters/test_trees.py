"""Uploads from strangers, digests, and folders that stay where they are."""

import errno
import io
import os
import tarfile
from pathlib import Path
from typing import Literal

import pytest

from windlass.adapters.tar import TarLimits, unsafe_links
from windlass.adapters.trees import FolderTrees, writing
from windlass.domain.errors import Failed, Refused, WindlassError
from windlass.ports.sources import PathFacts

Entry = tuple[str, bytes, str | bytes, int]  # name, type, content or link target, mode


def file(name: str, content: bytes = b"x", mode: int = 0o644) -> Entry:
    return name, tarfile.REGTYPE, content, mode


def link(name: str, target: str) -> Entry:
    return name, tarfile.SYMTYPE, target, 0o777


def hard(name: str, target: str) -> Entry:
    return name, tarfile.LNKTYPE, target, 0o644


def upload(folder: Path, *entries: Entry, mode: Literal["w", "w:gz"] = "w:gz") -> Path:
    path = folder / "upload.tar"
    with tarfile.open(path, mode) as tar:
        for name, kind, content, permissions in entries:
            info = tarfile.TarInfo(name)
            info.type, info.mode = kind, permissions
            if isinstance(content, str):
                info.linkname = content
                tar.addfile(info)
            else:
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return path


@pytest.fixture
def trees(tmp_path: Path) -> FolderTrees:
    return FolderTrees(tmp_path / "home", TarLimits(size=10_000, entries=20))


def modes(root: Path) -> dict[str, int]:
    return {str(p.relative_to(root)): p.lstat().st_mode & 0o7777 for p in root.rglob("*") if not p.is_symlink()}


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_unpacks_files_folders_and_links(trees: FolderTrees, tmp_path: Path, mode: Literal["w", "w:gz"]) -> None:
    path = upload(
        tmp_path,
        (".", tarfile.DIRTYPE, b"", 0o700),
        ("./empty", tarfile.DIRTYPE, b"", 0o700),
        file("./run.sh", b"#!", 0o6777),
        file("secret", b"s", 0o600),
        link("a/link", "../run.sh"),
        link("dangling", "a/nothing"),
        link("folder", "a"),
        hard("a/hard", "run.sh"),
        file("a/é b", b"", 0o000),
        mode=mode,
    )
    root = trees.source("shop", 1)
    trees.unpack(path, root)
    assert modes(root) == {
        **{"empty": 0o755, "a": 0o755, "run.sh": 0o755, "secret": 0o600, "a/hard": 0o755, "a/é b": 0o600},
    }
    assert ((root / "a" / "link").read_text(), (root / "folder" / "hard").read_text()) == ("#!", "#!")
    assert not list(root.parent.glob(".new*"))
    assert root.parent.stat().st_mode & 0o777 == 0o700


UNSAFE: list[tuple[list[Entry], list[str]]] = [
    ([file("../x")], ["../x"]),
    ([file("a/../../x")], ["a/../../x"]),
    ([file("/etc/x")], ["/etc/x"]),
    ([link("l", "/etc/passwd")], ["l"]),
    ([link("l", "../../x")], ["l"]),
    ([link("a", "b"), link("b", "..")], ["a", "b"]),
    ([link("d", "/tmp"), file("d/x")], ["d"]),
    ([file("d/x"), link("d", "/tmp")], ["d"]),
    ([hard("h", "/etc/passwd")], ["h"]),
    ([hard("h", "../x")], ["h"]),
    ([link("s", "/etc/passwd"), hard("h", "s")], ["h", "s"]),
    ([file("f"), file("f/x")], ["f/x"]),
    ([("dev", tarfile.CHRTYPE, b"", 0o644)], ["dev"]),
    ([("pipe", tarfile.FIFOTYPE, b"", 0o644)], ["pipe"]),
    ([file("../x"), ("dev", tarfile.BLKTYPE, b"", 0o644), link("l", "/"), file("ok")], ["../x", "dev", "l"]),
]


@pytest.mark.parametrize(("entries", "named"), UNSAFE, ids=range(len(UNSAFE)))
def test_what_leads_outside_is_refused_all_at_once(
    trees: FolderTrees, tmp_path: Path, entries: list[Entry], named: list[str]
) -> None:
    root = trees.source("shop", 1)
    with pytest.raises(Refused) as caught:
        trees.unpack(upload(tmp_path, *entries), root)
    assert sorted(d.name for d in caught.value.details) == named
    assert {d.code for d in caught.value.details} == {"upload_unsafe"}
    assert (root.exists(), list(root.parent.iterdir())) == (False, [])


@pytest.mark.parametrize(
    "entries",
    [
        [file("a", b"x" * 10_001)],
        [file("a", b"x" * 6000), hard("b", "a")],
        [file(f"f{n}", b"") for n in range(21)],
    ],
)
def test_what_is_too_large_is_refused(trees: FolderTrees, tmp_path: Path, entries: list[Entry]) -> None:
    root = trees.source("shop", 1)
    with pytest.raises(Refused) as caught:
        trees.unpack(upload(tmp_path, *entries), root)
    assert (caught.value.code, root.exists()) == ("upload_too_large", False)


@pytest.mark.parametrize("cut", [0, 1, 100, -1000])
def test_what_is_no_whole_archive_is_refused(trees: FolderTrees, tmp_path: Path, cut: int) -> None:
    path = upload(tmp_path, file("a", os.urandom(5000)))
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(Refused) as caught:
        trees.unpack(path, trees.source("shop", 1))
    assert caught.value.code == "upload_unreadable"


def test_a_killed_attempt_is_begun_anew(trees: FolderTrees, tmp_path: Path) -> None:
    root = trees.source("shop", 1)
    (root.parent / ".new-1").mkdir()
    (root.parent / ".new-1" / "half").write_text("x")
    trees.unpack(upload(tmp_path, file("a")), root)
    assert [p.name for p in root.iterdir()] == ["a"]
    with pytest.raises(Failed):
        trees.unpack(upload(tmp_path, file("a")), root)


def test_a_full_disk_is_said() -> None:
    with pytest.raises(Failed) as caught, writing("it"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert caught.value.code == "disk_full"


def tree(root: Path, **files: str) -> Path:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    return root


def test_the_digest_tells_content_and_not_time(trees: FolderTrees, tmp_path: Path) -> None:
    def digest(name: str, **files: str) -> str:
        return trees.digest(tree(tmp_path / name, **files))

    same = {digest("a", x="1", y="2"), digest("b", y="2", x="1")}
    os.utime(tmp_path / "a" / "x", (0, 0))
    (tmp_path / "a" / "empty").mkdir()
    same.add(trees.digest(tmp_path / "a"))
    assert len(same) == 1
    others = [digest("c", x="1", y="3"), digest("d", x="1", z="2"), digest("e", x="12", y=""), digest("f", x="1")]
    (tmp_path / "b" / "x").chmod(0o755)
    others.append(trees.digest(tmp_path / "b"))
    (tmp_path / "f" / "y").symlink_to("2")
    others.append(trees.digest(tmp_path / "f"))
    assert len({*same, *others}) == 7


def test_links_that_lead_outside_are_found(tmp_path: Path) -> None:
    root = tree(tmp_path / "root", x="1")
    for name, target in [("in", "x"), ("out", "../other"), ("abs", str(root / "x")), ("loop", "loop"), ("via", "in")]:
        (root / name).symlink_to(target)
    assert unsafe_links(root) == ["abs", "out"]


def test_reads_and_looks_without_following_links_outside(trees: FolderTrees, tmp_path: Path) -> None:
    root = tree(trees.source("shop", 1), **{"a": "1", "d/b": "2"})
    tree(trees.source("shop", 2), other="secret")
    (root / "out").symlink_to("../2/other")
    (root / "in").symlink_to("a")
    (root / "empty").mkdir()
    assert [trees.read(root / n) for n in ("a", "in", "out", "no", "d")] == [b"1", b"1", None, None, None]
    assert [trees.look(root / n) for n in ("a", "d", "empty", "out")] == [
        PathFacts(True, True, False),
        PathFacts(True, False, False),
        PathFacts(True, False, True),
        PathFacts(False),
    ]
    with pytest.raises(Refused) as caught:
        trees.read(root / "a", 0)
    assert caught.value.code == "file_too_large"


def test_kept_files_are_copied_once_per_content(trees: FolderTrees) -> None:
    root = tree(trees.source("shop", 1), **{"a.conf": "1", "b/a.conf": "1", "c/x": "1"})
    kept = trees.keep_file("shop", root / "a.conf")
    assert kept == trees.keep_file("shop", root / "b" / "a.conf")
    assert (kept.name, kept.read_text(), kept.parents[1].name) == ("a.conf", "1", "files")
    folder = trees.keep_file("shop", root / "c")
    assert ((folder / "x").read_text(), folder.name) == ("1", "c")
    (root / "a.conf").write_text("2")
    assert trees.keep_file("shop", root / "a.conf") != kept
    (root / "out").symlink_to("/etc/hostname")
    with pytest.raises(Refused):
        trees.keep_file("shop", root / "out")


def test_data_is_made_once_from_its_seed(trees: FolderTrees) -> None:
    root = tree(trees.source("shop", 1), **{"data/a": "1"})
    path = trees.data_path("shop", "data", root / "data")
    (path / "a").write_text("mine")
    assert (trees.data_path("shop", "data", root / "data") / "a").read_text() == "mine"
    assert trees.data_path("shop", "x/y", None).is_dir()
    for name in ("../x", "/etc", ""):
        with pytest.raises(Refused):
            trees.data_path("shop", name, None)


def test_a_link_in_the_data_is_not_followed(trees: FolderTrees, tmp_path: Path) -> None:
    (trees.data_path("shop", "data", None) / "evil").symlink_to(tmp_path)
    for name in ("data/evil", "data/evil/x"):
        with pytest.raises(Refused):
            trees.data_path("shop", name, None)


def test_removes_only_what_it_is_told(trees: FolderTrees) -> None:
    for number in (1, 2):
        tree(trees.source("shop", number), **{"a": "1", "b": "2"})
    kept = trees.keep_file("shop", trees.source("shop", 1) / "a")
    data = trees.data_path("shop", "data", None)
    trees.remove_source("shop", 1)
    trees.remove_source("shop", 1)
    trees.forget(trees.source("shop", 2) / "b")
    trees.forget(trees.source("shop", 2) / "b")
    assert [(p.name, [f.name for f in p.iterdir()]) for p in trees.source("shop", 2).parent.iterdir()] == [("2", ["a"])]
    trees.remove_app("shop", data=False)
    assert (kept.exists(), data.exists()) == (False, True)
    trees.remove_app("shop", data=True)
    assert not data.parents[1].exists()


def test_forgets_nothing_outside(trees: FolderTrees, tmp_path: Path) -> None:
    outside = tree(tmp_path, precious="1") / "precious"
    with pytest.raises(Refused):
        trees.forget(outside)
    assert outside.exists()


def test_discards_only_uploads(trees: FolderTrees, tmp_path: Path) -> None:
    folder = tree(trees.uploads() / "x", a="1")
    single = tree(trees.uploads(), b="1") / "b"
    for path in (folder, single, single):
        trees.discard(path)
        assert not path.exists()
    for path in (trees.uploads(), trees.uploads() / "x" / "a", trees.uploads() / ".." / "apps", tmp_path):
        with pytest.raises(Refused):
            trees.discard(path)


@pytest.mark.parametrize("name", ["../x", "Shop", "a/b", ""])
def test_no_folder_for_what_is_no_app(trees: FolderTrees, name: str) -> None:
    with pytest.raises(WindlassError):
        trees.app(name)


def test_an_environment_has_a_folder_of_its_own(trees: FolderTrees) -> None:
    assert (trees.app("shop@staging").name, trees.uploads().name) == ("shop--staging", "uploads")


def test_puts_a_file_in_the_place_of_what_is_there(trees: FolderTrees, tmp_path: Path) -> None:
    root, elsewhere = tmp_path / "source", tmp_path / "elsewhere"
    (root / "folder").mkdir(parents=True)
    elsewhere.write_text("kept")
    (root / "link").symlink_to(elsewhere)
    trees.put(root, "link", b"new", is_executable=False)
    trees.put(root, "a/b/run", b"#!/bin/sh", is_executable=True)
    assert (elsewhere.read_text(), (root / "link").read_text()) == ("kept", "new")
    assert not (root / "link").is_symlink()
    assert os.access(root / "a" / "b" / "run", os.X_OK)
    assert sorted(path.name for path in root.iterdir()) == ["a", "folder", "link"]


@pytest.mark.parametrize("name", ["up/x", "../x", "folder", "/x"])
def test_puts_nothing_outside_and_in_no_folders_place(trees: FolderTrees, tmp_path: Path, name: str) -> None:
    root = tmp_path / "source"
    (root / "folder").mkdir(parents=True)
    (root / "up").symlink_to(tmp_path)
    with pytest.raises(WindlassError):
        trees.put(root, name, b"x", is_executable=False)
    assert not (tmp_path / "x").exists()
