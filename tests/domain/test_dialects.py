"""Other tools' dialects in Compose's words: the tables dialect_cases.yaml and oldkey_cases.yaml, and what follows."""

import copy
from collections.abc import Mapping
from typing import Any

import pytest
from tests.domain.samples import cases

from windlass.domain.dialects.addresses import find_places, find_routes, with_port
from windlass.domain.dialects.coolify import declared_volumes, is_coolify, translate_coolify
from windlass.domain.dialects.dokploy import translate_dokploy
from windlass.domain.dialects.magic import Kind, Secret, read_address, read_secret
from windlass.domain.dialects.oldkeys import translate_old_keys
from windlass.domain.dialects.translation import WantedRoute
from windlass.domain.documents import Document, parse_yaml
from windlass.domain.release import Route
from windlass.domain.rewriting import REMOVED, Edit, rewrite

COOLIFY = cases("dialect_cases.yaml")
OLD = cases("oldkey_cases.yaml")


@pytest.mark.parametrize("case", COOLIFY.values(), ids=COOLIFY.keys())
def test_coolify(case: dict[str, Any]) -> None:
    text = case["compose"]
    document = parse_yaml(text, "c.yaml")
    assert is_coolify(document, text) is not case.get("plain", False)
    if case.get("plain"):
        return
    found = translate_coolify(document, text, ".", declared_volumes(document))
    assert [p.code for p in found.problems] == case.get("problems", [])
    if "expect" in case:
        written = parse_yaml(rewrite(text.encode(), "c.yaml", found.edits), "c.yaml").data
        assert (written if case.get("restarts") else _without_default(written)) == case["expect"]
    assert {f.path: f.content.decode() for f in found.files} == case.get("files", {})
    assert {f.path for f in found.files if f.is_executable} == set(case.get("programs", ()))
    assert [f"{r.service} {r.id} {r.port} {r.path}" for r in found.routes] == case.get("routes", [])
    assert sorted(found.magic) == case.get("magic", [])
    assert found.defaults == case.get("defaults", {})
    assert case.get("note", "") in " ".join(found.notes)


def _without_default(written: Mapping[str, Any]) -> dict[str, Any]:
    """The restart policy that all of them get has a case of its own."""
    services = {
        name: {key: value for key, value in service.items() if (key, value) != ("restart", "unless-stopped")}
        for name, service in written["services"].items()
    }
    return {**written, "services": services}


@pytest.mark.parametrize("case", OLD.values(), ids=OLD.keys())
def test_old_keys(case: dict[str, Any]) -> None:
    text = repr({"services": {"a": case["service"]}}).replace("None", "null")
    found = translate_old_keys(parse_yaml(text, "c.yaml"))
    assert [p.code for p in found.problems] == case.get("problems", [])
    written = parse_yaml(rewrite(text.encode(), "c.yaml", found.edits), "c.yaml").data
    assert "problems" in case or written["services"]["a"] == case.get("expect", case["service"])
    assert case.get("note", "") in " ".join(found.notes)


def test_the_version_is_told() -> None:
    found = translate_old_keys(parse_yaml("services: {}\nversion: '3.8'\n", "c.yaml"))
    assert (found.edits, found.notes) == ((), ("c.yaml:2:1: `version` is ignored, as by Compose",))


