"""Values of variables: byte for byte into the process, and nowhere else in clear."""

from __future__ import annotations

import base64
import threading
import time
from pathlib import Path
from urllib.parse import quote

import pytest
from tests.contents import contents_of
from tests.e2e.projects import edit, shape
from tests.e2e.station import Station
from tests.e2e.watching import Watch

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

ODD = "p@ss w'o\"r$d{}\\#é"
LINES = "first line $HOME ${X}\nsecond 'line'"
ALL = {"ODD_SECRET": ODD, "LINES_SECRET": LINES}
DOTENV = "FILE_SECRET='tail$ {}#\"é'\n"
GIVEN = "  $(given)`x` \\n %s "


def project(station: Station, app: str, version: str = "v1") -> Path:
    folder = shape(station.folder / app, "no-base", version)
    names = (*ALL, "FILE_SECRET", "GIVEN_SECRET")
    lines = "".join(f"      {name}: ${{{name}}}\n" for name in names)
    edit(folder / "compose.yaml", "    build: .\n", f"    build: .\n    environment:\n{lines}")
    return folder


def environment_of(station: Station, app: str) -> dict[str, bytes]:
    """The environment of the container's first process, as the kernel has it."""
    (container,) = station.serving(app, "web")
    block = Path(f"/proc/{container.attrs['State']['Pid']}/environ").read_bytes()
    return {name.decode(): value for name, _, value in (v.partition(b"=") for v in block.split(b"\0") if v)}


class CommandLines:
    """Every command line that was ever seen while it watched."""

    def __enter__(self) -> CommandLines:
        self.seen: set[bytes] = set()
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.thread.join()

    def watch(self) -> None:
        while not self.over.is_set():
            for entry in Path("/proc").iterdir():
                if entry.name.isdigit():
                    try:
                        self.seen.add((entry / "cmdline").read_bytes())
                    except OSError:
                        continue
            time.sleep(0.02)


def spellings(value: str) -> list[bytes]:
    """How a value could stand somewhere: as it is, in a URL, in base64, in JSON, in Compose's own escapes."""
    raw = value.encode()
    return [
        raw,
        quote(value, safe="").encode(),
        base64.b64encode(raw),
        value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").encode(),
        value.replace("$", "$$").encode(),
    ]


def test_byte_for_byte_and_nowhere_in_clear(shared: Station) -> None:
    app = shared.app("odd")
    with CommandLines() as lines:
        for name, value in ALL.items():
            shared.ok("env", "set", app, name, "--stdin", stdin=value)
        shared.ok("env", "import", app, stdin=DOTENV)
        given = write_env(shared.folder / "given.env", GIVEN)
        document = shared.deploy(project(shared, app), app, "--env-file", given)
        second = shared.deploy(project(shared, app, "v2"), app)
    found = environment_of(shared, app)
    wanted = {**ALL, "FILE_SECRET": 'tail$ {}#"é', "GIVEN_SECRET": GIVEN}
    assert {name: found[name].decode() for name in wanted} == wanted
    texts = {
        "documents": f"{document}{second}".encode(),
        "plan": shared.begin("plan", project(shared, app), "--app", app).wait().out.encode(),
        "events": str(shared.events(app)).encode(),
        "env list": str(shared.ok("env", "list", app)).encode(),
        "command lines": b"\n".join(lines.seen),
        **{str(path): held for path, held in contents_of(shared.home).items()},
    }
    for value in wanted.values():
        for spelling in spellings(value):
            assert [where for where, text in texts.items() if spelling in text] == []
    revealed = {i["name"]: i.get("value") for i in shared.ok("env", "list", app, "--reveal")["items"]}
    assert {name: revealed[name] for name in wanted} == wanted


BUILT = """\
    build: {context: ., secrets: [built]}
    environment: {WATCHED: "${WATCHED}"}
    secrets: [given]
secrets:
  built: {environment: BUILT_WITH}
  given: {environment: GIVEN_TO}
"""


def test_nothing_is_seen_while_it_is_deployed(shared: Station) -> None:
    """In no command line and in no file, not for a moment: of variables, and of secrets of builds and containers."""
    app = shared.app("watched")
    values = {"WATCHED": "w4tched-variable-1", "BUILT_WITH": "w4tched-build-2", "GIVEN_TO": "w4tched-given-3"}
    folder = shape(shared.folder / app, "no-base")
    compose, rest = (folder / "compose.yaml").read_text().split("    build: .\n")
    head, _, tail = BUILT.partition("secrets:\n  built")
    (folder / "compose.yaml").write_text(f"{compose}{head}{rest.rstrip()}\nsecrets:\n  built{tail}")
    lines = 'RUN --mount=type=secret,id=built [ "$(wc -c < /run/secrets/built)" = 15 ]\nCOPY'
    edit(folder / "Dockerfile", "COPY", lines)
    with Watch(shared, *values.values(), environments=False) as watch:
        for name, value in values.items():
            shared.ok("env", "set", app, name, "--stdin", stdin=value)
        shared.deploy(folder, app)
    assert (watch.found, watch.looks > 3) == (set(), True)
    assert environment_of(shared, app)["WATCHED"].decode() == values["WATCHED"]
    given = shared.ok("exec", app, "web", "--", "cat", "/run/secrets/given")
    assert given["output"] == values["GIVEN_TO"]


