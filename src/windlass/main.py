"""Joins the parts: builds the adapters from the settings, and runs the command line or the control plane."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import sys
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

from windlass import __version__, settings
from windlass.cli.session import Target, UpOptions
from windlass.domain.errors import WindlassError
from windlass.settings import HOME_VARIABLE, Settings
from windlass.wire import error_document

if TYPE_CHECKING:
    from windlass.ports.edge import Edge
    from windlass.ports.engine import Engine
    from windlass.ports.outside import Outside
    from windlass.ports.store import Store
    from windlass.worker import Worker

LOCK_WAIT_S = 30.0
STOP_WAIT_S = 2.0
EDGE_CHECK_S = 30.0
EDGE_RETRY_S = 2.0
MEND_S = 60.0
REDACTION_S = 2.0

UNUSED = ("rich", "charset_normalizer")
"""What libraries draw in for coloured tracebacks and for guessing a text's encoding: 6 MB for nothing in `serve`."""

Say = Callable[[str], None]


def main() -> None:
    """The command `windlass`. Whatever a command needs beyond the line is imported when it is needed."""
    from windlass.cli.app import run

    try:
        known = settings.load()
        url = os.environ.get("WINDLASS_URL", "")
        target = Target(known.home, known.socket, url, os.environ.get("WINDLASS_TOKEN", "") if url else "")
        sys.exit(run(sys.argv[1:], target, _Launcher()))
    except Exception as error:
        if os.environ.get("WINDLASS_DEBUG"):
            raise
        words = (
            f"error: unexpected {type(error).__name__}: {error}\nnext:  WINDLASS_DEBUG=1 shows where; please report it"
        )
        print(words, file=sys.stderr)
        sys.exit(WindlassError.exit_code)


class _Launcher:
    """up, down and serve, for the command line."""

    def up(self, options: UpOptions, say: Say) -> dict[str, Any]:
        from windlass import launch

        return launch.up(options, say)

    def down(self, home: Path | None, edge: bool, say: Say) -> dict[str, Any]:
        from windlass import launch

        known = settings.load(home)
        stop_edge = (lambda: build_edge(known, build_engine(known)).stop()) if edge else None
        return launch.down(known, stop_edge, say)

    def backup(self, home: Path | None, file: str, passphrase: str) -> dict[str, Any]:
        from windlass import safekeeping

        return safekeeping.backup(home, file, passphrase)

    def restore(self, home: Path | None, file: Path, passphrase: str) -> dict[str, Any]:
        from windlass import safekeeping

        return safekeeping.restore(home, file, passphrase)

    def copy_database(self, home: Path | None, url: str) -> dict[str, Any]:
        from windlass import safekeeping

        return safekeeping.copy_database(home, url)

    def serve(self, home: Path | None) -> None:
        known = settings.load(home)
        os.environ[HOME_VARIABLE] = str(known.home)
        warnings.filterwarnings("ignore", message="Unable to find acceptable character detection")
        sys.modules.update(dict.fromkeys(UNUSED, cast(ModuleType, None)))  # None says to Python: not installed
        ControlPlane(known if known.instance else settings.save(known)).run()


def build_engine(known: Settings) -> Engine:
    from windlass.adapters.engine.engine import DockerEngine

    return DockerEngine(known.docker_host)


def build_edge(known: Settings, engine: Engine) -> Edge:
    from windlass.adapters.edge.container import Address
    from windlass.adapters.edge.edge import TraefikEdge
    from windlass.adapters.machine import LocalMachine

    return TraefikEdge(engine, known.home / "edge", Address(known.instance, known.http_port), LocalMachine().holder)


