"""Sources of apps: what is kept and taken over, what a poll finds, what is fetched, and whom the end is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from tests.usecases.worlds import World

from windlass.domain.commitstatus import Call
from windlass.domain.errors import NotFound, OutOfReach, Refused, Usage, WindlassError
from windlass.domain.records import App, Job
from windlass.domain.release import DeploymentStatus
from windlass.domain.sources import KEY, STATUS_TOKEN, TOKEN, Auth, asks_to_skip, https_of, submodule_url
from windlass.ports.sources import ANYBODY, Access, Commit, DeployKey
from windlass.usecases import polling, statuses
from windlass.usecases.concern import keep_commit, leave_out_skipped, leave_out_unconcerned
from windlass.usecases.fetching import Wanted, access_to, obtain, source_of
from windlass.usecases.preparation import Preparation, Unchanged
from windlass.usecases.requests import DeployRequest, request_deploy
from windlass.usecases.sources import Setting, remove_source, set_source, show_source, trust_source

HTTPS = "https://git.example.com/team/shop.git"
SSH = "git@git.example.com:team/shop.git"


@dataclass
class FakeGit:
    """Gives `heads`; remembers how it was asked."""

    heads: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[str, str, Access]] = field(default_factory=list)
    message: str = ""
    away: bool = False

    def head(self, url: str, branch: str, *, access: Access = ANYBODY) -> str:
        self.asked.append((url, branch, access))
        if self.away:
            raise OutOfReach("no route to git.example.com", code="git_unreachable")
        return self.heads[branch]

    def fetch(
        self, url: str, ref: str, into: Path, *, access: Access = ANYBODY, cancelled: Callable[[], bool] = lambda: False
    ) -> Commit:
        self.asked.append((url, ref, access))
        into.mkdir(parents=True, exist_ok=True)
        (into / "compose.yaml").write_text("services: {}")
        return Commit(self.heads.get(ref, "a" * 40), "Ann <ann@example.com>", self.message, 5.0)

    def make_key(self, comment: str) -> DeployKey:
        return DeployKey("made", f"ssh-ed25519 MADE {comment}")

    def read_key(self, private: str) -> DeployKey:
        return DeployKey(private, "ssh-ed25519 GIVEN")


@pytest.fixture
def git(world: World) -> FakeGit:
    made = FakeGit({"main": "a" * 40})
    object.__setattr__(world.outside, "git", made)
    return made


def setting(app: str = "shop", url: str = HTTPS, **changes: Any) -> Setting:
    return replace(Setting(app, url), **changes)


# ---- what is kept ---------------------------------------------------------------------------------------------------


def test_an_app_is_there_as_soon_as_its_source_is(world: World, git: FakeGit) -> None:
    shown = set_source(world.outside, setting("shop@staging", branch="develop", path="./deploy/", watch=("a/**",)))
    assert (shown["app"], shown["branch"], shown["path"], shown["watch"]) == (
        "shop@staging",
        "develop",
        "deploy",
        ["a/**"],
    )
    assert world.store.apps.find("shop--staging") is not None
    assert show_source(world.outside, "shop@staging") == shown
    with pytest.raises(NotFound) as caught:
        show_source(world.outside, "shop")
    assert caught.value.code in ("app_not_found", "source_not_set")


def test_a_password_in_the_address_becomes_the_token(world: World, git: FakeGit) -> None:
    set_source(world.outside, setting(url="https://ann:p%40ss@git.example.com/x.git"))
    source = source_of(world.outside, "shop")
    assert (source.url, source.user, source.auth) == ("https://git.example.com/x.git", "ann", Auth.TOKEN)
    access = access_to(world.outside, source)
    assert (access.user, access.token, access.key) == ("ann", "p@ss", "")


def test_a_key_is_made_or_read_and_its_public_half_shown(world: World, git: FakeGit) -> None:
    assert set_source(world.outside, setting(url=SSH, key="generate"))["public_key"] == "ssh-ed25519 MADE windlass-shop"
    assert world.store.sources.secrets("shop") == {KEY: "made"}
    assert set_source(world.outside, setting(url=SSH, key="PRIVATE"))["public_key"] == "ssh-ed25519 GIVEN"
    assert access_to(world.outside, source_of(world.outside, "shop")).key == "PRIVATE"


KEPT = [
    # before, after, what is left of the token
    (HTTPS, HTTPS, True),
    (HTTPS, "https://git.example.com/team/other.git", True),
    (HTTPS, "https://git.example.com:8443/team/shop.git", False),
    (HTTPS, "https://evil.example.com/team/shop.git", False),
    (HTTPS, "http://localhost/team/shop.git", False),
    (HTTPS, SSH, False),
    (HTTPS, "image:nginx", False),
]


@pytest.mark.parametrize(("before", "after", "is_kept"), KEPT)
def test_a_token_stays_with_its_server(world: World, git: FakeGit, before: str, after: str, is_kept: bool) -> None:
    set_source(world.outside, setting(url=before, token="t0ken", status="github", status_token="s"))
    set_source(world.outside, setting(url=after, branch="next"))
    assert (TOKEN in world.store.sources.secrets("shop")) is is_kept
    assert (STATUS_TOKEN in world.store.sources.secrets("shop")) is is_kept
    if is_kept:
        assert access_to(world.outside, source_of(world.outside, "shop")).token == "t0ken"


def test_public_forgets_it(world: World, git: FakeGit) -> None:
    set_source(world.outside, setting(token="t0ken"))
    set_source(world.outside, setting(public=True))
    assert (source_of(world.outside, "shop").auth, world.store.sources.secrets("shop")) == (Auth.NONE, {})


def test_an_environment_takes_over_production_s_source_with_its_way_in(world: World, git: FakeGit) -> None:
    set_source(world.outside, setting(url=SSH, key="PRIVATE"))
    world.store.sources.update("shop", host_keys="git.example.com ssh-ed25519 AAAA\n")
    set_source(world.outside, setting("shop@staging", url="", branch="develop"))
    staging = source_of(world.outside, "shop--staging")
    assert (staging.url, staging.branch, staging.auth) == (SSH, "develop", Auth.KEY)
    access = access_to(world.outside, staging)
    assert (access.key, access.host_keys) == ("PRIVATE", "git.example.com ssh-ed25519 AAAA\n")


def test_an_environment_gets_production_s_token_for_no_other_repository(world: World, git: FakeGit) -> None:
    set_source(world.outside, setting(token="t0ken"))
    set_source(world.outside, setting("shop@staging", url="https://git.example.com/team/other.git"))
    assert world.store.sources.secrets("shop--staging") == {}


def test_without_an_address_only_what_is_said_changes(world: World, git: FakeGit) -> None:
    first = set_source(
        world.outside,
        setting(branch="next", path="deploy", watch=("a",), lfs=True, poll_s=60.0, token="t", status="gitea"),
    )
    second = set_source(world.outside, setting(url="", poll_s=0.0, watch=("",), status=""))
    assert second == {**first, "poll": 0.0, "watch": [], "status": "", "set_at": second["set_at"]}
    staging = set_source(world.outside, setting("shop@staging", url="", branch="develop"))
    assert staging == {**second, "app": "shop@staging", "branch": "develop", "set_at": staging["set_at"]}
    third = set_source(world.outside, setting())
    assert (third["branch"], third["path"], third["lfs"], third["auth"]) == ("main", "", False, "token")


def test_the_first_source_needs_an_address(world: World, git: FakeGit) -> None:
    with pytest.raises(Usage) as caught:
        set_source(world.outside, setting(url=""))
    assert caught.value.code == "source_url_missing"


def test_host_keys_are_remembered_and_forgotten(world: World, git: FakeGit) -> None:
    set_source(world.outside, setting(url=SSH, key="generate"))
    access_to(world.outside, source_of(world.outside, "shop")).pin("git.example.com ssh-ed25519 AAAA\n")
    assert show_source(world.outside, "shop")["host_keys"][0].startswith("ssh-ed25519 SHA256:")
    set_source(world.outside, setting(url=SSH, branch="next"))
    assert source_of(world.outside, "shop").host_keys
    assert trust_source(world.outside, "shop")["host_keys"] == []


def test_a_removed_source_leaves_no_secret(world: World, git: FakeGit) -> None:
    set_source(world.outside, setting(token="t0ken"))
    remove_source(world.outside, "shop")
    assert (world.store.sources.find("shop"), world.store.sources.secrets("shop")) == (None, {})
    assert world.store.apps.find("shop") is not None


# ---- deploying it ---------------------------------------------------------------------------------------------------


def test_a_deployment_of_the_source(world: World, git: FakeGit) -> None:
    set_source(world.outside, setting(branch="next", compose=("a.yaml",), token="t0ken"))
    options = request_deploy(world.outside, DeployRequest("shop", "source")).options
    assert {k: options[k] for k in ("source_kind", "url", "ref", "compose", "own", "trigger")} == {
        "source_kind": "git", "url": HTTPS, "ref": "next", "compose": ["a.yaml"], "own": True, "trigger": "",
    }  # fmt: skip
    assert "t0ken" not in str(options)
    assert request_deploy(world.outside, DeployRequest("shop", "source", ref="v1")).options["ref"] == "v1"
    with pytest.raises(NotFound):
        request_deploy(world.outside, DeployRequest("other", "source"))


def test_a_token_is_for_the_address_that_was_asked_for(world: World, git: FakeGit, tmp_path: Path) -> None:
    set_source(world.outside, setting(token="t0ken"))
    wanted = Wanted("shop", "git", HTTPS, "main", own=True)
    obtain(world.outside, wanted, tmp_path / "1")
    obtain(world.outside, replace(wanted, own=False), tmp_path / "2")
    assert [access.token for _, _, access in git.asked] == ["t0ken", ""]
    with pytest.raises(NotFound) as caught:
        obtain(world.outside, replace(wanted, url="https://git.example.com/x.git"), tmp_path / "3")
    assert caught.value.code == "source_changed"


def test_an_image_is_a_project(world: World, git: FakeGit) -> None:
    set_source(world.outside, setting(url="image:ghcr.io/team/shop:1.2"))
    options = request_deploy(world.outside, DeployRequest("shop", "source")).options
    assert (options["source_kind"], options["url"]) == ("image", "ghcr.io/team/shop:1.2")
    folder = world.outside.trees.source("shop", 1)
    obtain(world.outside, Wanted("shop", "image", "ghcr.io/team/shop:1.2"), folder)
    assert b'image: "ghcr.io/team/shop:1.2"' in (folder / "compose.yaml").read_bytes()
    for bad in ('x"\n  evil: 1', "UPPER", "", "a b"):
        with pytest.raises(Refused):
            request_deploy(world.outside, DeployRequest("shop", "image", url=bad))


# ---- pushes that come by themselves ---------------------------------------------------------------------------------


class Notes:
    def __init__(self) -> None:
        self.found: list[str] = []

    def note(self, kind: str, data: Any) -> None:
        self.found.append(str(data.get("text", "")))


def preparation(world: World, trigger: str, number: int) -> Preparation:
    deployment = world.unfinished()
    deployment = world.store.deployments.update(deployment.id, options={"trigger": trigger, "own": True})
    work: Any = type("Work", (), {"outside": world.outside})()
    journal: Any = Notes()
    return Preparation(work, journal, deployment, number)


@pytest.mark.parametrize(("trigger", "is_left_out"), [("hook", True), ("poll", True), ("", False)])
def test_a_commit_that_is_not_to_be_deployed(world: World, trigger: str, is_left_out: bool) -> None:
    world.deploy()
    prep = preparation(world, trigger, 2)
    leave_out_skipped(prep, Commit("b", message="words"))
    if is_left_out:
        with pytest.raises(Unchanged):
            leave_out_skipped(prep, Commit("b", message="words\n\n[skip deploy]"))
    else:
        leave_out_skipped(prep, Commit("b", message="[skip deploy]"))


def test_without_a_live_release_a_skipped_commit_is_refused(world: World) -> None:
    world.store.apps.add(App("shop", 1.0))
    with pytest.raises(Refused) as caught:
        leave_out_skipped(preparation(world, "hook", 1), Commit("b", message="[skip deploy]"))
    assert caught.value.code == "deploy_skipped"


@pytest.mark.parametrize("written", ["source", "file"])
def test_a_push_that_changes_nothing_watched_is_left_out(
    world: World, git: FakeGit, tmp_path: Path, written: str
) -> None:
    world.deploy()
    globs = ("backend/**", "*.yaml")
    set_source(world.outside, setting(watch=globs if written == "source" else ()))
    said = globs if written == "file" else ("nothing/**",)
    folder = tmp_path / "tree"
    (folder / "backend").mkdir(parents=True)
    (folder / "docs").mkdir()
    (folder / "backend" / "app.py").write_text("one")
    (folder / "docs" / "x.md").write_text("one")
    leave_out_unconcerned(preparation(world, "", 1), folder, said)  # what is live
    (folder / "docs" / "x.md").write_text("two")
    second = world.store.releases.add("shop", 1.0, "u", "main")
    with pytest.raises(Unchanged):
        leave_out_unconcerned(preparation(world, "hook", second.number), folder, said)
    leave_out_unconcerned(preparation(world, "", second.number), folder, said)
    (folder / "backend" / "app.py").write_text("two")
    leave_out_unconcerned(preparation(world, "poll", second.number), folder, said)


def test_what_was_fetched_of_the_branch_is_seen(world: World, git: FakeGit) -> None:
    world.deploy()
    set_source(world.outside, setting())
    prep = preparation(world, "", 2)
    keep_commit(prep, Wanted("shop", "git", HTTPS, "v1", own=True), Commit("b" * 40))
    assert source_of(world.outside, "shop").seen == ""
    keep_commit(prep, Wanted("shop", "git", HTTPS, "main", own=True), Commit("c" * 40))
    assert source_of(world.outside, "shop").seen == "c" * 40
    assert prep.deployment.options["commit"] == "c" * 40


# ---- polls ----------------------------------------------------------------------------------------------------------


def polls(world: World) -> list[Job]:
    """Carry out the next one that is due."""
    found = []
    while (job := world.store.jobs.claim("w", world.clock.now(), 60)) is not None:
        if job.kind == polling.KIND:
            polling.poll(world.outside, job)
            found.append(job)
        world.store.jobs.finish(job.id, "w", "done")
    return found


def queued(world: World) -> list[str]:
    found = world.store.deployments.of_app("shop")
    return [str(d.options.get("trigger")) for d in found if d.status is DeploymentStatus.QUEUED]


def test_a_poll_deploys_what_is_new_once(world: World, git: FakeGit) -> None:
    world.deploy()
    set_source(world.outside, setting(poll_s=60.0))
    assert len(polls(world)) == 1
    assert queued(world) == ["poll"]
    world.clock.ahead += 61
    assert len(polls(world)) == 1
    assert queued(world) == ["poll"]
    git.heads["main"] = "b" * 40
    assert polls(world) == []  # not before its time
    world.clock.ahead += 61
    polls(world)
    assert queued(world)[0] == "poll"
    assert source_of(world.outside, "shop").seen == "b" * 40


def test_before_the_first_deploy_a_poll_only_remembers(world: World, git: FakeGit) -> None:
    set_source(world.outside, setting(poll_s=60.0))
    polls(world)
    assert (queued(world), source_of(world.outside, "shop").seen) == ([], "a" * 40)


def test_a_server_that_is_away_is_told_once_and_asked_again(world: World, git: FakeGit) -> None:
    world.deploy()
    set_source(world.outside, setting(poll_s=60.0))
    git.away = True
    for _ in range(3):
        polls(world)
        world.clock.ahead += 61
    warnings = [e for e in world.store.events.after(0, app="shop") if e.kind == "warning"]
    assert len(warnings) == 1
    assert "no route" in source_of(world.outside, "shop").problem
    git.away = False
    polls(world)
    assert (source_of(world.outside, "shop").problem, queued(world)) == ("", ["poll"])


def test_there_is_one_row_of_polls_however_often_it_is_set(world: World, git: FakeGit) -> None:
    world.deploy()
    for _ in range(3):
        set_source(world.outside, setting(poll_s=60.0))
        world.clock.ahead += 1
    polls(world)
    world.clock.ahead += 200
    assert len(polls(world)) == 1
    set_source(world.outside, setting(poll_s=0.0))
    world.clock.ahead += 200
    polls(world)
    world.clock.ahead += 200
    assert polls(world) == []


def test_a_poll_that_is_repeated_after_a_crash_queues_no_second_row(world: World, git: FakeGit) -> None:
    world.deploy()
    set_source(world.outside, setting(poll_s=60.0))
    job = world.store.jobs.claim("w", world.clock.now(), 60)
    assert job is not None
    polling.poll(world.outside, job)
    polling.poll(world.outside, job)
    world.store.jobs.finish(job.id, "w", "done")
    polls(world)
    world.clock.ahead += 61
    assert len(polls(world)) == 1


# ---- told to the Git server -----------------------------------------------------------------------------------------


@dataclass
class FakeCaller:
    calls: list[Call] = field(default_factory=list)
    error: WindlassError | None = None

    def post(self, call: Call) -> None:
        self.calls.append(call)
        if self.error is not None:
            raise self.error


def end(world: World, **options: Any) -> None:
    deployment = world.unfinished()
    known = {"own": True, "commit": "a" * 40, **options}
    world.store.deployments.update(deployment.id, options=known)
    ended = world.store.deployments.finish(deployment.id, DeploymentStatus.FAILED, 9.0, {"code": "probe_failed"})
    statuses.tell_later(world.outside, ended, DeploymentStatus.FAILED)
    while (job := world.store.jobs.claim("w", world.clock.now(), 60)) is not None:
        if job.kind == statuses.KIND:
            statuses.tell(world.outside, job)
        world.store.jobs.finish(job.id, "w", "done")


@pytest.mark.parametrize(("status_token", "shown"), [("", "t0ken"), ("other", "other")])
def test_the_end_is_told(world: World, git: FakeGit, status_token: str, shown: str) -> None:
    world.deploy()
    caller = FakeCaller()
    object.__setattr__(world.outside, "caller", caller)
    set_source(world.outside, setting(token="t0ken", status="gitea", status_token=status_token))
    end(world)
    (call,) = caller.calls
    assert (call.headers["Authorization"], json.loads(call.body)["state"]) == (f"token {shown}", "failure")
    end(world, own=False)
    assert len(caller.calls) == 1


def test_that_it_could_not_be_told_is_told_here(world: World, git: FakeGit) -> None:
    world.deploy()
    object.__setattr__(world.outside, "caller", FakeCaller(error=OutOfReach("nobody answers")))
    set_source(world.outside, setting(token="t0ken", status="github"))
    end(world)
    (warning,) = [e for e in world.store.events.after(0, app="shop") if e.kind == "warning"]
    assert "nobody answers" in warning.data["text"]
    assert "t0ken" not in str(warning)


# ---- words ----------------------------------------------------------------------------------------------------------


def test_marks_that_keep_a_commit_back() -> None:
    assert asks_to_skip("Fix\n\n[Skip Deploy]")
    assert not asks_to_skip("skip deploy")


@pytest.mark.parametrize(
    ("parent", "url", "whole"),
    [
        ("https://h.example/a/b.git", "../c.git", "https://h.example/a/c.git"),
        ("https://h.example/a/b.git", "./c.git", "https://h.example/a/b.git/c.git"),
        ("git@h.example:a/b.git", "../c.git", "git@h.example:a/c.git"),
        ("ssh://git@h.example:22/a/b.git", "../../x/c.git", "ssh://git@h.example:22/x/c.git"),
        ("/srv/a.git", "../b.git", "/srv/b.git"),
        ("https://h.example/a.git", "https://o.example/x", "https://o.example/x"),
    ],
)
def test_addresses_of_submodules(parent: str, url: str, whole: str) -> None:
    assert submodule_url(parent, url) == whole


@pytest.mark.parametrize(
    ("url", "https"),
    [("git@h.example:a/b.git", "https://h.example/a/b.git"), ("ssh://git@h.example:22/a/b", "https://h.example/a/b")],
)
def test_the_https_address_of_one_by_ssh(url: str, https: str) -> None:
    assert https_of(url) == https
