"""Log-in, sessions, links, second factor, tokens: who gets in, and what a stolen row is worth."""

import re
from dataclasses import replace
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from tests.fakes.clock import SetClock
from tests.web.people import HTTP, HTTPS, PASSWORD, Town, town_with_passwords

from windlass.domain.credentials import totp_code
from windlass.domain.records import App
from windlass.domain.rights import Role
from windlass.ports.outside import Outside
from windlass.usecases import logins


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def outside(outside: Outside, clock: SetClock) -> Outside:
    return replace(outside, clock=clock)


@pytest.fixture
def town(app: FastAPI, outside: Outside, monkeypatch: pytest.MonkeyPatch) -> Town:
    return town_with_passwords(app, outside, monkeypatch)


def log_in(town: Town, name: str = "admin", password: str = PASSWORD, **more: str) -> httpx2.Response:
    base = more.pop("base", HTTP)
    return town.send("POST", "/login", {}, base, json={"name": name, "password": password, **more})


def cookie_of(answer: httpx2.Response) -> str:
    return answer.headers["set-cookie"].partition(";")[0]


def error(answer: httpx2.Response) -> str:
    return str(answer.json()["error"]["code"])


# ---- sessions -------------------------------------------------------------------------------------------------------


def test_a_session_reads_by_its_cookie_and_writes_with_its_csrf_token(town: Town) -> None:
    answer = log_in(town)
    cookie, csrf = {"Cookie": cookie_of(answer)}, answer.json()["csrf"]
    me = town.send("GET", "/api/v1/me", cookie).json()
    assert (me["name"], me["kind"], me["admin"], me["csrf"]) == ("admin", "user", True, csrf)
    body = {"values": {"A": "1"}}
    for headers in (cookie, {**cookie, "X-CSRF-Token": "x"}, {**cookie, "X-CSRF-Token": csrf[:-1]}):
        refused = town.send("PUT", "/api/v1/apps/shop/env", headers, json=body)
        assert (refused.status_code, error(refused)) == (403, "csrf")
    done = town.send("PUT", "/api/v1/apps/shop/env", {**cookie, "X-CSRF-Token": csrf}, json=body)
    assert done.status_code == 200
    assert town.send("POST", "/logout", cookie).status_code == 403
    assert town.send("POST", "/logout", cookie, data={"csrf": csrf}).status_code == 303
    assert town.send("GET", "/api/v1/me", cookie).status_code == 401


@pytest.mark.parametrize(
    ("base", "start", "secure"), [(HTTP, "windlass=", False), (HTTPS, "__Host-windlass=", True)], ids=["http", "https"]
)
def test_the_cookie_cannot_be_read_by_scripts_or_sent_by_others(
    town: Town, base: str, start: str, secure: bool
) -> None:
    header = log_in(town, base=base).headers["set-cookie"]
    assert header.startswith(start)
    words = {word.strip().lower() for word in header.split(";")}
    assert {"httponly", "samesite=lax", "path=/"} <= words
    assert ("secure" in words) is secure
    assert not any(word.startswith("domain") for word in words)


def test_a_session_ends_when_it_is_idle_and_after_a_week(town: Town, clock: SetClock) -> None:
    cookie = {"Cookie": cookie_of(log_in(town))}
    for _ in range(20):
        clock.at += logins.IDLE_S / 3
        assert town.send("GET", "/api/v1/me", cookie).status_code == 200
    clock.at += logins.IDLE_S / 2
    assert town.send("GET", "/api/v1/me", cookie).status_code == 401
    idle = {"Cookie": cookie_of(log_in(town))}
    clock.at += logins.IDLE_S + 1
    assert town.send("GET", "/api/v1/me", idle).status_code == 401


