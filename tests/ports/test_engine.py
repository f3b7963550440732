"""What every Engine keeps to: the fake one in memory, and the real one where it runs."""

from __future__ import annotations

import ipaddress
import secrets
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import docker
import pytest
from tests.fakes.engine import FakeEngine

from windlass.adapters.engine import open_engine
from windlass.domain.errors import Conflict, NotFound
from windlass.ports.engine import AddressTaken, ConnectOptions, Engine

URL = "unix:///var/run/docker.sock"
IMAGE = "python:3.11-slim"


@dataclass
class Bench:
    """An engine and what a test made in it."""

    engine: Engine
    name: str = field(default_factory=lambda: f"wlt-{secrets.token_hex(4)}")
    made: list[str] = field(default_factory=list)
    nets: list[str] = field(default_factory=list)
    subnet: str = field(default_factory=lambda: f"10.201.{secrets.randbelow(250)}")

    def container(self, suffix: str = "a", exits: int | None = None) -> str:
        name, labels = f"{self.name}-{suffix}", {"wlt": self.name, "part": suffix}
        if isinstance(self.engine, FakeEngine):
            self.made.append(self.engine.add_container(name, labels=labels, exits=exits))
            return self.made[-1]
        argv = ["sleep", "300"] if exits is None else ["sh", "-c", f"exit {exits}"]
        api = docker.APIClient(URL, version="auto")
        made = api.create_container(IMAGE, argv, name=name, labels=labels)["Id"]
        api.close()
        self.made.append(made)
        return str(made)

    def network(self, suffix: str = "n", ip_range: str = "") -> str:
        name = f"{self.name}-{suffix}"
        self.engine.create_network(name, f"{self.subnet}.0/24", False, {"wlt": self.name}, ip_range)
        self.nets.append(name)
        return name

    def clear(self) -> None:
        for ref in self.made:
            self.engine.remove(ref)
        for net in self.nets:
            self.engine.remove_network(net)


@pytest.fixture(params=["fake", pytest.param("real", marks=pytest.mark.real)])
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    made = Bench(FakeEngine() if request.param == "fake" else open_engine(URL))
    if isinstance(made.engine, FakeEngine):
        made.engine.add_image(IMAGE)
    yield made
    made.clear()


def never() -> bool:
    return False


def test_life_of_a_container(bench: Bench) -> None:
    ref, engine = bench.container(), bench.engine
    assert engine.container(ref).state == "created"
    assert engine.container(f"{bench.name}-a").id == ref
    engine.start(ref)
    engine.start(ref)
    running = engine.container(ref)
    assert (running.state, running.restarts, running.restart_policy) == ("running", 0, "no")
    assert running.pid > 0
    engine.stop(ref, 0)
    engine.stop(ref, 0)
    assert engine.container(ref).state == "exited"
    engine.remove(ref)
    engine.remove(ref)
    with pytest.raises(NotFound):
        engine.container(ref)


def test_containers_are_found_by_labels(bench: Bench) -> None:
    a, b = bench.container("a"), bench.container("b")
    assert {c.id for c in bench.engine.containers({"wlt": bench.name})} == {a, b}
    assert {c.id for c in bench.engine.containers({"wlt": bench.name, "part": "b"})} == {b}
    assert {c.id for c in bench.engine.containers({"wlt": bench.name, "part": ""})} == {a, b}
    assert bench.engine.containers({"wlt": bench.name, "nothing": ""}) == []


def test_wait_gives_the_exit_code_or_up(bench: Bench) -> None:
    ends, stays = bench.container("ends", exits=3), bench.container("stays")
    bench.engine.start(ends)
    assert bench.engine.wait(ends, 30) == 3
    assert bench.engine.container(ends).exit_code == 3
    bench.engine.start(stays)
    with pytest.raises(TimeoutError):
        bench.engine.wait(stays, 0.2)


def test_kill_ends_it_and_needs_no_running_container(bench: Bench) -> None:
    ref = bench.container()
    bench.engine.kill(ref)
    bench.engine.start(ref)
    bench.engine.kill(ref)
    assert bench.engine.wait(ref, 30) == 137


@pytest.mark.parametrize("policy", ["no", "unless-stopped", "on-failure:3"])
def test_restart_policy(bench: Bench, policy: str) -> None:
    ref = bench.container()
    bench.engine.set_restart(ref, policy)
    assert bench.engine.container(ref).restart_policy == policy


