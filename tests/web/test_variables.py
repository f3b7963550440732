"""API: the contract's endpoints over a real store."""

import time
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from windlass.adapters.store.store import SqlStore
from windlass.domain.contract import Contract
from windlass.domain.manifestfile import parse_manifest
from windlass.domain.records import Deployment
from windlass.usecases.contracts import OPTION, pack_contract


@pytest.fixture
def api(served: Any) -> Iterator[httpx2.Client]:
    transport = httpx2.HTTPTransport(uds=str(served.socket))
    with httpx2.Client(transport=transport, base_url="http://windlass", timeout=60) as client:
        yield client


def test_check_generate_and_encode(api: httpx2.Client, store: SqlStore, deployment: Deployment) -> None:
    rules = parse_manifest("env: {KEY: {required: true, generate: uuid}, URL: {required: true, format: redis-url}}").env
    store.deployments.update(deployment.id, options={OPTION: pack_contract(Contract(rules=rules))})
    store.variables.set("shop", {"URL": "redis://:kT9#xQ2p7Lm@h"}, time.time())
    found = api.get("/api/v1/apps/shop/env/check").json()
    assert found["status"] == "refused"
    assert [i["code"] for i in found["items"]] == ["variable_missing", "variable_unencoded"]
    assert "kT9#xQ" not in str(found)
    assert api.post("/api/v1/apps/shop/env/generate").json() == {"items": [{"name": "KEY"}]}
    assert api.post("/api/v1/apps/shop/env/encode", json={"names": ["URL"]}).json() == {"items": [{"name": "URL"}]}
    assert api.get("/api/v1/apps/shop/env/check").json()["status"] == "ok"


def test_diff_of_releases_that_are_not_there(api: httpx2.Client, deployment: Deployment) -> None:
    answer = api.get("/api/v1/apps/shop/env/diff?one=1&two=2")
    assert (answer.status_code, answer.headers["windlass-exit-code"]) == (404, "7")
    assert api.get("/api/v1/apps/shop/env/diff").status_code == 400
