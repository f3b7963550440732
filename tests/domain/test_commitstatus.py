"""What each Git server is told of a commit, by the forms of their APIs."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from windlass.domain.commitstatus import Outcome, status_call
from windlass.domain.release import DeploymentStatus
from windlass.domain.sources import Source, SourceKind, StatusHost

SHA = "1cdcd819599cbb4099289dbbec762452f006cb40"
LIVE = Outcome("shop@staging", SHA, DeploymentStatus.LIVE, 7, "http://shop.localhost")
SOURCE = Source("shop--staging", SourceKind.GIT, "", 1.0, "main")

CALLS = [
    ("github", "https://github.com/team/shop.git", f"https://api.github.com/repos/team/shop/statuses/{SHA}"),
    ("github", "git@github.com:team/shop.git", f"https://api.github.com/repos/team/shop/statuses/{SHA}"),
    ("github", "https://ghe.example:8443/t/s", f"https://ghe.example:8443/api/v3/repos/t/s/statuses/{SHA}"),
    (
        "gitlab",
        "https://gitlab.com/g/sub/shop.git",
        f"https://gitlab.com/api/v4/projects/g%2Fsub%2Fshop/statuses/{SHA}",
    ),
    ("gitlab", "ssh://git@lab.example:2222/g/s.git", f"https://lab.example/api/v4/projects/g%2Fs/statuses/{SHA}"),
    ("gitea", "http://127.0.0.1:3000/t/s.git", f"http://127.0.0.1:3000/api/v1/repos/t/s/statuses/{SHA}"),
]
HEADERS = {
    "github": ("Authorization", "Bearer t0ken"),
    "gitlab": ("PRIVATE-TOKEN", "t0ken"),
    "gitea": ("Authorization", "token t0ken"),
}


@pytest.mark.parametrize(("host", "url", "called"), CALLS)
def test_whom_and_what(host: str, url: str, called: str) -> None:
    call = status_call(replace(SOURCE, url=url, status=StatusHost(host)), "t0ken", LIVE)
    assert call is not None
    name, value = HEADERS[host]
    assert (call.url, call.headers[name]) == (called, value)
    said = json.loads(call.body)
    context = "name" if host == "gitlab" else "context"
    assert said == {
        "state": "success",
        context: "windlass/shop@staging",
        "description": "release 7 is live",
        "target_url": "http://shop.localhost",
    }
    assert "t0ken" not in repr(call)


@pytest.mark.parametrize("host", HEADERS)
@pytest.mark.parametrize("status", [s for s in DeploymentStatus if s.is_final])
def test_every_end(host: str, status: DeploymentStatus) -> None:
    source = replace(SOURCE, url="https://h.example/t/s.git", status=StatusHost(host))
    call = status_call(source, "t", replace(LIVE, status=status, words="x" * 500))
    assert call is not None
    said = json.loads(call.body)
    is_good = status in (DeploymentStatus.LIVE, DeploymentStatus.UNCHANGED)
    assert said["state"] == ("success" if is_good else "failed" if host == "gitlab" else "failure")
    assert len(said["description"]) <= 140


@pytest.mark.parametrize(
    ("source", "token", "outcome"),
    [
        (SOURCE, "t", LIVE),
        (replace(SOURCE, url="https://h.example/t/s", status=StatusHost.GITHUB), "", LIVE),
        (replace(SOURCE, url="https://h.example/t/s", status=StatusHost.GITHUB), "t", replace(LIVE, commit="")),
        (replace(SOURCE, url="/srv/s.git", status=StatusHost.GITHUB), "t", LIVE),
        (replace(SOURCE, url="https://h.example/", status=StatusHost.GITHUB), "t", LIVE),
    ],
)
def test_when_nobody_is_told(source: Source, token: str, outcome: Outcome) -> None:
    assert status_call(source, token, outcome) is None
