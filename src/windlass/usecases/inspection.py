"""All checks of one project: the quick ones at once, those that take time in threads beside whatever comes next."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait

from windlass.domain.checks import (
    Finding,
    Status,
    in_order,
    reasons,
    refused,
    told_once,
    told_skips,
    warned,
    without_skipped,
)
from windlass.domain.errors import Detail, Refused, WindlassError, refuse
from windlass.domain.exposure import examine_exposure
from windlass.domain.outsideservices import Landscape
from windlass.usecases.imagequeries import ask_for_images, look_at_architectures, look_at_builds, look_at_gpus
from windlass.usecases.preflight import look_at_containers, look_at_networks, look_at_ports, look_at_volumes
from windlass.usecases.reachability import reachability
from windlass.usecases.roomqueries import (
    ask_versions,
    look_at_clock,
    look_at_disk,
    look_at_inodes,
    look_at_pool,
    measure_memory,
    resolve_hosts,
)
from windlass.usecases.routes import default_host
from windlass.usecases.scene import Scene
from windlass.usecases.settled import settled

LIMIT_S = 12.0  # from the beginning, for all that take time together
MOMENT_S = 0.3

Check = Callable[[Scene], list[Finding]]


def begin_inspection(scene: Scene, problems: Iterable[Detail], doubts: Iterable[Detail] = ()) -> Inspection:
    """`problems`: what was found wrong before; `doubts`: what may be. Raises OutOfReach when the engine is away."""
    until = scene.outside.clock.monotonic() + LIMIT_S
    threads = ThreadPoolExecutor(len(_SLOW), "check")
    slow = {name: threads.submit(check, scene) for name, check in _SLOW.items() if not _is_left_out(name, scene)}
    threads.shutdown(wait=False)
    found = [refused(detail) for detail in (*problems, *scene.design.problems)]
    found += [warned(detail, "contract") for detail in scene.project.warnings]
    found += [warned(detail) for detail in (*doubts, *_skipped_for_nothing(scene))]
    for name, check in _QUICK.items():
        if name not in scene.skips:
            found += check(scene)
    known = {finding.check for finding in found}
    found += [line for line in settled(scene) if line.check not in known]
    return Inspection(scene, found, slow, until)


class Inspection:
    """What was found so far, and what is still to come."""

    def __init__(self, scene: Scene, quick: list[Finding], slow: Mapping[str, Future[list[Finding]]], until: float):
        self.scene = scene
        self._quick = quick
        self._slow = slow
        self._until = until

    def _left(self) -> float:
        return max(self._until - self.scene.outside.clock.monotonic(), 0.0)

    def is_refused(self) -> bool:
        """By one of the quick checks."""
        return bool(reasons(without_skipped(self._quick, self.scene.skips)))

    def findings(self, hurry: Collection[str] | None = None) -> list[Finding]:
        """Waits for the others until their time is over; what has not answered by then is a warning.

        `hurry`: the only ones that are worth the wait.
        """
        wait([answer for name, answer in self._slow.items() if hurry is None or name in hurry], self._left())
        wait(self._slow.values(), min(self._left(), MOMENT_S))
        found = [*self._quick, *(f for name, answer in self._slow.items() for f in _answered(name, answer))]
        shown = told_once(without_skipped(found, self.scene.skips))
        return in_order([*shown, *told_skips(self.scene.skips)])


def refuse_by(findings: Iterable[Finding]) -> Refused | None:
    """The refusal with every reason, and with the whole list beside it; None when nothing speaks against it."""
    found = list(findings)
    details = reasons(found)
    if not details:
        return None
    error = refuse(details)
    error.beside = {"checks": [f.as_dict() for f in found]}
    return error


def refuse_unread(error: Refused, skips: Iterable[str]) -> Refused:
    """For a project that could not be read: its reasons are all that can be listed."""
    found = in_order([*(refused(d) for d in error.details), *told_skips(skips)])
    error.beside = {"checks": [f.as_dict() for f in found]}
    return error


def _answered(name: str, answer: Future[list[Finding]]) -> list[Finding]:
    if not answer.done():
        said = "it has not been found out in time"
        return [warned(Detail("check_slow", "", said, f"windlass plan waits longer; or --skip-check {name}"), name)]
    try:
        return answer.result()
    except WindlassError as error:
        said = f"it could not be found out: {error.message}"
        return [warned(Detail("check_failed", "", said, error.hint or "windlass doctor"), name)]


def _is_left_out(name: str, scene: Scene) -> bool:
    """The registries tell of two checks at once."""
    return {"images": {"images", "architecture"}}.get(name, {name}) <= set(scene.skips)


def _skipped_for_nothing(scene: Scene) -> list[Detail]:
    """A misspelt name must not look as if it had been heard."""
    known = {f"checklist:{item.name}" for item in scene.project.manifest.checklist}
    wrong = [name for name in scene.skips if name.startswith("checklist:") and name not in known]
    there = f"there are {', '.join(sorted(known))}" if known else "it has no checklist"
    return [
        Detail("checklist_unknown", name, f"--skip-check {name}: windlass.yaml names no such check", there)
        for name in wrong
    ]


def _exposure(scene: Scene) -> list[Finding]:
    return examine_exposure(scene.model, scene.placements)


def _reachability(scene: Scene) -> list[Finding]:
    if any(detail.code == "consent_missing" for detail in scene.project.problems):
        # Nothing of windlass's joins a network, or asks from the machine's own, that the app may not.
        return [warned(Detail("reach_unasked", "", "nothing is asked before consent is given"), "reachability")]
    manifest, own = scene.project.manifest, default_host(scene.app, scene.outside.domain)
    land = Landscape(
        app=scene.app,
        model=scene.model,
        rules=manifest.env,
        values=scene.project.values,
        sent_to=manifest.sent_to,
        hosts=frozenset(route.host or own for route in scene.design.routes),
    )
    found = reachability(scene.outside, land, scene.deployment, scene.skips)
    return found or [Finding("reachability", Status.OK, "no variable leads to an outside service")]


_QUICK: Mapping[str, Check] = {
    "ports": look_at_ports,
    "networks": look_at_networks,
    "volumes": look_at_volumes,
    "containers": look_at_containers,
    "address-pool": look_at_pool,
    "build": look_at_builds,
    "architecture": look_at_architectures,
    "gpu": look_at_gpus,
    "disk": look_at_disk,
    "inodes": look_at_inodes,
    "exposure": _exposure,
    "clock": look_at_clock,
}
_SLOW: Mapping[str, Check] = {
    "images": ask_for_images,
    "memory": measure_memory,
    "dns": resolve_hosts,
    "versions": ask_versions,
    "reachability": _reachability,
}
