"""Words in a project's own files, through the real Compose and back: each stays itself; odd names are refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from survey.world import temporary_world
from tests.hostile.words import KINDS, WORDS, shown
from tests.usecases.worlds import snapshot_of

from windlass.adapters import compose
from windlass.adapters.compose import ComposeProgram, config_argv
from windlass.adapters.engine.connection import IMAGE, REF
from windlass.adapters.engine.engine import DockerEngine
from windlass.domain.errors import Refused, WindlassError
from windlass.domain.modelreader import unescape
from windlass.ports.engine import ConnectOptions, EdgeContainer, HolderContainer
from windlass.ports.outside import Outside
from windlass.usecases.building import BuildOrder, _same_builds
from windlass.usecases.project import Project, Reading, read_project


@pytest.fixture(scope="module")
def outside() -> Iterator[Outside]:
    with temporary_world() as (made, _):
        yield made


def read(outside: Outside, document: Any, manifest: str = "", **values: str) -> Project:
    folder = outside.trees.uploads() / "project"
    folder.mkdir(exist_ok=True)
    (folder / "compose.yaml").write_text(json.dumps(document))
    (folder / "windlass.yaml").write_text(manifest)
    return read_project(outside, Reading("shop", folder, values=values))


# ---- words that are values ------------------------------------------------------------------------------------------


def _is_text(word: str) -> bool:
    """What a YAML file of UTF-8 can hold, and every reader reads alike; the rest is refused as a whole, see below."""
    return word.isprintable() and "\ufeff" not in word and len(word) < 4000


TEXTS = [word for word in WORDS if _is_text(word)]
NUMBERED = {f"V{number}": word for number, word in enumerate(TEXTS)}


def escaped(words: Iterable[str]) -> list[str]:
    """As a person writes them who wants no variables put in."""
    return [word.replace("$", "$$") for word in words]


@pytest.fixture(scope="module")
def taken(outside: Outside) -> dict[str, list[str]]:
    """Place -> the words as a container or a build would get them."""
    document = {
        "services": {
            "web": {
                "image": "nginx:1",
                "expose": ["80"],
                "entrypoint": escaped(TEXTS),
                "command": escaped(TEXTS),
                "environment": {**dict(zip(NUMBERED, escaped(TEXTS), strict=True))},
                "labels": {f"wlt.{name}": word for name, word in zip(NUMBERED, escaped(TEXTS), strict=True)},
                "healthcheck": {"test": ["CMD", *escaped(TEXTS)]},
                "build": {"context": ".", "args": dict(zip(NUMBERED, escaped(TEXTS), strict=True))},
            },
            "filled": {"image": "nginx:1", "environment": {name: f"${{{name}}}" for name in NUMBERED}},
        }
    }
    manifest = "release:\n  - {service: web, command: " + json.dumps(["run", *TEXTS]) + "}\n"
    project = read(outside, document, manifest, **NUMBERED)
    assert not project.problems
    snapshot = snapshot_of(project.model, "shop", 7, manifest)
    services = resolved(outside, snapshot.generation_model)["services"]
    order = BuildOrder("shop", 7, "d", project.model, Path("/"), {"WINDLASS_COMMIT": "${HOME}"}, {})
    (_, build), *_ = _same_builds(order)
    built = resolved(outside, {"name": "shop", "services": {"web": {"image": "x", "build": build}}})
    arguments = built["services"]["web"]["build"]["args"]
    assert arguments["WINDLASS_COMMIT"] == "$${HOME}"
    return unescape(
        {
            "entrypoint": services["web"]["entrypoint"],
            "command": services["web"]["command"],
            "environment": [services["web"]["environment"][name] for name in NUMBERED],
            "a variable's value": [services["filled"]["environment"][name] for name in NUMBERED],
            "labels": [services["web"]["labels"][f"wlt.{name}"] for name in NUMBERED],
            "healthcheck": services["web"]["healthcheck"]["test"][1:],
            "build arguments": [arguments[name] for name in NUMBERED],
            "a command of windlass.yaml": services["windlass-release-1"]["command"][1:],
        }
    )


def resolved(outside: Outside, model: Any) -> dict[str, Any]:
    """What Compose makes of a model that is given to it as for `create`."""
    program = outside.compose
    assert isinstance(program, ComposeProgram)
    done = program._run(program._on_model(model["name"], model, Path("/"), config_argv()))
    assert done.code == 0, done.errors
    found: dict[str, Any] = json.loads(done.stdout)
    return found


PLACES = (
    *("entrypoint", "command", "environment", "a variable's value", "labels", "healthcheck", "build arguments"),
    "a command of windlass.yaml",
)


@pytest.mark.parametrize("place", PLACES)
def test_words_stay_what_they_are(taken: dict[str, list[str]], place: str) -> None:
    assert len(TEXTS) > 90
    assert {a: b for a, b in zip(TEXTS, taken[place], strict=True) if a != b} == {}


@pytest.mark.parametrize("word", ["a\x85b", "a\u2028b", "\ufeffa", "\x1b[2J", "\0", "\x7f"], ids=shown)
def test_letters_that_readers_take_for_different_things(outside: Outside, word: str) -> None:
    folder = outside.trees.uploads() / "project"
    folder.mkdir(exist_ok=True)
    (folder / "windlass.yaml").write_text("")
    (folder / "compose.yaml").write_text(f"services: {{web: {{image: nginx, command: ['{word}']}}}}")
    with pytest.raises(Refused) as caught:
        read_project(outside, Reading("shop", folder))
    assert caught.value.code in ("yaml_invalid", "compose_invalid")


# ---- words that are names -------------------------------------------------------------------------------------------

NAMES = tuple(word for kind in ("options", "shell", "bytes", "paths") for word in KINDS[kind] if "\ud800" not in word)
MODEL: dict[str, Any] = {"services": {"web": {"image": "nginx:1"}}, "networks": {"default": {"name": "any_default"}}}

# Place of a name -> the resolved model with that name in it: as if Compose had let everything through.
NAMED: dict[str, Callable[[str], dict[str, Any]]] = {
    "service": lambda word: {**MODEL, "services": {word: {"image": "nginx:1"}}},
    "network": lambda word: {**MODEL, "networks": {word: {"name": "x"}}},
    "volume": lambda word: {**MODEL, "volumes": {word: {"name": "x"}}},
}


def resolving(monkeypatch: pytest.MonkeyPatch, outside: Outside, document: dict[str, Any]) -> None:
    answer = compose.Resolved(document, (), ())
    monkeypatch.setattr(outside.compose, "resolve", lambda source, **options: answer)


@pytest.mark.parametrize("place", NAMED)
def test_names_that_begin_something_else(outside: Outside, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    taken = []
    for word in NAMES:
        resolving(monkeypatch, outside, NAMED[place](word))
        codes = {detail.code for detail in read(outside, {"services": {"web": {"image": "nginx:1"}}}).problems}
        if "service_name_invalid" not in codes:
            taken.append(word)
    assert taken == []


HELD = [
    "windlass/other/web:r1", "docker.io/windlass/other/web:r1", "index.docker.io/windlass/other/web:r1",
]  # fmt: skip


@pytest.mark.parametrize("image", HELD)
@pytest.mark.parametrize("how", ["run", "mounted"])
def test_another_apps_image(outside: Outside, image: str, how: str) -> None:
    mount = {"type": "image", "source": image, "target": "/x"}
    web = {"image": image} if how == "run" else {"image": "nginx:1", "volumes": [mount]}
    project = read(outside, {"services": {"web": web}})
    assert "image_reserved" in {detail.code for detail in project.problems}


CACHES = [
    "type=local,dest=/etc/cron.d", 'type=local,"dest=/etc/cron.d"', "type=local,DEST=/etc/cron.d",
    'type=local,"Dest=../../x"', "type=local, dest=/etc", 'type=local,"src=/root"', 'type=local,dest="/etc"',
    "type=local,dest=../x", 'type=local,"a\n","dest=/etc"', "type=local\ndest=/etc", '"dest=' + "a" * 140_000,
]  # fmt: skip


@pytest.mark.parametrize("entry", CACHES, ids=shown)
@pytest.mark.parametrize("key", ["cache_to", "cache_from"])
def test_caches_of_builds_stay_inside(outside: Outside, key: str, entry: str) -> None:
    """The builder writes and reads them as root, and reads their settings as a row of a table."""
    with pytest.raises(Refused) as caught:
        read(outside, {"services": {"web": {"build": {"context": ".", key: [entry]}}}})
    assert "path_outside" in {detail.code for detail in caught.value.details}


def test_a_profile_in_the_projects_own_files(outside: Outside) -> None:
    folder = outside.trees.uploads() / "project"
    with pytest.raises(Refused) as caught:
        read(outside, MODEL, "profiles: ['--file=/etc/passwd']")
    assert "profile" in caught.value.message
    (folder / ".env").write_text("COMPOSE_PROFILES=--file=/etc/passwd\n")
    try:
        with pytest.raises(Refused) as caught:
            read(outside, MODEL)
    finally:
        (folder / ".env").unlink()
    assert {detail.code for detail in caught.value.details} == {"profile_invalid"}


# ---- what the engine is asked ---------------------------------------------------------------------------------------


class Api:
    """Of the library under the engine: notes each call, and has nothing to say."""

    def __init__(self) -> None:
        self.called: list[tuple[Any, ...]] = []
        self.base_url, self.api_version = "http://engine", "1.44"

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*words: Any, **named: Any) -> Any:
            self.called.append((name, *words, *named.values()))
            raise Stop

        return call


class Stop(Exception):  # noqa: N818
    """What was to be seen is seen."""


ENGINE: dict[str, Callable[[DockerEngine, str], object]] = {
    "container": lambda engine, word: engine.container(word),
    "start": lambda engine, word: engine.start(word),
    "stop": lambda engine, word: engine.stop(word, 1),
    "kill": lambda engine, word: engine.kill(word),
    "remove": lambda engine, word: engine.remove(word),
    "rename": lambda engine, word: engine.rename("a", word),
    "restart policy": lambda engine, word: engine.set_restart(word, "no"),
    "put file": lambda engine, word: engine.put_file(word, "/x", b"", 0o444, 0, 0),
    "exec": lambda engine, word: engine.exec(word, ["true"]),
    "edge": lambda engine, word: engine.run_edge(EdgeContainer(word, "i", (), {}, {}, ())),
    "holder": lambda engine, word: engine.create_holder(HolderContainer(word, "i", (), {}, "n")),
    "image": lambda engine, word: engine.image(word),
    "tag": lambda engine, word: engine.tag("a", word),
    "tagged": lambda engine, word: engine.tag(word, "a"),
    "untag": lambda engine, word: engine.untag(word),
    "import": lambda engine, word: engine.import_image(iter(()), word, ()),
    "registry": lambda engine, word: engine.ask_registry(word, 1),
    "network": lambda engine, word: engine.create_network(word, "10.0.0.0/24", False, {}),
    "remove network": lambda engine, word: engine.remove_network(word),
    "connect": lambda engine, word: engine.connect(word, "a", ConnectOptions()),
    "connected": lambda engine, word: engine.connect("a", word, ConnectOptions()),
    "disconnect": lambda engine, word: engine.disconnect(word, "a"),
    "volume": lambda engine, word: engine.create_volume(word, {}),
    "remove volume": lambda engine, word: engine.remove_volume(word),
}  # fmt: skip


@pytest.mark.parametrize("call", ENGINE)
def test_a_name_in_a_call_of_the_engine(monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    """It becomes a part of an address; what could be more than one part of it is refused before."""
    engine, api = DockerEngine("unix:///nonexistent"), Api()
    monkeypatch.setattr(engine._connection, "_opened", lambda: api)
    monkeypatch.setattr(api, "create_host_config", lambda **options: {}, raising=False)
    for word in WORDS:
        api.called.clear()
        with suppress(Stop, WindlassError):
            ENGINE[call](engine, word)
        reached = [part for one in api.called for part in one if isinstance(part, str) and word and word in part]
        fits = REF.fullmatch(word) or IMAGE.fullmatch(word)
        assert not reached or (fits and ".." not in word), (word, api.called)
