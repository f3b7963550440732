"""What came of asking, in words: every fault that can be found has some, and none shows a value."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import windlass
from windlass.domain.checks import Status
from windlass.domain.outposts import Depth, Kind, Reply, Standpoint, Step, Target, Tls, Visit
from windlass.domain.outsideservices import BY_PROXY, ITSELF, NO_LOOKUP, NO_PLACE
from windlass.domain.reachwords import tell_unasked, tell_visit

FOLDERS = (Path(windlass.__file__).parent / "adapters" / "outpost", Path(windlass.__file__).parent / "usecases")
TARGET = Target("DB", Kind.POSTGRES, (("pg.test", 5432),), Tls.FULL, "user", "p@ss", "shop")
VISIT = Visit(TARGET, Standpoint("open"), ("web", "worker"))


def _pairs(tree: ast.AST) -> set[tuple[str, str]]:
    """Every `Step.X, "why"` side by side in a call or a tuple."""
    found = set()
    for node in ast.walk(tree):
        parts = node.args if isinstance(node, ast.Call) else node.elts if isinstance(node, ast.Tuple) else []
        for step, why in zip(parts, parts[1:], strict=False):
            if ast.unparse(step).startswith("Step.") and isinstance(why, ast.Constant | ast.IfExp):
                words = [why.body, why.orelse] if isinstance(why, ast.IfExp) else [why]
                found |= {(ast.unparse(step)[5:], str(w.value)) for w in words if isinstance(w, ast.Constant)}
    return found


FAULTS = sorted({p for folder in FOLDERS for file in folder.glob("*.py") for p in _pairs(ast.parse(file.read_text()))})
FURTHER = [("TLS", why) for why in ("expired", "early", "name", "unknown", "failed")] + [("NETWORK", "internal")]


def test_the_faults_are_found() -> None:
    assert ("CREDENTIALS", "wrong") in FAULTS
    assert len(FAULTS) > 25


@pytest.mark.parametrize(("step", "why"), [*FAULTS, *FURTHER])
def test_every_fault_has_words(step: str, why: str) -> None:
    found = tell_visit("shop", VISIT, Reply(Step[step], why, "42"))
    assert found.check == "reachability:DB"
    assert found.code == f"reach_{Step[step]}"
    assert found.message.startswith("DB (web and worker): ")
    assert "pg.test" in found.message
    assert "{" not in found.message + found.fix
    assert f": {Step[step]} (42)" not in found.message, "the words of last resort"
    assert not [part for part in ("user:", "p@ss", "shop@") if part in found.message + found.fix]


# strict, reply -> status
STATUSES: list[tuple[bool, Reply, Status]] = [
    (True, Reply(depth=Depth.LOGIN), Status.OK),
    (True, Reply(Step.NETWORK, "refused"), Status.REFUSED),
    (False, Reply(Step.NETWORK, "refused"), Status.WARNING),
    (True, Reply(Step.BUSY, "full", "53300"), Status.WARNING),
    (True, Reply(Step.UNASKED, "error"), Status.WARNING),
]


@pytest.mark.parametrize(("strict", "reply", "expected"), STATUSES)
def test_what_refuses_and_what_warns(strict: bool, reply: Reply, expected: Status) -> None:
    visit = Visit(TARGET, Standpoint("open"), ("web",), strict)
    assert tell_visit("shop", visit, reply).status is expected


@pytest.mark.parametrize("unasked", [BY_PROXY, ITSELF, NO_LOOKUP, NO_PLACE])
def test_what_was_not_asked_is_said(unasked: str) -> None:
    found = tell_visit("shop", Visit(TARGET, Standpoint("open"), ("web",), False, True, unasked), Reply())
    assert (found.status, found.code) == (Status.WARNING, "reach_unasked")
    assert "{" not in found.message + found.fix


def test_why_nothing_could_be_asked() -> None:
    found = tell_unasked("shop", VISIT, "windlass does not run {as} root")
    assert found.message == "DB (web and worker): pg.test:5432 was not asked (windlass does not run {as} root)"
    assert (found.status, found.fix) == (Status.WARNING, "")


def test_a_name_that_could_be_a_services() -> None:
    lone = Visit(Target("DB", Kind.POSTGRES, (("db", 5432),)), Standpoint("open"), ("web",))
    told = tell_visit("shop", lone, Reply(Step.NAME, "unknown"))
    assert told.message == "DB (web): no service of the project is called db, and no name server knows it"


def test_the_fix() -> None:
    kept = tell_visit("shop@staging", VISIT, Reply(Step.CREDENTIALS, "wrong"))
    assert kept.fix == "correct DB: windlass env set shop@staging DB --stdin; or --skip-check reachability:DB"
    written = tell_visit("shop", Visit(TARGET, Standpoint(), ("web",), True, False), Reply(Step.CREDENTIALS, "wrong"))
    assert written.fix == "correct DB in the Compose file; or --skip-check reachability:DB"


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply(depth=Depth.LOGIN), "logged in at pg.test:5432"),
        (Reply(depth=Depth.ANSWER), "pg.test:5432 answers; no log-in was tried"),
        (Reply(depth=Depth.CONNECTION), "pg.test:5432 takes connections; no log-in was tried"),
    ],
)
def test_how_far_it_was_asked(reply: Reply, words: str) -> None:
    assert tell_visit("shop", VISIT, reply).message == f"DB (web and worker): {words}"
