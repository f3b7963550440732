"""Commands of windlass.yaml: the services they run as, when they run, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from tests.domain.samples import model_of
from tests.domain.shapes import DB, MIGRATE, WEB, WORKER, snapshot
from tests.domain.test_planner import flat, kinds, running

from windlass.domain.changes import changes
from windlass.domain.derivation import Ingredients
from windlass.domain.errors import Refused
from windlass.domain.fingerprint import fingerprint
from windlass.domain.manifestfile import parse_manifest
from windlass.domain.placement import late_release_jobs, place
from windlass.domain.plan import (
    Attach,
    CreateServices,
    EnsureNetwork,
    Operation,
    RemoveContainers,
    RemoveGeneration,
    RunChecklist,
    RunJob,
    RunTask,
    Sequence,
    Start,
    StepPlan,
    Stop,
    Watch,
)
from windlass.domain.planner import Observed, Situation, plan_deployment
from windlass.domain.release import Delivery, Snapshot, Strategy
from windlass.domain.taskplan import task_operations
from windlass.domain.tasks import Phase, task_title
from windlass.domain.taskservices import add_tasks, task_problems, tasks_of

SETTINGS = """
checklist: [{name: licence, service: web, command: [check-licence]}]
test: [{service: web, command: [pytest, -q]}, {service: web, command: [ruff]}]
release: [{service: web, command: [alembic, upgrade, head], within: 3m}, {service: worker, command: [seed]}]
verify: {steps: [{get: /}, {run: [python, it.py, $WINDLASS_APP_URL], image: "python:3"}]}
"""
SHOP = {
    "web": WEB,
    "worker": WORKER,
    "migrate": {**MIGRATE, "depends_on": {"db": {"condition": "service_healthy"}}},
    "db": DB,
}
ALL = ["windlass-checklist-1", "windlass-test-1", "windlass-test-2", "windlass-release-1", "windlass-release-2"]


def of(settings: str = SETTINGS, number: int = 1, services: dict[str, Any] | None = None, **changes: Any) -> Snapshot:
    return snapshot(services or SHOP, number, settings=settings, **changes)


def service_of(shot: Snapshot, name: str) -> dict[str, Any]:
    return dict(shot.generation_model["services"][name])


# --- what they are ---------------------------------------------------------------------------------------------------


def test_the_parts_of_a_release_know_their_phase() -> None:
    shot = of()
    assert {p: [t.name for t in shot.tasks(p)] for p in Phase} == {
        Phase.CHECKLIST: ALL[:1], Phase.TEST: ALL[1:3], Phase.RELEASE: ALL[3:], Phase.VERIFY: ["windlass-verify-2"],
    }  # fmt: skip
    assert [p.name for p in shot.services()] == list(SHOP)
    first = shot.parts["windlass-release-1"]
    assert first.task is not None
    assert (first.strategy, first.task.within_s, first.replicas) == (Strategy.JOB, 180.0, 1)
    assert "windlass.yaml" in first.reason
    assert first.image_id == "sha256:windlass-release-1"
    assert first.image == "windlass/shop/windlass-release-1:r1"


@pytest.mark.parametrize(
    ("command", "title"),
    [
        (("a", "b"), "test: a b"),
        (("sh", "-c", "one\n  two"), "test: sh -c one two"),
        (("x" * 99,), f"test: {'x' * 59}…"),
    ],
)
def test_titles(command: tuple[str, ...], title: str) -> None:
    assert task_title(Phase.TEST, command) == title


FULL: dict[str, Any] = {
    "build": {"context": "/src"},
    "entrypoint": ["/entry"],
    "command": ["serve"],
    "user": "1000",
    "working_dir": "/app",
    "environment": {"A": "1", "PRICE": "$$5"},
    "ports": [{"target": 8000, "published": "8080", "protocol": "tcp"}],
    "expose": ["8000"],
    "container_name": "the-web",
    "hostname": "web",
    "restart": "always",
    "labels": {"traefik.enable": "true"},
    "healthcheck": {"test": ["CMD", "true"]},
    "deploy": {"replicas": 3, "resources": {"limits": {"memory": "64m"}}},
    "post_start": [{"command": ["hook"]}],
    "networks": {"front": {"aliases": ["www"]}, "default": None, "other": None},
    "tty": True,
    "stdin_open": True,
    "stop_grace_period": "40s",
    "volumes": [
        {"type": "volume", "source": "files", "target": "/files"},
        {"type": "bind", "source": "/src/conf", "target": "/conf", "read_only": True},
        {"type": "bind", "source": "/src/data", "target": "/data"},
        {"type": "tmpfs", "target": "/tmp"},
    ],
}
NETWORKS = {"front": {"name": "shop_front"}, "other": {"name": "other", "external": True}}


def full(phase: str) -> tuple[Snapshot, dict[str, Any]]:
    shot = of(f"{phase}: [{{service: web, command: [do, $HOME]}}]", services={"web": FULL}, networks=NETWORKS)
    return shot, service_of(shot, f"windlass-{phase}-1")


@pytest.mark.parametrize("phase", ["test", "release"])
def test_what_lasts_is_left_out(phase: str) -> None:
    shot, service = full(phase)
    kept = ("entrypoint", "command", "user", "working_dir", "environment", "healthcheck", "stop_grace_period")
    assert {k: service[k] for k in kept} == {
        "entrypoint": ["/entry"], "command": ["do", "$$HOME"], "user": "1000", "working_dir": "/app",
        "environment": {"A": "1", "PRICE": "$$5"}, "healthcheck": {"disable": True}, "stop_grace_period": "40s",
    }  # fmt: skip
    gone = {"ports", "expose", "container_name", "hostname", "post_start", "tty", "stdin_open", "build"}
    assert not gone & set(service)
    assert service["restart"] == "no"
    assert service["deploy"] == {"resources": {"limits": {"memory": "64m"}}, "replicas": 1}
    assert all(label.startswith("windlass.") for label in service["labels"])
    assert service["networks"] == {"front": None, "default": None}
    part = shot.tasks(Phase(phase))[0]
    assert (part.aliases, part.needs, part.ports, part.post_start, part.grace_s) == ((), (), (), (), 40.0)


def targets(service: dict[str, Any]) -> dict[str, str]:
    return {m["target"]: f"{m['type']}:{m.get('source', '')}" for m in service["volumes"]}


def test_a_job_of_the_release_has_the_files_of_its_service_and_a_test_has_empty_places() -> None:
    config = {"/conf": "bind:/src/conf", "/tmp": "tmpfs:"}  # noqa: S108
    assert targets(full("release")[1]) == {"/files": "volume:files", "/data": "bind:/src/data", **config}
    assert targets(full("test")[1]) == {"/files": "volume:", **config}


def test_the_volume_of_a_service_with_one_writer_is_that_of_its_jobs_too() -> None:
    service = {"build": {"context": "/src"}, "expose": ["8000"], "volumes": [{"type": "volume", "target": "/db"}]}
    given = model_of({"web": service})
    placing = place(given, {"web": Strategy.RECREATE})
    settings = "release: [{service: web, command: [a]}]\ntest: [{service: web, command: [a]}]"
    tasks = tasks_of(parse_manifest(settings))
    placements = {p.service: p for p in placing.placements}
    made = add_tasks(Ingredients("shop", 1, given, placements, {}, {}, ()), tasks)
    mounts = {n: [(m.source, m.target) for m in s.mounts] for n, s in made.model.services.items()}
    assert mounts == {"web": [("", "/db")], "windlass-release-1": [("web-db", "/db")], "windlass-test-1": [("", "/db")]}


def test_a_command_in_a_store_does_not_get_its_data() -> None:
    shot = of("release: [{service: db, command: [psql]}]")
    assert targets(service_of(shot, "windlass-release-1")) == {"/var/lib/postgresql/data": "volume:"}


SHARED = [
    ({"network_mode": "host"}, {"test": None, "release": "host"}),
    ({"network_mode": "none"}, {"test": "none", "release": "none"}),
    ({"network_mode": "service:worker"}, {"test": None, "release": None}),
    ({"network_mode": "container:x"}, {"test": None, "release": "container:x"}),
]


@pytest.mark.parametrize(("written", "modes"), SHARED)
def test_namespaces_of_others(written: dict[str, str], modes: dict[str, str | None]) -> None:
    """Before anything is touched, and when the other service does not run, it has networks of its own."""
    services = {**SHOP, "web": {"build": {"context": "/src"}, **written}}
    for phase, mode in modes.items():
        service = service_of(of(f"{phase}: [{{service: web, command: [a]}}]", services=services), f"windlass-{phase}-1")
        assert service.get("network_mode") == mode
        assert ("networks" in service) is (mode is None)


def test_secrets_and_variables_of_the_service_are_given_to_its_commands() -> None:
    secret = Delivery("/run/secrets/key", "a2V5")
    shot = of("test: [{service: web, command: [a]}]", deliveries={"web": (secret,)}, to={"web": {"LEVEL": "$1"}})
    assert shot.parts["windlass-test-1"].deliveries == (secret,)
    assert service_of(shot, "windlass-test-1")["environment"] == {"LEVEL": "$$1"}


def test_files_and_namespaces_that_a_service_borrows() -> None:
    lender = {**FULL, "networks": None, "container_name": ""}
    services = {"web": lender, "side": {"build": {"context": "/src"}, "volumes_from": ["web:ro"], "pid": "service:web"}}
    binds = {("web", "/conf"): "/kept/conf", ("web", "/data"): "/kept/data"}
    shot = of("release: [{service: side, command: [a]}]", services=services, binds=binds)
    service = service_of(shot, "windlass-release-1")
    assert targets(service)["/conf"] == "bind:/kept/conf"
    assert targets(service)["/files"] == "volume:files"
    assert not {"volumes_from", "pid"} & set(service)


def test_a_bare_image_gets_nothing_of_the_services() -> None:
    shot = of(extra_environment={"WINDLASS_RELEASE": "1"})
    service = service_of(shot, "windlass-verify-2")
    assert service["environment"] == {"WINDLASS_RELEASE": "1"}
    assert (service["volumes"], service["networks"]) == ([], {"default": None})
    assert service["command"] == ["python", "it.py", "$$WINDLASS_APP_URL"]


# --- what is refused -------------------------------------------------------------------------------------------------

REFUSED = [
    ("test: [{service: wep, command: [a]}]", "task_service_unknown", "test[0]", "did you mean web?"),
    (
        "release: [{service: web, command: [a]}, {service: x, command: [a]}]",
        "task_service_unknown",
        "release[1]",
        "web",
    ),
    ("checklist: [{name: a, service: x, command: [a]}]", "task_service_unknown", "checklist[0]", "web"),
    ("verify: {steps: [{get: /}, {run: [a], service: x}]}", "task_service_unknown", "verify.steps[1]", "web"),
    ("verify: {steps: [{run: [a], image: 'A B'}]}", "task_image_invalid", "verify.steps[0]", "correct"),
    ("release: [{service: web, command: [a, $WINDLASS_APP_URL/x]}]", "task_url_unknown", "release[0]", "verify.steps"),
    ("test: [{service: web, command: ['${WINDLASS_APP_URL}']}]", "task_url_unknown", "test[0]", "verify.steps"),
]


@pytest.mark.parametrize(("settings", "code", "place_", "fix"), REFUSED)
def test_refusals(settings: str, code: str, place_: str, fix: str) -> None:
    (found,) = task_problems(model_of({"web": WEB}), tasks_of(parse_manifest(settings)))
    assert (found.code, found.name) == (code, place_)
    assert fix in found.fix


def test_a_service_with_the_name_of_a_command_is_refused_beside_everything_else() -> None:
    model = model_of({"web": WEB, "windlass-test-1": WEB})
    found = task_problems(model, tasks_of(parse_manifest("test: [{service: wep, command: [$WINDLASS_APP_URL]}]")))
    assert [d.code for d in found] == ["task_name_taken", "task_service_unknown", "task_url_unknown"]


def test_a_name_that_only_begins_like_the_url_is_no_url() -> None:
    tasks = tasks_of(parse_manifest("test: [{service: web, command: [$WINDLASS_APP, WINDLASS_APP_URL]}]"))
    assert task_problems(model_of({"web": WEB}), tasks) == []


def test_a_labelled_job_that_needs_what_starts_later_is_refused() -> None:
    label = {"labels": {"windlass.job": "release"}}
    early = {**MIGRATE, **label, "depends_on": {"db": {}}}
    late = {**MIGRATE, **label, "depends_on": {"web": {}, "db": {}}}
    model = model_of({**SHOP, "early": early, "late": late})
    (found,) = late_release_jobs(place(model), model)
    assert (found.code, found.name) == ("release_job_needs", "services.late.depends_on")
    assert "needs web" in found.message


# --- when they run ---------------------------------------------------------------------------------------------------


def ran(step: StepPlan) -> list[str]:
    return [o.service for o in flat(step.operations) if isinstance(o, RunTask | RunJob)]


def first_deploy(shot: Snapshot, **changes: Any) -> Any:
    return plan_deployment(Situation(shot, None, **changes))


def test_checklist_and_tests_run_when_the_images_are_there_on_networks_of_their_own() -> None:
    plan = first_deploy(of())
    step = plan.step("build")
    assert [o.services for o in kinds(plan, "build", RunChecklist)] == [("windlass-checklist-1",)]
    assert ran(step) == ALL[1:3]
    assert [o.services for o in kinds(plan, "build", CreateServices)] == [tuple(ALL[:3])]
    assert not kinds(plan, "build", Attach)
    assert [o.name for o in kinds(plan, "build", EnsureNetwork)] == ["0-shop-g1-default"]
    assert step.operations[-1] == RemoveContainers(tuple(f"shop-g1-{n}-1" for n in ALL[:3]))
    assert [o.part for o in step.operations if isinstance(o, Sequence)] == ["create", "test"]


def test_jobs_of_the_release_run_after_composes_own_one_after_another() -> None:
    plan = first_deploy(of())
    assert ran(plan.step("release")) == ["migrate", *ALL[3:]]
    assert [o.services for o in kinds(plan, "release", CreateServices)] == [("migrate", *ALL[3:]), ("web", "worker")]
    assert {o.network for o in kinds(plan, "release", Attach) if "windlass" in o.container} == {"shop_default"}
    assert all(o.aliases == () for o in kinds(plan, "release", Attach) if "windlass" in o.container)
    assert not kinds(plan, "start", CreateServices)


def test_no_step_takes_a_command_for_a_service() -> None:
    """Only the steps in which they run know them."""
    old, new = of(number=1), of(number=2)
    plan = plan_deployment(Situation(new, old, running(old)))
    for step in ("base", "start", "switch", "verify", "retire"):
        named = [
            str(o) for o in flat(plan.step(step).operations) if "windlass-" in str(o).replace("windlass-names", "")
        ]
        assert named == [], step
    assert [n for n, _ in kinds(plan, "verify", Watch)[0].probes] == ["shop-g2-web-1", "shop-g2-worker-1"]


def test_a_labelled_service_is_a_job_of_the_release() -> None:
    services = {**SHOP, "migrate": {**SHOP["migrate"], "labels": {"windlass.job": "release"}}}
    shot = of(services=services)
    assert ran(first_deploy(shot).step("release")) == ["migrate", *ALL[3:]]
    assert kinds(first_deploy(shot), "release", RunTask)[0] == RunTask(1, "migrate")
    assert not shot.parts["migrate"].is_extra
    assert shot.parts["migrate"].phase is Phase.RELEASE


SKIPS = [
    ({}, ["licence"], ALL[1:3]),
    ({"skip_tests": True}, ["licence"], []),
    ({"skipped": frozenset({"checklist:licence"})}, [], ALL[1:3]),
    ({"skipped": frozenset({"checklist:licence"}), "skip_tests": True}, [], []),
]


@pytest.mark.parametrize(("told", "checks", "tests"), SKIPS)
def test_skipping(told: dict[str, Any], checks: list[str], tests: list[str]) -> None:
    plan = first_deploy(of(), **told)
    assert len(kinds(plan, "build", RunChecklist)) == len(checks)
    assert ran(plan.step("build")) == tests
    assert bool(plan.step("build").operations) is bool(checks or tests)


def test_skip_verify_neither_watches_nor_asks() -> None:
    assert first_deploy(of(), skip_verify=True).step("verify") == StepPlan("verify")


@pytest.mark.parametrize("present", [frozenset(), frozenset({1})])
def test_a_rollback_runs_none(present: frozenset[int]) -> None:
    new, old = of(number=1), of(number=2)
    seen = Observed({p.name: p.digest for p in old.base()}, present=present | {2})
    plan = plan_deployment(Situation(new, old, seen, again=True))
    assert [ran(s) for s in plan.steps] == [[]] * len(plan.steps)
    assert not kinds(plan, "build", RunChecklist)


@pytest.mark.parametrize("step", ["build", "release", "start"])
def test_a_job_that_still_runs_is_told_to_end_before_it_is_taken_away(step: str) -> None:
    undo = flat(first_deploy(of()).step(step).undo)
    stopped = {o.service for o in undo if isinstance(o, Stop)}
    assert {"migrate", *ALL} <= stopped
    assert undo[-1] == RemoveGeneration(1, images=True)


def test_a_single_command_of_verify() -> None:
    """Anew each time: one that an earlier attempt left is no answer."""
    shot = of()
    operations: tuple[Operation, ...] = task_operations(shot, shot.parts["windlass-verify-2"], "http://shop.localhost")
    gone = RemoveContainers(("shop-g1-windlass-verify-2-1",))
    assert (operations[0], operations[-1]) == (gone, gone)
    (made,) = [o for o in flat(operations) if isinstance(o, CreateServices)]
    assert (made.services, made.app_url) == (("windlass-verify-2",), "http://shop.localhost")
    assert [o.service for o in flat(operations) if isinstance(o, RunTask | Start)] == ["windlass-verify-2"]


# --- the same again --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "is_same", "told"),
    [
        (SETTINGS, True, ()),
        (SETTINGS.replace("pytest", "unittest"), False, ("commands of test",)),
        (SETTINGS.replace("3m", "4m"), False, ("commands of release",)),
        ("", False, tuple(f"commands of {phase}" for phase in Phase)),
    ],
)
def test_the_fingerprint_covers_them(settings: str, is_same: bool, told: tuple[str, ...]) -> None:
    old, new = of(number=1), of(settings, number=2)
    assert (fingerprint(old, "tree") == fingerprint(new, "tree")) is is_same
    assert changes(old, new) == told


def test_before_backup_is_a_reserved_name() -> None:
    manifest = parse_manifest("release: [{service: web, command: [a], before: backup}]")
    assert [rule.before for rule in manifest.release] == ["backup"]
    with pytest.raises(Refused) as refused:
        parse_manifest("release: [{service: web, command: [a], before: lunch}]")
    assert "release[0].before" in refused.value.message
