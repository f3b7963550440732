"""The demo: an example goes through good and bad releases under load, and every request is counted."""

from __future__ import annotations

import importlib.util
import json
import secrets
import shutil
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import windlass
from windlass.cli.demo_stage import Stage
from windlass.cli.load import BackgroundLoad, LoadProfile
from windlass.cli.load_report import Counters, LoadReport
from windlass.cli.session import Session, Target, UpOptions, print_json
from windlass.cli.watch import Left, Watch
from windlass.client.client import Client
from windlass.domain.errors import NotFound, Usage
from windlass.wire.bodies import DeployBody

APP = "guestbook"
FIRST_PORT = 8088
MARK = "demo.json"
SETTLE_S = 0.7
SOCKET_PATH = 100
PROBE = "probe: {http: /ready, port: 8000}"
QUICKER = (("bake: 10s", "bake: 4s"), (PROBE, f"{PROBE}\n    drain: 4s"))
IMPATIENT = (PROBE, PROBE.replace("}", ", within: 8s}"))


@dataclass(frozen=True)
class DemoOptions:
    """`home` None: one beside the ordinary home. `rate`: requests per second of the load."""

    home: Path | None = None
    http_port: int | None = None
    rate: float = 40.0
    remove: bool = False


@dataclass(frozen=True)
class Act:
    """One thing that is tried while the load goes on; `version` "" is a rollback to the first release.

    `crashes`: the version ends by itself while it serves, and with it the streams that it had begun to send: nobody
    else can end them. They are told, and not held against windlass.
    """

    title: str
    version: str
    wanted: tuple[str, ...]
    serves: str
    impatient: bool = False
    crashes: bool = False


LIVE, TAKEN_BACK = ("live",), ("failed", "switched_back")
ACTS = (
    Act("version 2", "v2", LIVE, "v2"),
    Act("one that crashes at start", "bad-crash", TAKEN_BACK, "v2"),
    Act("one that is never ready", "bad-unready", TAKEN_BACK, "v2", impatient=True),
    Act("one that crashes when live", "bad-late-crash", TAKEN_BACK, "v2", crashes=True),
    Act("rollback to version 1", "", LIVE, "v1"),
)


@dataclass(frozen=True)
class Outcome:
    """What became of an act; counts are of the time from its begin to its end. `cut`: streams that a crash cut."""

    title: str
    status: str
    seconds: float
    live_seconds: float | None
    requests: int
    failed: int
    cut: int
    serving: str
    reason: str = ""
    ok: bool = False


@dataclass
class Demo:
    """A demo at work: `client` speaks to its own control plane."""

    stage: Stage
    client: Client
    folder: Path
    port: int
    options: DemoOptions
    first_release: int = 0
    outcomes: list[Outcome] = field(default_factory=list)

    @property
    def host(self) -> str:
        return f"{APP}.localhost"

    @property
    def url(self) -> str:
        return f"http://{self.host}{'' if self.port == 80 else f':{self.port}'}/"


def run(session: Session, options: DemoOptions) -> int:
    """Exit code 0 when no request failed, every bad version was taken back and every good one went live, else 1."""
    home = (options.home or _default_home(session.target.home)).absolute()
    if options.remove:
        return _remove(session, home)
    make = _maker()
    stage = Stage(session.json)
    stage.head("windlass demo", "one example, six deployments, every request counted")
    begun = time.monotonic()
    demo = _begin(session, home, options, stage)
    _first_version(demo, make)
    load = BackgroundLoad(LoadProfile("127.0.0.1", demo.port, demo.host, rate=options.rate, post_path="/echo"))
    stage.say(f"load: {options.rate:g} requests a second, streams and WebSockets, from now on")
    with load:
        time.sleep(SETTLE_S)
        for act in ACTS:
            _play(demo, load, act, make)
        report = load.stop()
    return _end(session, demo, report, time.monotonic() - begun)


# --- where -----------------------------------------------------------------------------------------------------------


