"""Binds beside the Compose file: configuration, data, source, or a question."""

import pytest

from windlass.domain.compose import Mount
from windlass.domain.filebinds import BindFacts, BindKind, bind_kind

THERE = BindFacts(exists=True)
FILE = BindFacts(exists=True, is_file=True)
SOURCE = BindFacts(exists=True, inside_build_context=True)
CONFIG, DATA, COPY, ASK = BindKind.CONFIG, BindKind.DATA, BindKind.SOURCE, BindKind.ASK

CASES: list[tuple[str, str, bool, BindFacts, BindKind]] = [
    ("read-only and there", "/etc/app", True, THERE, CONFIG),
    ("read-only file", "/app/x", True, FILE, CONFIG),
    ("read-only on a data path", "/app/data", True, THERE, CONFIG),
    ("absent", "/app/x", False, BindFacts(exists=False), DATA),
    ("absent and read-only", "/app/x", True, BindFacts(exists=False), DATA),
    ("empty", "/app/x", False, BindFacts(exists=True, empty=True), DATA),
    ("ignored", "/app/x", False, BindFacts(exists=True, ignored=True), DATA),
    ("ignored and read-only", "/app/x", True, BindFacts(exists=True, ignored=True), DATA),
    ("a data path", "/app/uploads", False, THERE, DATA),
    ("a store's path", "/var/lib/postgresql/data", False, THERE, DATA),
    ("a data path in the build context", "/app/data", False, SOURCE, DATA),
    ("a database file", "/app/app.sqlite3", False, FILE, DATA),
    ("a configuration file without ro", "/etc/nginx/nginx.conf", False, FILE, CONFIG),
    ("a configuration folder without ro", "/etc/nginx/conf.d", False, THERE, CONFIG),
    ("scripts that fill a database", "/docker-entrypoint-initdb.d", False, THERE, CONFIG),
    ("certificates that a program renews", "/etc/letsencrypt", False, THERE, DATA),
    ("source of the own build", "/code", False, SOURCE, COPY),
    ("a folder of it", "/code/templates", False, SOURCE, COPY),
    ("anything else", "/app/content", False, THERE, ASK),
    ("a file without an ending", "/app/content", False, FILE, ASK),
]


@pytest.mark.parametrize(("target", "read_only", "facts", "kind"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_kinds(target: str, read_only: bool, facts: BindFacts, kind: BindKind) -> None:
    assert bind_kind(Mount("bind", "/p/x", target, read_only), facts, is_base=False) is kind


def test_the_base_has_no_source_of_a_release() -> None:
    assert bind_kind(Mount("bind", "/p", "/code"), SOURCE, is_base=True) is CONFIG
