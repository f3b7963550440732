"""Git from real repositories, by path and by HTTP, and what is kept out of its hands."""

import base64
import functools
import http.server
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from windlass.adapters.git import GitCli
from windlass.adapters.gitaccess import configuration
from windlass.adapters.gitremote import GitRules, environment, explain, git_argv
from windlass.adapters.process import Command, Result, run
from windlass.domain.errors import Cancelled, OutOfReach, Refused, WindlassError

LOCAL = GitCli(GitRules(allow_local=True))
HTTP = GitCli()


def git(folder: Path, *arguments: str) -> str:
    settings = ("-c", "user.name=Ann", "-c", "user.email=ann@example.com", "-c", "protocol.file.allow=always")
    own = {"PATH": os.environ["PATH"], "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null"}
    result = run(Command(("git", *settings, *arguments), cwd=folder, environment=own))
    assert result.code == 0, result.errors
    return result.text.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Two commits on main, the first with tags and a branch."""
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    (folder / "run.sh").write_text("one")
    (folder / "run.sh").chmod(0o755)
    (folder / "link").symlink_to("run.sh")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "one: Umlaut ü")
    git(folder, "tag", "v1")
    git(folder, "tag", "-a", "v1a", "-m", "annotated")
    git(folder, "branch", "feature/x")
    (folder / "run.sh").write_text("two")
    git(folder, "commit", "-qam", "two")
    return folder


@pytest.mark.parametrize(
    ("ref", "content"),
    [("", "two"), ("main", "two"), ("feature/x", "one"), ("v1", "one"), ("v1a", "one"), ("refs/heads/main", "two")],
)
def test_brings_branches_and_tags_without_git_folder(repository: Path, tmp_path: Path, ref: str, content: str) -> None:
    into = tmp_path / "new" / "1"
    commit = LOCAL.fetch(str(repository), ref, into)
    assert sorted(p.name for p in into.iterdir()) == ["link", "run.sh"]
    assert ((into / "link").read_text(), (into / "run.sh").stat().st_mode & 0o777) == (content, 0o755)
    assert [p.name for p in into.parent.iterdir()] == ["1"]
    assert commit.sha == git(repository, "rev-parse", (ref or "HEAD") + "^{commit}")
    assert (commit.author, commit.at > 1e9) == ("Ann <ann@example.com>", True)


@pytest.mark.parametrize("length", [40, 10, 7])
def test_brings_commits_by_number(repository: Path, tmp_path: Path, length: int) -> None:
    sha = git(repository, "rev-parse", "v1")
    commit = LOCAL.fetch(f"file://{repository}", sha[:length], tmp_path / "1")
    assert (commit.sha, commit.message) == (sha, "one: Umlaut ü")


@pytest.mark.parametrize(
    ("ref", "meant"),
    [
        ("", "HEAD"),
        ("main", "HEAD"),
        ("feature/x", "v1"),
        ("v1", "v1"),
        ("v1a", "v1^{commit}"),
        ("refs/heads/main", "HEAD"),
    ],
)
def test_a_ref_is_resolved_to_what_it_brings(repository: Path, tmp_path: Path, ref: str, meant: str) -> None:
    sha = LOCAL.resolve(str(repository), ref)
    assert sha == git(repository, "rev-parse", meant)
    (repository / "run.sh").write_text("three")
    git(repository, "commit", "-qam", "three")
    assert LOCAL.fetch(str(repository), sha, tmp_path / "1").sha == sha


def test_what_is_no_ref_is_not_resolved(repository: Path) -> None:
    sha = git(repository, "rev-parse", "v1")
    assert LOCAL.resolve(str(repository), sha) == sha
    for ref in ("mai", sha[:10]):
        with pytest.raises(Refused, match="no branch, tag or commit"):
            LOCAL.resolve(str(repository), ref)


class QuietFiles(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def plain_files(repository: Path, tmp_path: Path) -> Iterator[str]:
    """The repository on a server that knows nothing of Git, and so gives no single commit."""
    folder = tmp_path / "served"
    folder.mkdir()
    git(tmp_path, "clone", "-q", "--bare", str(repository), str(folder / "x.git"))
    git(folder / "x.git", "update-server-info")
    handler = functools.partial(QuietFiles, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}/x.git"
        server.shutdown()


@pytest.mark.parametrize("ref", ["", "main", "v1", "40", "7"])
def test_brings_from_a_server_of_plain_files(repository: Path, tmp_path: Path, plain_files: str, ref: str) -> None:
    sha = git(repository, "rev-parse", "v1" if ref.isdigit() else (ref or "HEAD"))
    commit = HTTP.fetch(plain_files, sha[: int(ref)] if ref.isdigit() else ref, tmp_path / "1")
    assert commit.sha == sha


def test_a_ref_in_full_is_not_taken_for_a_branch_of_such_a_name(repository: Path, tmp_path: Path) -> None:
    git(repository, "update-ref", "refs/pull/12/head", "HEAD")
    git(repository, "update-ref", "refs/heads/refs/pull/13/head", "HEAD")
    assert LOCAL.fetch(str(repository), "refs/pull/12/head", tmp_path / "request").sha
    with pytest.raises(Refused) as refused:
        LOCAL.fetch(str(repository), "refs/pull/13/head", tmp_path / "none")
    assert refused.value.code == "git_ref_not_found"


def test_a_branch_comes_before_a_tag_of_the_same_name(repository: Path, tmp_path: Path) -> None:
    git(repository, "tag", "main", "v1")
    LOCAL.fetch(str(repository), "main", tmp_path / "1")
    assert (tmp_path / "1" / "run.sh").read_text() == "two"


@pytest.mark.parametrize("ref", ["nosuch", "mai", "x", "0123456", "0" * 40])
def test_a_ref_that_is_not_there(repository: Path, tmp_path: Path, ref: str) -> None:
    with pytest.raises(Refused) as caught:
        LOCAL.fetch(str(repository), ref, tmp_path / "1")
    assert (caught.value.code, (tmp_path / "1").exists()) == ("git_ref_not_found", False)


def test_an_empty_repository(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "--bare", "empty")
    with pytest.raises(Refused) as caught:
        LOCAL.fetch(str(tmp_path / "empty"), "", tmp_path / "1")
    assert caught.value.code == "git_ref_not_found"


def test_what_is_no_repository(tmp_path: Path) -> None:
    with pytest.raises(Refused) as caught:
        LOCAL.fetch(str(tmp_path), "", tmp_path / "1")
    assert caught.value.code == "git_repository_not_found"


@pytest.mark.parametrize(
    ("url", "ref", "code"),
    [
        ("/srv/x.git", "", "git_url_invalid"),
        ("file:///srv/x.git", "", "git_url_invalid"),
        ("ext::sh -c id", "", "git_url_invalid"),
        ("--upload-pack=id", "", "git_url_invalid"),
        ("https://example.com/x.git", "--upload-pack=id", "git_ref_invalid"),
        ("https://example.com/x.git", "a..b", "git_ref_invalid"),
    ],
)
def test_what_is_not_even_tried(tmp_path: Path, url: str, ref: str, code: str) -> None:
    with pytest.raises(Refused) as caught:
        HTTP.fetch(url, ref, tmp_path / "1")
    assert caught.value.code == code


def test_links_that_lead_outside_are_refused_all_at_once(repository: Path, tmp_path: Path) -> None:
    for name, target in (("abs", "/etc/passwd"), ("up", "../../x")):
        (repository / name).symlink_to(target)
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "links")
    with pytest.raises(Refused) as caught:
        LOCAL.fetch(str(repository), "", tmp_path / "1")
    assert [(d.code, d.name) for d in caught.value.details] == [("upload_unsafe", "abs"), ("upload_unsafe", "up")]
    assert not (tmp_path / "1").exists()


def test_submodules_and_hooks_are_left_alone(repository: Path, tmp_path: Path) -> None:
    git(repository, "submodule", "--quiet", "add", "--", str(repository), "sub")
    git(repository, "commit", "-qm", "submodule")
    home = tmp_path / "home"
    (home / "templates" / "hooks").mkdir(parents=True)
    hook = home / "templates" / "hooks" / "post-checkout"
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/hooked\n")
    hook.chmod(0o755)
    (home / ".gitconfig").write_text(f"[init]\ntemplateDir = {home}/templates\n[core]\nhooksPath = {hook.parent}\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(home))
        patch.setenv("GIT_TEMPLATE_DIR", str(home / "templates"))
        LOCAL.fetch(str(repository), "", tmp_path / "1")
    assert (list((tmp_path / "1" / "sub").iterdir()), (tmp_path / "hooked").exists()) == ([], False)


def test_a_folder_that_is_not_empty_is_left(repository: Path, tmp_path: Path) -> None:
    (tmp_path / "1").mkdir()
    LOCAL.fetch(str(repository), "", tmp_path / "1")
    with pytest.raises(WindlassError) as caught:
        LOCAL.fetch(str(repository), "", tmp_path / "1")
    assert caught.value.code == "folder_not_empty"


# ---- by HTTP --------------------------------------------------------------------------------------------------------

USER, PASSWORD = "ann", "p@ss:w%rd"


class _Backend(http.server.BaseHTTPRequestHandler):
    """`git http-backend` behind a password; the server holds where the repositories are."""

    server: "_Server"

    def do_GET(self) -> None:
        expected = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        given = self.headers.get("Authorization", "")
        if given != expected:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="git"')
            self.end_headers()
            return
        path, _, query = self.path.partition("?")
        length = int(self.headers.get("Content-Length") or 0)
        own = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self.server.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(length),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "REMOTE_USER": USER,
        }
        body = self.rfile.read(length)
        answer = run(Command(("git", "http-backend"), environment=own, stdin=body)).stdout
        head, _, content = answer.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        self.send_response(int(fields.pop("Status", "200 OK").split()[0]))
        for name, value in fields.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_GET

    def log_message(self, format: str, *args: object) -> None:
        pass


class _Server(http.server.ThreadingHTTPServer):
    root: Path


@pytest.fixture
def server(repository: Path) -> Iterator[str]:
    """host:port; the repository is /repository/.git there."""
    with _Server(("127.0.0.1", 0), _Backend) as found:
        found.root = repository.parent
        thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"127.0.0.1:{found.server_port}"
        found.shutdown()
        thread.join()


@pytest.mark.parametrize("ref", ["", "v1a", "full", "short"])
def test_by_http_with_a_password(server: str, repository: Path, tmp_path: Path, ref: str) -> None:
    sha = git(repository, "rev-parse", "v1^{commit}" if ref else "HEAD")
    wanted = {"full": sha, "short": sha[:9]}.get(ref, ref)
    commit = HTTP.fetch(f"http://ann:p%40ss%3Aw%25rd@{server}/repository/.git", wanted, tmp_path / "1")
    assert commit.sha == sha


@pytest.mark.parametrize(
    ("user", "path", "code"),
    [
        ("", "repository/.git", "git_auth"),
        ("ann:wr0ng@", "repository/.git", "git_auth"),
        ("ann:p%40ss%3Aw%25rd@", "no/.git", "git_repository_not_found"),
    ],
)
def test_why_not_by_http(server: str, tmp_path: Path, user: str, path: str, code: str) -> None:
    with pytest.raises(Refused) as caught:
        HTTP.fetch(f"http://{user}{server}/{path}", "", tmp_path / "1")
    assert caught.value.code == code
    said = str(caught.value.as_dict())
    assert not [secret for secret in ("wr0ng", "p%40ss", PASSWORD) if secret in said]


def test_a_server_that_is_not_there_is_out_of_reach(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(OutOfReach) as caught:
        HTTP.fetch(f"http://127.0.0.1:{port}/x.git", "", tmp_path / "1")
    assert caught.value.code == "git_unreachable"


def test_a_silent_server_is_given_up_and_can_be_cancelled(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/x.git"
        with pytest.raises(OutOfReach):
            GitCli(GitRules(timeout_s=0.5)).fetch(url, "", tmp_path / "1")
        with pytest.raises(Cancelled):
            HTTP.fetch(url, "", tmp_path / "1", cancelled=lambda: True)
    assert list(tmp_path.iterdir()) == []


# ---- what it is told ------------------------------------------------------------------------------------------------


def test_only_wanted_transports_and_no_credentials_in_argv() -> None:
    argv = git_argv(Path("/g"), ("fetch", "--", "https://host/x"), ())
    assert {"protocol.allow=never", "protocol.https.allow=always", "core.hooksPath=/dev/null"} <= set(argv)
    assert not [word for word in argv if "http.allow" in word or "file.allow" in word]
    assert argv[-5:] == ("--git-dir", "/g", "fetch", "--", "https://host/x")


def test_the_password_is_given_to_its_server_alone() -> None:
    text = configuration("https://ann:p@ss@host:8443/x.git").decode()
    secret = base64.b64encode(b"ann:p@ss").decode()
    lines = ['[http "https://host:8443/"]', f'extraHeader = "Authorization: Basic {secret}"', "followRedirects = false"]
    assert text.splitlines() == lines
    assert configuration("https://host/x.git") == b""


def test_the_environment_is_clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GIT_SSH_COMMAND", "GIT_DIR", "GIT_CONFIG_COUNT", "DATABASE_URL"):
        monkeypatch.setenv(name, "evil")
    found = environment()
    assert "evil" not in found.values()
    assert (found["GIT_TERMINAL_PROMPT"], found["GIT_CONFIG_NOSYSTEM"]) == ("0", "1")


SAID = [
    ("fatal: could not read Username for 'https://github.com': terminal prompts disabled", "git_auth"),
    ("git@github.com: Permission denied (publickey).\nfatal: Could not read from remote repository.", "git_auth"),
    ("Host key verification failed.\nfatal: Could not read from remote repository.", "git_auth"),
    ("fatal: unable to access 'https://x/': The requested URL returned error: 403", "git_auth"),
    ("remote: Repository not found.\nfatal: repository 'https://x/' not found", "git_repository_not_found"),
    ("fatal: unable to access 'https://x/': Could not resolve host: x", "git_unreachable"),
    ("ssh: connect to host x port 22: Connection refused\nfatal: Could not read from remote", "git_unreachable"),
    ("fatal: write error: No space left on device", "disk_full"),
    ("fatal: something new", "git_failed"),
    ("", "git_failed"),
]


@pytest.mark.parametrize(("said", "code"), SAID)
def test_what_git_says(said: str, code: str) -> None:
    assert explain(Result(128, b"", (), tuple(said.splitlines())), "https://x/").code == code