def _default_home(ordinary: Path) -> Path:
    """Beside the ordinary home, which the demo never touches."""
    return ordinary.with_name(ordinary.name + "-demo")


def _maker() -> Callable[[str, Path], Path]:
    """The example's own program that makes a version of it."""
    root = Path(windlass.__file__).resolve().parents[2]
    program = root / "examples" / APP / "versions" / "make.py"
    if not program.is_file():
        raise Usage(
            f"the demo deploys the examples, and there are none at {program.parents[2]}",
            code="no_examples",
            hint="run it from a source checkout: git clone, then make demo",
        )
    spec = importlib.util.spec_from_file_location("guestbook_versions", program)
    if spec is None or spec.loader is None:
        raise Usage(f"{program} cannot be read", code="no_examples")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    made: Callable[[str, Path], Path] = module.make
    return made


def _begin(session: Session, home: Path, options: DemoOptions, stage: Stage) -> Demo:
    if (home / "settings.json").exists() and not (home / MARK).exists():
        raise Usage(
            f"{home} is an ordinary windlass home, which the demo leaves alone", hint="windlass demo --home DIR"
        )
    if len(str(_socket(home))) >= SOCKET_PATH:
        raise Usage(f"the path {home} is too long for a socket in it", hint="windlass demo --home /var/tmp/demo")
    port = options.http_port
    if port is None and not (home / MARK).exists():
        port = _free_port()
    with stage.doing("control plane and edge"):
        document = session.launcher.up(UpOptions(home=home, http_port=port), lambda text: None)
    (home / MARK).write_text(json.dumps({"app": APP}))
    actual = int(document["edge"]["http_port"])
    stage.done(f"control plane and edge are up, HTTP on port {actual}, home {home}")
    target = Target(home, _socket(home))
    return Demo(stage, Client.at(target), home / "demo", actual, options)


def _socket(home: Path) -> Path:
    return home / "run" / "api.sock"


def _free_port() -> int:
    for port in range(FIRST_PORT, FIRST_PORT + 200):
        with socket.socket() as probe:
            try:
                probe.bind(("", port))
            except OSError:
                continue
            return port
    raise Usage("no free port was found for the demo", hint="windlass demo --http PORT")


# --- deploying -------------------------------------------------------------------------------------------------------


def _first_version(demo: Demo, make: Callable[[str, Path], Path]) -> None:
    with demo.stage.doing("version 1: build and first start (the first time this takes a while)") as progress:
        document = _deploy(demo, make, "v1", False, progress)
    if document["status"] not in ("live", "unchanged"):
        raise Usage(_reason(document), code="demo_not_begun", hint="windlass doctor")
    demo.first_release = int(document["release"])
    demo.stage.done(f"version 1 is live after {document['live_seconds'] or document['seconds']:.1f} s at {demo.url}")


def _deploy(
    demo: Demo, make: Callable[[str, Path], Path], version: str, impatient: bool, progress: Any
) -> dict[str, Any]:
    source = make(version, demo.folder / version)
    _quicken(source / "windlass.yaml", impatient)
    body = DeployBody(values=_secrets(demo), force=True)
    queued = demo.client.submit(APP, "deployments", body, source)
    return _wait(demo, queued, progress)


def _quicken(manifest: Path, impatient: bool) -> None:
    """Shorter waits than an operator would choose, so that the demo is over soon."""
    text = manifest.read_text()
    for written, wanted in QUICKER if not impatient else (*QUICKER, IMPATIENT):
        if written not in text:
            raise Usage(f"{manifest.name} of the example has no {written.strip()!r}", code="demo_example_differs")
        text = text.replace(written, wanted)
    manifest.write_text(text)


def _secrets(demo: Demo) -> dict[str, str]:
    """The database's password: made up once, then kept by windlass."""
    try:
        known = {item["name"] for item in demo.client.get("apps", APP, "env")["items"]}
    except NotFound:
        known = set()
    return {} if "POSTGRES_PASSWORD" in known else {"POSTGRES_PASSWORD": secrets.token_urlsafe(18)}


