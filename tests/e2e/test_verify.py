"""After the switch: what windlass.yaml asks of a new version, and what becomes of one that fails it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.e2e.prover import prover
from tests.e2e.station import Result, Station, eventually
from tests.e2e.truth import assert_nothing_lost, assert_true_and_tidy

from windlass.cli.load_report import describe

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]


ALL_STEPS = """\
verify:
  bake: 1s
  steps:
    - {get: /health, expect: {status: 200, json: {status: healthy}, header: {content-type: application/json}}}
    - {post: /items, json: {name: "a b"}, headers: {X-Who: me}, expect: {status: 201, json: {data: {by: me}}},
       save: {id: data.id}}
    - {get: "/items/{id}", expect: {json: {data: {name: "a b"}}}}
    - {get: "/items/999", expect: {status: 404, text: no such item}}
    - {put: /upload, file: {path: clips/a.wav, field: ""}, expect: {json: {length: 12, type: audio/wav}}}
    - {post: /upload, file: clips/a.wav, form: {title: "{id}"}, expect: {json: {type: multipart/form-data}}}
    - {delete: /anything, expect: {json: {method: DELETE}}}
    - {websocket: /ws, send: "hello {id}", expect: {text: "hello 1"}}
    - {run: [python, listen.py, $WINDLASS_APP_URL/film.mp4], service: web, within: 60s}
"""
HEALTH = "verify: {bake: 1s, steps: [{get: /health, expect: {json: {status: healthy}}}]}\n"
LISTEN = "verify: {bake: 1s, steps: [{run: [python, listen.py, $WINDLASS_APP_URL/film.mp4], service: web}]}\n"
ECHO = "verify: {bake: 1s, steps: [{websocket: /ws, send: ping, expect: {text: ping, within: 2s}}]}\n"
QUIET = "verify: {bake: 1s}\n"


@pytest.fixture
def app(shared: Station) -> Iterator[str]:
    """Live as v1."""
    name = shared.app("prover")
    shared.deploy(prover(shared.folder / name, "v1", QUIET), name)
    yield name
    shared.run("remove", name, "--data", "--yes")


def deploy(station: Station, app: str, verify: str, fault: str = "none", more: str = "", *words: object) -> Result:
    folder = prover(station.folder / app, "v2", verify, fault, more)
    return station.run("deploy", folder, "--app", app, *words)


def events(station: Station, app: str, deployment: str, kind: str) -> list[dict[str, Any]]:
    return [e for e in station.events(app) if e["deployment"] == deployment and e["kind"] == kind]


def passed(station: Station, app: str, result: Result) -> list[str]:
    found = events(station, app, result.document["deployment"], "smoke")
    return [e["data"]["name"] for e in found if e["data"]["status"] == "ok"]


def test_a_good_version_passes_every_kind_of_step(shared: Station, app: str) -> None:
    with shared.load(app) as load:
        result = deploy(shared, app, ALL_STEPS)
        report = load.stop()
    assert result.code == 0, f"{result}\n{events(shared, app, result.document['deployment'], 'smoke')[-1]}"
    assert len(passed(shared, app, result)) == 9
    assert_nothing_lost(report)
    assert_true_and_tidy(shared, app)


# What is wrong with the version, the steps, words of the report.
FAILING = {
    "a JSON field": ("json", HEALTH, 'status: wanted "healthy", got "degraded"'),
    "a film without sound": ("audio", LISTEN, "ended with exit code 1"),
    "a WebSocket that does not echo": ("ws", ECHO, 'wanted a message with "ping", got "broken"'),
}


@pytest.mark.parametrize("case", FAILING)
def test_a_version_that_fails_a_step_is_taken_back_at_once(shared: Station, app: str, case: str) -> None:
    fault, verify, words = FAILING[case]
    with shared.load(app) as load:
        result = deploy(shared, app, verify, fault)
        assert eventually(lambda: shared.get(app, "/health").version == "v1", 10)
        report = load.stop()
    assert (result.code, result.document["status"]) == (5, "switched_back"), str(result)
    assert result.error["code"] == "smoke_failed"
    assert words in result.error["message"]
    smoke = result.document["report"]["smoke"]
    assert words in smoke["why"]
    assert (smoke["number"], smoke["of"]) == (1, 1)
    if fault == "audio":
        assert "the film has no audio stream" in result.document["report"]["log"]
    assert (report.requests > 0, report.failed, report.streams_cut, report.ws_refused) == (True, 0, 0, 0), describe(
        report
    )
    assert_back_at_once(shared, app, result)
    assert_true_and_tidy(shared, app)


def assert_back_at_once(station: Station, app: str, result: Result) -> None:
    """Nothing but the failure itself is told between the failed step and the former release's serving again."""
    told = [e for e in station.events(app) if e["deployment"] == result.document["deployment"]]
    failed = next(n for n, e in enumerate(told) if e["kind"] == "smoke" and e["data"]["status"] == "failed")
    served = next(n for n, e in enumerate(told) if e["data"].get("status") == "serving")
    between = [(e["kind"], e["data"].get("status")) for e in told[failed + 1 : served]]
    assert between == [("step", "failed"), ("state", "taking back")]
    assert told[served]["data"]["release"] == result.document["previous"]