def test_rename(bench: Bench) -> None:
    ref = bench.container("a")
    bench.container("b")
    bench.engine.rename(ref, f"{bench.name}-c")
    bench.engine.rename(ref, f"{bench.name}-c")
    assert bench.engine.container(f"{bench.name}-c").id == ref
    with pytest.raises(Conflict):
        bench.engine.rename(ref, f"{bench.name}-b")


@pytest.mark.parametrize(
    "call", [lambda e: e.start("wlt-none"), lambda e: e.stop("wlt-none", 1), lambda e: e.logs("wlt-none")]
)
def test_what_is_not_there_is_said(bench: Bench, call: object) -> None:
    with pytest.raises(NotFound):
        call(bench.engine)  # type: ignore[operator]


def test_network_and_its_members(bench: Bench) -> None:
    name, ref = bench.network(), bench.container()
    bench.engine.connect(name, ref, ConnectOptions(aliases=("web",), address=f"{bench.subnet}.9"))
    bench.engine.connect(name, ref, ConnectOptions(aliases=("web",), address=f"{bench.subnet}.9"))
    assert bench.engine.container(ref).addresses[name] == ""
    bench.engine.start(ref)
    bench.engine.connect(name, ref, ConnectOptions())
    assert bench.engine.container(ref).addresses[name] == f"{bench.subnet}.9"
    found = next(n for n in bench.engine.networks() if n.name == name)
    assert (found.subnets, found.internal, found.members) == ((f"{bench.subnet}.0/24",), False, (ref,))
    assert found.labels["wlt"] == bench.name
    with pytest.raises(Conflict) as refused:
        bench.engine.remove_network(name)
    assert refused.value.code == "in_use"
    bench.engine.disconnect(name, ref)
    bench.engine.disconnect(name, ref)
    assert name not in bench.engine.container(ref).addresses
    bench.engine.remove_network(name)
    bench.engine.remove_network(name)
    bench.engine.disconnect(name, ref)
    with pytest.raises(NotFound):
        bench.engine.connect(name, ref, ConnectOptions())


def test_addresses_not_asked_for_come_from_the_range(bench: Bench) -> None:
    name, ref = bench.network(ip_range=f"{bench.subnet}.128/25"), bench.container()
    bench.engine.connect(name, ref, ConnectOptions())
    bench.engine.start(ref)
    address = ipaddress.ip_address(bench.engine.container(ref).addresses[name])
    assert address in ipaddress.ip_network(f"{bench.subnet}.128/25")


def test_overlap_and_name_of_networks(bench: Bench) -> None:
    name = bench.network()
    with pytest.raises(AddressTaken):
        bench.engine.create_network(f"{name}2", f"{bench.subnet}.64/26", False, {})
    with pytest.raises(Conflict):
        bench.engine.create_network(name, "10.202.1.0/24", False, {})


def test_volumes(bench: Bench) -> None:
    bench.engine.create_volume(bench.name, {"wlt": bench.name})
    bench.engine.create_volume(bench.name, {"wlt": bench.name})
    assert [v.labels["wlt"] for v in bench.engine.volumes() if v.name == bench.name] == [bench.name]
    bench.engine.remove_volume(bench.name)
    bench.engine.remove_volume(bench.name)
    assert bench.name not in {v.name for v in bench.engine.volumes()}


def test_tags(bench: Bench) -> None:
    facts = bench.engine.image(IMAGE)
    assert facts is not None
    tag = f"windlass/{bench.name}/web:r1"
    bench.engine.tag(facts.id, tag)
    tagged = bench.engine.image(tag)
    assert tagged is not None
    assert tagged.id == facts.id
    bench.engine.untag(tag)
    bench.engine.untag(tag)
    assert bench.engine.image(tag) is None
    assert bench.engine.image(IMAGE) is not None
    with pytest.raises(NotFound):
        bench.engine.tag("wlt-none:1", tag)


def test_events_come_as_they_happen_and_end_when_told(bench: Bench) -> None:
    ref, since, over = bench.container(exits=4), time.time() - 60, threading.Event()
    seen = []
    threading.Timer(0.1, lambda: bench.engine.start(ref)).start()
    for event in bench.engine.events({"wlt": bench.name}, since, over.is_set):
        seen.append((event.kind, event.action, event.id, event.exit_code))
        if event.action == "die":
            over.set()
    assert seen == [
        ("container", "create", ref, None),
        ("container", "start", ref, None),
        ("container", "die", ref, 4),
    ]


def test_a_followed_log_ends_with_the_container(bench: Bench) -> None:
    ref = bench.container()
    bench.engine.start(ref)
    threading.Timer(0.3, lambda: bench.engine.stop(ref, 0)).start()
    assert list(bench.engine.follow(ref, None, never)) == []
