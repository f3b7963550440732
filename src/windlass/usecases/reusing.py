"""`--skip-build`: services that are built get the images that the live release has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from windlass.domain.compose import Model
from windlass.domain.errors import Detail, NotFound
from windlass.domain.tasks import Task
from windlass.ports.outside import Outside
from windlass.usecases.undertaking import load_kept


def live_images(outside: Outside, app: str, model: Model) -> dict[str, str]:
    """Service -> ID of its image in the live release, of those that are built and whose image is still here."""
    known = outside.store.apps.find(app)
    if known is None or known.live is None:
        return {}
    try:
        parts = load_kept(outside, app, known.live).snapshot.parts
    except NotFound:
        return {}
    built = [n for n, s in model.services.items() if s.build is not None and n in parts]
    return {n: parts[n].image_id for n in built if outside.engine.image(parts[n].image_id) is not None}


def reuse_problems(outside: Outside, app: str, model: Model) -> list[Detail]:
    """Services that would have to be built after all."""
    found = live_images(outside, app, model)
    return [
        Detail(
            "no_image_to_reuse",
            f"services.{name}.build",
            f"--skip-build: the live release has no image of {name} that could be used again",
            "deploy without --skip-build",
        )
        for name, service in model.services.items()
        if service.build is not None and name not in found
    ]


def with_tasks(images: Mapping[str, str], tasks: Iterable[Task]) -> dict[str, str]:
    """A command runs in the image of its service."""
    return {**images, **{t.name: images[t.service] for t in tasks if t.service in images}}
