"""What the worker runs, by the kind of job."""

from __future__ import annotations

from windlass.domain.errors import NotFound
from windlass.domain.records import Job
from windlass.ports.outside import Outside
from windlass.usecases.control import Control
from windlass.usecases.cooling import cool_down
from windlass.usecases.deploy import run_deployment
from windlass.usecases.patience import wait_for_engine


def run_job(outside: Outside, job: Job, control: Control) -> str:
    """Returns the state the job ends in. A job whose engine is away waits for it."""
    wait_for_engine(outside, control)
    try:
        if job.kind == "deployment":
            run_deployment(outside, str(job.args["deployment"]), control)
        elif job.kind == "cool":
            cool_down(outside, str(job.args["app"]), int(job.args["release"]), control)
    except NotFound as error:
        outside.store.events.add(outside.clock.now(), job.lock_key, "", "warning", {"text": error.message})
        return "failed"
    return "done"
