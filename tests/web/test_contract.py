"""Whatever is sent to the API, as its description allows or not: no server error, and no answer that is not described.

The world behind it is in memory, with an app that is live; the streams are closed, so that they end at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi import checks
from tests.usecases.worlds import Compose, World, make_world
from tests.web.people import Town

from windlass.domain.errors import Refused
from windlass.web.guard import Guard
from windlass.web.options import WebOptions
from windlass.web.server import OPENAPI, build_app

CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.response_headers_conformance,
]
GOOD, BAD = GenerationMode.POSITIVE, GenerationMode.NEGATIVE
# What is there; everything else is asked for too.
THERE = {"app": "shop", "id": "d1-shop", "user": "viewer", "project": "default", "secret": "x"}
# What kind of requests, about what is there or about anything, how many of them for each route.
Round = tuple[GenerationMode, bool, int]
ROUNDS: dict[str, tuple[Round, ...]] = {
    "admin": ((GOOD, True, 2), (BAD, True, 2), (GOOD, False, 1)),
    "": ((GOOD, True, 1), (BAD, False, 1)),
}


class Away:
    """A program that refuses whatever it is asked."""

    def __getattr__(self, name: str) -> Any:
        def refuse(*_: Any, **__: Any) -> Any:
            raise Refused(f"{name} is refused here", code="refused_here")

        return refuse


class Refusing(Away, Compose):
    """Reads dotenv texts, and creates what the world is made with."""

    def read_env(self, text: str) -> dict[str, str]:
        return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = make_world(tmp_path)
    made.outside.__dict__.update(compose=Refusing(made.engine), git=Away())
    made.deploy()
    yield made
    made.store.close()


@pytest.mark.timeout(900)
@pytest.mark.parametrize("who", ROUNDS, ids=["admin", "no token"])
def test_every_answer_is_described(world: World, who: str) -> None:
    options = WebOptions(upload_limit=1 << 20, control=lambda: {"url": ""})
    town = Town(build_app(world.outside, options), world.outside).settle()
    town.app.state.feed.close()
    headers = {"Authorization": f"Bearer {town.tokens[who]}"} if who else {}
    schema = schemathesis.openapi.from_asgi(OPENAPI, Guard(town.app, town.app.state.authentication))
    wrong: list[str] = []
    asked = 0
    for found in schema.get_all_operations():
        operation = found.ok()
        there = {p.name: THERE[p.name] for p in operation.path_parameters if p.name in THERE}
        for mode, known, count in ROUNDS[who]:
            if there or known:
                asked += ask(
                    operation.as_strategy(mode, path_parameters=known and there or None), count, headers, wrong
                )
    assert not wrong, "\n\n".join(wrong)
    assert asked > 100


def ask(cases: Any, count: int, headers: dict[str, str], wrong: list[str]) -> int:
    """Send some of these cases, the same ones each time; how many. What is wrong is added to `wrong`."""
    asked = 0

    @settings(
        max_examples=count,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases)
    def one(case: Any) -> None:
        nonlocal asked
        asked += 1
        case.call_and_validate(checks=CHECKS, headers=headers)

    try:
        one()
    except Unsatisfiable:
        pass  # such a request does not exist: there is nothing that could be wrong with it
    except FailureGroup as found:
        wrong += [str(error) for error in found.exceptions]
    return asked
