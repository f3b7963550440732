"""Lists in pages, and answers that are told once."""

from __future__ import annotations

import time
from typing import Any

import pytest
from fastapi import FastAPI
from tests.web.people import Town

from windlass.adapters.store.store import SqlStore
from windlass.domain.records import App, Deployment, Job
from windlass.domain.release import DeploymentStatus
from windlass.ports.outside import Outside

APPS = ["a", "b-c", "bc", "shop", "z"]


@pytest.fixture
def town(app: FastAPI, outside: Outside, store: SqlStore) -> Town:
    for name in APPS:
        store.apps.add(App(name, 1.0))
    for number in range(7):
        store.releases.add("shop", 1.0, "upload", "")
        store.events.add(time.time(), "shop", "", "line", {"n": number})
        # Two of them at the same moment.
        made = Deployment(f"d{number}", "shop", "deploy", DeploymentStatus.LIVE, float(number // 2), ended_at=9.0)
        store.deployments.add(made, Job(made.id, "deployment", "shop", {}, "done", 1.0, 1.0))
    return Town(app, outside).settle()


LISTS = [
    ("apps", "app", APPS),
    ("apps/shop/releases", "release", [7, 6, 5, 4, 3, 2, 1]),
    ("apps/shop/deployments", "deployment", ["d6", "d5", "d4", "d3", "d2", "d1", "d0"]),
    ("apps/shop/events", "id", [1, 2, 3, 4, 5, 6, 7]),
    ("users", "user", ["admin", "deployer", "foreign", "maintainer", "nobody", "owner", "viewer"]),
    ("projects", "project", ["default", "other"]),
    ("projects/default/members", "user", ["deployer", "maintainer", "owner", "viewer"]),
    ("tokens", "user", ["admin", "deployer", "foreign", "maintainer", "nobody", "owner", "viewer"]),
]


@pytest.mark.parametrize(("path", "name", "wanted"), LISTS, ids=[path for path, *_ in LISTS])
@pytest.mark.parametrize("limit", [2, 7])
def test_all_pages_are_the_whole_list(town: Town, path: str, name: str, wanted: list[Any], limit: int) -> None:
    whole = town.own("GET", f"/api/v1/{path}").json()
    assert whole["next"] is None
    assert sorted(map(str, (item[name] for item in whole["items"]))) == sorted(map(str, wanted))
    address, found, pages = f"/api/v1/{path}?limit={limit}", [], 0
    while address:
        answer = town.own("GET", address)
        items = answer.json()["items"]
        assert 0 < len(items) <= limit
        found += [item[name] for item in items]
        pages += 1
        link = answer.headers.get("link", "")
        assert (answer.json()["next"] is None) == (not link)
        address = link.partition(">")[0].removeprefix("<")
    assert found == [item[name] for item in whole["items"]]
    assert pages == -(-len(wanted) // limit)


def test_the_audit_log_is_a_list_like_the_others(town: Town) -> None:
    for _ in range(5):
        town.own("POST", "/api/v1/users/viewer/unlock")
    address, found = "/api/v1/audit?limit=2", []
    while address:
        answer = town.own("GET", address)
        found += [item["number"] for item in answer.json()["items"]]
        address = answer.headers.get("link", "").partition(">")[0].removeprefix("<")
    assert found == sorted(found, reverse=True)
    assert found[-1] == 1


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=1001", "limit=x", "cursor=%00", "cursor=a%20b", "cursor=" + "x" * 201]
)
def test_what_is_no_page(town: Town, query: str) -> None:
    assert town.own("GET", f"/api/v1/apps?{query}").status_code == 400


def test_a_cursor_of_another_list(town: Town) -> None:
    answer = town.own("GET", "/api/v1/apps/shop/releases?cursor=shop")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "cursor_invalid")


@pytest.mark.parametrize("path", ["apps", "apps/shop", "apps/shop/releases", "apps/shop/events", "deployments/d1"])
def test_nothing_new_is_told_in_a_word(town: Town, path: str) -> None:
    first = town.own("GET", f"/api/v1/{path}")
    tag = first.headers["etag"]
    same = town.own("GET", f"/api/v1/{path}", headers={"If-None-Match": f'"x", W/{tag}'})
    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag)
    other = town.own("GET", f"/api/v1/{path}", headers={"If-None-Match": '"x"'})
    assert (other.status_code, other.content) == (200, first.content)


def test_what_is_new_is_told(town: Town) -> None:
    tag = town.own("GET", "/api/v1/apps").headers["etag"]
    town.outside.store.apps.add(App("new", 1.0))
    answer = town.own("GET", "/api/v1/apps", headers={"If-None-Match": tag})
    assert answer.status_code == 200
    assert answer.headers["etag"] != tag


def test_secrets_have_no_tag_and_are_not_to_be_kept(town: Town) -> None:
    shown = town.own("GET", "/api/v1/apps/shop/env?reveal=true")
    assert ("etag" in shown.headers, shown.headers["cache-control"]) == (False, "no-store")
    assert "etag" in town.own("GET", "/api/v1/apps/shop/env").headers


def test_a_stranger_is_told_nothing_by_a_tag(town: Town) -> None:
    tag = town.own("GET", "/api/v1/apps").headers["etag"]
    assert town.ask("GET", "/api/v1/apps", headers={"If-None-Match": tag}).status_code == 401
