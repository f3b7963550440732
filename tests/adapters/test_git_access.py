"""Git with tokens and keys from real servers: who is let in, what is pinned, and that no secret is to be seen."""

from __future__ import annotations

import base64
import http.server
import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.contents import contents_of
from tests.e2e.outsiders import certify
from tests.gitservers import HttpGit, SshGit, git, make_repository

from windlass.adapters.git import GitCli
from windlass.adapters.gitaccess import configuration, ssh_settings
from windlass.adapters.gitremote import GitRules
from windlass.domain.errors import Refused, WindlassError
from windlass.ports.sources import Access

GIT = GitCli()
LOCAL = GitCli(GitRules(allow_local=True))
TOKEN = "glpat-t0p%s3cret/Ü"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return make_repository(tmp_path / "served" / "shop.git", run="one", **{"deploy/inner__txt": "inner"})


@pytest.fixture
def web(repository: Path) -> Iterator[HttpGit]:
    with HttpGit(repository.parent, "oauth2", TOKEN) as server:
        yield server


@pytest.fixture
def ssh(tmp_path: Path) -> Iterator[SshGit]:
    with SshGit(tmp_path / "sshd") as server:
        yield server


def by_http(server: HttpGit, name: str = "shop.git") -> str:
    return f"{server.address}/{name}/.git"


# ---- tokens ---------------------------------------------------------------------------------------------------------


def test_a_token_opens_a_repository(web: HttpGit, repository: Path, tmp_path: Path) -> None:
    access = Access(token=TOKEN)
    commit = GIT.fetch(by_http(web), "main", tmp_path / "1", access=access)
    assert (commit.sha, commit.author) == (git(repository, "rev-parse", "HEAD"), "Ann <ann@example.com>")
    assert GIT.head(by_http(web), "main", access=access) == commit.sha
    for wrong in (Access(), Access(token="other"), Access(token=TOKEN, user="ann")):
        with pytest.raises(Refused) as caught:
            GIT.head(by_http(web), "main", access=wrong)
        assert caught.value.code == "git_auth"
        assert TOKEN not in str(caught.value.as_dict())


def test_a_branch_that_is_not_there(web: HttpGit, tmp_path: Path) -> None:
    with pytest.raises(Refused) as caught:
        GIT.head(by_http(web), "mai", access=Access(token=TOKEN))
    assert caught.value.code == "git_ref_not_found"


def test_a_token_is_for_its_server_alone() -> None:
    secret = base64.b64encode(b"oauth2:t").decode()
    told = configuration("https://git.example.com/x.git", Access(token="t")).decode()
    assert told.startswith(f'[http "https://git.example.com/"]\nextraHeader = "Authorization: Basic {secret}"\n')
    assert configuration("git@git.example.com:x.git", Access(token="t")) == b""
    assert b"eC10b2tlbi1hdXRoOnQ=" in configuration("https://bitbucket.org/x.git", Access(token="t"))


def test_no_secret_is_seen_in_processes_and_files(web: HttpGit, tmp_path: Path) -> None:
    """Everything that any process of this machine shows, and every file that is made, while it is fetched."""
    seen: set[bytes] = set()
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            for pid in filter(str.isdigit, os.listdir("/proc")):
                for name in ("cmdline", "environ"):
                    try:
                        seen.add(Path("/proc", pid, name).read_bytes())
                    except OSError:
                        continue
            seen.update(contents_of(tmp_path / "out").values())

    (tmp_path / "out").mkdir()
    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        GIT.fetch(by_http(web), "main", tmp_path / "out" / "1", access=Access(token=TOKEN))
    finally:
        done.set()
        watcher.join()
    forms = (TOKEN.encode(), base64.b64encode(f"oauth2:{TOKEN}".encode()))
    assert any(b"ls-remote" in text for text in seen)
    assert not [text for text in seen for form in forms if form in text]


class _Elsewhere(http.server.BaseHTTPRequestHandler):
    """Sends everybody to `place`."""

    place: str

    def do_GET(self) -> None:
        self.send_response(301)
        self.send_header("Location", self.place + self.path)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


def test_a_token_is_not_taken_along_to_another_server(web: HttpGit, tmp_path: Path) -> None:
    web.password = ""
    handler = type("Elsewhere", (_Elsewhere,), {"place": web.address})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            url = f"http://127.0.0.1:{server.server_port}/shop.git/.git"
            with pytest.raises(Refused) as caught:
                GIT.fetch(url, "main", tmp_path / "1", access=Access(token=TOKEN))
            assert (caught.value.code, web.seen) == ("git_moved", [])
            GIT.fetch(url, "main", tmp_path / "1")
        finally:
            server.shutdown()
            thread.join()
    assert {shown for _, shown in web.seen} == {""}