def build_outside(known: Settings, store: Store) -> Outside:
    from windlass.adapters.caller import HttpCaller
    from windlass.adapters.clock import SystemClock
    from windlass.adapters.compose import ComposeProgram
    from windlass.adapters.git import GitCli
    from windlass.adapters.gitremote import GitRules
    from windlass.adapters.machine import LocalMachine
    from windlass.adapters.oidc import HttpOidc
    from windlass.adapters.outpost.outpost import ChildOutposts
    from windlass.adapters.owner import owner_name
    from windlass.adapters.probe import NetworkProber
    from windlass.adapters.trees import FolderTrees
    from windlass.adapters.visitor import EdgeVisitor
    from windlass.domain.queueing import Limits
    from windlass.ports.outside import Outside

    engine = build_engine(known)
    return Outside(
        instance=known.instance,
        store=store,
        engine=engine,
        compose=ComposeProgram(known.docker_host),
        git=GitCli(GitRules(allow_local=True)),  # whose address may be a local path, the API has decided
        trees=FolderTrees(known.home),
        edge=build_edge(known, engine),
        prober=NetworkProber(),
        outposts=ChildOutposts(engine),
        visitor=EdgeVisitor(known.http_port),
        machine=LocalMachine(),
        clock=SystemClock(),
        caller=HttpCaller(),
        oidc=HttpOidc(),
        pool=known.pool,
        http_port=known.http_port,
        hooks_host=known.hooks_host,
        limits=Limits(known.deploys, known.builds),
        owner=owner_name(),
    )


class ControlPlane:
    """API, worker, reconciler and the keeper of the edge, in one process."""

    def __init__(self, known: Settings) -> None:
        from windlass.launch import identity_of

        self._known = known
        self._started_at = time.time()
        self._identity = identity_of(known)
        self._stopping = threading.Event()
        self._edge: dict[str, Any] = {"state": "starting", "http_port": known.http_port, "tries": 0}
        self._hooks_port = 0

    def run(self) -> None:
        """Until SIGTERM; what runs then is left as it is, for the next start to take up."""
        from windlass.adapters import daemon
        from windlass.launch import failure_file, locks_of

        daemon.hold(locks_of(self._known).server, LOCK_WAIT_S)
        failure = failure_file(self._known)
        try:
            self._run()
        except Exception as error:
            told = error if isinstance(error, WindlassError) else WindlassError(f"{type(error).__name__}: {error}")
            failure.write_text(json.dumps(error_document(told) | {"exit_code": told.exit_code}))
            raise
        daemon.end_children()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)  # threads that wait for the engine or for a child have nothing left to do

    def _run(self) -> None:
        from windlass.adapters.log import open_log
        from windlass.adapters.loopbackports import kept_port
        from windlass.adapters.store.store import open_store
        from windlass.launch import database_of
        from windlass.usecases.takeover import check_unfinished
        from windlass.web.options import WebOptions
        from windlass.web.server import build_app
        from windlass.web.serving import Listeners, Serving

        known = self._known
        store = open_store(database_of(known), known.home / "secret.key")
        if "alembic" in sys.modules:
            store.close()
            os.execv(sys.executable, sys.orig_argv)  # a migration's tools stay in memory: begin anew without them
        outside = build_outside(known, store)
        check_unfinished(outside)
        _adopt_token(known, outside)
        open_log(known.log_file, LogRedaction(outside))
        options = WebOptions(known.upload_limit, self.describe)
        allow = tuple(known.admin_allow.split(",")) if known.admin_allow else ()
        if known.hooks_host:
            self._hooks_port = kept_port(known.home / "run" / "hooks.port")
        hooks = f"127.0.0.1:{self._hooks_port}" if self._hooks_port else ""
        listeners = Listeners(
            known.socket, known.listen, known.tls_cert, known.tls_key, known.admin_listen, allow, hooks=hooks
        )
        serving = Serving(build_app(outside, options), listeners)
        worker = _build_worker(outside)
        gc.collect()
        gc.freeze()  # what is loaded stays: looking through it again would hold up a request for a tenth of a second
        serving.run(lambda: self._go(outside, worker))
        self._stopping.set()
        worker.stop()
        worker.join(STOP_WAIT_S)
        store.close()

    def _go(self, outside: Outside, worker: Worker) -> None:
        """Everything beside the API; begun when that answers."""
        from windlass.adapters.owner import owner_alive
        from windlass.usecases.keys import resume_rotation
        from windlass.usecases.mending import mend_queue
        from windlass.usecases.reconcile import Reconciler
        from windlass.usecases.removal import resume

        alone = not self._known.database_url
        outside.store.jobs.release_owner(lambda owner: owner_alive(owner, alone=alone))
        mend_queue(outside)
        worker.start()
        reconciler = Reconciler(outside)
        self._in_background("reconciler", lambda: reconciler.run(self._stopping.is_set))
        threading.Thread(target=resume, args=(outside,), name="removals", daemon=True).start()
        threading.Thread(target=resume_rotation, args=(outside,), name="key", daemon=True).start()
        self._in_background("edge", lambda: self._keep_edge(outside.edge))
        self._in_background("queue", lambda: self._keep_queue(lambda: mend_queue(outside)))

    def _in_background(self, name: str, work: Callable[[], None]) -> None:
        """In a thread, begun again after whatever error."""
        import structlog

        def run() -> None:
            while not self._stopping.is_set():
                try:
                    work()
                except Exception:
                    structlog.get_logger(name).exception("it failed and is begun again")
                self._stopping.wait(1.0)

        threading.Thread(target=run, name=name, daemon=True).start()

    def _keep_edge(self, edge: Edge) -> None:
        """Bring the edge up, and again whenever it is not there."""
        while not self._stopping.is_set():
            found: dict[str, Any] = {"http_port": self._known.http_port, "tries": self._edge["tries"] + 1}
            try:
                version = edge.ensure().version
                edge.carry_hooks(self._known.hooks_host, self._hooks_port)
                self._edge = {**found, "state": "ready", "version": version}
            except WindlassError as error:
                self._edge = {**found, "state": "failed", "exit_code": error.exit_code, **error_document(error)}
            self._stopping.wait(EDGE_CHECK_S if self._edge["state"] == "ready" else EDGE_RETRY_S)

    def _keep_queue(self, mend: Callable[[], list[str]]) -> None:
        """Nothing is ever under way that nobody works on."""
        while not self._stopping.wait(MEND_S):
            mend()

    def describe(self) -> dict[str, Any]:
        """This process and its edge."""
        known = self._known
        return {
            "version": __version__,
            "home": str(known.home),
            "instance": known.instance,
            "pid": os.getpid(),
            "started_at": self._started_at,
            "identity": self._identity,
            "listen": known.listen,
            "url": known.url,
            "admin_url": known.admin_url,
            "hooks_url": known.hooks_url,
            "edge": self._edge,
            "deploys": known.deploys,
            "builds": known.builds,
        }


