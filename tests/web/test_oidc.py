"""Log-in by an OpenID provider that answers on a real port: who gets in, and every answer that is not believed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from fastapi import FastAPI
from tests.web.issuer import CLIENT, SECRET, Issuer, issuer
from tests.web.people import HTTP, Town

from windlass.adapters.oidc import HttpOidc
from windlass.domain.people import User
from windlass.ports.outside import Outside

CALLBACK = "/login/oidc/callback"


@pytest.fixture(scope="module")
def running() -> Iterator[Issuer]:
    with issuer() as made:
        yield made


@pytest.fixture
def provider(running: Issuer) -> Issuer:
    """Honest, and with one person logged in."""
    fresh = Issuer(key=running.key)
    for name in ("claims", "lie", "sign", "document", "at"):
        setattr(running, name, getattr(fresh, name))
    running.claims["email_verified"] = True
    running.asked.clear()
    return running


@pytest.fixture
def outside(outside: Outside) -> Outside:
    return replace(outside, oidc=HttpOidc())


@pytest.fixture
def town(app: FastAPI, outside: Outside, provider: Issuer) -> Town:
    made = Town(app, outside).settle()
    assert set_up(made, provider).status_code == 200
    return made


def set_up(town: Town, provider: Issuer, **changes: Any) -> httpx2.Response:
    body = {"issuer": provider.url, "client_id": CLIENT, "secret": SECRET, "url": "http://localhost", **changes}
    return town.ask("PUT", "/api/v1/oidc", "admin", json=body)


def bind(town: Town, user: str = "viewer", identity: str = "ann@h.example") -> httpx2.Response:
    return town.ask("PUT", f"/api/v1/users/{user}/identity", "admin", json={"identity": identity})


def cookies(answer: httpx2.Response) -> dict[str, str]:
    found = (line.partition(";")[0].partition("=") for line in answer.headers.get_list("set-cookie"))
    return {name: value.strip('"') for name, _, value in found}


def begin(town: Town) -> tuple[str, str]:
    """The cookie, and where the provider sends the browser back to."""
    answer = town.send("GET", "/login/oidc", {})
    assert answer.status_code == 303, answer.text
    return cookies(answer)["windlass-oidc"], answer.headers["location"]


def come_back(town: Town, cookie: str, place: str) -> httpx2.Response:
    parts = urlsplit(place)
    assert parts.path == CALLBACK
    return town.send("GET", f"{parts.path}?{parts.query}", {"Cookie": f"windlass-oidc={cookie}"})


def log_in(town: Town, provider: Issuer) -> httpx2.Response:
    cookie, place = begin(town)
    return come_back(town, cookie, provider.authorize(place))


def name_of(town: Town, answer: httpx2.Response) -> str:
    assert answer.status_code == 303, answer.text
    known = {"Cookie": f"windlass={cookies(answer)['windlass']}"}
    return str(town.send("GET", "/api/v1/me", known).json()["name"])


def failures(town: Town) -> list[str]:
    return [d["wrong"] for _, action, d in town.audited() if action == "login.failed"]


# ---- who gets in ----------------------------------------------------------------------------------------------------


def test_who_is_bound_by_an_address_gets_in_and_is_known_by_the_subject_from_then_on(
    town: Town, provider: Issuer
) -> None:
    assert 'href="/login/oidc"' in town.send("GET", "/login", {}).text
    bind(town)
    assert name_of(town, log_in(town, provider)) == "viewer"
    assert town.ask("GET", "/api/v1/oidc", "admin").json()["items"] == [{"identity": "sub:s-1", "user": "viewer"}]
    provider.claims |= {"email": "ann@new.example"}
    assert name_of(town, log_in(town, provider)) == "viewer"
    provider.claims |= {"sub": "s-2", "email": "ann@h.example"}
    assert log_in(town, provider).status_code == 403, "the address was given to somebody else"
    assert ("viewer", "login", {"user": "viewer", "by": "oidc"}) in town.audited()


def test_who_is_nobody_here_stays_out(town: Town, provider: Issuer) -> None:
    answer = log_in(town, provider)
    assert (answer.status_code, "you are no user here" in answer.text) == (403, True)
    assert failures(town) == ["oidc_unknown"]
    assert "windlass" not in cookies(answer)


@pytest.mark.parametrize("verified", [False, "true", None])
def test_an_address_that_was_not_verified_is_none(town: Town, provider: Issuer, verified: Any) -> None:
    bind(town)
    provider.claims["email_verified"] = verified
    assert log_in(town, provider).status_code == 403


def test_a_role_makes_users_but_never_takes_one_over(town: Town, provider: Issuer) -> None:
    assert set_up(town, provider, role="deployer").status_code == 200
    provider.claims["preferred_username"] = "Zoe"
    assert name_of(town, log_in(town, provider)) == "zoe"
    assert town.outside.store.users.roles("zoe") == {"default": "deployer"}
    assert name_of(town, log_in(town, provider)) == "zoe"
    for name in ("admin", "viewer", "owner"):
        provider.claims |= {"sub": f"s-{name}", "preferred_username": name, "email": f"{name}@h.example"}
        assert log_in(town, provider).status_code == 403, name


def test_a_user_who_is_removed_leaves_no_way_in(town: Town, provider: Issuer) -> None:
    bind(town, "nobody")
    log_in(town, provider)
    assert town.ask("DELETE", "/api/v1/users/nobody", "admin").status_code == 200
    town.outside.store.users.add(User("nobody", 1.0))
    assert log_in(town, provider).status_code == 403


def test_the_secret_is_sealed_and_told_to_nobody(town: Town) -> None:
    store: Any = town.outside.store
    with store._database.read() as connection:
        rows = [bytes(row.sealed) for row in connection.exec_driver_sql("SELECT sealed FROM keyring")]
    assert len(rows) > 1
    assert not any(b"s3cr3t" in row for row in rows)
    assert "s3cr3t" not in town.ask("GET", "/api/v1/oidc", "admin").text + str(town.audited())
    assert "s3cr3t" not in repr(town.outside.store.sign_on.get())


def test_only_an_admin_sets_it_up(town: Town, provider: Issuer) -> None:
    for who in ("viewer", "maintainer", "owner", "foreign"):
        for method, path in (("GET", "oidc"), ("DELETE", "oidc"), ("DELETE", "users/viewer/identity")):
            assert town.ask(method, f"/api/v1/{path}", who).status_code == 403
    assert bind(town).status_code == 200
    assert bind(town, "maintainer").status_code == 409, "somebody else's"
    for wrong in ("no address", "sub:", "sub:a b", "a@b@c", ""):
        assert bind(town, identity=wrong).status_code == 400, wrong
    assert town.ask("DELETE", "/api/v1/oidc", "admin").json()["issuer"] is None
    assert town.send("GET", "/login/oidc", {}).status_code == 404
    assert "/login/oidc" not in town.send("GET", "/login", {}).text


@pytest.mark.parametrize(
    "issuer", ["http://id.example.org", "ftp://x", "https://", "https://a@b.example", "x", "https://h/?a"]
)
def test_a_provider_without_tls_is_none(town: Town, provider: Issuer, issuer: str) -> None:
    assert set_up(town, provider, issuer=issuer).status_code == 400


def test_a_provider_that_is_another_is_none(app: FastAPI, outside: Outside, provider: Issuer) -> None:
    town = Town(app, outside).settle()
    for lie in (
        {"issuer": "https://other.example"},
        {"token_endpoint": "http://other.example/token"},
        {"jwks_uri": ""},
    ):
        provider.document = lie
        answer = set_up(town, provider)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "oidc_provider"), lie


# ---- what is not believed -------------------------------------------------------------------------------------------

LIES: list[tuple[str, Callable[[dict[str, Any]], dict[str, Any]]]] = [
    ("oidc_nonce", lambda c: {**c, "nonce": "another"}),
    ("oidc_nonce", lambda c: {k: v for k, v in c.items() if k != "nonce"}),
    ("oidc_audience", lambda c: {**c, "aud": "another"}),
    ("oidc_audience", lambda c: {**c, "aud": [CLIENT, "another"]}),
    ("oidc_audience", lambda c: {**c, "aud": [CLIENT, "another"], "azp": "another"}),
    ("oidc_issuer", lambda c: {**c, "iss": "https://other.example"}),
    ("oidc_expired", lambda c: {**c, "exp": c["exp"] - 3600}),
    ("oidc_expired", lambda c: {k: v for k, v in c.items() if k != "exp"}),
    ("oidc_not_yet", lambda c: {**c, "iat": c["iat"] + 3600}),
    ("oidc_subject", lambda c: {k: v for k, v in c.items() if k != "sub"}),
    ("oidc_subject", lambda c: {**c, "sub": ""}),
]


@pytest.mark.parametrize(("code", "lie"), LIES, ids=[f"{n}-{code}" for n, (code, _) in enumerate(LIES)])
def test_claims_that_are_not_for_this_login(
    town: Town, provider: Issuer, code: str, lie: Callable[[dict[str, Any]], dict[str, Any]]
) -> None:
    bind(town)
    provider.lie = lie
    answer = log_in(town, provider)
    assert (answer.status_code, failures(town)) == (403, [code])
    assert "windlass" not in cookies(answer)
    provider.lie = lambda claims: claims
    assert name_of(town, log_in(town, provider)) == "viewer"


@pytest.mark.parametrize("by", ["by_other_key", "by_client_secret", "unsigned"])
def test_signatures_that_are_not_the_providers(town: Town, provider: Issuer, by: str) -> None:
    bind(town)
    provider.sign = getattr(provider, by)
    assert log_in(town, provider).status_code == 403
    assert failures(town) == ["oidc_signature"]


def test_another_browsers_login_is_not_ones_own(town: Town, provider: Issuer) -> None:
    """Whoever sends a victim to the end of a log-in that is the attacker's; and states that are made up."""
    bind(town)
    attacker, place = begin(town)
    back = provider.authorize(place)
    victim, _ = begin(town)
    for cookie in (victim, "", "x", "1.", f"{attacker}x", "9999999999.x"):
        answer = come_back(town, cookie, back)
        assert (answer.status_code, "not begun in this browser" in answer.text) == (403, True), cookie
    parts = parse_qs(urlsplit(back).query)
    for state in ("", "x", parts["state"][0][:-1]):
        assert come_back(town, attacker, f"{HTTP}{CALLBACK}?code={parts['code'][0]}&state={state}").status_code == 403
    assert "/token" not in provider.asked
    assert name_of(town, come_back(town, attacker, back)) == "viewer"
    assert come_back(town, attacker, back).status_code == 403, "a code is good once"


