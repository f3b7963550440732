"""A backup of windlass itself: every way to damage it is refused, and what is restored is what was there."""

from __future__ import annotations

import io
import json
import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from windlass.adapters.selfbackup import cipher
from windlass.adapters.selfbackup.backup import write_backup
from windlass.adapters.selfbackup.cipher import MAGIC, PIECE, Opener, Sealer
from windlass.adapters.selfbackup.contents import Place
from windlass.adapters.selfbackup.restore import read_backup
from windlass.adapters.store.store import open_store
from windlass.domain.auditchain import AuditEntry
from windlass.domain.errors import Refused
from windlass.domain.records import App

WORDS = "a stork on the chimney"
SECRET = "s3cret-V4lue"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cheap keys: what they cost is no matter here."""
    monkeypatch.setattr(cipher, "_SCRYPT", {"n": 16, "r": 8, "p": 1})


# --- the envelope ----------------------------------------------------------------------------------------------------


def sealed(content: bytes, passphrase: str = WORDS) -> bytes:
    into = io.BytesIO()
    sealer = Sealer(into, passphrase)
    for start in range(0, len(content), 50_000):
        sealer.write(content[start : start + 50_000])
    sealer.finish()
    return into.getvalue()


def opened(whole: bytes, passphrase: str = WORDS) -> bytes:
    return Opener(io.BytesIO(whole), passphrase).readall()


@pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE, 5 * PIECE + 7])
def test_what_goes_in_comes_out(size: int) -> None:
    content = os.urandom(size)
    whole = sealed(content)
    assert opened(whole) == content
    assert size < 40 or content[:40] not in whole


def pieces_of(whole: bytes) -> tuple[bytes, list[bytes]]:
    start = whole.index(b"\n", whole.index(b"\n", len(MAGIC)) + 1) + 1
    body = whole[start:]
    return whole[:start], [body[i : i + PIECE + 16] for i in range(0, len(body), PIECE + 16)]


THREE = os.urandom(2 * PIECE + 500)

DAMAGE: dict[str, Callable[[bytes, list[bytes]], bytes]] = {
    "cut at the end of a piece": lambda head, p: head + p[0] + p[1],
    "cut within a piece": lambda head, p: head + p[0] + p[1][:-1],
    "cut to nothing": lambda head, p: head,
    "cut within the header": lambda head, p: head[:-3],
    "two pieces exchanged": lambda head, p: head + p[1] + p[0] + p[2],
    "a piece twice": lambda head, p: head + p[0] + p[0] + p[1] + p[2],
    "a piece left out": lambda head, p: head + p[0] + p[2],
    "the last piece first": lambda head, p: head + p[2],
    "something behind it": lambda head, p: head + b"".join(p) + b"x",
    "two files, one after the other": lambda head, p: (head + b"".join(p)) * 2,
    "a bit of the header": lambda head, p: head.replace(b'"n": 16', b'"n": 32') + b"".join(p),
    "the pieces of another file": lambda head, p: head + b"".join(pieces_of(sealed(THREE))[1]),
}


@pytest.mark.parametrize("how", DAMAGE)
def test_damage_is_refused(how: str) -> None:
    whole = sealed(THREE)
    changed = DAMAGE[how](*pieces_of(whole))
    assert changed != whole
    with pytest.raises(Refused) as told:
        opened(changed)
    assert told.value.code == "backup_damaged"


def test_any_changed_byte_is_refused() -> None:
    whole = sealed(b"some words")
    for place in range(len(whole)):
        changed = bytearray(whole)
        changed[place] ^= 1
        with pytest.raises(Refused) as told:
            opened(bytes(changed))
        assert told.value.code in ("backup_damaged", "backup_foreign")


def test_a_wrong_passphrase_is_told_as_one() -> None:
    with pytest.raises(Refused) as told:
        opened(sealed(THREE), WORDS + " ")
    assert told.value.code == "backup_passphrase"


def test_another_file_is_told_as_one() -> None:
    with pytest.raises(Refused) as told:
        opened(b"PK" + os.urandom(5000))
    assert told.value.code == "backup_foreign"


# --- a home ----------------------------------------------------------------------------------------------------------


def filled(home: Path) -> Place:
    """A home with an app, its release, files of every kind, and things that do not belong into a backup."""
    home.mkdir(mode=0o700)
    place = Place(home, f"sqlite:///{home / 'windlass.db'}", "1", "i1")
    store = open_store(place.url, home / "secret.key")
    store.apps.add(App("shop", 1.0, live=1))
    store.variables.set("shop", {"PASSWORD": SECRET}, 1.0)
    release = store.releases.add("shop", 1.0, "upload", "")
    mounted = f"{home}/apps/shop/files/ab/nginx.conf"
    store.releases.save_snapshot("shop", release.number, json.dumps({"binds": [mounted, "/etc/hosts"]}).encode())
    store.audit.append(AuditEntry(0, 1.0, "ann", "socket", "env.set", "shop", {}))
    store.close()
    for name, content in {
        "settings.json": json.dumps({"instance": "i1", "tls_cert": f"{home}/certificates/c.pem"}),
        "apps/shop/releases/1/compose.yaml": "services: {}",
        "apps/shop/files/ab/nginx.conf": "x" * 3_000_000,
        "apps/shop/data/uploads/photo": "the app's own",
        "certificates/c.pem": "PEM",
        "edge/dynamic/shop.yml": "http: {}",
        "log/windlass.log": "log",
        "run/api.pid": "1",
        "uploads/x": "x",
    }.items():
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    (home / "apps/shop/releases/1/run.sh").write_text("x")
    (home / "apps/shop/releases/1/run.sh").chmod(0o755)
    (home / "apps/shop/releases/1/link").symlink_to("compose.yaml")
    return place


def backed_up(place: Place) -> bytes:
    into = io.BytesIO()
    write_backup(place, into, WORDS)
    return into.getvalue()


def modes_of(home: Path) -> dict[str, int]:
    return {str(p.relative_to(home)): stat.S_IMODE(p.lstat().st_mode) for p in home.rglob("*") if not p.is_symlink()}


@pytest.mark.parametrize("other", ["", "another/place"])
def test_a_home_comes_back(tmp_path: Path, other: str) -> None:
    place = filled(tmp_path / "home")
    into = io.BytesIO()
    told = write_backup(place, into, WORDS)
    assert (told["apps"], told["without_data"]) == (1, ["shop"])
    assert SECRET.encode() not in into.getvalue()
    place.home.rename(tmp_path / "before")
    home = tmp_path / other if other else place.home
    back = read_backup(io.BytesIO(into.getvalue()), WORDS, Place(home, "", "1"))
    assert (back["apps"], back["was_at"], back["home"]) == (1, str(place.home), str(home))
    files = {name for name, mode in modes_of(home).items() if (home / name).is_file()}
    assert files == {
        *("windlass.db", "secret.key", "audit.head", "settings.json", "certificates/c.pem", "edge/dynamic/shop.yml"),
        *(f"apps/shop/releases/1/{name}" for name in ("compose.yaml", "run.sh")),
        "apps/shop/files/ab/nginx.conf",
    }
    modes = modes_of(home)
    assert {modes[name] for name in files if not name.startswith("apps/")} == {0o600}
    assert (modes["apps"], modes["edge"], modes["apps/shop"], stat.S_IMODE(home.stat().st_mode)) == (0o700,) * 4
    assert modes["apps/shop/releases/1/run.sh"] == 0o755
    assert os.readlink(home / "apps/shop/releases/1/link") == "compose.yaml"
    store = open_store(f"sqlite:///{home / 'windlass.db'}", home / "secret.key")
    assert store.variables.all("shop") == {"PASSWORD": SECRET}
    mounted = f"{home}/apps/shop/files/ab/nginx.conf"
    assert json.loads(store.releases.snapshot("shop", 1)) == {"binds": [mounted, "/etc/hosts"]}
    assert store.audit.check() == (2, [])
    assert [e.action for e in store.audit.entries()] == ["self.backup", "env.set"]
    store.close()
    settings = json.loads((home / "settings.json").read_text())
    assert settings == {"instance": "i1", "tls_cert": f"{home}/certificates/c.pem", "database": "sqlite"}
    assert {p.name for p in tmp_path.iterdir()} == {"before", home.relative_to(tmp_path).parts[0]}


def test_only_onto_an_empty_home(tmp_path: Path) -> None:
    place = filled(tmp_path / "home")
    whole = backed_up(place)
    before = sorted(modes_of(place.home))
    with pytest.raises(Refused) as told:
        read_backup(io.BytesIO(whole), WORDS, Place(place.home, "", "1"))
    assert told.value.code == "home_not_empty"
    assert "--home" in told.value.hint
    assert sorted(modes_of(place.home)) == before
    empty = tmp_path / "empty"
    empty.mkdir()
    assert read_backup(io.BytesIO(whole), WORDS, Place(empty, "", "1"))["apps"] == 1


def spoilt(whole: bytes) -> dict[str, tuple[bytes, str, str]]:
    middle = len(whole) // 2
    return {
        "passphrase": (whole, "another one", "backup_passphrase"),
        "cut": (whole[:-100], WORDS, "backup_damaged"),
        "half": (whole[:middle], WORDS, "backup_damaged"),
        "changed": (whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :], WORDS, "backup_damaged"),
        "longer": (whole + b"x", WORDS, "backup_damaged"),
        "no tar": (sealed(b"x" * 100_000), WORDS, "backup_damaged"),
        "empty": (sealed(b""), WORDS, "backup_damaged"),
    }


def test_what_is_refused_leaves_nothing(tmp_path: Path) -> None:
    whole = backed_up(filled(tmp_path / "home"))
    for how, (content, passphrase, code) in spoilt(whole).items():
        with pytest.raises(Refused) as told:
            read_backup(io.BytesIO(content), passphrase, Place(tmp_path / "new", "", "1"))
        assert told.value.code == code, how
        assert [p.name for p in tmp_path.iterdir()] == ["home"], how


def test_a_killed_restore_stands_in_nobodys_way(tmp_path: Path) -> None:
    whole = backed_up(filled(tmp_path / "home"))
    left = tmp_path / ".new.restoring"
    (left / "apps").mkdir(parents=True)
    (left / "windlass.db").write_text("half")
    assert read_backup(io.BytesIO(whole), WORDS, Place(tmp_path / "new", "", "1"))["apps"] == 1
    assert not left.exists()


def test_a_newer_backup_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = filled(tmp_path / "home")
    with monkeypatch.context() as newer:
        newer.setattr("windlass.adapters.selfbackup.backup.FORMAT", 2)
        whole = backed_up(place)
    with pytest.raises(Refused) as told:
        read_backup(io.BytesIO(whole), WORDS, Place(tmp_path / "new", "", "1"))
    assert told.value.code == "backup_newer"
    assert not (tmp_path / "new").exists()


def test_an_empty_home_has_nothing_to_back_up(tmp_path: Path) -> None:
    with pytest.raises(Refused) as told:
        backed_up(Place(tmp_path, f"sqlite:///{tmp_path}/windlass.db", "1"))
    assert told.value.code == "home_empty"
    assert list(tmp_path.iterdir()) == []


def test_while_others_write(tmp_path: Path) -> None:
    """Rows, key and head belong together in every one of them, also while values and keys change."""
    place = filled(tmp_path / "home")
    store = open_store(place.url, place.home / "secret.key")
    over = threading.Event()

    def write() -> None:
        while not over.is_set():
            store.variables.set("shop", {f"N{n}": SECRET for n in range(20)}, 1.0)
            store.audit.append(AuditEntry(0, 1.0, "ann", "socket", "env.set", "shop", {}))
            store.keys.add()
            store.keys.reseal(store.keys.stale())
            store.keys.drop_unused()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        kept = [backed_up(place) for _ in range(5)]
    finally:
        over.set()
        writer.join()
        store.close()
    for number, whole in enumerate(kept):
        home = tmp_path / f"new{number}"
        read_backup(io.BytesIO(whole), WORDS, Place(home, "", "1"))
        again = open_store(f"sqlite:///{home / 'windlass.db'}", home / "secret.key")
        assert set(again.variables.all("shop").values()) == {SECRET}
        assert again.audit.check()[1] == []
        again.close()
