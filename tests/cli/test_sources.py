"""source set, show, remove and trust, as they are typed; and a deploy of the app's own source."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from windlass.domain.errors import NotFound

Windlass = Callable[..., Any]
SOURCE = {
    "app": "shop",
    "kind": "git",
    "url": "git@host.example:team/shop.git",
    "branch": "main",
    "path": "",
    "compose": [],
    "watch": ["backend/**"],
    "submodules": False,
    "lfs": True,
    "poll": 60.0,
    "auth": "key",
    "user": "",
    "public_key": "ssh-ed25519 AAAA windlass-shop",
    "host_keys": ["ssh-ed25519 SHA256:abc"],
    "status": "",
    "seen": "0123456789abcdef",
    "problem": "no route to host",
    "set_at": 1.0,
}
NOTHING = {
    "url": "", "branch": None, "path": None, "compose": None, "watch": None, "submodules": None, "lfs": None,
    "poll": None, "user": "", "token": "", "key": "", "public": False, "status": None, "status_token": "",
}  # fmt: skip


@pytest.mark.parametrize(
    ("words", "app", "sent"),
    [
        (["shop", "https://h.example/x.git"], "shop", {"url": "https://h.example/x.git"}),
        (["shop", "image:nginx:1.27"], "shop", {"url": "image:nginx:1.27"}),
        (["shop", "--env", "staging", "--branch", "develop"], "shop%40staging", {"branch": "develop"}),
        (
            ["shop", "git@h.example:x.git", "--deploy-key", "generate", "--path", "deploy", "--compose", "a.yaml"],
            "shop",
            {"url": "git@h.example:x.git", "key": "generate", "path": "deploy", "compose": ["a.yaml"]},
        ),
        (
            ["shop", "--watch", "", "--poll", "0", "--no-lfs", "--no-submodules", "--status", "none", "--path", ""],
            "shop",
            {"watch": [""], "poll": 0.0, "lfs": False, "submodules": False, "status": "", "path": ""},
        ),
        (
            ["shop", "u", "--watch", "a/**", "--watch", "b", "--poll", "1m", "--submodules", "--lfs", "--public"],
            "shop",
            {"url": "u", "watch": ["a/**", "b"], "poll": 60.0, "submodules": True, "lfs": True, "public": True},
        ),
    ],
)
def test_set_sends_what_was_said(api: Any, windlass: Windlass, words: list[str], app: str, sent: Any) -> None:
    api.on(f"PUT /api/v1/apps/{app}/source", SOURCE)
    typed = windlass("source", "set", *words)
    assert typed.code == 0, typed.err
    assert api.requests[0].json == {**NOTHING, **sent}
    for words_shown in (
        "team/shop.git",
        "every 1m",
        "backend/**",
        "ssh-ed25519 AAAA windlass-shop",
        "no route to host",
    ):
        assert words_shown in typed.out


def test_secrets_come_by_file_or_standard_input(
    api: Any, windlass: Windlass, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.on("PUT /api/v1/apps/shop/source", SOURCE)
    (tmp_path / "token").write_text("t0ken\n")
    (tmp_path / "key").write_text("PRIVATE\nKEY\n")
    monkeypatch.setattr("sys.stdin", io.StringIO("other\n"))
    for words in (["--token-stdin"], ["--token-file", f"{tmp_path}/token"], ["--deploy-key", f"{tmp_path}/key"]):
        assert windlass("source", "set", "shop", "u", *words).code == 0
    told = [(r.json["token"], r.json["key"]) for r in api.requests]
    assert told == [("other", ""), ("t0ken", ""), ("", "PRIVATE\nKEY\n")]


@pytest.mark.parametrize(
    "words",
    [
        ["--token-stdin", "--token-file", "x"],
        ["--token-stdin"],
        ["--token-file", "/no/such/file"],
        ["--deploy-key", "/no/such/file"],
        ["--poll", "often"],
        ["--status", "myforge"],
    ],
)
def test_what_is_not_even_sent(api: Any, windlass: Windlass, monkeypatch: pytest.MonkeyPatch, words: list[str]) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert windlass("source", "set", "shop", "u", *words).code == 2
    assert api.requests == []


def test_show_remove_and_trust(api: Any, windlass: Windlass) -> None:
    api.on("GET /api/v1/apps/shop/source", SOURCE)
    api.on("DELETE /api/v1/apps/shop/source", {"app": "shop"})
    api.on("POST /api/v1/apps/shop/source/trust", SOURCE)
    assert windlass("source", "show", "shop", "--json").json == SOURCE
    assert "no source any more" in windlass("source", "remove", "shop").out
    assert "forgotten" in windlass("source", "trust", "shop").out


DOCUMENT = {"app": "shop", "deployment": "d1", "status": "queued", "release": None, "url": "", "urls": [], "steps": []}


def test_a_named_app_is_deployed_from_its_own_source(
    api: Any, windlass: Windlass, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.on("GET /api/v1/apps/shop/source", SOURCE)
    api.on("POST /api/v1/apps/shop/deployments", DOCUMENT)
    assert windlass("deploy", "--app", "shop", "--ref", "v1", "--detach").code == 0
    sent = api.requests[-1].json
    assert (sent["source_kind"], sent["url"], sent["ref"]) == ("source", "", "v1")


def test_a_named_app_without_one_is_deployed_from_this_folder(
    api: Any, windlass: Windlass, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "compose.yaml").write_text("services: {}")
    monkeypatch.chdir(tmp_path / "project")
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: False))
    api.on("GET /api/v1/apps/shop/source", NotFound("shop has no source", code="source_not_set"))
    api.on("POST /api/v1/apps/shop/deployments", DOCUMENT)
    assert windlass("deploy", "--app", "shop", "--detach").code == 0
    assert b'"source_kind": "upload"' in api.requests[-1].body or b'"source_kind":"upload"' in api.requests[-1].body


@pytest.mark.parametrize(
    ("image", "app"), [("nginx:1.27", "nginx"), ("ghcr.io/team/My_App@sha256:" + "0" * 64, "my-app"), ("a/b", "b")]
)
def test_an_image_is_a_source(api: Any, windlass: Windlass, image: str, app: str) -> None:
    api.on(f"POST /api/v1/apps/{app}/deployments", DOCUMENT)
    assert windlass("deploy", f"image:{image}", "--detach").code == 0
    sent = api.requests[0].json
    assert (sent["source_kind"], sent["url"]) == ("image", image)
