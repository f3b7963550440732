"""What is in order, in one line for each check whose faults are found elsewhere."""

from __future__ import annotations

from windlass.domain.checks import Finding, found_ok
from windlass.domain.release import Strategy
from windlass.usecases.routes import default_host
from windlass.usecases.scene import Scene

_WORDS = {
    Strategy.KEEP: "in the base",
    Strategy.ROLLING: "beside the old version",
    Strategy.RECREATE: "swapped at the switch",
    Strategy.JOB: "run to their end",
}


def settled(scene: Scene) -> list[Finding]:
    """As if nothing were wrong; whoever knows better leaves a line out."""
    return [
        found_ok("compose", _compose(scene)),
        found_ok("contract", f"{_count(len(scene.project.values), 'variable')}, as they have to be"),
        found_ok("consent", _consent(scene)),
        found_ok("placement", _placement(scene)),
        found_ok("routes", _routes(scene)),
        found_ok("files", _files(scene)),
    ]


def _compose(scene: Scene) -> str:
    model = scene.model
    counted = ((model.services, "service"), (model.networks, "network"), (model.volumes, "volume"))
    return ", ".join(_count(len(things), word) for things, word in counted)


def _consent(scene: Scene) -> str:
    items = [wish.item for wish in scene.project.wishes]
    return f"given: {', '.join(items)}" if items else "nothing asks for more than its own containers"


def _placement(scene: Scene) -> str:
    groups: dict[Strategy, list[str]] = {}
    for placement in scene.placements.values():
        groups.setdefault(placement.strategy, []).append(placement.service)
    return "; ".join(f"{_WORDS[strategy]}: {', '.join(names)}" for strategy, names in groups.items())


def _routes(scene: Scene) -> str:
    own = default_host(scene.app, scene.outside.domain)
    shown = [f"{r.host or own}{r.path if r.path != '/' else ''} → {r.service}" for r in scene.design.routes]
    return ", ".join(shown) or "no service is reached by HTTP"


def _files(scene: Scene) -> str:
    granted = sum(len(s.grants) for s in scene.model.services.values())
    binds = _count(len(scene.binds), "bind")
    return f"{binds} into the project, {_count(granted, 'secret or config', 'secrets and configs')}"


def _count(number: int, word: str, several: str = "") -> str:
    return f"{number} {word if number == 1 else several or word + 's'}"
