"""Smoke steps as values: what is put in, what is sent, what an answer lacks."""

from __future__ import annotations

import json
from typing import Any

import pytest

from windlass.domain.answers import Answer, is_wanted, mismatches, saved_from, told_wish, waits_for_message, wrong_with
from windlass.domain.smoke import (
    WEBSOCKET,
    Expected,
    FilePiece,
    SmokeStep,
    Upload,
    filled,
    filled_path,
    message_for,
    names_in,
    split_field,
    visit_for,
)

SAVED = {"id": 7, "name": "a/b c?#", "text": "plain", "deep": {"x": [1]}}

# Wanted subset, what came, what is told (None: nothing).
SUBSETS: list[tuple[Any, Any, str | None]] = [
    ({}, {"a": 1}, None),
    ({"a": 1}, {"a": 1, "b": 2}, None),
    ({"a": 1}, {"a": 1.0}, None),
    ({"status": "healthy"}, {"status": "degraded"}, 'status: wanted "healthy", got "degraded"'),
    ({"data": {"state": "ready"}}, {"data": {"state": None}}, 'data.state: wanted "ready", got null'),
    ({"data": {"state": "ready"}}, {"data": {}}, 'data.state: wanted "ready", got nothing'),
    ({"data": {"state": "ready"}}, {"data": 3}, 'data: wanted {"state": "ready"}, got 3'),
    ({"ok": True}, {"ok": 1}, "ok: wanted true, got 1"),
    ({"n": 1}, {"n": True}, "n: wanted 1, got true"),
    ({"n": 1}, {"n": "1"}, 'n: wanted 1, got "1"'),
    ({"errors": []}, {"errors": []}, None),
    ({"errors": []}, {"errors": ["x"]}, 'errors: wanted [], got ["x"]'),
    ({"l": [{"a": 1}, 2]}, {"l": [{"a": 1, "b": 0}, 2]}, None),
    ({"l": [{"a": 1}, 2]}, {"l": [{"a": 2}, 2]}, "l[0].a: wanted 1, got 2"),
    ({"l": [1]}, {"l": {"0": 1}}, 'l: wanted [1], got {"0": 1}'),
    (None, None, None),
    (None, 0, "the answer: wanted null, got 0"),
    ({"a": 1}, [1], 'the answer: wanted {"a": 1}, got [1]'),
]


@pytest.mark.parametrize(("wanted", "got", "told"), SUBSETS)
def test_subsets(wanted: Any, got: Any, told: str | None) -> None:
    assert next(mismatches(wanted, got), None) == told


def test_a_long_answer_is_told_in_part() -> None:
    (told,) = mismatches({"a": "b"}, {"a": "x" * 5000})
    assert len(told) < 300


HTML = Answer(
    200, (("Content-Type", "text/html; charset=utf-8"), ("Set-Cookie", "a=1"), ("set-cookie", "b=2")), b"<h1>hi"
)
JSON = Answer(201, (), b'{"id": 7, "state": "ready"}')

