"""Every text field of a request that can reach a process: a hostile word is refused, or stays one word."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import quote

import httpx2
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.hostile.bench import FOR_COMPOSE, FOR_GIT, STRANGE, Bench
from tests.hostile.programs import COMMIT, Seen
from tests.hostile.words import FEW, HARMLESS, WORDS

from windlass.adapters.process import SURROUNDINGS
from windlass.domain import names
from windlass.domain.errors import WindlassError
from windlass.usecases.fetching import access_to, source_of

APP = "/api/v1/apps/shop"
GIT = "https://git.example.com/team/shop.git"

Send = Callable[[Bench, str], httpx2.Response]


def as_it_is(word: str) -> str:
    return word


def as_path(word: str) -> str:
    with suppress(WindlassError):
        return names.compose_path(word)
    return word


@dataclass(frozen=True)
class Field:
    """`harmless` is taken, and what is started for it is what may be started. `spelled`: how argv has a word."""

    send: Send
    harmless: str = HARMLESS
    spelled: Callable[[str], str] = as_it_is


def by_git(name: str) -> Send:
    """A plan fetches and reads what a deployment would."""
    return lambda bench, word: bench.ask("POST", f"{APP}/plan", {"source_kind": "git", "url": GIT, name: word})


def compose_file(bench: Bench, word: str) -> httpx2.Response:
    return bench.upload("plan", {word: b"services: {web: {image: 'nginx:1'}}"}, compose=[word])


def profile(bench: Bench, word: str) -> httpx2.Response:
    return bench.upload("plan", {"compose.yaml": b"services: {web: {image: 'nginx:1'}}"}, profiles=[word])


def commit(bench: Bench, word: str) -> httpx2.Response:
    return bench.upload("plan", {"compose.yaml": b"services: {web: {image: 'nginx:1'}}"}, commit=word)


def value(bench: Bench, word: str) -> httpx2.Response:
    return bench.upload("plan", {"compose.yaml": b"services: {web: {image: 'nginx:1'}}"}, values={"ANY": word})


def dotenv(bench: Bench, word: str) -> httpx2.Response:
    """What Compose would read of it is another's matter; that it is asked, and how, is ours."""
    return bench.upload("plan", {"compose.yaml": b"services: {web: {image: 'nginx:1'}}"}, env=[word])


def variable(bench: Bench, word: str) -> httpx2.Response:
    return bench.upload("plan", {"compose.yaml": b"services: {web: {image: 'nginx:1'}}"}, values={word: "x"})


def image(bench: Bench, word: str) -> httpx2.Response:
    return bench.ask("POST", f"{APP}/plan", {"source_kind": "image", "url": word})


def skipped(bench: Bench, word: str) -> httpx2.Response:
    return bench.ask("POST", f"{APP}/plan", {"source_kind": "git", "url": GIT, "skip_checks": [word]})


def in_address(word: str) -> str:
    """As far as an address may be long."""
    return quote(word.encode("utf-8", "surrogatepass")[:5000], safe="")


def app(bench: Bench, word: str) -> httpx2.Response:
    return bench.ask("POST", f"/api/v1/apps/{in_address(word)}/plan", {"source_kind": "git", "url": GIT})


def environment(bench: Bench, word: str) -> httpx2.Response:
    return app(bench, f"shop@{word}")


def source(**fixed: object) -> Callable[[str], Send]:
    """A field of the app's source, of which then the branch's commit is asked, as a poll does."""

    def of(name: str) -> Send:
        def send(bench: Bench, word: str) -> httpx2.Response:
            told: object = [word] if name in ("compose", "watch") else word
            answer = bench.ask("PUT", f"{APP}/source", {"url": GIT, **fixed, name: told})
            if answer.status_code != 200:
                return answer
            found = source_of(bench.outside, "shop")
            with suppress(WindlassError):  # an address of this machine, which its owner may name
                bench.outside.git.head(found.url, found.branch, access=access_to(bench.outside, found))
            return answer

        return send

    return of


def operate(verb: str, **body: object) -> Send:
    return lambda bench, word: bench.ask("POST", f"{APP}/{verb}", {"service": word, **body})


def logs(bench: Bench, word: str) -> httpx2.Response:
    return bench.ask("GET", f"{APP}/logs?service={in_address(word)}")


