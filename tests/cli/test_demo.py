"""The demo's own decisions: what it deploys, how it judges, what it leaves alone."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from windlass.cli import demo
from windlass.cli.demo_stage import Meanwhile, Stage
from windlass.cli.load_report import Counters
from windlass.cli.session import Session, Target, UpOptions
from windlass.domain.errors import Usage
from windlass.domain.manifestfile import parse_manifest

NOTHING = Counters(0.0, 0, 0, 0, 0, 0, 0, 0, "v2")


class Launcher:
    def __init__(self) -> None:
        self.asked: list[UpOptions] = []

    def up(self, options: UpOptions, say: Any) -> dict[str, Any]:
        self.asked.append(options)
        return {"edge": {"http_port": options.http_port or 8088}}

    def down(self, home: Path | None, edge: bool, say: Any) -> dict[str, Any]:
        return {"was_running": True}

    def serve(self, home: Path | None) -> None: ...


def session(tmp_path: Path, as_json: bool = False) -> Session:
    return Session(Target(tmp_path / "home", tmp_path / "home" / "run" / "api.sock"), Launcher(), as_json)


@pytest.mark.parametrize("version", ["v1", *(a.version for a in demo.ACTS if a.version)])
@pytest.mark.parametrize("impatient", [False, True])
def test_every_version_is_deployed_with_short_waits(tmp_path: Path, version: str, impatient: bool) -> None:
    source = demo._maker()(version, tmp_path / version)
    demo._quicken(source / "windlass.yaml", impatient)
    found = parse_manifest((source / "windlass.yaml").read_bytes())
    assert found.verify.bake == 4.0
    assert found.drains == {"web": 4.0}
    probe = found.probe("web")
    assert probe is not None
    assert (probe.http, probe.port, probe.within_s) == ("/ready", 8000, 8.0 if impatient else None)


def test_example_that_is_not_as_known_is_told(tmp_path: Path) -> None:
    (tmp_path / "windlass.yaml").write_text("verify: {bake: 10s}\n")
    with pytest.raises(Usage) as caught:
        demo._quicken(tmp_path / "windlass.yaml", False)
    assert caught.value.code == "demo_example_differs"


GOOD, BAD, CRASHES = demo.ACTS[0], demo.ACTS[1], demo.ACTS[3]
DOCUMENT: dict[str, Any] = {"status": "live", "seconds": 5.0, "live_seconds": 2.0, "error": None}
TAKEN_BACK = {"status": "failed", "seconds": 5.0, "live_seconds": None, "error": {"message": "web ended"}}
AFTER = replace(NOTHING, requests=100)
JUDGED: list[tuple[demo.Act, dict[str, Any], Counters, bool]] = [
    (GOOD, DOCUMENT, AFTER, True),
    (GOOD, DOCUMENT, replace(AFTER, failed=1), False),
    (GOOD, DOCUMENT, replace(AFTER, streams_cut=1), False),
    (GOOD, DOCUMENT, replace(AFTER, version="v1"), False),
    (GOOD, TAKEN_BACK, AFTER, False),
    (BAD, TAKEN_BACK, AFTER, True),
    (BAD, {**TAKEN_BACK, "status": "switched_back"}, AFTER, True),
    (BAD, DOCUMENT, AFTER, False),
    (BAD, {**TAKEN_BACK, "status": "refused"}, AFTER, False),
    (BAD, TAKEN_BACK, replace(AFTER, failed=2), False),
    (BAD, TAKEN_BACK, replace(AFTER, streams_cut=1), False),
    (CRASHES, TAKEN_BACK, replace(AFTER, streams_cut=2), True),
    (CRASHES, TAKEN_BACK, replace(AFTER, streams_cut=2, failed=1), False),
]


@pytest.mark.parametrize(("act", "document", "after", "ok"), JUDGED)
def test_act_went_well_only_when_no_request_failed_and_the_right_version_serves(
    act: demo.Act, document: dict[str, Any], after: Counters, ok: bool
) -> None:
    assert demo._judge(act, document, NOTHING, after).ok is ok


def test_ordinary_home_is_left_alone(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "settings.json").write_text("{}")
    asked = session(tmp_path)
    with pytest.raises(Usage):
        demo._begin(asked, home, demo.DemoOptions(), Stage(False))
    assert demo.run(asked, demo.DemoOptions(home=home, remove=True)) == 0
    assert home.exists()
    assert asked.launcher.asked == []  # type: ignore[attr-defined]


def test_demo_has_a_home_of_its_own_and_keeps_its_port(tmp_path: Path) -> None:
    asked = session(tmp_path)
    home = demo._default_home(asked.target.home)
    assert home == tmp_path / "home-demo"
    home.mkdir()
    first = demo._begin(asked, home, demo.DemoOptions(), Stage(False))
    assert first.port >= demo.FIRST_PORT
    assert first.url == f"http://guestbook.localhost:{first.port}/"
    assert json.loads((home / demo.MARK).read_text()) == {"app": "guestbook"}
    demo._begin(asked, home, demo.DemoOptions(), Stage(False))
    assert [o.http_port is None for o in asked.launcher.asked] == [False, True]  # type: ignore[attr-defined]


def test_outcomes_are_told_plainly_where_there_is_no_terminal() -> None:
    stage, told = Stage(False), io.StringIO()
    stage.console = Console(file=told, highlight=False, soft_wrap=True)
    stage.outcome(demo._judge(BAD, TAKEN_BACK, NOTHING, AFTER))
    stage.outcome(demo._judge(GOOD, DOCUMENT, NOTHING, replace(AFTER, failed=3)))
    assert told.getvalue().splitlines() == [
        "✓ one that crashes at start: was taken back before the switch; 100 requests, 0 failed; v2 serves",
        "    web ended",
        "✗ version 2: went live after 2.0 s; 100 requests, 3 failed; v2 serves",
    ]


def test_load_is_told_when_a_version_is_taken_back() -> None:
    called: list[str] = []
    meanwhile = Meanwhile("", None, lambda: "")
    meanwhile.on_state(lambda: called.append("now"), "taking back")
    for status in ("running", "taking back"):
        meanwhile.event("state", {"status": status})
    assert called == ["now"]