ANSWERS: list[tuple[Expected, Answer, str]] = [
    (Expected(), HTML, ""),
    (Expected(), Answer(302), ""),
    (Expected(), Answer(404), "status: wanted 200 to 399, got 404"),
    (Expected(), Answer(500, (), b"it broke"), 'status: wanted 200 to 399, got 500: "it broke"'),
    (Expected((404,)), Answer(404), ""),
    (Expected((200, 204)), Answer(201), "status: wanted 200 or 204, got 201"),
    (Expected(headers={"content-type": "text/html"}), HTML, ""),
    (Expected(headers={"Content-Type": "text/html; charset=utf-8"}), HTML, ""),
    (Expected(headers={"Content-Type": "text"}), HTML, 'header Content-Type: wanted "text", got "text/html; charset='),
    (Expected(headers={"Set-Cookie": "b=2"}), HTML, ""),
    (Expected(headers={"X-A": "1"}), HTML, 'header X-A: wanted "1", got none'),
    (Expected(text="hi"), HTML, ""),
    (Expected(text="ho"), HTML, 'the answer: wanted "ho" in it, got "<h1>hi"'),
    (Expected(text="ho"), Answer(200, (), b"hi", whole=False), "(of which 1 MiB were read)"),
    (Expected(json={"state": "ready"}, has_json=True), JSON, ""),
    (Expected(json={"id": "{id}"}, has_json=True), JSON, ""),
    (Expected(json={"state": "new"}, has_json=True), JSON, 'state: wanted "new", got "ready"'),
    (Expected(json={}, has_json=True), HTML, 'the answer: wanted JSON, got "<h1>hi"'),
    (Expected(json={}, has_json=True), Answer(200, (), b"{}", whole=False), "wanted JSON, got more than 1 MiB"),
    (Expected(json={}, has_json=True), Answer(200, (), b"[" * 100_000), "wanted JSON"),
]  # fmt: skip


@pytest.mark.parametrize(("expected", "answer", "told"), ANSWERS)
def test_answers(expected: Expected, answer: Answer, told: str) -> None:
    found = wrong_with(expected, answer, SAVED)
    assert (told in found) if told else (found == "")


FILLED: list[tuple[Any, Any]] = [
    ("{id}", 7),
    ("no {id}", "no 7"),
    ("{nobody} {id}", "{nobody} 7"),
    ("{deep}", {"x": [1]}),
    ("a {deep}", 'a {"x": [1]}'),
    ({"a": ["{id}", {"b": "{text}"}], "c": None}, {"a": [7, {"b": "plain"}], "c": None}),
    (5, 5),
]


@pytest.mark.parametrize(("value", "result"), FILLED)
def test_filled(value: Any, result: Any) -> None:
    assert filled(value, SAVED) == result


PATHS: list[tuple[str, str]] = [
    ("/", "/"),
    ("/items/{id}", "/items/7"),
    ("/items/{name}?q={text}", "/items/a%2Fb%20c%3F%23?q=plain"),
    ("/ü/%41", "/%C3%BC/%41"),
    ("/a?b=c&d=[1]", "/a?b=c&d=[1]"),
]


@pytest.mark.parametrize(("path", "target"), PATHS)
def test_paths(path: str, target: str) -> None:
    assert filled_path(path, SAVED) == target


def test_names() -> None:
    assert names_in("/a/{id}/{b}{c d}") == ("id", "b")


FIELDS: list[tuple[str, tuple[str | int, ...]]] = [
    ("id", ("id",)),
    ("data.id", ("data", "id")),
    ("data.items[0].id", ("data", "items", 0, "id")),
    ("[0].id", (0, "id")),
    ("a.0", ("a", "0")),
    ("", ()),
    (".a", ()),
    ("a..b", ()),
    ("a[x]", ()),
    ("a.", ()),
]


@pytest.mark.parametrize(("text", "steps"), FIELDS)
def test_fields(text: str, steps: tuple[str | int, ...]) -> None:
    assert split_field(text) == steps


SAVES: list[tuple[str, Any]] = [
    ("data.id", 3),
    ("data.items[1].n", "b"),
    ("data.items.1.n", "b"),
    ("data.none", None),
    ("data.nowhere", LookupError),
    ("data.items[9]", LookupError),
    ("data.id.more", LookupError),
]


@pytest.mark.parametrize(("place", "value"), SAVES)
def test_what_is_saved(place: str, value: Any) -> None:
    body = json.dumps({"data": {"id": 3, "items": [{"n": "a"}, {"n": "b"}], "none": None}}).encode()
    found, wrong = saved_from(SmokeStep("a", "GET", "/", save={"x": place}), Answer(200, (), body))
    if value is LookupError:
        assert f"there is no {place} in the answer" in wrong
    else:
        assert (found, wrong) == ({"x": value}, "")


