"""Where a project comes from: a Git repository and a branch, tag or commit of it; a folder with odd names in it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from tests.e2e.projects import edit, shape
from tests.e2e.station import Station

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]


def git(folder: Path, *words: str) -> str:
    identity = ["-c", "user.name=wlt", "-c", "user.email=wlt@example.com"]
    done = subprocess.run(["git", *identity, *words], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def repository(shared: Station) -> tuple[Path, str]:
    """v1 on main, v2 on the branch next and as the tag second; the commit of v1."""
    folder = shape(shared.folder / f"repo{len(shared.apps)}", "no-base")
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "one")
    first = git(folder, "rev-parse", "HEAD")
    git(folder, "switch", "--quiet", "-c", "next")
    edit(folder / "Dockerfile", "VERSION=v1", "VERSION=v2")
    git(folder, "commit", "--quiet", "-am", "two")
    git(folder, "tag", "second")
    git(folder, "switch", "--quiet", "main")
    return folder, first


def test_a_branch_a_tag_and_a_commit(shared: Station, repository: tuple[Path, str]) -> None:
    folder, first = repository
    app, url = shared.app("git"), f"file://{folder}"
    assert shared.ok("deploy", url, "--app", app)["status"] == "live"
    assert shared.get(app).version == "v1"
    shared.ok("deploy", url, "--app", app, "--ref", "next")
    assert shared.get(app).version == "v2"
    second = git(folder, "rev-parse", "next")
    assert shared.releases(app)[0]["commit"] == second
    same = shared.ok("deploy", url, "--app", app, "--ref", "second")
    assert same["status"] == "unchanged"
    shared.ok("deploy", url, "--app", app, "--ref", first)
    assert shared.get(app).version == "v1"
    (web,) = shared.serving(app, "web")
    assert f"WINDLASS_COMMIT={first}" in web.attrs["Config"]["Env"]
    missing = shared.run("deploy", url, "--app", app, "--ref", "no-such-branch")
    assert missing.code in (3, 4), str(missing)
    assert "git_ref_not_found" in missing.codes
    assert shared.get(app).version == "v1"


def test_a_folder_with_odd_names(shared: Station) -> None:
    app = shared.app("odd")
    folder = shape(shared.folder / "a folder, with é and 'quotes'", "no-base")
    (folder / "-rf").write_text("x")
    (folder / "new\nline").write_text("x")
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "deep" / "er" / "link").symlink_to("../../web.py")
    assert shared.ok("deploy", folder, "--app", app)["status"] == "live"
    assert shared.get(app).version == "v1"


def test_the_name_comes_from_the_folder(shared: Station) -> None:
    name = shared.app("named")
    folder = shape(shared.folder / name, "no-base")
    document = shared.ok("deploy", folder)
    assert (document["app"], document["status"]) == (name, "live")
    assert document["url"] == f"http://{name}.localhost:{shared.http_port}"
    assert shared.ok("deploy", folder / ".." / name)["status"] == "unchanged"