SECRETS: list[tuple[str, Secret | None]] = [
    ("SERVICE_PASSWORD_DB", Secret("SERVICE_PASSWORD_DB", Kind.WORD, 32)),
    ("SERVICE_PASSWORD_64_DB", Secret("SERVICE_PASSWORD_64_DB", Kind.WORD, 64)),
    ("SERVICE_PASSWORD_64", Secret("SERVICE_PASSWORD_64", Kind.WORD, 32)),
    ("SERVICE_PASSWORDWITHSYMBOLS_X", Secret("SERVICE_PASSWORDWITHSYMBOLS_X", Kind.SYMBOLS, 32)),
    ("SERVICE_USER_MY_DB", Secret("SERVICE_USER_MY_DB", Kind.WORD, 16)),
    ("SERVICE_LOWERCASEUSER_A", Secret("SERVICE_LOWERCASEUSER_A", Kind.SMALL_WORD, 16)),
    ("SERVICE_BASE64_128_A", Secret("SERVICE_BASE64_128_A", Kind.WORD, 128)),
    ("SERVICE_REALBASE64_A", Secret("SERVICE_REALBASE64_A", Kind.BASE64, 32)),
    ("SERVICE_HEX_64_A", Secret("SERVICE_HEX_64_A", Kind.HEX, 32)),
    ("SERVICE_SUPABASEANON_KEY", Secret("SERVICE_SUPABASEANON_KEY", Kind.ANON_TOKEN, 0)),
    ("SERVICE_ROLE_KEY", None),
    ("MY_SERVICE_PASSWORD_DB", None),
]


@pytest.mark.parametrize(("name", "expected"), SECRETS)
def test_what_names_ask_for(name: str, expected: Secret | None) -> None:
    assert read_secret(name) == expected


ADDRESSES = [
    ("SERVICE_FQDN_APP", ("APP", False, 0)),
    ("SERVICE_URL_MY_APP_3000", ("MY_APP", True, 3000)),
    ("SERVICE_URL_N8N_5678", ("N8N", True, 5678)),
    ("SERVICE_URL_S3", ("S3", True, 0)),
]


@pytest.mark.parametrize(("name", "expected"), ADDRESSES)
def test_addresses(name: str, expected: tuple[str, bool, int]) -> None:
    address = read_address(name)
    assert address is not None
    assert (address.id, address.is_url, address.port) == expected


UI, API = WantedRoute("ui", "DESK", 80), WantedRoute("api", "API", 9000)
NAMES = ("SERVICE_URL_DESK_80", "SERVICE_FQDN_API", "SERVICE_URL_ELSEWHERE")


def test_the_first_place_is_the_default_host_and_others_lie_below_it() -> None:
    places = find_places([UI, API], NAMES, {}, "shop.localhost", 0)
    assert places.values == {
        "SERVICE_URL_DESK_80": "http://shop.localhost",
        "SERVICE_FQDN_API": "api.shop.localhost",
        "SERVICE_URL_ELSEWHERE": "http://shop.localhost",
    }
    assert set(find_routes([UI, API], places, 0)) == {Route("", "ui", 80), Route("api.shop.localhost", "api", 9000)}
    assert with_port(places.values, 8080)["SERVICE_URL_DESK_80"] == "http://shop.localhost:8080"
    assert with_port(places.values, 8080)["SERVICE_FQDN_API"] == "api.shop.localhost"


def test_the_port_in_the_header_says_which_place_is_first() -> None:
    assert find_places([UI, API], NAMES, {}, "shop.localhost", 9000).hosts == {"DESK": "desk.shop.localhost", "API": ""}


@pytest.mark.parametrize("value", ["https://desk.example.com:8443/x", "Desk.Example.com"])
def test_a_host_that_somebody_set_is_the_routes(value: str) -> None:
    places = find_places([UI, API], NAMES, {"SERVICE_URL_DESK": value}, "shop.localhost", 0)
    assert places.hosts["DESK"] == "desk.example.com"
    assert places.values["SERVICE_URL_DESK_80"] == "http://desk.example.com"


def test_two_services_that_ask_for_one_place() -> None:
    both = [WantedRoute("worker", "DESK", 80), WantedRoute("desk", "DESK", 80)]
    assert find_routes(both, find_places(both, (), {}, "h", 0), 0) == (Route("", "desk", 80),)


def test_a_port_that_only_the_header_says() -> None:
    alone = [WantedRoute("desk", "DESK")]
    assert find_routes(alone, find_places(alone, (), {}, "h", 5000), 5000) == (Route("", "desk", 5000),)