def test_rights_end_at_once(town: Town) -> None:
    cookie = {"Cookie": cookie_of(log_in(town, "viewer"))}
    token = {"Authorization": f"Bearer {town.tokens['viewer']}"}
    for known in (cookie, token):
        assert town.send("GET", "/api/v1/apps", known).status_code == 200
    town.outside.store.users.set_role("viewer", "default", None)
    for known in (cookie, token):
        assert town.send("GET", "/api/v1/apps", known).status_code == 403
    town.outside.store.users.remove("viewer")
    for known in (cookie, token):
        assert town.send("GET", "/api/v1/apps", known).status_code == 401


def test_a_stolen_row_is_worth_nothing(town: Town) -> None:
    """Every text of the rows of sessions, tokens and links, shown as a token, a cookie, a link and a CSRF token."""
    log_in(town)
    town.own("POST", "/api/v1/users/viewer/link")
    store: Any = town.outside.store
    with store._database.read() as connection:
        rows = [
            value
            for table in ("sessions", "tokens", "links", "users")
            for row in connection.exec_driver_sql(f"SELECT * FROM {table}")
            for value in row
            if isinstance(value, str) and value.isascii() and len(value) > 20
        ]
    assert len(rows) > 5
    for value in rows:
        for headers in (
            {"Authorization": f"Bearer {value}"},
            {"Cookie": f"windlass={value}"},
            {"Cookie": f"__Host-windlass={value}"},
        ):
            assert town.send("GET", "/api/v1/me", headers).status_code == 401
        if "/" not in value:
            assert town.send("GET", f"/setup/{value}", {}).status_code == 404


# ---- wrong passwords ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["admin", "nobody", "there-is-no-such", "no name at all!"])
def test_fifty_wrong_passwords_lock_and_are_written_down(town: Town, clock: SetClock, name: str) -> None:
    answers = [log_in(town, name, f"wrong-{n}") for n in range(50)]
    assert [a.status_code for a in answers] == [401] * 5 + [429] * 45
    assert {error(a) for a in answers} == {"login_failed", "login_locked"}
    actions = [(action, data.get("user")) for _, action, data in town.audited()]
    known = name if name in ("admin", "nobody") else ""
    assert actions.count(("login.failed", known)) == 5
    assert [action for action, _ in actions].count("login.locked") == 1
    assert "wrong-" not in str(town.audited())
    assert known or name not in str(town.audited())
    right = log_in(town, name)
    assert right.status_code == 429, "not with the right password either"
    clock.at += logins.LOCK_S + 1
    assert log_in(town, name).status_code == (200 if name == "admin" else 401)


def test_an_owner_unlocks(town: Town) -> None:
    for n in range(7):
        log_in(town, "viewer", f"wrong-{n}")
    assert log_in(town, "viewer").status_code == 429
    assert town.ask("POST", "/api/v1/users/viewer/unlock", "admin").status_code == 200
    assert log_in(town, "viewer").status_code == 200


def test_one_address_that_tries_many_names_is_locked(town: Town) -> None:
    answers = [log_in(town, f"name{n}", "wrong").status_code for n in range(40)]
    assert answers == [401] * 30 + [429] * 10
    assert log_in(town).status_code == 429


def test_tries_at_once_are_not_more_than_tries_in_turn(town: Town) -> None:
    import threading

    seen: list[int] = []
    threads = [
        threading.Thread(target=lambda n=n: seen.append(log_in(town, "admin", f"wrong{n}").status_code))
        for n in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(seen) == [401] * 5 + [429] * 7


def test_success_forgets_the_failures_before_it(town: Town) -> None:
    for _ in range(3):
        assert [log_in(town, "admin", "wrong").status_code for _ in range(4)] == [401] * 4
        assert log_in(town).status_code == 200


FOREIGN = [
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
]


@pytest.mark.parametrize("headers", FOREIGN)
def test_a_foreign_page_cannot_log_its_visitor_in(town: Town, headers: dict[str, str]) -> None:
    answer = town.send("POST", "/login", headers, data={"name": "admin", "password": PASSWORD})
    assert (answer.status_code, "set-cookie" in answer.headers) == (403, False)
    same = {"Origin": "http://windlass", "Sec-Fetch-Site": "same-origin"}
    assert town.send("POST", "/login", same, data={"name": "admin", "password": PASSWORD}).status_code == 303


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"name": 1}', b"\xff", b"x" * 20000])
def test_what_is_no_log_in(town: Town, content: bytes) -> None:
    assert town.send("POST", "/login", {}, content=content).status_code in (400, 422)


