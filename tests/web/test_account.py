"""The page about one's own account: by forms alone, as a browser without scripts sends them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from html import unescape
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from tests.fakes.clock import SetClock
from tests.web.people import HTTP, PASSWORD, Town, town_with_passwords

from windlass.domain.credentials import totp_code
from windlass.ports.outside import Outside
from windlass.web.accountwords import WORDS
from windlass.web.options import WebOptions
from windlass.web.server import build_app
from windlass.web.serving import Listeners

NEW = "another stork, two chimneys"


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def outside(outside: Outside, clock: SetClock) -> Outside:
    return replace(outside, clock=clock)


@pytest.fixture
def town(app: FastAPI, outside: Outside, monkeypatch: pytest.MonkeyPatch) -> Town:
    return town_with_passwords(app, outside, monkeypatch)


@dataclass
class Browser:
    """One who follows redirects, keeps a cookie, and sends the forms of the page with their hidden fields."""

    town: Town
    cookie: str = ""
    languages: str = ""
    page: str = ""
    form: dict[str, str] = field(default_factory=dict)

    def get(self, path: str) -> httpx2.Response:
        return self._went(self.town.send("GET", path, self._headers()))

    def send(self, path: str, **fields: str) -> httpx2.Response:
        """The form of the page whose action it is; it has to be there."""
        assert f'action="{path}"' in self.page, path
        found = re.search(r'name="csrf" value="(\w+)"', self.page)
        assert found
        return self.post(path, csrf=found.group(1), **fields)

    def post(self, path: str, **fields: str) -> httpx2.Response:
        return self._went(self.town.send("POST", path, self._headers(), data=fields))

    def log_in(self, name: str = "viewer", password: str = PASSWORD, code: str = "") -> httpx2.Response:
        return self.post("/login", name=name, password=password, code=code)

    def _headers(self) -> dict[str, str]:
        return {"Cookie": self.cookie, "Accept-Language": self.languages}

    def _went(self, answer: httpx2.Response) -> httpx2.Response:
        if "set-cookie" in answer.headers:
            self.cookie = answer.headers["set-cookie"].partition(";")[0]
        if answer.status_code == 303:
            return self.get(answer.headers["location"])
        self.page = answer.text
        return answer


@pytest.fixture
def ann(town: Town) -> Browser:
    """`viewer`, logged in and on the page."""
    browser = Browser(town)
    browser.log_in()
    assert browser.get("/account").status_code == 200
    return browser


def me(browser: Browser) -> int:
    return browser.town.send("GET", "/api/v1/me", {"Cookie": browser.cookie}).status_code


def test_a_stranger_is_sent_to_the_login(town: Town) -> None:
    browser = Browser(town)
    assert 'name="password"' in browser.get("/account").text
    for path in ("password", "second-factor", "sessions/end", "tokens", "tokens/x/revoke"):
        assert town.send("POST", f"/account/{path}", {}).status_code == 401


def test_the_page_of_the_login_leads_there(town: Town) -> None:
    browser = Browser(town)
    assert 'href="/account"' in browser.log_in().text


@pytest.mark.parametrize(
    ("languages", "word"), [("", "My account"), ("zh-CN,zh;q=0.9", "我的账户"), ("de", "My account")]
)
def test_it_speaks_english_and_chinese_and_loads_nothing(ann: Browser, languages: str, word: str) -> None:
    ann.languages = languages
    answer = ann.get("/account")
    assert word in answer.text
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert re.findall(r"nonce-([\w-]+)", policy) == re.findall(r'nonce="([\w-]+)"', answer.text)
    assert "<script" not in answer.text
    assert " style=" not in answer.text
    assert answer.headers["cache-control"] == "no-store"


def test_both_languages_have_all_words() -> None:
    assert set(WORDS["en"]) == set(WORDS["zh"])


def test_a_new_password(ann: Browser, town: Town) -> None:
    wrong = ann.send("/account/password", password="wrong", new=NEW)
    assert (wrong.status_code, "The password is wrong." in wrong.text) == (403, True)
    weak = ann.send("/account/password", password=PASSWORD, new="short")
    assert (weak.status_code, "too weak" in weak.text) == (400, True)
    other = Browser(town)
    other.log_in()
    done = ann.send("/account/password", password=PASSWORD, new=NEW)
    assert 'name="password"' in done.text, "the log-in"
    assert (me(ann), me(other)) == (401, 401)
    assert Browser(town).log_in(password=NEW).status_code == 200
    told = [(e, d) for _, e, d in town.audited() if e == "me.password"]
    assert [d.get("failed") for _, d in told] == [None, "password_wrong", None, "password_weak", None]
    assert NEW not in str(town.audited())


def test_a_stolen_session_cannot_try_out_the_password(ann: Browser, town: Town) -> None:
    seen = [ann.send("/account/password", password=f"wrong-{n}", new=NEW).status_code for n in range(8)]
    assert seen == [403] * 5 + [429] * 3
    assert "Too many tries" in ann.page
    assert ann.send("/account/second-factor", password=PASSWORD).status_code == 429


def test_a_second_factor_with_a_code_to_read(ann: Browser, town: Town, clock: SetClock) -> None:
    import base64

    shown = ann.send("/account/second-factor", password=PASSWORD)
    assert shown.status_code == 200
    key = re.search(r"<code>([A-Z2-7]{32})</code>", shown.text)
    assert key
    assert re.search(r'<svg [^>]*class="segno"', shown.text)
    assert f"otpauth://totp/windlass:viewer?secret={key.group(1)}" in unescape(shown.text)
    secret = base64.b32decode(key.group(1))
    wrong = ann.send("/account/second-factor/confirm", code="12")
    assert (wrong.status_code, "The code is wrong" in wrong.text) == (403, True)
    ann.get("/account")
    assert key.group(1) not in ann.page, "shown once"
    ann.send("/account/second-factor", password=PASSWORD)
    key = re.search(r"<code>([A-Z2-7]{32})</code>", ann.page)
    assert key
    secret = base64.b32decode(key.group(1))
    done = ann.send("/account/second-factor/confirm", code=totp_code(secret, int(clock.at) // 30))
    assert (done.status_code, "The second factor is on." in done.text) == (200, True)
    other = Browser(town)
    assert other.log_in().status_code == 401
    clock.at += 30
    assert other.log_in(code=totp_code(secret, int(clock.at) // 30)).status_code == 200
    assert "The second factor is off." in ann.send("/account/second-factor/remove", password=PASSWORD).text
    assert Browser(town).log_in().status_code == 200


def test_log_out_everywhere(ann: Browser, town: Town) -> None:
    other = Browser(town)
    other.log_in()
    ann.get("/account")
    assert ann.page.count("192.0.2.7") == 2
    assert ann.page.count("· here") == 1
    ann.send("/account/sessions/end")
    assert (me(ann), me(other)) == (401, 401)


def test_a_token_is_shown_once_and_taken_back(ann: Browser, town: Town) -> None:
    made = ann.send("/account/tokens", name="ci <b>", scope="viewer", days="7")
    assert (made.status_code, "A token" in made.text) == (400, True)
    made = ann.send("/account/tokens", name="ci", scope="viewer", days="7")
    found = re.search(r"<code>(wl_[\w-]+)</code>", made.text)
    assert found
    known = {"Authorization": f"Bearer {found.group(1)}"}
    assert town.send("GET", "/api/v1/apps", known).status_code == 200
    assert found.group(1) not in ann.get("/account").text
    id = next(t.id for t in town.outside.store.tokens.all() if t.name == "ci")
    assert "revoked" in ann.send(f"/account/tokens/{id}/revoke").text
    assert town.send("GET", "/api/v1/apps", known).status_code == 401
    assert found.group(1) not in str(town.audited())
    assert ("viewer", "token.create", {"name": "ci", "scope": "viewer", "days": "7"}) in town.audited()


def test_tokens_of_others_cannot_be_taken_back(ann: Browser, town: Town) -> None:
    id = next(t.id for t in town.outside.store.tokens.all() if t.user == "owner")
    csrf = re.search(r'name="csrf" value="(\w+)"', ann.page)
    assert csrf
    assert ann.post(f"/account/tokens/{id}/revoke", csrf=csrf.group(1)).status_code == 404
    assert any(t.id == id for t in town.outside.store.tokens.all())


@pytest.mark.parametrize("csrf", ["", "x", "0" * 64])
def test_a_form_of_another_site_does_nothing(ann: Browser, town: Town, csrf: str) -> None:
    before = town.outside.store.tokens.all()
    for path, fields in (
        ("password", {"password": PASSWORD, "new": NEW}),
        ("second-factor", {"password": PASSWORD}),
        ("sessions/end", {}),
        ("tokens", {"name": "ci", "scope": "all", "days": "7"}),
    ):
        assert ann.post(f"/account/{path}", csrf=csrf, **fields).status_code == 403
    assert (me(ann), town.outside.store.tokens.all()) == (200, before)


def test_a_row_of_the_session_gives_no_csrf_token(ann: Browser, town: Town) -> None:
    """Who has read the database has neither the cookie nor what a page has to send back."""
    from windlass.domain.credentials import csrf_of

    (row,) = town.outside.store.sessions.of_user("viewer")
    for stolen in (row.hash, csrf_of(row.hash)):
        assert ann.post("/account/sessions/end", csrf=stolen).status_code == 403
        assert town.send("GET", "/api/v1/me", {"Cookie": f"windlass={stolen}"}).status_code == 401


def test_sessions_by_the_api(ann: Browser, town: Town) -> None:
    known = {"Cookie": ann.cookie}
    (item,) = town.send("GET", "/api/v1/me/sessions", known).json()["items"]
    assert (item["source"], item["current"]) == ("192.0.2.7", True)
    assert not {"hash", "id"} & set(item)
    assert town.send("DELETE", "/api/v1/me/sessions", known).status_code == 403, "without the CSRF token"
    confined = town.token("viewer", "viewer")
    assert town.send("DELETE", "/api/v1/me/sessions", {"Authorization": f"Bearer {confined}"}).status_code == 403
    assert town.ask("DELETE", "/api/v1/me/sessions", "viewer").status_code == 200
    assert me(ann) == 401


def test_served_on_a_port(outside: Outside, town: Town, serve: Callable[..., Any], tmp_path: Path) -> None:
    app = build_app(outside, WebOptions())
    with serve(app, Listeners(tmp_path / "api.sock", "127.0.0.1:0")) as served:
        base = HTTP.replace("windlass", f"127.0.0.1:{served.serving.ports[0]}")
        with httpx2.Client(base_url=base, follow_redirects=True, timeout=30) as client:
            client.post("/login", data={"name": "viewer", "password": PASSWORD})
            page = client.get("/account").text
            csrf = re.search(r'name="csrf" value="(\w+)"', page)
            assert csrf
            fields = {"csrf": csrf.group(1), "name": "ci", "scope": "viewer", "days": "7"}
            assert "wl_" in client.post("/account/tokens", data=fields).text