# ---- keys -----------------------------------------------------------------------------------------------------------


def test_a_key_opens_a_repository_and_the_server_is_remembered(ssh: SshGit, repository: Path, tmp_path: Path) -> None:
    key = GIT.make_key("windlass shop")
    pinned: list[str] = []
    with pytest.raises(Refused) as caught:
        GIT.fetch(ssh.url(repository), "main", tmp_path / "1", access=Access(key=key.private, pin=pinned.append))
    assert (caught.value.code, pinned) == ("git_auth", [])
    ssh.let_in(key.public)
    GIT.fetch(ssh.url(repository), "main", tmp_path / "1", access=Access(key=key.private, pin=pinned.append))
    assert (tmp_path / "1" / "run").read_text() == "one"
    (hosts,) = pinned
    assert hosts.startswith(f"[127.0.0.1]:{ssh.port} ssh-ed25519 ")
    known = Access(key=key.private, host_keys=hosts, pin=pinned.append)
    assert GIT.head(ssh.url(repository), "main", access=known) == git(repository, "rev-parse", "HEAD")
    ssh.stop()
    ssh.make_host_key()
    ssh.start()
    with pytest.raises(Refused) as caught:
        GIT.head(ssh.url(repository), "main", access=known)
    assert (caught.value.code, len(pinned)) == ("git_host_key_changed", 1)


def test_no_key_is_seen_in_processes_and_files(ssh: SshGit, repository: Path, tmp_path: Path) -> None:
    key = GIT.make_key("x")
    ssh.let_in(key.public)
    secret = key.private.splitlines()[3].encode()
    before = {p for p in Path("/tmp").iterdir() if p.name.startswith("windlass-")}
    found: list[bytes] = []
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            listed = subprocess.run(["ps", "axeww"], capture_output=True, check=False).stdout
            found.extend(text for text in (listed, *contents_of(tmp_path / "out").values()) if secret in text)

    (tmp_path / "out").mkdir()
    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        GIT.fetch(ssh.url(repository), "main", tmp_path / "out" / "1", access=Access(key=key.private))
        GIT.head(ssh.url(repository), "main", access=Access(key=key.private))
    finally:
        done.set()
        watcher.join()
    assert found == []
    assert {p for p in Path("/tmp").iterdir() if p.name.startswith("windlass-")} <= before


def test_ssh_is_told_everything() -> None:
    lines = ssh_settings("/proc/1/fd/3", "/proc/1/fd/4", pinned=True).splitlines()
    assert {"IdentityFile /proc/1/fd/3", "IdentityAgent none", "StrictHostKeyChecking yes", "ProxyCommand none"} <= set(
        lines
    )
    assert "StrictHostKeyChecking accept-new" in ssh_settings("a", "b", pinned=False).splitlines()


@pytest.mark.parametrize("kind", ["ed25519", "rsa", "ecdsa"])
def test_a_key_of_the_user_is_read(tmp_path: Path, kind: str) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", str(tmp_path / "k")], check=True)
    found = GIT.read_key((tmp_path / "k").read_text())
    assert found.public.split()[:2] == (tmp_path / "k.pub").read_text().split()[:2]


def test_what_is_no_usable_key(tmp_path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "word", "-f", str(tmp_path / "k")], check=True)
    for text, words in (((tmp_path / "k").read_text(), "passphrase"), ("x", "private key"), ("", "private key")):
        with pytest.raises(Refused, match=words) as caught:
            GIT.read_key(text)
        assert caught.value.code == "deploy_key_invalid"


# ---- folders, submodules, LFS ---------------------------------------------------------------------------------------


def test_a_folder_of_the_repository_alone(repository: Path, tmp_path: Path) -> None:
    LOCAL.fetch(str(repository), "main", tmp_path / "1", access=Access(folder="deploy"))
    assert [p.name for p in (tmp_path / "1").iterdir()] == ["inner.txt"]
    (repository / "link").symlink_to("deploy")
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "link")
    for folder in ("absent", "run", "link"):
        with pytest.raises(Refused) as caught:
            LOCAL.fetch(str(repository), "main", tmp_path / "2", access=Access(folder=folder))
        assert caught.value.code == "git_folder_not_found"
    with pytest.raises(Refused) as caught:
        LOCAL.fetch(str(repository), "main", tmp_path / "2", access=Access(folder="../x"))
    assert caught.value.code == "path_invalid"


