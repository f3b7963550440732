"""Repositories that no webhook tells of are asked every now and then, by jobs of the queue, one at a time."""

from __future__ import annotations

from windlass.domain import names
from windlass.domain.errors import WindlassError
from windlass.domain.records import Job
from windlass.domain.sources import Source, SourceKind
from windlass.ports.outside import Outside
from windlass.usecases.auditing import record
from windlass.usecases.fetching import access_to
from windlass.usecases.requests import DeployRequest, request_deploy

KIND = "poll"
ACTOR = "poll (git)"  # in the audit log; no user has such a name
LOCK = "windlass:polls"  # one for all: a server that is slow to answer never holds more than one thread of the worker


def begin_polling(outside: Outside, source: Source) -> None:
    """From now on, if it is to be polled at all; polls of an older setting end by themselves."""
    if source.poll_s and source.kind is SourceKind.GIT:
        _enqueue(outside, source, 0, outside.clock.now())


def poll(outside: Outside, job: Job) -> None:
    """Look once, and deploy when the branch has moved. The next look is queued first, so that nothing ends the row."""
    app = str(job.args["app"])
    source = outside.store.sources.find(app)
    if source is None or source.set_at != float(job.args["set_at"]) or not source.poll_s:
        return
    _enqueue(outside, source, int(job.args["number"]) + 1, outside.clock.now() + source.poll_s)
    try:
        _look(outside, source)
        problem = ""
    except WindlassError as error:
        problem = error.message
    if problem != source.problem:
        outside.store.sources.update(app, problem=problem)
        if problem:
            outside.store.events.add(outside.clock.now(), app, "", "warning", {"text": f"polling: {problem}"})


def _look(outside: Outside, source: Source) -> None:
    """The first deploy is the operator's; until then a commit is only remembered."""
    sha = outside.git.head(source.url, source.branch, access=access_to(outside, source))
    if sha == source.seen:
        return
    known = outside.store.apps.get(source.app)
    live = outside.store.releases.get(source.app, known.live) if known.live is not None else None
    if live is not None and live.commit != sha:
        shown = names.shown(source.app)
        record(outside, ACTOR, "", "app.deploy", app=source.app, data={"branch": source.branch, "commit": sha})
        request_deploy(outside, DeployRequest(shown, "source", trigger="poll", by="poll"))
    outside.store.sources.update(source.app, seen=sha)


def _enqueue(outside: Outside, source: Source, number: int, at: float) -> None:
    """Under a name that follows from its place in the row, so that a poll which is repeated queues no second one."""
    id = f"poll-{source.app}-{source.set_at:.6f}-{number}"
    if outside.store.jobs.get(id) is None:
        args = {"app": source.app, "set_at": source.set_at, "number": number}
        outside.store.jobs.enqueue(Job(id, KIND, LOCK, args, "queued", outside.clock.now(), at))
