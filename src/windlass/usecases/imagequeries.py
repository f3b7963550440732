"""Checks of the images: whether they can be had or built, and whether they run on this machine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from windlass.domain.checks import Finding, found_ok, refused
from windlass.domain.compose import Service
from windlass.domain.errors import Detail
from windlass.domain.imagechecks import (
    Accelerators,
    Registered,
    judge_architecture,
    judge_gpus,
    judge_image,
    processor,
    told_images,
)
from windlass.domain.insidepaths import is_remote
from windlass.ports.engine import ImageFacts, RegistryAnswer
from windlass.ports.outside import Outside
from windlass.usecases.scene import Scene

REGISTRY_LIMIT_S = 8.0
_AT_ONCE = 8


def look_at_builds(scene: Scene) -> list[Finding]:
    """Whether context and Dockerfile of what is built are there."""
    built = [s for s in scene.model.services.values() if s.build is not None and scene.rebuild]
    found = [f for s in built if (f := _build(scene.outside, s)) is not None]
    return found or [found_ok("build", ", ".join(s.name for s in built) or "nothing is built")]


def _build(outside: Outside, service: Service) -> Finding | None:
    build = service.build or {}
    context = str(build.get("context") or ".")
    if is_remote(context):
        return None
    place = f"services.{service.name}.build"
    here = outside.trees.look(Path(context))
    if not here.exists or here.is_file:
        said = f"{service.name} is to be built from {Path(context).name}, which is no folder of the project"
        return refused(Detail("build_impossible", f"{place}.context", said, "add the folder, or correct the path"))
    name = str(build.get("dockerfile") or "Dockerfile")
    if build.get("dockerfile_inline") or outside.trees.look(Path(context) / name).is_file:
        return None
    said = f"{service.name} is to be built, and there is no {name} in its context"
    return refused(Detail("build_impossible", f"{place}.dockerfile", said, "add the file, or correct the path"))


def ask_for_images(scene: Scene) -> list[Finding]:
    """Asks the registry of every image that is not here (of all, when they are to be pulled anew); pulls nothing."""
    wanted = [s for s in scene.pulled() if scene.pull or _here(scene, s) is None]
    images = list(dict.fromkeys(s.image for s in wanted))
    with ThreadPoolExecutor(min(_AT_ONCE, len(images) or 1), "registry") as threads:
        answers = dict(zip(images, threads.map(lambda image: _ask(scene.outside, image), images), strict=True))
    found = []
    for service in wanted:
        answer = answers[service.image]
        asked = Registered(service.image, answer.state, answer.said)
        found.append(judge_image(asked, service.name, _here(scene, service) is not None))
    problems = [f for f in found if f is not None]
    offered = {s.name: answers[s.image].architectures for s in wanted}
    unfit = architectures(scene, wanted, offered)
    return [*(problems or [told_images(scene.model, [*scene.images])]), *unfit]


def _here(scene: Scene, service: Service) -> ImageFacts | None:
    if service.name in scene.model.services:
        return scene.images.get(service.name)
    return scene.outside.engine.image(service.image)


def _ask(outside: Outside, image: str) -> RegistryAnswer:
    return outside.recent.ask(
        ("registry", image),
        outside.clock.monotonic(),
        lambda: outside.engine.ask_registry(image, REGISTRY_LIMIT_S),
        lambda answer: answer.state == "there",
    )


def look_at_architectures(scene: Scene) -> list[Finding]:
    """Of the images that are here."""
    here = [scene.model.services[name] for name in scene.images]
    found = architectures(scene, here, {n: (f.architecture,) for n, f in scene.images.items()})
    return found or [found_ok("architecture", f"this machine is {processor(scene.facts.architecture)}")]


def architectures(scene: Scene, services: Iterable[Service], offered: Mapping[str, Iterable[str]]) -> list[Finding]:
    """What cannot run here. `offered`: service -> the processors that its image is made for."""
    emulated = scene.outside.machine.emulated()
    judged = (judge_architecture(s, offered.get(s.name, ()), scene.facts.architecture, emulated) for s in services)
    return [f for f in judged if f is not None]


def look_at_gpus(scene: Scene) -> list[Finding]:
    hook = scene.outside.machine.has_program("nvidia-container-runtime-hook")
    return judge_gpus(scene.model, Accelerators(scene.facts.runtimes, scene.facts.devices, hook))
