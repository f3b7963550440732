"""What a user types into a source reaches Git as the one argument it was typed into, or not at all."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from windlass.adapters import gitremote
from windlass.adapters.git import GitCli
from windlass.adapters.process import Command, Result
from windlass.domain.errors import WindlassError
from windlass.ports.sources import Access

SHA = "a" * 40
GOOD = "https://git.example.com/team/shop.git"

ATTEMPTS = [
    "--upload-pack=touch /tmp/x", "-c core.sshCommand=id", "--exec=id", "-oProxyCommand=id", "--config=x", "-", "--",
    "$(id)", "`id`", ";id", "|id", "&id", "&&id", ">x", "<x", "\nid", "\rid", "\0id", "a\0b", "a b", "a\tb", "'", '"',
    "\\", "${IFS}id", "$HOME", "~", "~root", "*", "?", "[a]", "{a,b}", "!id", "#x", "..", "../..", "../../etc", "/etc",
    "a/../b", "a//b", "a/.", ".a", "a.lock", "a.lock/b", "@", "@{u}", "a@{1}", "HEAD^", "HEAD~1", "a:b", ":/fix",
    "refs/heads/../../x", "ext::sh -c id", "ext::id", "fd::17", "file:///etc", "ssh://-oProxyCommand=id/x",
    "ssh://host/-x", "git://host/x", "http://example.com/x", "ftp://h/x", "https://", "https:///x", "https://-h/x",
    "https://h h/x", "https://h/x\nid", "https://h/$(id)", "https://user:pa ss@h/x", "git@-oProxyCommand=id:x",
    "git@host:-x", "git@host:x y", "-git@host:x", "a" * 4000, "\u202e", "ü", "\udcff", "%2e%2e", "\x1b[31m", "%s%n",
    "url.x.insteadOf=y", "--template=/tmp/x", "--separate-git-dir=/x",
]  # fmt: skip


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[Command]:
    """What would have been run; Git says that it found what was asked for."""
    found: list[Command] = []

    def run(command: Command, cancelled: Callable[[], bool]) -> Result:
        found.append(command)
        wanted = command.argv[-1].encode("utf-8", "surrogateescape")
        return Result(0, SHA.encode() + b"\t" + wanted + b"\n")

    monkeypatch.setattr(gitremote, "run", run)
    return found


def check(commands: list[Command], text: str, tmp_path: Path) -> None:
    """Each command is ours but for what stands behind `--`, whole and in its place."""
    tried = list(commands)
    commands.clear()
    try_it("ref", "main", tmp_path)
    ours = {word for command in commands for word in (*command.argv, *command.environment.values())}
    for command in tried:
        assert command.argv[0] == "git"
        position = command.argv.index("--") if "--" in command.argv else len(command.argv)
        words = [*command.argv[:position], *command.environment.values()]
        assert not [word for word in words if len(text) > 3 and text in word and word not in ours]
        assert not [word for word in command.argv[position + 1 :] if word.startswith("-")]
    commands.clear()


@pytest.mark.parametrize("text", ATTEMPTS)
@pytest.mark.parametrize("field", ["url", "branch", "ref", "resolved", "folder"])
def test_an_attempt_is_refused_or_stays_what_it_is(
    commands: list[Command], tmp_path: Path, field: str, text: str
) -> None:
    try_it(field, text, tmp_path)
    check(commands, text, tmp_path)


def try_it(field: str, text: str, folder: Path) -> None:
    """Refused in words, or ended by what the pretended Git says: it tells of no commit."""
    git = GitCli()
    with contextlib.suppress(WindlassError, ValueError):
        if field == "url":
            git.head(text, "main")
        elif field == "branch":
            git.head(GOOD, text)
        elif field == "ref":
            git.fetch(GOOD, text, folder / "1")
        elif field == "resolved":
            git.resolve(GOOD, text)
        else:
            git.fetch(GOOD, "main", folder / "1", access=Access(folder=text))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
@given(text=st.text(max_size=40), field=st.sampled_from(["url", "branch", "ref"]))
def test_whatever_is_typed(commands: list[Command], tmp_path: Path, text: str, field: str) -> None:
    try_it(field, text, tmp_path)
    check(commands, text, tmp_path)
