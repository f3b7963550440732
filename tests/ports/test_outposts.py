"""What every Outposts keeps to: the fake ones in memory, and the real ones, which ask from this machine's network."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Iterator

import pytest
from tests.fakes.engine import FakeEngine
from tests.fakes.outposts import FakeOutposts

from windlass.adapters.engine import open_engine
from windlass.adapters.outpost.outpost import ChildOutposts
from windlass.domain.outposts import Kind, Reply, Step, Target, Tls
from windlass.ports.engine import Engine, HolderContainer
from windlass.ports.outposts import Closed, Outposts

URL = "unix:///var/run/docker.sock"
GONE = 0x3FFFFF


@pytest.fixture(params=["fake", pytest.param("real", marks=pytest.mark.real)])
def outposts(request: pytest.FixtureRequest) -> Outposts:
    if request.param == "fake":
        return FakeOutposts(FakeEngine())
    return ChildOutposts(open_engine(URL))


@pytest.fixture
def listening() -> Iterator[tuple[str, int]]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()


def test_one_reply_for_each_in_their_order(outposts: Outposts, listening: tuple[str, int]) -> None:
    unknown = Target("A", Kind.TCP, (("nowhere.invalid", 1),))
    there = Target("B", Kind.TCP, (listening,), knows_login=False)
    lost, reached = outposts.ask(0, [unknown, there], 3.0)
    assert (lost.step, lost.why, lost.is_good) == (Step.NAME, "unknown", False)
    assert (reached.step, reached.why, reached.code, reached.is_good) == (Step.DONE, "", "", True)
    assert isinstance(reached, Reply)
    assert outposts.ask(0, [], 1.0) == []


def test_a_network_that_cannot_be_entered(outposts: Outposts, listening: tuple[str, int]) -> None:
    if isinstance(outposts, FakeOutposts):
        outposts.closed = "the engine's containers are not processes of this machine"
    assert outposts.why_closed(GONE, "0" * 64)
    with pytest.raises(Closed):
        outposts.ask(GONE, [Target("A", Kind.TCP, (listening,), Tls.NONE)], 1.0)


def test_what_holds_a_place_stays_up(outposts: Outposts) -> None:
    engine: Engine = outposts.engine if isinstance(outposts, FakeOutposts) else open_engine(URL)
    post, name = outposts.post(), f"wlt-{secrets.token_hex(4)}"
    network = engine.create_network(name, f"10.202.{secrets.randbelow(250)}.0/28", True, {"wlt": name})
    made = ""
    try:
        made = engine.create_holder(
            HolderContainer(name, post.image, post.argv, {"wlt": name}, name, ("db.test:192.0.2.7",), search=("test",))
        )
        assert engine.container(made).state == "created"
        engine.start(made)
        running = engine.container(name)
        assert (running.id, running.state, running.labels["wlt"], set(running.addresses)) == (
            made, "running", name, {name},
        )  # fmt: skip
        assert outposts.why_closed(running.pid, made) == ""
        database = Target("A", Kind.POSTGRES, (("db.test", 5432),), user="a", password="b")
        (reply,) = outposts.ask(running.pid, [database], 2.0)
        if not isinstance(outposts, FakeOutposts):
            # Known from the container's own file of hosts, in whose network there is no way out.
            assert reply.step is Step.NETWORK
            assert reply.why in ("unreachable", "timeout")
    finally:
        if made:
            engine.remove(made)
        engine.remove_network(network)
