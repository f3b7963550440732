"""/metrics as Prometheus reads it: from a served process, who may read it, and what its labels never hold."""

import asyncio
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from prometheus_client.parser import text_string_to_metric_families
from tests.web.people import HTTP, Town

from windlass.adapters.store.store import SqlStore
from windlass.domain.records import App, Deployment, Job, StepRecord
from windlass.domain.release import DeploymentStatus
from windlass.domain.rights import Permission
from windlass.ports.outside import Outside
from windlass.ports.tally import Tally
from windlass.web import accesslog
from windlass.web.guard import Guard
from windlass.web.serving import Listeners

SECRET = "s3cret-of-a-variable"


@pytest.fixture
def base(app: FastAPI, serve: Callable[..., Any], tmp_path: Any) -> Iterator[str]:
    """The address of a served application."""
    with serve(app, Listeners(tmp_path / "api.sock", "127.0.0.1:0")) as served:
        yield f"http://127.0.0.1:{served.serving.ports[0]}"


def ended(store: SqlStore, id: str, status: DeploymentStatus, seconds: float) -> None:
    made = Deployment(id, "shop", "deploy", DeploymentStatus.QUEUED, 1000.0)
    store.deployments.add(made, Job(id, "deployment", f"lock-{id}", {}, "queued", 1000.0, 1000.0))
    store.deployments.save_step(id, StepRecord("build", "done", 1000.0, 1003.0))
    store.deployments.finish(id, status, 1000.0 + seconds, None)
    store.jobs.request_cancel(id)


def scrape(base: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    answer = httpx2.get(f"{base}/metrics")
    assert (answer.status_code, answer.headers["content-type"].split(";")[0]) == (200, "text/plain")
    families = list(text_string_to_metric_families(answer.text))
    assert all(family.documentation for family in families)
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for family in families for s in family.samples}


def test_a_scrape(base: str, store: SqlStore, outside: Outside) -> None:
    store.apps.add(App("shop", time.time()))
    store.variables.set("shop", {"PASSWORD": SECRET}, 1.0)
    for id, status, seconds in (("a", "live", 3.0), ("b", "live", 30.0), ("c", "switched_back", 5.0)):
        ended(store, id, DeploymentStatus(status), seconds)
    store.jobs.enqueue(Job("w", "deployment", "shop", {}, "queued", 1.0, 1.0))
    outside.tally.add("edge_switches")
    outside.tally.add("probe_failures", "bake")
    assert httpx2.get(f"{base}/health").status_code == 200
    assert httpx2.get(f"{base}/api/v1/apps/{SECRET}").status_code == 401
    found = scrape(base)

    def value(name: str, **labels: str) -> float:
        return found[name, tuple(sorted(labels.items()))]

    live = {"kind": "deploy", "result": "live"}
    assert value("windlass_deployments_total", **live) == 2
    assert value("windlass_deployment_duration_seconds_bucket", le="5.0", **live) == 1
    assert value("windlass_deployment_duration_seconds_bucket", le="+Inf", **live) == 2
    assert value("windlass_deployment_duration_seconds_sum", **live) == 33
    assert value("windlass_releases_taken_back_total") == 1
    assert value("windlass_build_duration_seconds_sum") == 9
    assert value("windlass_jobs_queued", kind="deployment") == 1
    assert value("windlass_jobs_running", kind="deployment") == 0
    assert value("windlass_probe_failures_total", during="bake") == 1
    assert value("windlass_edge_switches_total") == 1
    assert value("windlass_api_requests_total", method="GET", route="/health", status="2xx") == 1
    assert value("windlass_api_requests_total", method="GET", route="none", status="4xx") == 1
    assert value("windlass_sse_followers") == 0
    assert value("windlass_apps") == 1
    assert value("process_resident_memory_bytes") > 1e6
    assert SECRET not in str(found)
    assert "shop" not in str(found)


def test_a_new_process_goes_on_counting_deployments(base: str, store: SqlStore) -> None:
    """They are in the database: nothing of them is this process's."""
    store.apps.add(App("shop", 1.0))
    ended(store, "a", DeploymentStatus.FAILED, 3.0)
    assert scrape(base)["windlass_deployments_total", (("kind", "deploy"), ("result", "failed"))] == 1


def ask_from(app: FastAPI, address: str, headers: dict[str, str]) -> int:
    async def one() -> int:
        transport = httpx2.ASGITransport(Guard(app, app.state.authentication), client=(address, 4000))
        async with httpx2.AsyncClient(transport=transport, base_url=HTTP) as client:
            return int((await client.get("/metrics", headers=headers)).status_code)

    return asyncio.run(one())


def test_who_may_read_them(app: FastAPI, outside: Outside) -> None:
    town = Town(app, outside).settle()
    reader = town.token("admin", Permission.SERVER_READ)
    other = town.token("admin", Permission.APP_READ)
    asked = {
        ("127.0.0.1", ""): 200,
        ("::1", ""): 200,
        ("192.0.2.7", ""): 401,
        ("192.0.2.7", reader): 200,
        ("192.0.2.7", other): 403,
        ("192.0.2.7", town.tokens["owner"]): 403,
    }
    for (address, token), wanted in asked.items():
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        assert ask_from(app, address, headers) == wanted, (address, token)


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"])
def test_what_a_proxy_hands_on_is_not_from_this_machine(app: FastAPI, header: str) -> None:
    assert ask_from(app, "127.0.0.1", {header: "127.0.0.1"}) == 401


def test_requests_are_written_down_without_what_they_carry(base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[dict[str, Any]] = []
    monkeypatch.setattr(accesslog, "_LOG", SimpleNamespace(info=lambda _event, **said: lines.append(said)))
    answer = httpx2.post(f"{base}/login?x={SECRET}", json={"name": "ann", "password": SECRET})
    assert answer.status_code in (400, 401, 403)
    httpx2.get(f"{base}/health")
    httpx2.put(f"{base}/api/v1/apps/{SECRET}")
    deadline = time.monotonic() + 30
    while len(lines) < 2 and time.monotonic() < deadline:  # written when the answer is out
        time.sleep(0.01)
    assert [(line["method"], line["route"], line["status"]) for line in lines] == [
        ("POST", "/login", answer.status_code),
        ("PUT", "none", 401),
    ]
    assert SECRET not in str(lines)
    assert {"seconds", "who", "source"} <= lines[0].keys()


def test_labels_are_bounded() -> None:
    tally = Tally()
    for n in range(10_000):
        tally.add("x", str(n))
    assert len(tally.of("x")) == 2001
    assert sum(tally.of("x").values()) == 10_000
