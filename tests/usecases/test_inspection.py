"""The list of checks before a deploy: all is well, and what each check says when it is not."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.outposts import FakeOutposts
from tests.usecases.worlds import SHOP, World

from windlass.domain.checks import CHECKS, Finding, Status
from windlass.domain.errors import Detail, OutOfReach, Refused
from windlass.domain.manifestfile import parse_manifest
from windlass.domain.modelreader import read_model
from windlass.domain.outposts import Reply, Step
from windlass.ports.engine import ImageFacts, RegistryAnswer, VolumeFacts
from windlass.ports.machine import PortHolder
from windlass.ports.sources import ComposeSource
from windlass.usecases import inspection
from windlass.usecases.inspection import Inspection, begin_inspection, refuse_by, refuse_unread
from windlass.usecases.project import Project
from windlass.usecases.scene import Wishes, look_around
from windlass.usecases.slots import Unhurried
from windlass.usecases.undertaking import Undertaking

GIB = 1 << 30
HERE = {"image": "shop/web", "expose": ["8000"]}
AMD = ImageFacts("sha256:a", architecture="amd64")


def document(service: str = "web", **changes: Any) -> dict[str, Any]:
    return {"services": {service: {**HERE, **changes}}}


def begin(world: World, given: Mapping[str, Any], text: str = "", wishes: Wishes | None = None) -> Inspection:
    model = read_model(given)
    source = ComposeSource(Path("/nowhere"), "shop")
    manifest = parse_manifest(text.encode(), "shop")
    project = Project(manifest, model, source, {}, {}, (), (), ())
    work = Undertaking(world.outside, "shop", "", Unhurried(), lambda kind, data: None)
    return begin_inspection(look_around(work, project, (), wishes or Wishes()), ())


def inspect(world: World, given: Mapping[str, Any], text: str = "", wishes: Wishes | None = None) -> list[Finding]:
    world.engine.images.setdefault("shop/web:latest", AMD)
    return begin(world, given, text, wishes).findings()


def of(findings: list[Finding], check: str) -> list[Finding]:
    return [f for f in findings if f.check == check]


def test_a_project_in_good_order_has_one_line_for_each_check(world: World) -> None:
    found = inspect(world, document())
    assert {f.status for f in found} == {Status.OK}, found
    assert [f.check for f in found] == [name for name in CHECKS if name != "checklist"]
    assert all(f.message and not f.fix for f in found)
    assert refuse_by(found) is None


def ports(*entries: str, image: str = "postgres:16", **environment: str) -> dict[str, Any]:
    return {"services": {"db": {"image": image, "ports": list(entries), "environment": environment}}}


def have(tag: str, **facts: Any) -> Callable[[World], object]:
    return lambda w: w.engine.add_image(tag, ImageFacts("sha256:x", **facts))


def registered(image: str, *architectures: str, state: str = "there") -> Callable[[World], object]:
    return lambda w: w.engine.registry.update({image: RegistryAnswer(state, architectures, "some words")})


def machine(**facts: Any) -> Callable[[World], object]:
    return lambda w: w.machine.__dict__.update(facts)


GPU = {"deploy": {"resources": {"reservations": {"devices": [{"driver": "nvidia", "capabilities": ["gpu"]}]}}}}
NOTHING = have("none")
CASES: dict[str, tuple[Callable[[World], object], dict[str, Any], str, Status, str, str]] = {
    # what is done to the world, the project, check, status, code, words
    "image in the registry": (
        registered("some/app:1", "amd64"), document(image="some/app:1"), "images", Status.OK, "", "can be pulled: web",
    ),
    "no such image": (
        registered("some/app:1", state="missing"), document(image="some/app:1"),
        "images", Status.REFUSED, "image_unavailable", "no such image",
    ),
    "no log-in": (
        registered("r.example.com/app:1", state="denied"), document(image="r.example.com/app:1"),
        "images", Status.REFUSED, "image_unavailable", "r.example.com does not let this machine have it",
    ),
    "no registry": (
        NOTHING, document(image="some/app:1"), "images", Status.REFUSED, "image_unavailable", "no such host",
    ),
    "silent registry": (
        registered("some/app:1", state="silent"), document(image="some/app:1"),
        "images", Status.WARNING, "registry_silent", "has not said in time",
    ),
    "an image here needs no registry": (
        have("some/app:1"), document(image="some/app:1"), "images", Status.OK, "", "present: web",
    ),
    "made for another processor": (
        have("some/app:1", architecture="arm64"), document(image="some/app:1"),
        "architecture", Status.REFUSED, "image_architecture", "some/app:1 is made for arm64",
    ),
    "made for another processor, in the registry": (
        registered("some/app:1", "arm64", "s390x"), document(image="some/app:1"),
        "architecture", Status.REFUSED, "image_architecture", "arm64, s390x",
    ),
    "emulated": (
        lambda w: (have("some/app:1", architecture="arm64")(w), machine(others=["arm64"])(w)),
        document(image="some/app:1"), "architecture", Status.WARNING, "image_emulated", "emulated",
    ),
    "platform asked for": (
        have("some/app:1"), document(image="some/app:1", platform="linux/arm64"),
        "architecture", Status.REFUSED, "image_architecture", "arm64",
    ),
    "one of many processors": (
        registered("some/app:1", "arm64", "amd64"), document(image="some/app:1"),
        "architecture", Status.OK, "", "amd64",
    ),
    "no Dockerfile": (
        NOTHING, document(build={"context": "/nowhere/app"}),
        "build", Status.REFUSED, "build_impossible", "no folder of the project",
    ),
    "no GPU": (NOTHING, document(**GPU), "gpu", Status.REFUSED, "gpu_missing", "reserves a GPU (nvidia)"),
    "no GPU for gpus": (NOTHING, document(gpus=[{"count": -1}]), "gpu", Status.REFUSED, "gpu_missing", "nvidia"),
    "a GPU by its runtime": (
        lambda w: setattr(w.engine, "runtimes", ("runc", "nvidia")), document(**GPU), "gpu", Status.OK, "", "web",
    ),
    "a GPU by its hook": (
        machine(programs={"nvidia-container-runtime-hook"}), document(**GPU), "gpu", Status.OK, "", "there for web",
    ),
    "no such runtime": (NOTHING, document(runtime="sysbox"), "gpu", Status.REFUSED, "runtime_missing", "sysbox"),
    "disk full": (machine(disk=1 << 20), document(), "disk", Status.REFUSED, "disk_full", "64MiB are needed"),
    "disk low": (machine(disk=GIB), document(), "disk", Status.WARNING, "disk_low", "1GiB"),
    "no inodes": (machine(inodes=10), document(), "inodes", Status.REFUSED, "inodes_full", "10 files"),
    "no memory": (machine(memory=1 << 20), document(), "memory", Status.REFUSED, "memory_short", "1MiB"),
    "little memory": (
        machine(memory=GIB), document(mem_limit="2g"), "memory", Status.WARNING, "memory_tight", "may use 2GiB",
    ),
    "pool full": (
        lambda w: w.machine.known.append("10.9.0.0/20"), document(networks={"default": None}),
        "address-pool", Status.REFUSED, "address_pool_full", "10.9.0.0/20",
    ),
    "port held": (
        machine(held={5432: PortHolder(5432, 7, "postgres")}), ports("127.0.0.1:5432:5432"),
        "ports", Status.REFUSED, "port_taken", "postgres (pid 7)",
    ),
    "network missing": (
        NOTHING, {**document(), "networks": {"x": {"name": "x", "external": True}}},
        "networks", Status.REFUSED, "network_missing", "the external network x",
    ),
    "volume of somebody else": (
        lambda w: w.engine.vols.update(shop_db=VolumeFacts("shop_db", {})),
        {**document(), "volumes": {"db": {"name": "shop_db"}}}, "volumes", Status.REFUSED, "foreign_volume", "shop_db",
    ),
    "container of somebody else": (
        lambda w: w.foreign("shop-web-1", com__docker__compose__project="shop"), document(),
        "containers", Status.REFUSED, "foreign_container", "shop-web-1",
    ),
    "database open to all": (
        have("postgres:16"), ports("5432:5432", POSTGRES_PASSWORD="postgres"),
        "exposure", Status.REFUSED, "exposed_without_password", "POSTGRES_PASSWORD",
    ),
    "database open": (
        have("postgres:16"), ports("5432:5432", POSTGRES_PASSWORD="c7Xq-29vLm_Zt4R"),
        "exposure", Status.WARNING, "exposed_store", "5432",
    ),
    "clock set back": (
        lambda w: (w.deploy(), setattr(w.clock, "ahead", -5000.0)), document(),
        "clock", Status.WARNING, "clock_doubtful", "set back",
    ),
    "old Compose": (
        lambda w: setattr(w.outside.compose, "version", lambda: "2.5.0"), document(),
        "versions", Status.WARNING, "versions_doubtful", "2.5.0",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_each_check(world: World, name: str) -> None:
    change, given, check, status, code, words = CASES[name]
    change(world)
    found = of(inspect(world, given), check)
    assert [(f.status, f.code) for f in found if f.status is not Status.OK or f.code == code][:1] == [(status, code)], (
        found
    )
    assert any(words in f.message for f in found), found
    assert all(f.fix for f in found if f.status is not Status.OK)


HOSTS = {  # addresses behind the name -> status, words
    "here": (["192.0.2.1"], Status.OK, "they lead here"),
    "elsewhere": (["198.51.100.7"], Status.WARNING, "leads to 198.51.100.7; this machine is 192.0.2.1"),
    "here and elsewhere": (["192.0.2.1", "198.51.100.7"], Status.WARNING, "also to 198.51.100.7"),
    "nowhere": ([], Status.WARNING, "no name server knows shop.example.com"),
}


@pytest.mark.parametrize("name", HOSTS)
def test_hosts_of_routes(world: World, name: str) -> None:
    addresses, status, words = HOSTS[name]
    world.machine.names["shop.example.com"] = addresses
    [found] = of(inspect(world, document(), "routes: [{host: shop.example.com, service: web, port: 8000}]"), "dns")
    assert (found.status, words in found.message) == (status, True), found


def test_a_name_server_that_does_not_answer_is_a_warning(world: World) -> None:
    def silent(host: str) -> list[str]:
        raise OutOfReach("no name server answers", code="dns_silent")

    world.machine.resolve = silent  # type: ignore[method-assign]
    [found] = of(inspect(world, document(), "routes: [{host: shop.example.com, service: web, port: 8000}]"), "dns")
    assert (found.status, found.code) == (Status.WARNING, "dns_silent")


def test_every_reason_at_once(world: World) -> None:
    world.machine.disk = 1 << 20
    world.machine.held[5432] = PortHolder(5432, 7, "x")
    given = ports("5432:5432", POSTGRES_PASSWORD="x")
    given["services"]["web"] = {"image": "nosuch/image:1", **GPU}
    error = refuse_by(inspect(world, given))
    assert isinstance(error, Refused)
    assert {d.code for d in error.details} == {
        "disk_full", "port_taken", "exposed_without_password", "gpu_missing", "image_unavailable",
    }  # fmt: skip
    shown = {c["name"]: c["status"] for c in error.beside["checks"]}
    assert shown["disk"] == "refused"
    assert shown["clock"] == "ok"
    names = dict.fromkeys(c["name"] for c in error.beside["checks"] if c["status"] == "refused")
    assert list(names) == ["ports", "images", "gpu", "disk", "exposure"]


def test_what_is_skipped_is_not_asked_and_is_told(world: World) -> None:
    world.machine.disk = 1 << 20
    found = inspect(world, document(image="some/app:1"), wishes=Wishes(skips=("disk", "images", "architecture")))
    assert refuse_by(found) is None
    assert [f.check for f in found if f.status is Status.SKIPPED] == ["images", "architecture", "disk"]
    assert ("ask_registry", "some/app:1") not in world.engine.calls
    assert not [f for f in found if f.check == "disk" and f.status is not Status.SKIPPED]


def test_a_misspelt_check_is_not_heard_in_silence(world: World) -> None:
    text = "checklist: [{name: licence, service: web, command: [true]}]"
    found = inspect(world, document(), text, Wishes(skips=("checklist:licence", "checklist:lisense")))
    assert [(f.status, f.code, f.name) for f in of(found, "checklist")] == [
        (Status.WARNING, "checklist_unknown", "checklist:lisense")
    ]


def test_pulling_anew_asks_also_for_what_is_here(world: World) -> None:
    found = inspect(world, document(), wishes=Wishes(pull=True))
    assert ("ask_registry", "shop/web") in world.engine.calls
    assert [(f.status, f.code) for f in of(found, "images")] == [(Status.WARNING, "image_not_fresh")]


def test_good_answers_are_kept_and_bad_ones_are_not(world: World) -> None:
    def asked() -> int:
        return world.engine.calls.count(("ask_registry", "some/app:1"))

    given = document(image="some/app:1")
    inspect(world, given)
    inspect(world, given)
    assert asked() == 2
    world.engine.registry["some/app:1"] = RegistryAnswer("there", ("amd64",))
    for _ in range(3):
        assert refuse_by(inspect(world, given)) is None
    assert asked() == 3
    world.clock.ahead += 600
    inspect(world, given)
    assert asked() == 4


def test_what_takes_time_goes_on_while_others_work(world: World) -> None:
    asked, may_answer = threading.Event(), threading.Event()

    def slow(host: str) -> list[str]:
        asked.set()
        may_answer.wait(60)
        return ["192.0.2.1"]

    world.machine.resolve = slow  # type: ignore[method-assign]
    world.engine.add_image("shop/web", AMD)
    begun = begin(world, document(), "routes: [{host: shop.example.com, service: web, port: 8000}]")
    assert not begun.is_refused()
    assert asked.wait(60)
    may_answer.set()
    assert [f.status for f in of(begun.findings(), "dns")] == [Status.OK]


def test_what_does_not_answer_in_time_is_a_warning(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    may_answer = threading.Event()
    monkeypatch.setattr(inspection, "LIMIT_S", 0.2)
    world.machine.resolve = lambda host: [str(may_answer.wait(60))]  # type: ignore[method-assign]
    world.engine.add_image("shop/web", AMD)
    begun = begin(world, document(), "routes: [{host: shop.example.com, service: web, port: 8000}]")
    found = of(begun.findings(), "dns")
    may_answer.set()
    assert [(f.status, f.code) for f in found] == [(Status.WARNING, "check_slow")]


def test_memory_of_what_runs_is_measured(world: World) -> None:
    world.deploy(SHOP)
    world.engine.memory["shop-g1-web-1"] = 600 << 20
    world.machine.memory = 500 << 20
    given = {"services": {"web": SHOP["services"]["web"], "db": {"image": "postgres:16"}}}
    [found] = of(inspect(world, given), "memory")
    assert (found.status, found.code) == (Status.REFUSED, "memory_short"), found
    assert "600MiB" in found.message


def test_a_project_that_cannot_be_read_has_its_reasons_as_the_list(world: World) -> None:
    error = Refused("two", details=[Detail("yaml_invalid", "compose.yaml:3", "bad", "mend it")])
    checks = refuse_unread(error, ("dns",)).beside["checks"]
    assert [(c["name"], c["status"], c["place"]) for c in checks] == [
        ("compose", "refused", "compose.yaml:3"),
        ("dns", "skipped", ""),
    ]


def test_outside_services_are_not_asked_before_consent(world: World) -> None:
    given = {"services": {"web": {**HERE, "network_mode": "host", "environment": {"DB": "postgres://a:b@127.0.0.1/x"}}}}
    world.engine.add_image("shop/web", AMD)
    fake = world.outside.outposts
    assert isinstance(fake, FakeOutposts)
    fake.replies["127.0.0.1"] = Reply(Step.NETWORK, "refused")
    asked = begin(world, given)
    assert [f.code for f in of(asked.findings(), "reachability:DB")] == ["reach_network"]
    fake.asked.clear()
    scene = asked.scene
    missing = Detail("consent_missing", "services.web.network_mode", "web wants the machine's own network")
    strange = replace(scene, project=replace(scene.project, problems=(missing,)))
    found = of(begin_inspection(strange, strange.project.problems).findings(), "reachability")
    assert [(f.status, f.code) for f in found] == [(Status.WARNING, "reach_unasked")]
    assert fake.asked == []