def add_submodule(repository: Path, url: str, path: str = "lib") -> None:
    """As `git submodule add` does, for an address that may not even exist."""
    (repository / ".gitmodules").write_text(f'[submodule "{path}"]\n\tpath = {path}\n\turl = {url}\n')
    git(repository, "add", ".gitmodules")
    sha = git(repository.parent / "lib.git", "rev-parse", "HEAD")
    git(repository, "update-index", "--add", "--cacheinfo", f"160000,{sha},{path}")
    git(repository, "commit", "--quiet", "-m", "submodule")


@pytest.fixture
def library(repository: Path) -> Path:
    return make_repository(repository.parent / "lib.git", code="library")


@pytest.mark.parametrize("url", ["../../lib.git/.git", "absolute"])
def test_submodules_with_the_same_token(
    web: HttpGit, repository: Path, library: Path, tmp_path: Path, url: str
) -> None:
    add_submodule(repository, by_http(web, "lib.git") if url == "absolute" else url)
    GIT.fetch(by_http(web), "main", tmp_path / "0", access=Access(token=TOKEN))
    assert list((tmp_path / "0" / "lib").iterdir()) == []
    GIT.fetch(by_http(web), "main", tmp_path / "1", access=Access(token=TOKEN, submodules=True))
    assert (tmp_path / "1" / "lib" / "code").read_text() == "library"
    assert not list((tmp_path / "1").rglob(".git"))


def test_submodules_of_submodules_with_the_same_key(
    ssh: SshGit, repository: Path, library: Path, tmp_path: Path
) -> None:
    make_repository(repository.parent / "deep.git", deep="deep")
    add_submodule(repository, "../lib.git")
    (library / ".gitmodules").write_text('[submodule "d"]\n\tpath = d\n\turl = ../deep.git\n')
    git(library, "add", ".")
    sha = git(repository.parent / "deep.git", "rev-parse", "HEAD")
    git(library, "update-index", "--add", "--cacheinfo", f"160000,{sha},d")
    git(library, "commit", "-qm", "deep")
    git(repository, "update-index", "--cacheinfo", f"160000,{git(library, 'rev-parse', 'HEAD')},lib")
    git(repository, "commit", "-qm", "deeper")
    key = GIT.make_key("x")
    ssh.let_in(key.public)
    GIT.fetch(ssh.url(repository), "main", tmp_path / "1", access=Access(key=key.private, submodules=True))
    assert (tmp_path / "1" / "lib" / "d" / "deep").read_text() == "deep"


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("/etc", "lib"),
        ("file:///etc", "lib"),
        ("ext::sh -c id", "lib"),
        ("--upload-pack=id", "lib"),
        ("http://example.com/x.git", "lib"),
        ("git@other.example.com:x.git", "lib"),
        ("ssh://root@other.example.com/x.git", "lib"),
        ("../../../../../x.git", "lib"),
        ("", "lib"),
        ("../../lib.git/.git", "-lib"),
    ],
)
def test_submodules_that_are_not_fetched(
    web: HttpGit, repository: Path, library: Path, tmp_path: Path, url: str, path: str
) -> None:
    add_submodule(repository, url, path)
    access = Access(token=TOKEN, submodules=True)
    if path == "-lib":
        GIT.fetch(by_http(web), "main", tmp_path / "1", access=access)
        assert (tmp_path / "1" / path / "code").read_text() == "library"
        return
    with pytest.raises(Refused) as caught:
        GitCli(GitRules(allow_local=True)).fetch(by_http(web), "main", tmp_path / "1", access=access)
    assert (caught.value.code, (tmp_path / "1").exists()) == ("git_url_invalid", False)


def test_large_files(web: HttpGit, repository: Path, tmp_path: Path) -> None:
    (repository / "film").write_text(web.keep_large(b"a long film"))
    (repository / ".gitattributes").write_text("film filter=lfs diff=lfs merge=lfs -text\n")
    (repository / ".lfsconfig").write_text("[lfs]\n\turl = http://127.0.0.1:1/elsewhere\n")
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "film")
    GIT.fetch(by_http(web), "main", tmp_path / "0", access=Access(token=TOKEN))
    assert (tmp_path / "0" / "film").read_text().startswith("version https://git-lfs")
    GIT.fetch(by_http(web), "main", tmp_path / "1", access=Access(token=TOKEN, lfs=True))
    assert (tmp_path / "1" / "film").read_bytes() == b"a long film"


def keep_film(repository: Path, server: HttpGit, content: bytes) -> None:
    """A file that LFS keeps on that server."""
    (repository / "film").write_text(server.keep_large(content))
    (repository / ".gitattributes").write_text("film filter=lfs diff=lfs merge=lfs -text\n")
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "film")


