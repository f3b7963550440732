"""Event streams: whole, resumable, ended by themselves, and by the server going away."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest

from windlass.adapters.store.store import SqlStore
from windlass.domain.errors import OutOfReach
from windlass.domain.records import Deployment
from windlass.domain.release import DeploymentStatus
from windlass.usecases import lifecycle


def messages(response: httpx2.Response) -> Iterator[dict[str, Any]]:
    found: dict[str, Any] = {}
    for line in response.iter_lines():
        name, _, value = line.partition(": ")
        if line and name:
            found[name] = json.loads(value) if name == "data" else value
        elif found:
            yield found
            found = {}


@pytest.fixture
def api(served: Any) -> Iterator[httpx2.Client]:
    transport = httpx2.HTTPTransport(uds=str(served.socket))
    with httpx2.Client(transport=transport, base_url="http://windlass", timeout=60) as client:
        yield client


def finish(store: SqlStore, id: str) -> None:
    store.events.add(time.time(), "shop", id, "state", {"status": "live"})
    store.deployments.finish(id, DeploymentStatus.LIVE, time.time(), None)


def test_a_stream_ends_with_the_deployment(api: httpx2.Client, store: SqlStore, deployment: Deployment) -> None:
    store.events.add(time.time(), "shop", "d1", "step", {"name": "source", "status": "running"})
    store.events.add(time.time(), "other", "d2", "step", {"name": "source", "status": "running"})
    with api.stream("GET", "/api/v1/deployments/d1/events") as response:
        incoming = messages(response)
        first = next(incoming)
        assert (first["event"], first["data"]["data"]["name"]) == ("step", "source")
        finish(store, "d1")
        rest = list(incoming)
    assert [m["event"] for m in rest] == ["state", "end"]
    assert (rest[-1]["data"]["deployment"], rest[-1]["data"]["status"]) == ("d1", "live")
    assert "id" not in rest[-1]


def test_a_stream_goes_on_after_the_last_event_seen(
    api: httpx2.Client, store: SqlStore, deployment: Deployment
) -> None:
    ids = [store.events.add(time.time(), "shop", "d1", "line", {"text": str(n)}).id for n in range(1200)]
    finish(store, "d1")
    with api.stream("GET", "/api/v1/deployments/d1/events", headers={"Last-Event-ID": str(ids[99])}) as response:
        found = list(messages(response))
    lines = [m for m in found if m["event"] == "line"]
    assert [m["data"]["data"]["text"] for m in lines] == [str(n) for n in range(100, 1200)]
    assert found[-1]["event"] == "end"


def test_a_strange_last_event_is_refused(api: httpx2.Client, deployment: Deployment) -> None:
    answer = api.get("/api/v1/deployments/d1/events", headers={"Last-Event-ID": "x"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "usage")


def test_many_streams_are_told_at_once(api: httpx2.Client, store: SqlStore, deployment: Deployment) -> None:
    count = 60  # more than the threads that serve requests
    begun, ended = threading.Semaphore(0), threading.Semaphore(0)

    def follow() -> None:
        with api.stream("GET", "/api/v1/deployments/d1/events") as response:
            begun.release()
            if [m["event"] for m in messages(response)][-1] == "end":
                ended.release()

    threads = [threading.Thread(target=follow) for _ in range(count)]
    for thread in threads:
        thread.start()
    assert all(begun.acquire(timeout=60) for _ in threads)
    finish(store, "d1")
    assert all(ended.acquire(timeout=60) for _ in threads)
    for thread in threads:
        thread.join()


def test_open_streams_do_not_hold_the_server(
    api: httpx2.Client, served: Any, deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lifecycle, "follow_logs", quiet)
    with (
        api.stream("GET", "/api/v1/deployments/d1/events") as events,
        api.stream("GET", "/api/v1/apps/shop/logs/follow") as lines,
    ):
        assert (events.status_code, lines.status_code) == (200, 200)
        stopping = threading.Thread(target=served.stop)
        stopping.start()
        assert list(messages(events)) == []
        assert list(messages(lines)) == []
        stopping.join(10)
    assert not served.thread.is_alive()


def quiet(_outside: Any, _query: Any, stop: Callable[[], bool]) -> Iterator[dict[str, Any]]:
    while not stop():
        time.sleep(0.01)
    yield from ()


def test_lines_are_followed_until_the_caller_goes(api: httpx2.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    left = threading.Event()

    def lines(_outside: Any, query: Any, stop: Callable[[], bool]) -> Iterator[dict[str, Any]]:
        for number in range(1, 1 << 30):
            if stop():
                break
            yield {"service": query.service, "text": str(number), "tail": query.tail}
        left.set()

    monkeypatch.setattr(lifecycle, "follow_logs", lines)
    with api.stream("GET", "/api/v1/apps/shop/logs/follow?service=web&tail=5") as response:
        incoming = messages(response)
        found = [next(incoming) for _ in range(3000)]
    assert [m["data"]["text"] for m in found] == [str(n) for n in range(1, 3001)]
    assert found[0]["data"] == {"service": "web", "text": "1", "tail": 5}
    assert left.wait(60)


def test_an_error_in_a_stream_is_told(api: httpx2.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def lines(*_: Any) -> Iterator[dict[str, Any]]:
        yield {"text": "one"}
        raise OutOfReach("the engine is gone", code="engine_down")

    monkeypatch.setattr(lifecycle, "follow_logs", lines)
    with api.stream("GET", "/api/v1/apps/shop/logs/follow") as response:
        found = list(messages(response))
    assert [m["event"] for m in found] == ["line", "failure"]
    assert found[1]["data"]["error"]["code"] == "engine_down"
