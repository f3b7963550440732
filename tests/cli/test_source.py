"""Names, folders, Git checkouts and archives."""

import io
import os
import socket
import subprocess
import tarfile
from pathlib import Path

import pytest

from windlass.cli.checkout import Checkout, read_checkout
from windlass.cli.source import find_source, name_of
from windlass.client.archive import check_folder, write_archive
from windlass.domain.errors import Refused, Usage

NAMES = [
    ("My Shop", "", "my-shop"),
    ("shop", "name: other\n", "other"),
    ("shop", "# name: no\nroutes: []\nname:   'quoted'  # why\n", "quoted"),
    ("shop", 'name: "double"\n', "double"),
    ("shop", "services:\n  name: inner\n", "shop"),
    ("shop", "\ufeffname: marked\r\n", "marked"),
    ("123-shop_v2.git", "", "shop-v2"),
    ("Ärger", "", "rger"),
    ("a" * 60, "", "a" * 40),
]


@pytest.mark.parametrize(("folder", "config", "name"), NAMES)
def test_name_of_a_folder(tmp_path: Path, folder: str, config: str, name: str) -> None:
    root = tmp_path / folder
    root.mkdir()
    if config:
        (root / "windlass.yaml").write_text(config)
    assert name_of(find_source(str(root))) == name


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("https://host.example/team/Shop.git", "shop"),
        ("https://host.example/team/shop/", "shop"),
        ("git@host.example:team/my_shop.git", "my-shop"),
        ("git@host.example:shop.git", "shop"),
        ("ssh://git@host.example:22/shop", "shop"),
        ("ext::sh -c shop", "sh-c-shop"),
    ],
)
def test_name_of_an_address(address: str, name: str) -> None:
    source = find_source(address)
    assert (source.folder, source.url) == (None, address)
    assert name_of(source) == name


def test_a_bare_repository_is_a_git_source(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "--bare", "shop.git")
    source = find_source(str(tmp_path / "shop.git"))
    assert (source.folder, source.url) == (None, str(tmp_path / "shop.git"))
    assert name_of(source) == "shop"


def test_no_name_can_be_made(tmp_path: Path) -> None:
    (tmp_path / "数据").mkdir()
    with pytest.raises(Usage, match="no app name"):
        name_of(find_source(str(tmp_path / "数据")))


# --- checkouts -------------------------------------------------------------------------------------------------------


def git(folder: Path, *words: str) -> str:
    command = ["git", "-C", str(folder), "-c", "user.name=x", "-c", "user.email=x@x.example", *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "checkout"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    (folder / "a.txt").write_text("one\n")
    (folder / "link").symlink_to("a.txt")
    (folder / "with a long enough name to need padding.txt").write_text("two\n")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "first")
    return folder


def test_a_clean_checkout(checkout: Path) -> None:
    assert read_checkout(checkout) == Checkout(git(checkout, "rev-parse", "HEAD"), "main", dirty=False)


def test_packed_refs_and_a_detached_head(checkout: Path) -> None:
    sha = git(checkout, "rev-parse", "HEAD")
    git(checkout, "pack-refs", "--all")
    assert read_checkout(checkout).commit == sha
    git(checkout, "checkout", "-q", "--detach")
    assert read_checkout(checkout) == Checkout(sha, "", dirty=False)


def test_a_worktree(checkout: Path, tmp_path: Path) -> None:
    git(checkout, "worktree", "add", "-q", "-b", "side", str(tmp_path / "side"))
    assert read_checkout(tmp_path / "side") == Checkout(git(checkout, "rev-parse", "HEAD"), "side", dirty=False)


def test_a_touched_file_is_no_change(checkout: Path) -> None:
    os.utime(checkout / "a.txt", (1, 1))
    assert not read_checkout(checkout).dirty


@pytest.mark.parametrize("change", ["longer", "same size", "removed", "link"])
def test_a_changed_file(checkout: Path, change: str) -> None:
    if change == "longer":
        (checkout / "a.txt").write_text("longer\n")
    elif change == "same size":
        (checkout / "a.txt").write_text("two\n")
        os.utime(checkout / "a.txt", (1, 1))
    elif change == "removed":
        (checkout / "a.txt").unlink()
    else:
        (checkout / "link").unlink()
        (checkout / "link").symlink_to("b.txt")
        os.utime(checkout / "link", (1, 1), follow_symlinks=False)
    assert read_checkout(checkout).dirty
    assert find_source(str(checkout)).commit == ""


@pytest.mark.parametrize("broken", ["HEAD", "index", "none", "empty"])
def test_a_checkout_that_cannot_be_read_is_none(checkout: Path, broken: str) -> None:
    if broken == "none":
        (checkout / ".git").rename(checkout / "git")
    elif broken == "empty":
        (checkout / ".git" / "refs" / "heads" / "main").unlink()
    else:
        (checkout / ".git" / broken).write_bytes(b"\xff\xfe junk")
    assert read_checkout(checkout).commit == ""


# --- archives --------------------------------------------------------------------------------------------------------


def packed(root: Path) -> dict[bytes, tarfile.TarInfo]:
    out = io.BytesIO()
    write_archive(root, out)
    out.seek(0)
    with tarfile.open(fileobj=out, encoding="utf-8", errors="surrogateescape") as archive:
        return {os.fsencode(m.name): m for m in archive.getmembers()}


def test_an_archive_holds_links_modes_and_any_name(tmp_path: Path) -> None:
    (tmp_path / "run.sh").write_text("x")
    (tmp_path / "run.sh").chmod(0o755)
    (tmp_path / "out").symlink_to("/etc/passwd")
    (tmp_path / "loop").symlink_to(".")
    (tmp_path / "empty").mkdir()
    names = [b"bytes \xff\xfe", b"new\nline", b"-rf", "数据".encode(), b"d/" + b"long" * 60]
    (tmp_path / "d").mkdir()
    for name in names:
        Path(os.fsdecode(os.path.join(os.fsencode(tmp_path), name))).write_bytes(name)
    found = packed(tmp_path)
    assert set(found) == {b"run.sh", b"out", b"loop", b"empty", b"d", *names}
    assert (found[b"out"].linkname, found[b"out"].issym()) == ("/etc/passwd", True)
    assert found[b"loop"].issym()
    assert found[b"run.sh"].mode == 0o755
    assert all((m.uid, m.gid, m.uname) == (0, 0, "") for m in found.values())


def test_git_stays_at_home(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "config").write_text("token")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / ".git").write_text("gitdir: elsewhere")
    (tmp_path / ".gitignore").write_text("x")
    assert set(packed(tmp_path)) == {b"sub", b".gitignore"}


def test_what_is_no_file_is_refused_all_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(tmp_path / "sock"))
        with pytest.raises(Refused) as found:
            check_folder(tmp_path)
    assert [(d.code, d.name) for d in found.value.details] == [("special_file", "pipe"), ("special_file", "sock")]
    assert "pipe is a socket" in found.value.details[0].message


def test_no_folder() -> None:
    with pytest.raises(Usage):
        check_folder(Path("/nowhere/at/all"))