def test_the_flag_lets_it_go_live(shared: Station, app: str) -> None:
    result = deploy(shared, app, HEALTH, "json", "", "--skip-verify")
    assert result.code == 0, str(result)
    assert shared.get(app, "/health").json()["status"] == "degraded"


def test_one_in_twenty_answers_with_500(shared: Station, app: str) -> None:
    with shared.load(app) as load:
        assert eventually(lambda: load.counters().requests > 200, 30)
        result = deploy(shared, app, "verify: {bake: 20s}\n", "errors")
        load.stop()
    assert (result.code, result.document["status"]) == (5, "switched_back"), str(result)
    assert result.error["code"] == "error_rate"
    errors = result.document["report"]["errors"]
    assert errors["service"] == "web"
    assert 0.02 <= errors["rate"] <= 0.2
    assert errors["codes"].keys() == {"500"}
    assert errors["old_rate"] == 0.0
    assert_true_and_tidy(shared, app)


def test_errors_at_the_old_rate_are_not_the_new_versions_fault(shared: Station, app: str) -> None:
    assert deploy(shared, app, QUIET, "errors", "", "--skip-verify").code == 0
    with shared.load(app) as load:
        assert eventually(lambda: load.counters().requests > 200, 30)
        result = deploy(shared, app, "verify: {bake: 6s}\n", "errors-again")
        load.stop()
    assert result.code == 0, str(result)


CURL = """\
verify:
  bake: 0s
  steps:
    - {run: [curl, -fsS, --max-time, "10", $WINDLASS_APP_URL/health], image: "nginx:alpine", within: 60s}
    - {run: [sh, -c, 'curl -fsS --max-time 10 "$WINDLASS_APP_URL"/film.mp4 | wc -c'], image: "nginx:alpine"}
    - {run: [python, listen.py, "${WINDLASS_APP_URL}/film.mp4"], service: web}
"""
CLOSED = "networks: {default: {internal: true}}\n"


@pytest.mark.parametrize("more", ["", CLOSED], ids=["open", "internal"])
def test_the_apps_address_is_reached_from_a_steps_container(shared: Station, app: str, more: str) -> None:
    result = deploy(shared, app, CURL, more=more)
    lines = [e["data"]["text"] for e in events(shared, app, result.document["deployment"], "line")]
    assert result.code == 0, f"{result}\n{lines[-20:]}"
    assert any('"status": "healthy"' in line for line in lines)
    assert "streams: vide soun" in lines
    assert_true_and_tidy(shared, app)


def test_a_crash_ends_the_steps(shared: Station, app: str) -> None:
    verify = "verify: {bake: 60s, steps: [{run: [sleep, '100'], service: web}]}\n"
    with shared.load(app) as load:
        result = deploy(shared, app, verify, "crash")
        report = load.stop()
    assert (result.code, result.error["code"]) == (5, "crashed"), str(result)
    assert (report.failed, report.ws_refused) == (0, 0), describe(report)
    assert_true_and_tidy(shared, app)


def test_killed_in_a_step_it_begins_verify_again(own: Station) -> None:
    name = own.app("prover")
    own.deploy(prover(own.folder / name, "v1", QUIET), name)
    verify = "verify: {bake: 0s, steps: [{get: /health}, {run: [sleep, '6'], service: web}]}\n"
    running = own.begin("deploy", prover(own.folder / name, "v2", verify), "--app", name, "--json")

    def asleep() -> bool:
        """Without a look at each of them: some are just being removed."""
        names = [c["Names"][0] for c in own.engine.client.api.containers(filters={"label": f"windlass.app={name}"})]
        return any("windlass-verify-2" in one and not one.endswith("-net") for one in names)

    assert eventually(asleep, 60)
    own.kill()
    running.wait()
    own.up()
    assert eventually(lambda: not own.status(name)["deployment"], 60)
    assert own.get(name, "/health").version == "v2"
    assert [r["state"] for r in own.releases(name) if r["live"]] == ["live"]
    assert_true_and_tidy(own, name)


def test_the_plan_shows_the_steps(shared: Station, app: str) -> None:
    document = shared.ok("plan", prover(shared.folder / app, "v2", ALL_STEPS), "--app", app)
    steps = document["verify"]["steps"]
    assert [s["request"] for s in steps[:2]] == ["GET /health", "POST /items"]
    assert steps[0]["expects"] == 'status 200, header content-type: application/json, JSON with {"status": "healthy"}'
    assert not any("not carried out" in note for note in document["notes"])


REFUSED = {
    "smoke_host_unknown": "{get: /, host: other.example.com}",
    "smoke_file_missing": "{put: /upload, file: clips/b.wav}",
    "task_service_unknown": "{run: [true], service: wep}",
}


@pytest.mark.parametrize("code", REFUSED)
def test_what_could_only_fail_is_refused_before(shared: Station, app: str, code: str) -> None:
    result = deploy(shared, app, f"verify: {{steps: [{REFUSED[code]}]}}\n")
    assert (result.code, result.document["status"]) == (3, "refused"), str(result)
    assert code in result.codes
