"""Builds or pulls every image of a release and pins it under a tag of the release."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from windlass.domain.compose import Model
from windlass.domain.errors import Detail, Failed, Refused, refuse
from windlass.domain.imagehints import ImageHints
from windlass.domain.records import Resource
from windlass.domain.release import base_project, image_tag
from windlass.ports.engine import ImageFacts
from windlass.ports.outside import Outside
from windlass.ports.sources import BuildFailed


@dataclass(frozen=True)
class BuildOrder:
    """`facts` are offered to builds as arguments, for the Dockerfile that declares them.

    `reuse`: service -> ID of an image that stands in for a build.
    """

    app: str
    number: int
    deployment: str
    model: Model
    folder: Path
    facts: Mapping[str, str]
    values: Mapping[str, str]
    pull: bool = False
    reuse: Mapping[str, str] = field(default_factory=dict)

    @property
    def builds(self) -> list[str]:
        """The services that are built, and not pulled or taken as they are."""
        return [n for n, s in self.model.services.items() if s.build is not None and n not in self.reuse]


def build_images(
    outside: Outside, order: BuildOrder, on_line: Callable[[str], None], cancelled: Callable[[], bool]
) -> dict[str, ImageFacts]:
    """Service -> its image. Raises Failed (build_failed, disk_full), Refused (image_unavailable)."""
    for name in order.model.services:
        tag = image_tag(order.app, name, order.number)
        outside.store.resources.record(Resource("image", tag, name, order.app, order.number, order.deployment))
    if order.builds:
        _build(outside, order, on_line, cancelled)
    for name, image in order.reuse.items():
        outside.engine.tag(image, image_tag(order.app, name, order.number))
    _pull(outside, order, on_line, cancelled)
    services = list(order.model.services)
    with ThreadPoolExecutor(4, "pin") as beside:
        return dict(zip(services, beside.map(lambda name: _pin(outside, order, name), services), strict=True))


def hints(facts: ImageFacts) -> ImageHints:
    return ImageHints(
        ports=facts.ports,
        volumes=facts.volumes,
        healthcheck=facts.healthcheck,
        healthcheck_start_s=facts.healthcheck_start_s,
        healthcheck_timeout_s=facts.healthcheck_timeout_s,
    )


def local_images(outside: Outside, model: Model) -> dict[str, ImageFacts]:
    """The images that are here already, of the services that do not build theirs."""
    found = {}
    for service in model.services.values():
        facts = outside.engine.image(service.image) if service.image and service.build is None else None
        if facts is not None:
            found[service.name] = facts
    return found


def _build(outside: Outside, order: BuildOrder, on_line: Callable[[str], None], cancelled: Callable[[], bool]) -> None:
    groups = _same_builds(order)
    services = {
        names[0]: {"build": build, "image": image_tag(order.app, names[0], order.number)} for names, build in groups
    }
    model: dict[str, Any] = {"name": base_project(order.app), "services": services}
    if order.model.secrets:
        model["secrets"] = dict(order.model.raw.get("secrets") or {})
    try:
        outside.compose.build(
            base_project(order.app), model, order.folder, on_line, values=order.values, cancelled=cancelled
        )
    except BuildFailed as failed:
        tail = tuple(Detail("build_line", failed.service, line) for line in failed.lines[-20:])
        full = any("no space left" in line.lower() for line in failed.lines)
        raise Failed(
            f"the build of {failed.service or 'an image'} failed" + (": the disk is full" if full else ""),
            code="disk_full" if full else "build_failed",
            hint="the last lines are above; nothing was touched",
            details=tail,
        ) from failed
    for names, _ in groups:
        _share(outside, order, names)


def _same_builds(order: BuildOrder) -> list[tuple[list[str], dict[str, Any]]]:
    """Services that are built alike are built once: Compose would build, and label, one image for each."""
    found: dict[str, tuple[list[str], dict[str, Any]]] = {}
    for name, service in order.model.services.items():
        if service.build is not None and name not in order.reuse:
            build = _with_facts(service.raw["build"], order.facts)
            key = json.dumps([build, service.raw.get("platform")], sort_keys=True, default=str)
            found.setdefault(key, ([], build))[0].append(name)
    return list(found.values())


def _share(outside: Outside, order: BuildOrder, names: list[str]) -> None:
    made = outside.engine.image(image_tag(order.app, names[0], order.number))
    if made is None:
        return
    for name in names[1:]:
        outside.engine.tag(made.id, image_tag(order.app, name, order.number))


def _with_facts(build: Any, facts: Mapping[str, str]) -> dict[str, Any]:
    document: dict[str, Any] = {"context": build} if isinstance(build, str) else dict(build)
    told = {name: fact.replace("$", "$$") for name, fact in facts.items()}
    document["args"] = {**told, **(document.get("args") or {})}
    document.pop("tags", None)
    return document


def _pull(outside: Outside, order: BuildOrder, on_line: Callable[[str], None], cancelled: Callable[[], bool]) -> None:
    wanted = {
        n: {"image": s.image, **({"platform": s.raw["platform"]} if s.raw.get("platform") else {})}
        for n, s in order.model.services.items()
        if s.build is None and s.image and (order.pull or outside.engine.image(s.image) is None)
    }
    if wanted:
        model = {"name": base_project(order.app), "services": wanted}
        outside.compose.pull(base_project(order.app), model, order.folder, on_line, cancelled=cancelled)


def _pin(outside: Outside, order: BuildOrder, name: str) -> ImageFacts:
    service = order.model.services[name]
    tag = image_tag(order.app, name, order.number)
    if service.build is None:
        if not service.image:
            reason = Detail(
                "image_missing", f"services.{name}", f"{name} has neither image nor build", "add one of them"
            )
            raise refuse([reason])
        found = outside.engine.image(service.image)
        if found is None:
            raise Refused(f"the image {service.image} of {name} is not here", code="image_unavailable")
        outside.engine.tag(found.id, tag)
    pinned = outside.engine.image(tag)
    if pinned is None:
        raise Failed(f"the build of {name} made no image", code="build_failed")
    return pinned