# ---- pages ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("languages", "word"), [("", "Log in"), ("zh-CN,zh;q=0.9,en;q=0.8", "登录"), ("de, en", "Log in"), ("fr", "Log in")]
)
def test_pages_speak_english_and_chinese(town: Town, languages: str, word: str) -> None:
    page = town.send("GET", "/login", {"Accept-Language": languages})
    assert page.status_code == 200
    assert word in page.text
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert re.findall(r"nonce-([\w-]+)", policy) == re.findall(r'nonce="([\w-]+)"', page.text)


def test_a_name_is_no_markup(town: Town) -> None:
    page = town.send("POST", "/login", {}, data={"name": '"><script>x</script>', "password": "wrong"})
    assert page.status_code == 401
    assert "<script>" not in page.text


def test_who_has_logged_in_is_shown(town: Town) -> None:
    answer = town.send("POST", "/login", {}, data={"name": "admin", "password": PASSWORD})
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    page = town.send("GET", "/login", {"Cookie": cookie_of(answer)}).text
    csrf = re.search(r'name="csrf" value="(\w+)"', page)
    assert csrf
    done = town.send("POST", "/logout", {"Cookie": cookie_of(answer)}, data={"csrf": csrf.group(1)})
    assert done.status_code == 303


# ---- one-time links -------------------------------------------------------------------------------------------------


def test_the_first_admin_comes_by_a_link_that_is_good_once(app: FastAPI, outside: Outside, clock: SetClock) -> None:
    town = Town(app, outside)
    earlier = town.own("POST", "/api/v1/users/first").json()["link"]
    link = town.own("POST", "/api/v1/users/first").json()["link"]
    assert town.send("GET", earlier, {}).status_code == 404
    assert "Become the first admin" in town.send("GET", link, {}).text
    weak = town.send("POST", link, {}, json={"name": "ann", "password": "ann"})
    assert (weak.status_code, error(weak)) == (400, "password_weak")
    named = town.send("POST", link, {}, json={"name": "Ann!", "password": PASSWORD})
    assert (named.status_code, error(named)) == (400, "user_name_invalid")
    made = town.send("POST", link, {}, data={"name": "ann", "password": PASSWORD})
    assert made.status_code == 303
    assert town.send("GET", "/api/v1/me", {"Cookie": cookie_of(made)}).json()["admin"] is True
    again = town.send("POST", link, {}, json={"name": "eve", "password": PASSWORD})
    assert again.status_code == 404
    assert town.own("POST", "/api/v1/users/first").json() == {"link": None}
    assert [u.name for u in outside.store.users.all()] == ["ann"]


def test_the_first_link_is_good_for_an_hour(app: FastAPI, outside: Outside, clock: SetClock) -> None:
    town = Town(app, outside)
    link = town.own("POST", "/api/v1/users/first").json()["link"]
    clock.at += 3601
    assert town.send("GET", link, {}).status_code == 404
    assert town.send("POST", link, {}, json={"name": "ann", "password": PASSWORD}).status_code == 404
    assert outside.store.users.count() == 0


def test_a_link_sets_the_password_of_its_user_and_no_other(town: Town) -> None:
    link = town.ask("POST", "/api/v1/users", "admin", json={"name": "zoe"}).json()["link"]
    assert log_in(town, "zoe", "").status_code == 401
    done = town.send("POST", link, {}, json={"name": "admin", "password": "another stork, two chimneys"})
    assert done.status_code == 200
    assert log_in(town, "zoe", "another stork, two chimneys").status_code == 200
    assert log_in(town, "admin", "another stork, two chimneys").status_code == 401
    secret = link.rpartition("/")[2]
    assert secret not in str(town.audited())