def write_env(path: Path, value: str) -> Path:
    quoted = value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
    path.write_text(f'GIVEN_SECRET="{quoted}"\n')
    return path


def test_what_an_app_says_is_redacted(shared: Station) -> None:
    """In the logs, in the report of a failure, in the output of a build, in events, also split and encoded."""
    app, secret = shared.app("loud"), "s3cr3t-Value/with+signs-0815"
    folder = shape(shared.folder / app, "no-base")
    edit(folder / "compose.yaml", "    build: .\n", BUILD_AND_ENVIRONMENT)
    edit(folder / "Dockerfile", "COPY", 'ARG LOUD_SECRET\nRUN echo "build says $LOUD_SECRET"\nCOPY')
    loud = "import os, sys, base64, urllib.parse as u\ns = os.environ['LOUD_SECRET']\n"
    loud += "print('raw', s, 'url', u.quote(s, safe=''), 'b64', base64.b64encode(s.encode()).decode(), flush=True)\n"
    web = folder / "web.py"
    web.write_text(loud + web.read_text())
    shared.ok("env", "set", app, f"LOUD_SECRET={secret}")
    ended = shared.begin("deploy", folder, "--app", app).wait()
    assert ended.code == 0, str(ended)
    logs = shared.begin("logs", app).wait()
    assert "raw" in logs.out
    web.write_text(loud + "sys.exit(3)\n")
    failed = shared.run("deploy", folder, "--app", app)
    assert failed.code == 4, str(failed)
    assert "raw" in str(failed.document["report"]["log"])
    texts = [ended.out, ended.err, logs.out, failed.out, failed.err, str(shared.events(app))]
    texts += [held.decode("latin-1") for held in contents_of(shared.home).values()]
    for spelling in (secret, quote(secret, safe=""), base64.b64encode(secret.encode()).decode()):
        assert [text[:200] for text in texts if spelling in text] == []


BUILD_AND_ENVIRONMENT = """\
    build:
      context: .
      args: {LOUD_SECRET: "${LOUD_SECRET}"}
    environment:
      LOUD_SECRET: ${LOUD_SECRET}
"""


def test_control_sequences_do_not_reach_the_terminal(shared: Station) -> None:
    app = shared.app("ansi")
    folder = shape(shared.folder / app, "no-base")
    web = folder / "web.py"
    web.write_text("print('\\x1b]0;owned\\x07\\x1b[2Jbell\\x07', flush=True)\n" + web.read_text())
    shared.deploy(folder, app)
    logs = shared.begin("logs", app).wait()
    assert "bell" in logs.out
    assert "\x1b]0" not in logs.out
    assert "\x1b[2J" not in logs.out
    assert "\x07" not in logs.out


def test_keys_and_socket_are_the_owners_alone(shared: Station) -> None:
    assert shared.home.stat().st_mode & 0o777 == 0o700
    assert shared.api_socket.stat().st_mode & 0o777 == 0o600
    for path in contents_of(shared.home):
        if path.suffix in (".key", ".token", ".db"):
            assert path.stat().st_mode & 0o077 == 0, path


def test_a_set_variable_belongs_to_its_release_and_env_set_to_the_next(shared: Station) -> None:
    app = shared.app("when")
    folder = shape(shared.folder / app, "no-base")
    edit(folder / "compose.yaml", "    build: .\n", "    build: .\n    environment: {WHEN: '${WHEN:-never}'}\n")
    shared.deploy(folder, app)
    assert environment_of(shared, app)["WHEN"] == b"never"
    shared.ok("env", "set", app, "WHEN=kept")
    assert environment_of(shared, app)["WHEN"] == b"never"
    shared.deploy(folder, app)
    assert environment_of(shared, app)["WHEN"] == b"kept"
    shared.deploy(folder, app, "--set", "WHEN=given")
    assert environment_of(shared, app)["WHEN"] == b"given"
    shared.ok("rollback", app)
    assert environment_of(shared, app)["WHEN"] == b"kept"


def test_the_folders_env_file_is_taken_in_once(shared: Station) -> None:
    app = shared.app("dotenv")
    folder = shape(shared.folder / app, "no-base")
    edit(folder / "compose.yaml", "    build: .\n", "    build: .\n    environment: {FROM_FILE: '${FROM_FILE}'}\n")
    (folder / ".env").write_text("FROM_FILE=first-plain-value\n")
    shared.deploy(folder, app)
    assert environment_of(shared, app)["FROM_FILE"] == b"first-plain-value"
    (folder / ".env").write_text("FROM_FILE=second-plain-value\n")
    result = shared.run("deploy", folder, "--app", app, "--force")
    assert result.code == 0
    assert environment_of(shared, app)["FROM_FILE"] == b"first-plain-value"
    assert any("FROM_FILE" in str(e["data"]) and "differs" in str(e["data"]) for e in shared.events(app))
    kept = [p for p, held in contents_of(shared.home).items() if b"-plain-value" in held]
    assert kept == []