FIELDS: Mapping[str, Field] = {
    "app": Field(app, "wltharmless"),
    "environment": Field(environment, "staging"),
    "deploy.url": Field(by_git("url"), "https://git.example.com/wlt-harmless.git"),
    "deploy.ref": Field(by_git("ref")),
    "deploy.compose": Field(compose_file, spelled=as_path),
    "deploy.profiles": Field(profile),
    "deploy.commit": Field(commit, COMMIT),
    "deploy.values.name": Field(variable, "HARMLESS"),
    "deploy.values.value": Field(value),
    "deploy.env": Field(dotenv),
    "deploy.image": Field(image, "nginx:1"),
    "deploy.skip_checks": Field(skipped, "memory"),
    "source.url": Field(source()("url"), "https://git.example.com/wlt-harmless.git"),
    "source.branch": Field(source()("branch")),
    "source.path": Field(source()("path"), spelled=as_path),
    "source.compose": Field(source()("compose"), spelled=as_path),
    "source.watch": Field(source()("watch")),
    "source.user": Field(source(token="t0ken")("user")),
    "source.token": Field(source()("token")),
    "source.status": Field(source()("status"), "github"),
    "source.status_token": Field(source(status="github")("status_token")),
    "source.key": Field(source(url="git@git.example.com:team/shop.git")("key"), "generate"),
    "restart.service": Field(operate("restart"), "web"),
    "stop.service": Field(operate("stop"), "worker"),
    "start.service": Field(operate("start"), "web"),
    "scale.service": Field(operate("scale", replicas=1), "web"),
    "exec.service": Field(operate("exec", command=["true"]), "web"),
    "logs.service": Field(logs, "web"),
}
# What goes to Git or Compose in a file, or nowhere: in no argv and in no environment, however harmless.
UNSEEN = (
    "deploy.values.value",
    "deploy.env",
    "source.user",
    "source.token",
    "source.status_token",
    "source.watch",
    "source.path",
    "source.compose",
)


# Of a check that is not waited for.
AT_ANY_TIME = {("docker-compose", "version", "--short")}


def started(bench: Bench, field: Field, word: str) -> tuple[httpx2.Response, list[Seen]]:
    bench.programs.take()
    answer = field.send(bench, word)
    assert answer.status_code < 500, (word[:80], answer.text[:300])
    return answer, bench.programs.take()


def clean(seen: list[Seen]) -> None:
    """Each child has what it needs, and nothing of anybody else's; none is a shell."""
    for one in seen:
        assert one.program in ("git", "docker-compose")
        own = FOR_GIT if one.program == "git" else FOR_COMPOSE
        assert set(one.environment) - {"PWD", "OLDPWD", "_", "SHLVL"} <= {*SURROUNDINGS, *own}, one.environment
        assert not {n for n, v in STRANGE.items() if one.environment.get(n) == v}


def shapes(seen: list[Seen], word: str = "", instead: str = "") -> set[tuple[str, ...]]:
    """Program and argv of each; how often Compose is asked is not the word's doing."""
    return {(one.program, *(part.replace(word, instead) if word else part for part in one.shape)) for one in seen}


def _usual(bench: Bench, name: str) -> list[Seen]:
    answer, seen = started(bench, FIELDS[name], FIELDS[name].harmless)
    assert answer.status_code < 400, answer.text
    clean(seen)
    bench.usual[name] = seen
    return seen


def differing(bench: Bench, name: str, words: Iterable[str]) -> list[str]:
    """The words for which something is started that the harmless one would not start, but for the word itself."""
    usual = bench.usual[name] if name in bench.usual else _usual(bench, name)
    field, found = FIELDS[name], []
    for word in words:
        answer, seen = started(bench, field, word)
        clean(seen)
        if not word and answer.status_code < 400:
            continue  # as if the field had been left out
        strange = shapes(seen) - AT_ANY_TIME - shapes(usual) - shapes(usual, field.harmless, field.spelled(word))
        if strange:
            found.append(f"{word[:60]!r}: {answer.status_code}: {strange}")
    return found


@pytest.mark.parametrize("name", FIELDS)
def test_a_word_is_refused_or_stays_one_word(bench: Bench, name: str) -> None:
    assert differing(bench, name, FEW) == []


def test_there_are_enough_of_them() -> None:
    assert len(FIELDS) * len(FEW) > 600


VALIDATORS: tuple[Callable[[str], str], ...] = (
    *(names.app_name, names.environment_name, names.service_name, names.variable_name, names.profile_name),
    *(names.commit_id, names.git_url, names.git_ref, names.image_ref, names.host, names.compose_path),
)


@pytest.mark.parametrize("validate", VALIDATORS, ids=lambda validate: validate.__name__)
def test_what_a_validator_lets_through(validate: Callable[[str], str]) -> None:
    """Nothing unseen, nothing that is not text, nothing too long; only a path inside a folder may begin with a dash."""
    for word in (*WORDS, *(f"{start}{word}" for start in ("https://h/", "git@h:", "a") for word in WORDS)):
        with suppress(WindlassError):
            found = validate(word)
            assert found.isprintable(), repr(word)
            assert 0 < len(found) <= 2000
            assert validate is names.compose_path or not found.startswith("-"), repr(word)


@pytest.mark.parametrize("name", FIELDS)
@settings(
    suppress_health_check=list(HealthCheck),
    deadline=None,
    max_examples=4,
    derandomize=True,
    database=None,
    phases=(Phase.explicit, Phase.generate),
)
@given(word=st.text(max_size=30) | st.from_regex(r"[-./:@$%{}\\ a\x00-\x1f]{1,12}"))
def test_whatever_is_typed(bench: Bench, name: str, word: str) -> None:
    assert differing(bench, name, [word]) == []


@pytest.mark.parametrize("name", UNSEEN)
def test_a_word_that_is_nobodys_argument(bench: Bench, name: str) -> None:
    answer, seen = started(bench, FIELDS[name], HARMLESS)
    assert answer.status_code < 400, answer.text
    assert not [one for one in seen if HARMLESS in f"{one.argv} {one.environment}"]