def test_large_files_by_ssh(ssh: SshGit, web: HttpGit, repository: Path, tmp_path: Path) -> None:
    """Who is let in by a key is told by the server where its files lie, and how they are opened."""
    keep_film(repository, web, b"a long film by ssh")
    ssh.keep_large_at(web, "shop.git")
    key = GIT.make_key("x")
    ssh.let_in(key.public)
    GIT.fetch(ssh.url(repository), "main", tmp_path / "1", access=Access(key=key.private, lfs=True))
    assert (tmp_path / "1" / "film").read_bytes() == b"a long film by ssh"
    assert [path for path, _ in web.seen if path.endswith("/objects/batch")]
    stranger = GIT.make_key("y")
    with pytest.raises(Refused) as caught:
        GIT.fetch(ssh.url(repository), "main", tmp_path / "2", access=Access(key=stranger.private, lfs=True))
    assert caught.value.code == "git_auth"


def test_large_files_of_submodules(web: HttpGit, repository: Path, library: Path, tmp_path: Path) -> None:
    keep_film(library, web, b"of the library")
    add_submodule(repository, "../../lib.git/.git")
    GIT.fetch(by_http(web), "main", tmp_path / "1", access=Access(token=TOKEN, submodules=True, lfs=True))
    assert (tmp_path / "1" / "lib" / "film").read_bytes() == b"of the library"


def test_a_server_that_never_gives_large_files_is_not_asked_for_ever(
    web: HttpGit, repository: Path, tmp_path: Path
) -> None:
    keep_film(repository, web, b"closed")
    web.keeps_large_to_itself = True
    with pytest.raises(WindlassError):
        GIT.fetch(by_http(web), "main", tmp_path / "1", access=Access(token=TOKEN, lfs=True))
    assert 0 < len([path for path, _ in web.seen if "/lfs/" in path]) < 100


def test_large_files_that_are_gone(web: HttpGit, repository: Path, tmp_path: Path) -> None:
    """Told as what they are; what stands for them is never taken for them."""
    keep_film(repository, web, b"gone")
    web.large.clear()
    with pytest.raises(WindlassError) as caught:
        GIT.fetch(by_http(web), "main", tmp_path / "1", access=Access(token=TOKEN, lfs=True))
    assert (TOKEN in str(caught.value.as_dict()), (tmp_path / "1").exists()) == (False, False)


# ---- by https -------------------------------------------------------------------------------------------------------


@pytest.fixture
def certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of an authority that this machine knows, as a company's own is known."""
    folder = tmp_path / "certificate"
    certify(folder, "localhost")
    monkeypatch.setenv("GIT_SSL_CAINFO", str(folder / "ca.pem"))
    return folder


def test_by_https_with_a_token_submodules_and_large_files(
    certificate: Path, repository: Path, library: Path, tmp_path: Path
) -> None:
    with HttpGit(repository.parent, "oauth2", TOKEN, certificate) as server:
        keep_film(library, server, b"by https")
        add_submodule(repository, "../../lib.git/.git")
        access = Access(token=TOKEN, submodules=True, lfs=True)
        url = f"{server.address}/shop.git/.git"
        GIT.fetch(url, "main", tmp_path / "1", access=access)
        with pytest.raises(Refused) as caught:
            GIT.fetch(url, "main", tmp_path / "2", access=Access(token="other", submodules=True))
    assert (tmp_path / "1" / "lib" / "film").read_bytes() == b"by https"
    assert caught.value.code == "git_auth"


def test_a_token_is_not_shown_to_the_server_of_a_submodule(
    certificate: Path, web: HttpGit, repository: Path, library: Path, tmp_path: Path
) -> None:
    with HttpGit(repository.parent, certificate=certificate) as other:
        add_submodule(repository, f"{other.address}/lib.git/.git")
        GIT.fetch(by_http(web), "main", tmp_path / "1", access=Access(token=TOKEN, submodules=True))
        assert other.seen
        assert {shown for _, shown in other.seen} == {""}
    assert (tmp_path / "1" / "lib" / "code").read_text() == "library"


def test_a_public_submodule_by_https_of_a_repository_by_key(
    certificate: Path, ssh: SshGit, repository: Path, library: Path, tmp_path: Path
) -> None:
    key = GIT.make_key("x")
    ssh.let_in(key.public)
    with HttpGit(repository.parent, certificate=certificate) as other:
        add_submodule(repository, f"{other.address}/lib.git/.git")
        GIT.fetch(ssh.url(repository), "main", tmp_path / "1", access=Access(key=key.private, submodules=True))
    assert (tmp_path / "1" / "lib" / "code").read_text() == "library"