def test_nothing_is_saved_from_what_is_not_json() -> None:
    assert "wanted JSON" in saved_from(SmokeStep("a", "GET", "/", save={"x": "a"}), HTML)[1]


# Step, its Content-Type, the pieces of its body.
BODIES: list[tuple[SmokeStep, str, tuple[bytes | FilePiece, ...]]] = [
    (SmokeStep("a", "GET", "/"), "", ()),
    (SmokeStep("a", "POST", "/", json={"n": "{id}", "t": "ä"}, has_json=True), "application/json",
     ('{"n": 7, "t": "ä"}'.encode(),)),
    (SmokeStep("a", "POST", "/", json=None, has_json=True), "application/json", (b"null",)),
    (SmokeStep("a", "POST", "/", form={"a b": "{name}"}), "application/x-www-form-urlencoded", (b"a+b=a%2Fb+c%3F%23",)),
    (SmokeStep("a", "PUT", "/", upload=Upload("x/a.mp4", "")), "video/mp4", (FilePiece("/source/x/a.mp4"),)),
    (SmokeStep("a", "PUT", "/", upload=Upload("x/a.bin", "", "audio/x")), "audio/x", (FilePiece("/source/x/a.bin"),)),
]  # fmt: skip


@pytest.mark.parametrize(("step", "kind", "pieces"), BODIES)
def test_bodies(step: SmokeStep, kind: str, pieces: tuple[bytes | FilePiece, ...]) -> None:
    visit = visit_for(step, "shop.localhost:8080", SAVED, "/source")
    assert dict(visit.headers).get("Content-Type", "") == kind
    assert visit.body == pieces
    assert (visit.method, visit.host) == (step.method, "shop.localhost:8080")


def test_a_form_with_a_file() -> None:
    step = SmokeStep("a", "POST", "/", form={'q"uote': "{id}"}, upload=Upload("x/a.wav", "clip"))
    visit = visit_for(step, "a.test", SAVED, "/source")
    head, piece, end = visit.body
    assert isinstance(head, bytes)
    assert isinstance(end, bytes)
    boundary = dict(visit.headers)["Content-Type"].partition("boundary=")[2].encode()
    assert head.count(b"--" + boundary) == 2
    assert b'name="q%22uote"\r\n\r\n7\r\n' in head
    assert b'name="clip"; filename="a.wav"\r\nContent-Type: audio/wav\r\n\r\n' in head
    assert piece == FilePiece("/source/x/a.wav")
    assert end == b"\r\n--" + boundary + b"--\r\n"


def test_own_headers_go_before_ours() -> None:
    step = SmokeStep("a", "POST", "/", headers={"content-type": "x/y", "X-Id": "n{id}"}, json=1, has_json=True)
    headers = dict(visit_for(step, "a.test", SAVED, "").headers)
    assert headers["content-type"] == "x/y"
    assert headers["X-Id"] == "n7"
    assert "Content-Type" not in headers


def test_messages() -> None:
    text = SmokeStep("a", WEBSOCKET, "/ws", send="hello {id}", has_send=True)
    value = SmokeStep("a", WEBSOCKET, "/ws", send={"id": "{id}"}, has_send=True)
    assert (message_for(text, SAVED), message_for(value, SAVED)) == ("hello 7", '{"id": 7}')
    assert message_for(SmokeStep("a", WEBSOCKET, "/ws"), SAVED) is None
    echo, ready = Expected(text="hello {id}"), Expected(json={"id": "{id}"}, has_json=True)
    assert is_wanted(echo, "v2: hello 7", SAVED)
    assert not is_wanted(echo, "v2: hello 8", SAVED)
    assert is_wanted(ready, '{"id": 7, "x": 1}', SAVED)
    assert not is_wanted(ready, "no JSON", SAVED)
    assert [waits_for_message(e) for e in (echo, ready, Expected())] == [True, True, False]
    assert told_wish(echo, SAVED) == 'a message with "hello 7"'
