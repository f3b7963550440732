"""A request that is sent twice with one key is carried out once; and what keeps keys of others and of old apart."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import update
from tests.web.people import Town

from windlass.adapters.store.store import SqlStore, open_store
from windlass.adapters.store.tables import answers
from windlass.domain.records import Deployment
from windlass.domain.rights import OWNER, Role
from windlass.ports.answers import Progress
from windlass.ports.outside import Outside
from windlass.usecases import lifecycle, repetition
from windlass.web.options import WebOptions
from windlass.web.server import build_app

KEY = {"Idempotency-Key": "4711"}
GIT = {"source_kind": "git", "url": "https://git.example.org/shop.git"}
DEPLOY = "/api/v1/apps/shop/deployments"


@pytest.fixture
def town(app: FastAPI, outside: Outside, deployment: Deployment) -> Town:
    return Town(app, outside).settle()


def deploy(town: Town, who: str = "owner", headers: dict[str, str] | None = None, **body: Any) -> httpx2.Response:
    return town.ask("POST", DEPLOY, who, headers=headers or KEY, json={**GIT, **body})


def error(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, str(answer.json()["error"]["code"])


def deployments(town: Town) -> int:
    return len(town.outside.store.deployments.of_app("shop"))


def test_the_first_answer_is_given_again(town: Town) -> None:
    before, audited = deployments(town), len(town.audited())
    first, second = deploy(town), deploy(town)
    assert (first.status_code, second.status_code, first.content) == (202, 202, second.content)
    assert "idempotency-replayed" not in first.headers
    assert second.headers["idempotency-replayed"] == "true"
    assert deployments(town) == before + 1
    assert len(town.audited()) == audited + 1


def test_without_a_key_and_with_another_one_it_is_another_request(town: Town) -> None:
    ids = {
        deploy(town, headers=h).json()["deployment"] for h in ({"X": "y"}, {"X": "y"}, {"Idempotency-Key": "2"}, KEY)
    }
    assert len(ids) == 4


def test_another_body_or_path_with_the_same_key_is_refused(town: Town) -> None:
    deploy(town)
    before = deployments(town)
    assert error(deploy(town, ref="other")) == (422, "idempotency_mismatch")
    assert error(town.ask("POST", "/api/v1/apps/shop/plan", "owner", headers=KEY, json=GIT)) == (
        422,
        "idempotency_mismatch",
    )
    assert deployments(town) == before


def test_the_keys_of_others_are_others(town: Town) -> None:
    ids = {deploy(town, who).json()["deployment"] for who in ("owner", "maintainer")}
    ids.add(town.own("POST", DEPLOY, headers=KEY, json=GIT).json()["deployment"])
    assert len(ids) == 3


def test_it_counts_after_a_restart(town: Town, store: SqlStore, tmp_path: Path) -> None:
    first = deploy(town)
    again = open_store(f"sqlite:///{tmp_path / 'windlass.db'}", tmp_path / "secret.key")
    outside = replace(town.outside, store=again)
    second = deploy(Town(build_app(outside, WebOptions()), outside, town.tokens))
    again.close()
    assert second.content == first.content
    assert second.headers["idempotency-replayed"] == "true"


def test_the_first_one_that_still_runs_and_the_one_that_was_cut_off(town: Town, store: SqlStore) -> None:
    id = repetition.repetition_id(OWNER, "4711")
    assert repetition.begin(town.outside, id) is None
    running = town.own("POST", DEPLOY, headers=KEY, json=GIT)
    assert error(running) == (409, "idempotency_running")
    with store._database.write() as connection:
        connection.execute(update(answers).values(owner="another boot:1:1"))
    assert error(town.own("POST", DEPLOY, headers=KEY, json=GIT)) == (409, "idempotency_answer_lost")


def test_two_at_once_are_one(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go_on = threading.Event(), threading.Event()
    made: list[str] = []

    def slow(_outside: Any, app: str, _service: Any) -> dict[str, Any]:
        made.append(app)
        begun.set()
        assert go_on.wait(60)
        return {"app": app}

    monkeypatch.setattr(lifecycle, "restart", slow)
    found: list[httpx2.Response] = []

    def send() -> None:
        found.append(town.own("POST", "/api/v1/apps/shop/restart", headers=KEY, json={}))

    first = threading.Thread(target=send)
    first.start()
    assert begun.wait(60)
    refused = town.own("POST", "/api/v1/apps/shop/restart", headers=KEY, json={})
    go_on.set()
    first.join(60)
    again = town.own("POST", "/api/v1/apps/shop/restart", headers=KEY, json={})
    assert error(refused) == (409, "idempotency_running")
    assert (again.content, made) == (found[0].content, ["shop"])


def test_of_many_processes_one_is_the_first(tmp_path: Path, empty_store: Path) -> None:
    stores = [open_store(f"sqlite:///{tmp_path / 'w.db'}", tmp_path / "secret.key") for _ in range(6)]
    together = threading.Barrier(len(stores), timeout=60)
    found: list[Any] = []

    def begin(store: SqlStore) -> None:
        together.wait()
        found.append(store.answers.begin("x", 2.0, 1.0))

    threads = [threading.Thread(target=begin, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for store in stores:
        store.close()
    assert found.count(None) == 1
    assert [kept.progress for kept in found if kept] == [Progress.RUNNING] * 5


def test_a_day_later_the_key_is_free(town: Town) -> None:
    class Later:
        def now(self) -> float:
            return town.outside.clock.now() + repetition.KEPT_S + 1

    id = repetition.repetition_id(OWNER, "4711")
    assert repetition.begin(town.outside, id) is None
    assert repetition.begin(replace(town.outside, clock=Later()), id) is None  # type: ignore[arg-type]


def test_a_secret_in_an_answer_does_not_lie_open(town: Town, tmp_path: Path) -> None:
    body = {"name": "ci", "scopes": ["viewer"]}
    first = town.ask("POST", "/api/v1/tokens", "admin", headers=KEY, json=body).json()
    again = town.ask("POST", "/api/v1/tokens", "admin", headers=KEY, json=body).json()
    assert first["token"] == again["token"]
    for file in tmp_path.glob("windlass.db*"):
        assert first["token"].encode() not in file.read_bytes()


def upload(town: Town, boundary: str, content: bytes) -> httpx2.Response:
    parts = (("parameters", b"{}"), ("source", content))
    form = b"".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{n}"; filename="f"\r\n\r\n'.encode() + c + b"\r\n"
        for n, c in parts
    )
    headers = {**KEY, "Content-Type": f"multipart/form-data; boundary={boundary}"}
    return town.ask("POST", DEPLOY, "owner", headers=headers, content=form + f"--{boundary}--\r\n".encode())


def test_an_upload_is_known_again_by_what_is_in_it(town: Town) -> None:
    before = deployments(town)
    first, again, other = upload(town, "aaa", b"tar"), upload(town, "bbb", b"tar"), upload(town, "aaa", b"rat")
    assert (first.status_code, again.content) == (202, first.content)
    assert error(other) == (422, "idempotency_mismatch")
    assert deployments(town) == before + 1
    assert len(list(town.outside.trees.uploads().iterdir())) == 1


def test_who_has_no_right_any_more_is_told_no_answer(town: Town) -> None:
    assert deploy(town, "deployer").status_code == 202
    town.outside.store.users.set_role("deployer", "default", Role.VIEWER)
    assert error(deploy(town, "deployer")) == (403, "not_allowed")


def test_a_mistake_may_be_mended_with_the_same_key(town: Town) -> None:
    assert error(deploy(town, values="no object")) == (400, "invalid_request")
    assert deploy(town).status_code == 202


def test_a_refusal_is_told_again(town: Town) -> None:
    refused = town.ask("POST", "/api/v1/apps/shop/env/unset", "owner", headers=KEY, json={"names": ["1A"]})
    again = town.ask("POST", "/api/v1/apps/shop/env/unset", "owner", headers=KEY, json={"names": ["1A"]})
    assert (refused.status_code, again.status_code, again.content) == (404, 404, refused.content)
    assert again.headers["windlass-exit-code"] == refused.headers["windlass-exit-code"]


def test_an_answer_that_is_too_large_is_not_kept(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[int] = []

    def execute(*_: Any) -> dict[str, Any]:
        ran.append(1)
        return {"exit_code": 0, "output": "x" * (repetition.LARGEST + 1)}

    monkeypatch.setattr(lifecycle, "execute", execute)
    body = {"service": "web", "command": ["yes"]}
    assert town.own("POST", "/api/v1/apps/shop/exec", headers=KEY, json=body).status_code == 200
    again = town.own("POST", "/api/v1/apps/shop/exec", headers=KEY, json=body)
    assert (error(again), len(ran)) == ((409, "idempotency_answer_lost"), 1)


@pytest.mark.parametrize("key", ["", "a b", "é", "x" * 201], ids=["empty", "space", "no ASCII", "long"])
def test_what_is_no_key(town: Town, key: str) -> None:
    headers = {"Idempotency-Key": key.encode("latin-1").decode("latin-1")}
    answer = town.own("POST", DEPLOY, headers={n: v.encode("latin-1") for n, v in headers.items()}, json=GIT)
    assert error(answer) == (400, "idempotency_key_invalid")


def test_too_much_is_refused_before_it_is_kept(town: Town) -> None:
    text = json.dumps({"text": "A=" + "x" * (9 << 20)})
    headers = {**KEY, "Content-Type": "application/json"}
    answer = town.own("POST", "/api/v1/apps/shop/env/import", headers=headers, content=text)
    assert error(answer) == (413, "body_too_large")