# ---- second factor --------------------------------------------------------------------------------------------------


def test_a_second_factor_is_asked_for_when_it_is_confirmed(town: Town, clock: SetClock) -> None:
    import base64

    answer = log_in(town)
    known = {"Cookie": cookie_of(answer), "X-CSRF-Token": answer.json()["csrf"]}
    wrong = town.send("POST", "/api/v1/me/second-factor", known, json={"password": "wrong"})
    assert (wrong.status_code, error(wrong)) == (403, "password_wrong")
    begun = town.send("POST", "/api/v1/me/second-factor", known, json={"password": PASSWORD}).json()
    secret = base64.b32decode(begun["secret"])
    assert log_in(town).status_code == 200, "not asked for before it is confirmed"

    def code() -> str:
        return totp_code(secret, int(clock.at) // 30)

    assert town.send("POST", "/api/v1/me/second-factor/confirm", known, json={"code": "1"}).status_code == 403
    assert town.send("POST", "/api/v1/me/second-factor/confirm", known, json={"code": code()}).status_code == 200
    assert error(log_in(town)) == "totp_required"
    assert error(log_in(town, code=code())) == "login_failed", "it was used for the confirmation"
    clock.at += 30
    assert error(log_in(town, "admin", "wrong", code=code())) == "login_failed"
    assert log_in(town, code=code()).status_code == 200
    assert error(log_in(town, code=code())) == "login_failed"
    assert begun["secret"] not in str(town.audited())
    assert town.own("DELETE", "/api/v1/users/admin/second-factor").status_code == 200
    assert log_in(town).status_code == 200


def test_codes_cannot_be_tried_out(town: Town) -> None:
    from windlass.domain.people import SecondFactor

    town.outside.store.users.set_second_factor("admin", SecondFactor(b"12345678901234567890", 0, True))
    answers = [log_in(town, code=f"{n:06}").status_code for n in range(20)]
    assert answers == [401] * 5 + [429] * 15


def test_a_new_password_needs_the_old_one_and_ends_all_sessions(town: Town) -> None:
    answer = log_in(town)
    known = {"Cookie": cookie_of(answer), "X-CSRF-Token": answer.json()["csrf"]}
    new = "another stork, two chimneys"
    wrong = town.send("PUT", "/api/v1/me/password", known, json={"password": "x", "new": new})
    assert wrong.status_code == 403
    assert town.send("PUT", "/api/v1/me/password", known, json={"password": PASSWORD, "new": new}).status_code == 200
    assert town.send("GET", "/api/v1/me", known).status_code == 401
    assert log_in(town).status_code == 401
    assert log_in(town, password=new).status_code == 200
    assert town.ask("PUT", "/api/v1/me/password", "viewer", json={"password": PASSWORD, "new": new}).status_code == 403
    assert new not in str(town.audited())


# ---- tokens ---------------------------------------------------------------------------------------------------------


def create(town: Town, who: str, **body: Any) -> httpx2.Response:
    return town.ask("POST", "/api/v1/tokens", who, json={"name": "ci", **body})


def test_a_token_may_what_its_scope_says_and_no_more_than_its_user(town: Town) -> None:
    town.outside.store.apps.add(App("shop", 1.0))
    town.outside.store.apps.add(App("shop--staging", 1.0))
    town.outside.store.apps.add(App("far", 1.0, project="other"))
    town.tokens["ci"] = create(town, "maintainer", scopes=["env.read"], app="shop").json()["token"]
    assert town.ask("GET", "/api/v1/apps/shop/env", "ci").status_code == 200
    for path in ("apps/shop", "apps/shop@staging/env", "apps/far/env", "doctor", "audit"):
        assert town.ask("GET", f"/api/v1/{path}", "ci").status_code == 403, path
    assert town.ask("PUT", "/api/v1/apps/shop/env", "ci", json={"values": {"A": "1"}}).status_code == 403
    assert town.ask("GET", "/api/v1/apps/shop/env?reveal=true", "ci").status_code == 403
    assert error(create(town, "ci", scopes=["all"])) == "token_confined"
    town.tokens["wide"] = create(town, "viewer", scopes=["all"]).json()["token"]
    assert town.ask("PUT", "/api/v1/apps/shop/env", "wide", json={"values": {"A": "1"}}).status_code == 403


def test_a_token_is_shown_once_ends_and_is_revoked(town: Town, clock: SetClock) -> None:
    made = create(town, "deployer", scopes=["deployer"], seconds=60).json()
    assert made["token"].startswith("wl_")
    town.tokens["ci"] = made["token"]
    listed = town.ask("GET", "/api/v1/tokens", "deployer")
    assert made["id"] in listed.text
    assert made["token"] not in listed.text + str(town.audited())
    assert town.ask("GET", "/api/v1/me", "ci").status_code == 200
    clock.at += 61
    assert town.ask("GET", "/api/v1/me", "ci").status_code == 401
    town.tokens["ci"] = create(town, "deployer", scopes=["deployer"], seconds=0).json()["token"]
    clock.at += 10 * 366 * 86400
    assert town.ask("GET", "/api/v1/me", "ci").status_code == 200


def test_tokens_of_others_are_for_admins(town: Town) -> None:
    made = create(town, "owner", scopes=["viewer"]).json()
    assert made["id"] not in town.ask("GET", "/api/v1/tokens", "maintainer").text
    assert town.ask("DELETE", f"/api/v1/tokens/{made['id']}", "maintainer").status_code == 404
    assert made["id"] in town.ask("GET", "/api/v1/tokens", "admin").text
    assert town.ask("DELETE", f"/api/v1/tokens/{made['id']}", "admin").status_code == 200
    town.tokens["gone"] = made["token"]
    assert town.ask("GET", "/api/v1/me", "gone").status_code == 401


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"scopes": []}, "scope_missing"),
        ({"scopes": ["root"]}, "scope_invalid"),
        ({"scopes": ["all"], "name": "<b>"}, "token_name_invalid"),
        ({"scopes": ["all"], "app": "../x"}, "app_name_invalid"),
        ({"scopes": ["all"], "project": "../x"}, "project_name_invalid"),
        ({"scopes": ["all"], "seconds": -1}, "duration_invalid"),
        ({"scopes": ["all"], "seconds": 1e12}, "duration_invalid"),
    ],
)
def test_tokens_that_cannot_be(town: Town, body: dict[str, Any], code: str) -> None:
    answer = create(town, "admin", **body)
    assert (answer.status_code, error(answer)) == (400, code)


