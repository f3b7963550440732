"""What an app's containers say: one stream of all services, without secrets and control sequences."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from windlass.domain.errors import Conflict, NotFound, OutOfReach, WindlassError
from windlass.domain.redact import Redactor, clean
from windlass.domain.release import base_project, generation_project
from windlass.ports.engine import Container, LogLine
from windlass.ports.outside import Outside
from windlass.usecases.liveapp import docker_name, part_of
from windlass.usecases.undertaking import is_owned, load_kept
from windlass.usecases.variables import redactor_for

LOOK_S = 0.5
RESCAN_S = 5.0
QUEUED_LINES = 2000

Stop = Callable[[], bool]


@dataclass(frozen=True)
class LogQuery:
    """`tail`: the last lines of each container, None for all. `since`: seconds since the epoch."""

    app: str
    service: str | None = None
    tail: int | None = 100
    since: float | None = None


def logs(outside: Outside, query: LogQuery) -> list[dict[str, Any]]:
    """Lines of the live release and the base in the order of time.

    Each is {"at", "service", "container", "release", "stream", "text"}. Raises NotFound (app, service), OutOfReach.
    """
    app = _checked(outside, query)
    redactor = redactor_for(outside, app)
    found = _containers(outside, app, query.service)
    if not found or query.tail == 0:
        return []
    with ThreadPoolExecutor(max_workers=min(8, len(found))) as pool:
        read = list(pool.map(lambda c: _read(outside, c, query), found))
    items = [_item(c, line, redactor) for c, lines in zip(found, read, strict=True) for line in lines]
    return sorted(items, key=lambda item: str(item["at"]))


def _checked(outside: Outside, query: LogQuery) -> str:
    app = docker_name(query.app)
    live = outside.store.apps.get(app).live
    if query.service is not None and live is not None:
        part_of(load_kept(outside, app, live).snapshot, query.service)
    return app


def _containers(outside: Outside, app: str, service: str | None) -> list[Container]:
    """Of the base and the live generation; before the first release is live, of the one that is being tried."""
    release = outside.store.apps.get(app).live
    if release is None:
        tried = [d.release for d in outside.store.deployments.unfinished(app) if d.release is not None]
        release = tried[-1] if tried else None
    projects = {base_project(app)} | ({generation_project(app, release)} if release is not None else set())
    return [
        c
        for c in outside.engine.containers({"windlass.instance": outside.instance, "windlass.app": app})
        if c.labels.get("com.docker.compose.project") in projects
        and service in (None, c.labels.get("windlass.service"))
        and is_owned(outside, app, c)
    ]


def _read(outside: Outside, container: Container, query: LogQuery) -> list[LogLine]:
    try:
        return outside.engine.logs(container.id, query.tail, query.since)
    except (NotFound, Conflict):  # removed meanwhile, or its log driver keeps nothing to read
        return []


def _item(container: Container, line: LogLine, redactor: Redactor) -> dict[str, Any]:
    release = container.labels.get("windlass.release", "")
    return {
        "at": line.at,
        "service": container.labels.get("windlass.service", ""),
        "container": container.name,
        "release": int(release) if release.isdigit() else None,
        "stream": line.stream,
        "text": redactor.redact(clean(line.text)),
    }


# --- following -------------------------------------------------------------------------------------------------------


@dataclass
class _Reader:
    """One container that is followed; `last` is the time of the last line that was passed on."""

    container: Container
    last: str = ""
    thread: threading.Thread | None = None

    @property
    def is_reading(self) -> bool:
        return self.thread is not None and self.thread.is_alive()

    @property
    def broke_off(self) -> bool:
        """Its log ended though the container was up when last looked at."""
        return not self.is_reading and self.container.state in ("running", "restarting")


@dataclass
class _Following:
    """What the threads of one follower share."""

    outside: Outside
    app: str
    service: str | None
    stop: Stop
    redactor: Redactor
    lines: queue.Queue[dict[str, Any]] = field(default_factory=lambda: queue.Queue(QUEUED_LINES))
    readers: dict[str, _Reader] = field(default_factory=dict)
    over: threading.Event = field(default_factory=threading.Event)

    def is_over(self) -> bool:
        return self.over.is_set() or self.stop()


def follow_logs(outside: Outside, query: LogQuery, stop: Stop) -> Iterator[dict[str, Any]]:
    """The last lines, then lines as they are written, also of releases to come.

    Ends when `stop()` says so (within a second) and when the app is removed. An engine that is away is waited for.
    """
    app = _checked(outside, query)
    begun = outside.clock.now()
    following = _Following(outside, app, query.service, stop, redactor_for(outside, app))
    for container in _containers(outside, app, query.service):
        following.readers[container.id] = _Reader(container)
    by_name = {r.container.name: r for r in following.readers.values()}
    for item in logs(outside, query):
        if item["container"] in by_name:
            by_name[item["container"]].last = str(item["at"])
        yield item
    first = begun if query.since is None else query.since
    scout = threading.Thread(target=_scout, args=(following, first), name=f"logs-{app}", daemon=True)
    scout.start()
    try:
        yield from _passed_on(following, scout)
    finally:
        following.over.set()


def _passed_on(following: _Following, scout: threading.Thread) -> Iterator[dict[str, Any]]:
    while not following.stop():
        try:
            yield following.lines.get(timeout=0.1)
        except queue.Empty:
            if not scout.is_alive():
                return


def _scout(following: _Following, first: float) -> None:
    """Finds containers to follow: at once when another release goes live, else every few seconds."""
    clock = following.outside.clock
    seen_live: int | None = -1
    next_scan = 0.0
    known = set(following.readers)
    while not following.is_over():
        app = following.outside.store.apps.find(following.app)
        if app is None:
            return
        ended = any(r.broke_off for r in following.readers.values())
        if app.live != seen_live or ended or clock.monotonic() >= next_scan:
            with suppress(WindlassError):
                _scan(following, known, first)
                seen_live = app.live
            next_scan = clock.monotonic() + RESCAN_S
        following.over.wait(LOOK_S)


def _scan(following: _Following, known: set[str], first: float) -> None:
    """Begin to read what is not read: what was there at first from then on, what came later from its beginning."""
    following.redactor = redactor_for(following.outside, following.app)
    found = {c.id: c for c in _containers(following.outside, following.app, following.service)}
    for ref, container in found.items():
        reader = following.readers.setdefault(ref, _Reader(container))
        reader.container = container
        if reader.is_reading or (reader.thread is not None and container.state != "running"):
            continue
        since = _seconds(reader.last) if reader.last else (first if ref in known else None)
        reader.thread = threading.Thread(target=_follow_one, args=(following, reader, since), daemon=True)
        reader.thread.start()
    for ref in [r for r, reader in following.readers.items() if r not in found and not reader.is_reading]:
        del following.readers[ref]


def _follow_one(following: _Following, reader: _Reader, since: float | None) -> None:
    seam = reader.last  # up to here it was passed on before; the engine gives the line at this moment once more
    with suppress(NotFound, OutOfReach, Conflict):
        for line in following.outside.engine.follow(reader.container.id, since, following.is_over):
            if line.at <= seam:
                continue
            reader.last = max(reader.last, line.at)
            _offer(following, _item(reader.container, line, following.redactor))
            if following.is_over():
                return


def _offer(following: _Following, item: dict[str, Any]) -> None:
    """A reader waits for a slow listener; it gives up with it."""
    while not following.is_over():
        try:
            following.lines.put(item, timeout=0.5)
            return
        except queue.Full:
            continue


def _seconds(at: str) -> float:
    """The engine writes nanoseconds; what is cut off here is told apart by the whole text again."""
    try:
        return datetime.fromisoformat(at[:26].rstrip("Z") + "+00:00").timestamp()
    except ValueError:
        return 0.0
