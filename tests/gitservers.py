"""Real Git servers for tests: `git http-backend` behind a password, with LFS, and an sshd of our own."""

from __future__ import annotations

import base64
import hashlib
import http.server
import json
import os
import random
import shutil
import socket
import ssl
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

UNPACKED = Path(os.environ.get("WINDLASS_LAB_STATE", "/var/lib/windlass-lab")) / "openssh" / "usr" / "sbin"
SBIN = f"{os.environ['PATH']}:/usr/local/sbin:/usr/sbin:/sbin:{UNPACKED}"
IDENTITY = ("-c", "user.name=Ann", "-c", "user.email=ann@example.com")


def git(folder: Path, *words: str) -> str:
    """What `git WORDS` printed there; nothing of this user's settings counts."""
    settings = (*IDENTITY, "-c", "protocol.file.allow=always", "-c", "commit.gpgsign=false")
    own = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1"}
    done = subprocess.run(["git", *settings, *words], cwd=folder, capture_output=True, text=True, env=own, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def make_repository(folder: Path, **files: str) -> Path:
    """With one commit on main; `__` in a name stands for a dot."""
    folder.mkdir(parents=True)
    git(folder, "init", "--quiet", "-b", "main")
    for name, content in files.items():
        place = folder / name.replace("__", ".")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(content)
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--allow-empty", "-m", "one")
    return folder


class _Backend(http.server.BaseHTTPRequestHandler):
    server: HttpGit

    def do_GET(self) -> None:
        self.server.seen.append((self.path, self.headers.get("Authorization", "")))
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        closed = self.server.keeps_large_to_itself and "/lfs/" in self.path
        if closed or (self.server.password and self.headers.get("Authorization") != self.server.authorization):
            self._answer(401, {"WWW-Authenticate": 'Basic realm="git"'}, b"")
        elif "/info/lfs/" in self.path or self.path.startswith("/lfs/"):
            self._lfs(body)
        else:
            self._git(body)

    do_POST = do_GET

    def _git(self, body: bytes) -> None:
        path, _, query = self.path.partition("?")
        own = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self.server.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "REMOTE_USER": self.server.user,
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "safe.directory",
            "GIT_CONFIG_VALUE_0": "*",
        }
        done = subprocess.run(["git", "http-backend"], input=body, capture_output=True, env=own, check=False)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line)
        self._answer(int(fields.pop("Status", "200 OK").split()[0]), fields, content)

    def _lfs(self, body: bytes) -> None:
        """The batch API, and the files themselves."""
        if self.path.startswith("/lfs/"):
            content = self.server.large.get(self.path.removeprefix("/lfs/"))
            return self._answer(200 if content is not None else 404, {}, content or b"")
        asked = json.loads(body)["objects"]
        header = {"Authorization": self.server.authorization} if self.server.password else {}
        objects = [
            {**one, "actions": {"download": {"href": f"{self.server.address}/lfs/{one['oid']}", "header": header}}}
            for one in asked
        ]
        answer = json.dumps({"transfer": "basic", "objects": objects}).encode()
        return self._answer(200, {"Content-Type": "application/vnd.git-lfs+json"}, answer)

    def _answer(self, status: int, fields: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in {**fields, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


class HttpGit(http.server.ThreadingHTTPServer):
    """Serves the repositories below `root`; `seen`: every request's path and authorization.

    `certificate`: a folder with cert.pem and key.pem for `localhost`, for one that speaks TLS.
    """

    daemon_threads = True

    def __init__(self, root: Path, user: str = "", password: str = "", certificate: Path | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Backend)
        self.root, self.user, self.password = root, user, password
        self.scheme = "http"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
            self.socket = context.wrap_socket(self.socket, server_side=True)
            self.scheme = "https"
        self.seen: list[tuple[str, str]] = []
        self.large: dict[str, bytes] = {}
        self.keeps_large_to_itself = False
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def __enter__(self) -> HttpGit:
        self._thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()

    @property
    def authorization(self) -> str:
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()

    @property
    def address(self) -> str:
        return f"{self.scheme}://{'localhost' if self.scheme == 'https' else '127.0.0.1'}:{self.server_port}"

    def keep_large(self, content: bytes) -> str:
        """What stands in the repository for a file that LFS keeps."""
        oid = hashlib.sha256(content).hexdigest()
        self.large[oid] = content
        return f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {len(content)}\n"


class SshGit:
    """An sshd that lets the keys of `authorized` in, as this user."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self.port = random.randrange(20000, 32000)
        self.authorized = folder / "authorized"
        self.authorized.write_text("")
        self._process: subprocess.Popen[bytes] | None = None
        self.make_host_key()

    def __enter__(self) -> SshGit:
        self.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.stop()

    def make_host_key(self) -> None:
        """A new one, in place of the one before."""
        key = self.folder / "host"
        for path in (key, key.with_suffix(".pub")):
            path.unlink(missing_ok=True)
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)

    def start(self) -> None:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        settings = self.folder / "settings"
        lines = (
            f"Port {self.port}", "ListenAddress 127.0.0.1", f"HostKey {self.folder}/host", "PidFile none",
            f"AuthorizedKeysFile {self.authorized}", "StrictModes no", "UsePAM no", "PasswordAuthentication no",
            "PermitRootLogin prohibit-password", "KbdInteractiveAuthentication no", "PrintMotd no",
            f"SetEnv PATH={self.folder / 'programs'}:{os.environ['PATH']}",
        )  # fmt: skip
        settings.write_text("\n".join(lines) + "\n")
        program = shutil.which("sshd", path=SBIN)
        assert program, "lab/git.sh brings sshd"
        log = (self.folder / "log").open("ab")
        self._process = subprocess.Popen([program, "-D", "-e", "-f", str(settings)], stdout=log, stderr=log)
        log.close()
        end = time.monotonic() + 20
        while time.monotonic() < end and not self._answers():
            time.sleep(0.05)
        assert self._answers(), (self.folder / "log").read_text()

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            self._process = None

    def let_in(self, public: str) -> None:
        self.authorized.write_text(self.authorized.read_text() + public + "\n")

    def keep_large_at(self, server: HttpGit, repository: str) -> None:
        """Whoever is let in is sent to that server for the files of LFS, with a header that opens it."""
        told = {
            "href": f"{server.address}/{repository}/info/lfs",
            "header": {"Authorization": server.authorization},
            "expires_in": 600,
        }
        program = self.folder / "programs" / "git-lfs-authenticate"
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!/bin/sh\necho '{json.dumps(told)}'\n")
        program.chmod(0o755)

    def url(self, repository: Path) -> str:
        return f"ssh://root@127.0.0.1:{self.port}{repository}"

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as connection:
                return connection.recv(4) == b"SSH-"
        except OSError:
            return False