# ---- projects -------------------------------------------------------------------------------------------------------


def test_lists_show_only_what_one_may_see(town: Town) -> None:
    for app in (App("shop", 1.0), App("far", 1.0, project="other")):
        town.outside.store.apps.add(app)

    def listed(what: str, key: str, who: str) -> list[str]:
        return [i[key] for i in town.ask("GET", f"/api/v1/{what}", who).json()["items"]]

    assert [listed("apps", "app", who) for who in ("viewer", "foreign")] == [["shop"], ["far"]]
    assert [listed("projects", "project", who) for who in ("viewer", "foreign")] == [["default"], ["other"]]
    assert town.ask("GET", "/api/v1/apps", "nobody").status_code == 403


def test_a_new_environment_joins_its_app(town: Town) -> None:
    town.outside.store.apps.add(App("far", 1.0, project="other"))
    body = {"values": {"A": "1"}}
    assert town.ask("PUT", "/api/v1/apps/far@staging/env", "maintainer", json=body).status_code == 403
    assert town.ask("PUT", "/api/v1/apps/far@staging/env", "foreign", json=body).status_code == 200
    assert town.outside.store.apps.get("far--staging").project == "other"


def test_a_protected_environment_is_for_maintainers(town: Town) -> None:
    body = {"source_kind": "git", "url": "https://h.example/x"}
    protect = {"environments": ["production"]}
    assert town.ask("PUT", "/api/v1/projects/default/protected", "maintainer", json=protect).status_code == 403
    assert town.ask("PUT", "/api/v1/projects/default/protected", "owner", json=protect).status_code == 200
    asked = {
        (who, app): town.ask("POST", f"/api/v1/apps/{app}/deployments", who, json=body).status_code
        for who in (Role.DEPLOYER, Role.MAINTAINER)
        for app in ("shop", "shop@staging")
    }
    assert asked == {
        ("deployer", "shop"): 403,
        ("deployer", "shop@staging"): 202,
        ("maintainer", "shop"): 202,
        ("maintainer", "shop@staging"): 202,
    }