def test_a_login_that_took_too_long(town: Town, provider: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    from windlass.domain import oidc

    bind(town)
    cookie, place = begin(town)
    monkeypatch.setattr(oidc, "FLOW_S", -1.0)
    answer = come_back(town, cookie, provider.authorize(place))
    assert (answer.status_code, "took too long" in answer.text) == (403, True)


def test_the_provider_says_no_or_nothing(town: Town, provider: Issuer) -> None:
    cookie, place = begin(town)
    state = parse_qs(urlsplit(place).query)["state"][0]
    answer = come_back(town, cookie, f"{HTTP}{CALLBACK}?error=access_denied&state={state}")
    assert (answer.status_code, "did not let you in" in answer.text) == (403, True)
    for code in ("made-up", "a&b", "x" * 3000):
        assert come_back(town, cookie, f"{HTTP}{CALLBACK}?code={code}&state={state}").status_code == 403


def test_many_tries_are_locked(town: Town, provider: Issuer) -> None:
    cookie, place = begin(town)
    state = parse_qs(urlsplit(place).query)["state"][0]
    path = f"{HTTP}{CALLBACK}?error=x&state={state}"
    assert [come_back(town, cookie, path).status_code for _ in range(33)] == [403] * 30 + [429] * 3


def test_over_tls_the_cookie_is_for_this_host_alone(town: Town) -> None:
    header = town.send("GET", "/login/oidc", {}, "https://windlass").headers["set-cookie"]
    assert header.startswith("__Host-windlass-oidc=")
    assert {"httponly", "secure", "samesite=lax", "path=/"} <= {w.strip().lower() for w in header.split(";")}