EDITS: list[tuple[str, list[Edit], Any]] = [
    ("a: {b: 1}", [Edit(("a", "b"), "2")], {"a": {"b": "2"}}),
    ("a: {b: 1, c: 2}", [Edit(("a", "b"), REMOVED)], {"a": {"c": 2}}),
    ("a: [1, 2, 3]", [Edit(("a", 2), REMOVED), Edit(("a", 0), REMOVED)], {"a": [2]}),
    ("a:", [Edit(("a", "b", 0), {"c": [True, 5]})], {"a": {"b": [{"c": [True, 5]}]}}),
    ("a: 1", [Edit(("x", "y"), {}), Edit(("z",), "yes # no")], {"a": 1, "x": {"y": {}}, "z": "yes # no"}),
    ("a: 1", [Edit(("b", "c"), REMOVED)], {"a": 1}),
    ("", [Edit(("a",), "1")], {"a": "1"}),
]


@pytest.mark.parametrize(("text", "edits", "expected"), EDITS)
def test_edits(text: str, edits: list[Edit], expected: Any) -> None:
    assert parse_yaml(rewrite(text.encode(), "x", edits), "x").data == expected


def test_what_is_not_edited_keeps_its_spelling() -> None:
    text = "a: 0644\nb: '1'\nc: !override [x]\nd: !reset null\ne: 12:30:45\nf: 1_000\ng: |\n  one\n    two\n"
    assert rewrite(text.encode(), "x", [Edit(("z",), "1")]).decode() == text + '"z": "1"\n'


WHOLE = """
x-a: &a {restart: always}
services:
  web:
    <<: *a
    image: acme/web
    command: [a, b]
    restart: "no"
    runtime: nvidia
    exclude_from_hc: true
    device_requests: [{driver: nvidia, count: 1, capabilities: [[gpu]]}]
    deploy: {resources: {reservations: {devices: [{count: 1}]}}, restart_policy: {condition: any}}
    environment: [SERVICE_URL_WEB_3000, "A=${B:?c}", "P=$SERVICE_PASSWORD_X"]
    labels: [a=b]
    healthcheck: {test: [CMD, "true"]}
    depends_on: {db: {condition: service_healthy}}
    configs: [one]
    volumes:
      - data:/data
      - ../files/x:/x
      - {type: bind, source: ./f, target: /f, mode: "0755", is_directory: false, content: text}
  db: {image: acme/db, environment: {SERVICE_URL_DB: /db}}
volumes: {kept: {}}
"""
DATA = parse_yaml(WHOLE, "w").data
ODD: list[Any] = [None, 5, True, -1.5, "", "x", "..", "${X}", [], [None], [[5]], {}, {"a": None}, {"5": [{}]}]


def _places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(place for key, one in inner for place in _places(one, (*at, key)))]


def _with(value: Any, place: tuple[Any, ...], odd: Any) -> Any:
    if not place:
        return odd
    found = copy.copy(value)
    found[place[0]] = _with(found[place[0]], place[1:], odd)
    return found


@pytest.mark.parametrize("place", _places(DATA)[1:], ids=str)
def test_nothing_odd_in_any_place_breaks_it(place: tuple[Any, ...]) -> None:
    template = b"[config]\nenv = ['A=${password}']\n[[config.mounts]]\nfilePath = 'x'\ncontent = '${hash}'"
    for odd in ODD:
        document = Document("w", _with(DATA, place, odd))
        is_coolify(document, WHOLE)
        found = translate_coolify(document, WHOLE, ".", declared_volumes(document))
        translate_old_keys(document)
        translate_dokploy(template, ".", {"w": document})
        find_routes(found.routes, find_places(found.routes, found.magic, {}, "h", 0), 0)


@pytest.mark.parametrize("place", _places(DATA)[1:], ids=str)
def test_every_place_can_be_changed_and_taken_away(place: tuple[Any, ...]) -> None:
    for odd in ODD[:3]:
        assert parse_yaml(rewrite(WHOLE.encode(), "w", [Edit(place, odd)]), "w").data == _with(DATA, place, odd)
    rewrite(WHOLE.encode(), "w", [Edit(place, REMOVED)])
