"""A deploy that the contract refuses, put right with the commands that the refusal offers, and live."""

from __future__ import annotations

import pytest
from tests.e2e.projects import web, write
from tests.e2e.station import Station

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

RAW = "postgresql://app:p@ss/w:rd#1@db:5432/app"
ENCODED = "postgresql://app:p%40ss%2Fw%3Ard%231@db:5432/app"
MANIFEST = """\
verify: {bake: 1s}
env:
  DATABASE_URL: {required: true, secret: true, format: postgres-url}
  TOKEN: {required: true, secret: true, min_length: 32, generate: "hex:24"}
  MODE: {required: true, one_of: [live, test]}
"""


def test_refused_put_right_and_live(shared: Station) -> None:
    app = shared.app("contract")
    compose = web("environment:", "  DATABASE_URL: ${DATABASE_URL}", "  TOKEN: ${TOKEN}", "  MODE: ${MODE:?which}")
    folder = write(shared.folder / app, {"compose.yaml": compose, "windlass.yaml": MANIFEST})
    shared.ok("env", "set", app, "DATABASE_URL", "--stdin", stdin=RAW)
    refused = shared.run("deploy", folder, "--app", app)
    assert refused.code == 3, str(refused)
    found = {(d["code"], d["name"]) for d in refused.error["details"]}
    assert found == {
        ("variable_required", "MODE"), ("variable_missing", "TOKEN"), ("variable_unencoded", "DATABASE_URL"),
    }  # fmt: skip
    assert not [part for part in ("p@ss", "p%40ss", "w:rd") if part in refused.out + refused.err]

    checked = shared.run("env", "check", app)
    assert checked.code == 3
    items = checked.document["items"]
    assert {(i["code"], i["name"]) for i in items if i["status"] == "refused"} == found
    shared.ok("env", "set", app, "DATABASE_URL", "--url-encode")
    assert shared.ok("env", "generate", app)["items"] == [{"name": "TOKEN"}]
    shared.ok("env", "set", app, "MODE=test")
    assert shared.ok("env", "check", app)["status"] != "refused"

    blind = ("--skip-check", "reachability")  # there is no such database
    first = shared.deploy(folder, app, *blind)["release"]
    said = shared.ok("exec", app, "web", "--", "printenv", "DATABASE_URL")["output"]
    assert said.strip() in (ENCODED, "***")
    second = shared.deploy(folder, app, *blind, "--set", "MODE=live")["release"]
    changes = {i["name"]: i["change"] for i in shared.ok("env", "diff", app, first, second)["items"]}
    assert changes == {"DATABASE_URL": "same", "TOKEN": "same", "MODE": "changed"}