def _wait(demo: Demo, queued: dict[str, Any], progress: Any) -> dict[str, Any]:
    try:
        return Watch(demo.client, APP, str(queued["deployment"]), progress).run()
    except Left:
        raise KeyboardInterrupt from None


def _play(demo: Demo, load: BackgroundLoad, act: Act, make: Callable[[str, Path], Path]) -> None:
    before = load.counters()
    with demo.stage.doing(act.title, lambda: _ticker(load.counters(), before)) as progress:
        progress.on_state(load.expect_switch, "taking back")
        if act.version:
            document = _deploy(demo, make, act.version, act.impatient, progress)
        else:
            load.expect_switch()
            document = _wait(demo, demo.client.rollback(APP, demo.first_release), progress)
        time.sleep(SETTLE_S)
    if act.wanted is TAKEN_BACK:
        load.expect_switch()
    outcome = _judge(act, document, before, load.counters())
    demo.outcomes.append(outcome)
    demo.stage.outcome(outcome)


def _ticker(now: Counters, before: Counters) -> str:
    failed = _failed(now) - _failed(before)
    return f"{now.requests - before.requests} requests, {failed} failed, {now.version} serves"


def _failed(counters: Counters) -> int:
    return counters.failed + counters.streams_cut


def _judge(act: Act, document: dict[str, Any], before: Counters, after: Counters) -> Outcome:
    cut = after.streams_cut - before.streams_cut if act.crashes else 0
    failed = _failed(after) - _failed(before) - cut
    return Outcome(
        title=act.title,
        status=str(document["status"]),
        seconds=float(document["seconds"]),
        live_seconds=document["live_seconds"],
        requests=after.requests - before.requests,
        failed=failed,
        cut=cut,
        serving=after.version,
        reason=_reason(document) if document.get("error") else "",
        ok=failed == 0 and document["status"] in act.wanted and after.version == act.serves,
    )


def _reason(document: dict[str, Any]) -> str:
    error = document.get("error") or {}
    return str(error.get("message", document.get("status", "")))


# --- the end ---------------------------------------------------------------------------------------------------------


def _end(session: Session, demo: Demo, report: LoadReport, seconds: float) -> int:
    cut = sum(outcome.cut for outcome in demo.outcomes)
    failed = report.failed + report.streams_cut - cut
    well = failed == 0 and all(o.ok for o in demo.outcomes)
    demo.stage.end(demo.outcomes, report, failed, seconds)
    if failed:
        demo.stage.failures(report)
    home = "" if demo.options.home is None else f" --home {demo.options.home}"
    demo.stage.advice(demo.url, home, str(demo.folder.parent))
    if session.json:
        print_json(
            {
                "ok": well,
                "url": demo.url,
                "seconds": round(seconds, 1),
                "requests": report.requests,
                "failed_requests": failed,
                "streams": report.streams,
                "streams_cut_by_the_crash": cut,
                "latency_ms": asdict(report.latency_ms),
                "items": [asdict(outcome) for outcome in demo.outcomes],
            }
        )
    return 0 if well else 1


def _remove(session: Session, home: Path) -> int:
    """The demo's app with its data, its control plane, its edge and its home."""
    if not (home / MARK).exists():
        session.say(f"there is no demo at {home}")
        return 0
    document = session.launcher.up(UpOptions(home=home), session.say)
    try:
        Client.at(Target(home, _socket(home))).call("DELETE", ("apps", APP), query={"data": "true"})
    except NotFound:
        session.say("its app is gone already")
    session.launcher.down(home, True, session.say)
    shutil.rmtree(home)
    told = {"removed": str(home), "http_port": document["edge"].get("http_port")}
    session.show(told, lambda _: f"the demo at {home} is removed")
    sys.stdout.flush()
    return 0
