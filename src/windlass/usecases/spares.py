"""Services of profiles that nobody asked for, in which commands of windlass.yaml run: known, and never started."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace

from windlass.domain.compose import Model
from windlass.domain.errors import Refused
from windlass.domain.modelreader import read_model
from windlass.domain.screening import screen_model
from windlass.domain.tasks import Task
from windlass.ports.outside import Outside
from windlass.ports.sources import ComposeSource

EVERY_PROFILE = ("*",)


@dataclass(frozen=True)
class Surroundings:
    """How the project is read: its source, whether `env_file`s count, and what leads out of its folder."""

    source: ComposeSource
    env_files: bool
    leads_outside: Callable[[str], bool]


def with_spares(outside: Outside, around: Surroundings, model: Model, tasks: Iterable[Task]) -> Model:
    """The model with those services too, and what they use; the model as it is when none is missing or can be had.

    Their `env_file`s are not read unless all of the project, in whatever profile, lie inside of it.
    """
    wanted = {t.service for t in tasks if t.service} - set(model.services)
    if not wanted:
        return model
    every = replace(around.source, profiles=EVERY_PROFILE)
    try:
        whole = read_model(outside.compose.resolve(every, env_files=False).document)
        problems = screen_model(whole, str(every.directory), around.leads_outside)
        if any(detail.code == "path_outside" for detail in problems):
            wanted = set(whole.services)  # so that whoever screens the model finds it
        elif around.env_files:
            whole = read_model(outside.compose.resolve(every).document)
    except Refused:  # a profile that cannot be read is told as the service that is not there
        return model
    return _chosen(model, whole, wanted)


def _chosen(model: Model, every: Model, wanted: Collection[str]) -> Model:
    spares = {n: every.services[n] for n in sorted(wanted) if n in every.services}
    used = {key for s in spares.values() for key in (*s.networks, *(m.source for m in s.mounts))}
    return replace(
        model,
        services={**model.services, **spares},
        networks={**{k: n for k, n in every.networks.items() if k in used}, **model.networks},
        volumes={**{k: v for k, v in every.volumes.items() if k in used}, **model.volumes},
        secrets={**every.secrets, **model.secrets},
        configs={**every.configs, **model.configs},
    )