def _build_worker(outside: Outside) -> Worker:
    from windlass.usecases.jobs import at_once, break_off, run_job
    from windlass.worker import Worker, WorkerOptions

    limits = at_once(outside.limits)
    return Worker(
        outside.store.jobs,
        outside.clock,
        outside.owner,
        lambda job, control: run_job(outside, job, control),
        WorkerOptions(sum(limits.values()) + 1, limits),
        on_error=lambda job, error: break_off(outside, job, error),
    )


class LogRedaction:
    """Takes the values of every app's variables out of the log; looks for new ones every other second."""

    def __init__(self, outside: Outside) -> None:
        from windlass.domain.redact import Redactor

        self._make = Redactor
        self._outside = outside
        self._made_at = 0.0
        self._mark = ""
        self._redactor = Redactor()

    def __call__(self, data: Any) -> Any:
        now = time.monotonic()
        if now - self._made_at > REDACTION_S:
            self._made_at = now
            with contextlib.suppress(WindlassError):
                self._look()
        return self._redactor.redact_data(data)

    def _look(self) -> None:
        """What a redactor knows takes time to read and to prepare; mostly nothing has changed."""
        known = self._outside.store.secret_values
        mark = known.mark()
        if mark != self._mark:
            self._redactor, self._mark = self._make(known.all()), mark


def _adopt_token(known: Settings, outside: Outside) -> None:
    """Earlier versions kept the only token's hash in a file."""
    from windlass.usecases.tokens import adopt_token

    file = known.home / "api.token"
    if file.exists():
        adopt_token(outside, file.read_text().strip())
        file.unlink()
