"""Where services go: the table of shapes in placement_cases.yaml, and what follows for jobs."""

from typing import Any

import pytest
from tests.domain.samples import cases, model_of

from windlass.domain.filebinds import BindKind
from windlass.domain.imagehints import ImageHints
from windlass.domain.placement import base_jobs, place, release_jobs
from windlass.domain.release import Strategy

CASES = cases("placement_cases.yaml")


def hints(written: dict[str, Any]) -> dict[str, ImageHints]:
    return {
        name: ImageHints(tuple(image.get("ports", ())), tuple(image.get("volumes", ())))
        for name, image in written.items()
    }


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_shapes(case: dict[str, Any]) -> None:
    wanted = {name: Strategy(word) for name, word in case.get("overrides", {}).items()}
    placing = place(model_of(case["compose"]), wanted, hints(case.get("images", {})))
    assert {p.service: f"{p.role} {p.strategy}" for p in placing.placements} == case["expect"]
    assert [problem.code for problem in placing.problems] == case.get("problems", [])
    for name, part in case.get("because", {}).items():
        assert part in placing.of(name).reason


def test_every_placement_has_a_reason() -> None:
    for case in CASES.values():
        assert all(p.reason for p in place(model_of(case["compose"])).placements)


def test_a_bind_that_was_looked_at_outweighs_its_name() -> None:
    model = model_of({"web": {"image": "acme/web:1", "expose": ["80"], "volumes": ["/p/data:/app/data"]}})
    seen = {("web", "/app/data"): BindKind.CONFIG}
    assert place(model).of("web").strategy is Strategy.RECREATE
    assert place(model, binds=seen).of("web").strategy is Strategy.ROLLING


def test_a_route_that_a_dialect_asks_for_is_a_sign() -> None:
    model = model_of(
        {
            "thing": {"image": "acme/thing:1"},
            "other": {"image": "acme/other:1"},
            "glances": {"image": "nicolargo/glances:4"},
            "minio": {"image": "minio/minio", "volumes": ["m:/data"]},
        }
    )
    assert {p.service: p.role for p in place(model).placements} == {
        "thing": "other",
        "other": "other",
        "glances": "infra",
        "minio": "store",
    }
    found = place(model, routed=("thing", "glances", "minio"))
    assert {p.service: p.role for p in found.placements} == {
        "thing": "http",
        "other": "other",
        "glances": "http",
        "minio": "store",
    }
    assert "it serves HTTP (a route)" in found.of("thing").reason


def test_a_refusal_says_why_and_what_would_be_chosen() -> None:
    model = model_of({"web": {"build": {"context": "/p"}, "ports": ["80:80"]}})
    (problem,) = place(model, {"web": Strategy.ROLLING}).problems
    assert problem.name == "services.web.strategy"
    assert "publishes host port 80" in problem.message
    assert "recreate" in problem.fix


JOBS: list[tuple[str, dict[str, Any], tuple[str, ...], tuple[str, ...]]] = [
    (
        "needs the base alone",
        {"db": {"image": "postgres:16"}, "migrate": {"image": "a/a:1", "depends_on": ["db"]}},
        ("migrate",),
        (),
    ),
    (
        "needs a job that needs the base",
        {
            "db": {"image": "postgres:16"},
            "init": {"image": "a/a:1", "depends_on": ["db"]},
            "seed": {"image": "a/a:1", "depends_on": {"init": {"condition": "service_completed_successfully"}}},
        },
        ("init", "seed"),
        (),
    ),
    (
        "needs the new version",
        {
            "web": {"build": {"context": "/p"}, "expose": ["80"]},
            "seed": {"image": "a/a:1", "depends_on": ["web"]},
            "setup": {"image": "a/a:1", "depends_on": ["seed"]},
        },
        (),
        (),
    ),
    (
        "a store waits for it",
        {
            "perms": {"image": "busybox", "command": ["chown", "999", "/d"]},
            "db": {"image": "postgres:16", "depends_on": {"perms": {"condition": "service_completed_successfully"}}},
            "seed": {"image": "a/a:1", "depends_on": ["db"]},
        },
        ("perms", "seed"),
        ("perms",),
    ),
]


@pytest.mark.parametrize(("services", "early", "based"), [c[1:] for c in JOBS], ids=[c[0] for c in JOBS])
def test_jobs_that_run_before_anything_starts(
    services: dict[str, Any], early: tuple[str, ...], based: tuple[str, ...]
) -> None:
    model = model_of(services)
    placements = place(model).placements
    assert release_jobs(placements, model) == early
    assert base_jobs(placements, model) == based
