"""What the checks before a deploy look at: the project, where its services go, and what the engine says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from windlass.domain.compose import Model, Service
from windlass.domain.release import Placement
from windlass.domain.taskservices import tasks_of, with_images
from windlass.ports.engine import EngineFacts, ImageFacts, NetworkFacts, VolumeFacts
from windlass.ports.outside import Outside
from windlass.usecases.binds import Bind
from windlass.usecases.building import hints, local_images
from windlass.usecases.designing import Design, design_release
from windlass.usecases.project import Project
from windlass.usecases.undertaking import Undertaking


@dataclass(frozen=True)
class Scene:
    """One project before its deployment. `images`: those of its services that are here already; `live`: release."""

    outside: Outside
    app: str
    deployment: str
    project: Project
    design: Design
    binds: tuple[Bind, ...]
    images: Mapping[str, ImageFacts]
    facts: EngineFacts
    networks: tuple[NetworkFacts, ...]
    volumes: tuple[VolumeFacts, ...]
    live: int | None = None
    pull: bool = False
    rebuild: bool = True
    skips: tuple[str, ...] = ()
    placements: Mapping[str, Placement] = field(default_factory=dict)

    @property
    def model(self) -> Model:
        return self.project.model

    def pulled(self) -> list[Service]:
        """Services whose image comes from elsewhere, those for commands of windlass.yaml among them."""
        model = with_images(self.model, tasks_of(self.project.manifest), self.project.everything)
        return [s for s in model.services.values() if s.build is None and s.image]


@dataclass(frozen=True)
class Wishes:
    """How the deployment was asked for."""

    pull: bool = False
    rebuild: bool = True
    skips: tuple[str, ...] = ()


def look_around(work: Undertaking, project: Project, binds: tuple[Bind, ...], wishes: Wishes) -> Scene:
    """Raises OutOfReach when the engine is away."""
    outside, engine = work.outside, work.outside.engine
    with ThreadPoolExecutor(3, "look") as beside:
        facts, networks = beside.submit(engine.facts), beside.submit(engine.networks)
        volumes = beside.submit(engine.volumes)
        images = local_images(outside, project.model)
        design = design_release(work, project, binds, {n: hints(f) for n, f in images.items()})
        known = outside.store.apps.find(work.app)
        return Scene(
            outside=outside,
            app=work.app,
            deployment=work.deployment,
            project=project,
            design=design,
            binds=binds,
            images=images,
            facts=facts.result(),
            networks=tuple(networks.result()),
            volumes=tuple(volumes.result()),
            live=known.live if known else None,
            pull=wishes.pull,
            rebuild=wishes.rebuild,
            skips=wishes.skips,
            placements={p.service: p for p in design.placing.placements},
        )
