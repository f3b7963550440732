"""Services of profiles that nobody asked for: looked for only when a command needs one, and screened before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from windlass.domain.errors import Refused
from windlass.domain.modelreader import read_model
from windlass.domain.tasks import Phase, Task
from windlass.ports.sources import ComposeSource, Resolved
from windlass.usecases.spares import Surroundings, with_spares

FOLDER = Path("/project")
WEB = {"web": {"image": "shop/web"}}
SMOKE: dict[str, Any] = {
    "image": "shop/smoke",
    "profiles": ["smoke"],
    "networks": {"side": None},
    "volumes": [{"type": "volume", "source": "cache", "target": "/cache"}],
}
SECTIONS = {
    "networks": {"side": {"name": "shop_side"}, "unused": {"name": "shop_unused"}},
    "volumes": {"cache": {"name": "shop_cache"}, "unused": {"name": "shop_unused"}},
    "secrets": {"key": {"file": "/project/key.txt"}},
}


@dataclass
class Compose:
    """Answers with all services when every profile is asked for."""

    smoke: Mapping[str, Any]
    refuses: bool = False
    other: Mapping[str, Any] = field(default_factory=lambda: {"image": "x"})
    asked: list[tuple[tuple[str, ...], bool]] = field(default_factory=list)

    def resolve(self, source: ComposeSource, *, env_files: bool = True) -> Resolved:
        self.asked.append((source.profiles, env_files))
        if self.refuses:
            raise Refused("a variable of another profile is not set")
        return Resolved({"services": {**WEB, "smoke": self.smoke, "other": self.other}, **SECTIONS}, (), ())


def task(service: str) -> Task:
    return Task(Phase.VERIFY, "windlass-verify-1", "verify: x", ("x",), service)


def found(compose: Compose, service: str, env_files: bool = True, leads: bool = False) -> Any:
    outside: Any = SimpleNamespace(compose=compose)
    around = Surroundings(ComposeSource(FOLDER, "shop"), env_files, lambda name: leads)
    return with_spares(outside, around, read_model({"services": WEB}), [task(service)])


@pytest.mark.parametrize("service", ["web", ""])
def test_nothing_is_asked_for_when_none_is_missing(service: str) -> None:
    compose = Compose(SMOKE)
    assert list(found(compose, service).services) == ["web"]
    assert compose.asked == []


def test_the_service_comes_with_what_it_uses() -> None:
    compose = Compose(SMOKE)
    model = found(compose, "smoke")
    assert list(model.services) == ["web", "smoke"]
    assert (list(model.networks), list(model.volumes), list(model.secrets)) == (["side"], ["cache"], ["key"])
    assert compose.asked == [(("*",), False), (("*",), True)]


def test_files_of_variables_are_not_read_when_none_counts_or_one_lies_outside() -> None:
    plain = Compose(SMOKE)
    found(plain, "smoke", env_files=False)
    away = {"image": "x", "env_file": [{"path": "/project/../../etc/passwd"}]}
    own, foreign = Compose({**SMOKE, **away}), Compose(SMOKE, other=away)
    models = [found(compose, "smoke", leads=True) for compose in (own, foreign)]
    assert plain.asked == own.asked == foreign.asked == [(("*",), False)]
    assert all({"smoke", "other"} <= set(model.services) for model in models)  # where the screening finds them


@pytest.mark.parametrize(("compose", "service"), [(Compose(SMOKE), "smok"), (Compose(SMOKE, refuses=True), "smoke")])
def test_one_that_cannot_be_had_is_left_out(compose: Compose, service: str) -> None:
    assert list(found(compose, service).services) == ["web"]