def test_values_with_a_deployment_need_the_right_to_set_them(town: Town) -> None:
    body = {"source_kind": "git", "url": "https://h.example/x"}
    for more in ({"values": {"A": "1"}}, {"env": ["A=1"]}):
        asked = [
            town.ask("POST", "/api/v1/apps/shop/deployments", who, json={**body, **more}).status_code
            for who in ("deployer", "maintainer")
        ]
        assert asked == [403, 202]


# ---- the audit log --------------------------------------------------------------------------------------------------


def test_every_change_is_written_down_without_its_secrets(town: Town) -> None:
    secret = "hunter2-hunter2"
    town.ask("PUT", "/api/v1/apps/shop/env", "maintainer", json={"values": {"PASSWORD": secret}})
    town.own("POST", "/api/v1/apps/shop/env/import", json={"text": f"OTHER={secret}"})
    town.ask("POST", "/api/v1/users", "admin", json={"name": "zoe", "password": secret})
    url = f"https://me:{secret}@h.example/x"
    town.ask("POST", "/api/v1/apps/shop/deployments", "deployer", json={"source_kind": "git", "url": url})
    town.ask("DELETE", "/api/v1/apps/shop", "viewer")
    town.ask("POST", "/api/v1/apps/shop/env/unset", "maintainer", json={"names": ["NOT_THERE"]})
    expected = [
        ("maintainer (token t)", "env.set", {"values": ["PASSWORD"]}),
        ("owner", "env.import", {}),
        ("admin (token t)", "user.add", {"name": "zoe"}),
        ("deployer (token t)", "app.deploy", {"source_kind": "git", "url": "https://h.example/x"}),
        ("viewer (token t)", "app.remove", {"failed": "not_allowed"}),
        ("maintainer (token t)", "env.unset", {"names": ["NOT_THERE"]}),
        ("maintainer (token t)", "env.unset", {"failed": "variable_not_found", "entry": 6}),
    ]
    assert town.audited() == expected
    document = town.ask("GET", "/api/v1/audit?app=shop&limit=2", "admin").json()
    assert [i["action"] for i in document["items"]] == ["env.unset", "env.unset"]
    assert (document["items"][0]["source"], document["items"][0]["app"]) == ("192.0.2.7", "shop")
    assert document["next"] == 6
    assert town.ask("GET", "/api/v1/audit/verify", "admin").json() == {"status": "ok", "entries": 7, "items": []}
    store: Any = town.outside.store
    with store._database.write() as connection:
        connection.exec_driver_sql("DELETE FROM audit WHERE number = 5")
    verified = town.ask("GET", "/api/v1/audit/verify", "admin").json()
    assert (verified["status"], [i["code"] for i in verified["items"]]) == ("broken", ["audit_removed"])


def test_without_an_audit_log_nothing_is_changed(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    from windlass.adapters.audithead import HeadFile
    from windlass.domain.errors import OutOfReach

    def broken(*_: object) -> None:
        raise OutOfReach("the disk is full", code="audit_unwritable")

    monkeypatch.setattr(HeadFile, "write", broken)
    answer = town.own("PUT", "/api/v1/apps/shop/env", json={"values": {"A": "1"}})
    assert (answer.status_code, error(answer)) == (503, "audit_unwritable")
    assert town.outside.store.apps.find("shop") is None
