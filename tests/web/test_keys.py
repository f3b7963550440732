"""API: the master key's state and its rotation over a real store."""

from typing import Any

import httpx2

from windlass.adapters.store.store import SqlStore
from windlass.domain.records import App


def test_status_and_rotation(served: Any, store: SqlStore) -> None:
    store.apps.add(App("shop", 1.0))
    store.variables.set("shop", {"A": "1", "B": "2"}, 1.0)
    transport = httpx2.HTTPTransport(uds=str(served.socket))
    with httpx2.Client(transport=transport, base_url="http://windlass", timeout=60) as api:
        before = api.get("/api/v1/key").json()
        assert (before["rotation"], [i["values"] for i in before["items"]]) == ("done", [2])
        answer = api.post("/api/v1/key/rotate", json={}).json()
        after = api.get("/api/v1/key").json()
        with store.keys.alone():
            refused = api.post("/api/v1/key/rotate")
    assert answer == {"key": after["key"], "before": before["key"], "resealed": 3, "resumed": False}
    assert after["key"] != before["key"]
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "rotation_running")
    assert store.variables.all("shop") == {"A": "1", "B": "2"}
