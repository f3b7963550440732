"""Turns a resolved Compose model and its placements into the two models windlass runs: base and generation."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from windlass.domain.compose import Model, Mount, Service
from windlass.domain.modelreader import unescape
from windlass.domain.release import (
    Delivery,
    Part,
    Placement,
    Probe,
    Route,
    Snapshot,
    Strategy,
    UserNetwork,
    VolumeSpec,
    base_project,
    container_name,
    generation_network,
    generation_project,
    image_tag,
    names_network,
)
from windlass.domain.tasks import Task

STORE_GRACE_S = 60.0
_DROPPED = (
    "build", "depends_on", "profiles", "container_name", "restart", "links", "secrets", "configs", "post_start",
    "pre_stop", "env_file", "scale", "pull_policy", "extends", "develop", "label_file", "annotations_file",
)  # fmt: skip


@dataclass(frozen=True)
class Ingredients:
    """All that one release is made of, decided before.

    `binds`: (service, target) -> host path. `images`: service -> image ID. `image_volumes`: service -> paths the
    image declares as volumes. `grants`: (service, target) -> content in base64. `extra_environment` goes to every
    service of the generation. `tasks`: by the service that runs to its end in a phase of its own. `labelled`: the
    routes are Traefik's labels, which are then left out: another Traefik on the engine would send people to a
    generation before it is ready, and to two of them at once.
    """

    app: str
    number: int
    model: Model
    placements: Mapping[str, Placement]
    probes: Mapping[str, Probe]
    images: Mapping[str, str]
    routes: tuple[Route, ...]
    binds: Mapping[tuple[str, str], str] = field(default_factory=dict)
    image_volumes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    deliveries: Mapping[str, tuple[Delivery, ...]] = field(default_factory=dict)
    creatable: frozenset[str] = frozenset()
    to: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    extra_environment: Mapping[str, str] = field(default_factory=dict)
    drains: Mapping[str, float] = field(default_factory=dict)
    scale: Mapping[str, int] = field(default_factory=dict)
    bake_s: float = 10.0
    keep_warm_s: float = 0.0
    notes: tuple[str, ...] = ()
    tasks: Mapping[str, Task] = field(default_factory=dict)
    labelled: bool = False


def derive(given: Ingredients) -> Snapshot:
    """The snapshot of a release: parts, base model and generation model."""
    networks = _networks(given)
    volumes = _volumes(given)
    parts = {name: _part(given, service) for name, service in given.model.services.items()}
    base = {n: _base_service(given, s, volumes, networks) for n, s in given.model.services.items() if parts[n].in_base}
    generation = {
        n: _generation_service(given, s, volumes, networks)
        for n, s in given.model.services.items()
        if not parts[n].in_base
    }
    parts = {n: replace(p, digest=_digest(base[n], p)) if n in base else p for n, p in parts.items()}
    return Snapshot(
        app=given.app,
        number=given.number,
        parts=parts,
        networks=networks,
        volumes=tuple(volumes.values()),
        routes=given.routes,
        base_model=_base_model(given, base, volumes, networks),
        generation_model=_generation_model(given, generation, volumes),
        bake_s=given.bake_s,
        keep_warm_s=given.keep_warm_s,
        notes=given.notes,
    )


def needs_names(snapshot: Snapshot) -> bool:
    """Whether a base service may call the live generation by name (a mere store calls nobody)."""
    names = names_network(snapshot.app)
    return names in {n.get("name") for n in snapshot.base_model.get("networks", {}).values()}


# --- parts -----------------------------------------------------------------------------------------------------------


def _part(given: Ingredients, service: Service) -> Part:
    placement = given.placements[service.name]
    keep = placement.strategy is Strategy.KEEP
    grace = service.stop_grace_s
    if keep and not service.grace_written:
        grace = max(grace, STORE_GRACE_S)
    mode = service.network_mode
    return Part(
        name=service.name,
        role=placement.role,
        strategy=placement.strategy,
        reason=placement.reason,
        image=image_tag(given.app, service.name, given.number),
        image_id=given.images.get(service.name, ""),
        probe=given.probes[service.name],
        replicas=1 if placement.strategy is Strategy.JOB else given.scale.get(service.name, service.replicas),
        restart=service.restart,
        grace_s=grace,
        drain_s=given.drains.get(service.name, 10.0),
        needs=service.depends_on,
        networks=_network_aliases(service),
        base_links=_base_links(given, service),
        host_network=mode == "host",
        peer=mode.partition(":")[2] if mode.startswith("service:") else "",
        aliases=(service.container_name,) if service.container_name else (),
        ports=tuple(p.target for p in service.ports) + service.expose,
        deliveries=given.deliveries.get(service.name, ()),
        post_start=service.post_start,
        pre_stop=service.pre_stop,
        task=given.tasks.get(service.name),
    )


def _network_aliases(service: Service) -> dict[str, tuple[str, ...]]:
    if service.network_mode:
        return {}
    return dict(service.networks) or {"default": ()}


def _base_links(given: Ingredients, service: Service) -> dict[str, str]:
    found: dict[str, str] = {}
    for link in service.links:
        target, _, alias = link.partition(":")
        placement = given.placements.get(target)
        if placement is not None and placement.in_base and alias:
            found[alias] = target
    return found


def _digest(service: Mapping[str, Any], part: Part) -> str:
    document = {k: v for k, v in service.items() if k not in ("image", "labels")}
    document["labels"] = {k: v for k, v in service.get("labels", {}).items() if not k.startswith("windlass.")}
    material = [document, part.image_id, [(d.target, d.content, d.mode, d.uid, d.gid) for d in part.deliveries]]
    return hashlib.sha256(json.dumps(material, sort_keys=True, default=str).encode()).hexdigest()[:32]


# --- networks and volumes --------------------------------------------------------------------------------------------


def _networks(given: Ingredients) -> dict[str, UserNetwork]:
    used = {key for s in given.model.services.values() for key in _network_aliases(s)}
    found = {}
    for key in sorted(used):
        network = given.model.networks.get(key)
        external = bool(network and network.external)
        found[key] = UserNetwork(
            key=key,
            name=network.name if network and external else f"{given.app}_{key}",
            external=external,
            internal=bool(network and network.internal),
            create=external and key in given.creatable,
        )
    return found


def _volumes(given: Ingredients) -> dict[str, VolumeSpec]:
    found = {}
    for key, volume in given.model.volumes.items():
        if volume.external:
            found[key] = VolumeSpec(key, volume.name, external=True)
        elif _is_per_release(given, key):
            found[key] = VolumeSpec(key, f"{generation_project(given.app, given.number)}_{key}", per_release=True)
        else:
            options = {str(k): str(v) for k, v in unescape(volume.raw.get("driver_opts") or {}).items()}
            found[key] = VolumeSpec(
                key, f"{given.app}_{key}", driver=str(volume.raw.get("driver") or ""), options=options
            )
    for service in given.model.services.values():
        for key in made_volumes(given, service).values():
            found[key] = VolumeSpec(key, f"{given.app}_{key}")
    return found


def _is_per_release(given: Ingredients, key: str) -> bool:
    """Written by jobs alone and read by services that roll: then two releases must not share it."""
    users = [
        (given.placements[s.name].strategy, m.read_only)
        for s in given.model.services.values()
        for m in s.mounts
        if m.kind == "volume" and m.source == key
    ]
    readers = [read_only for strategy, read_only in users if strategy is not Strategy.JOB]
    writers = [s for s, read_only in users if s is Strategy.JOB and not read_only]
    kept = any(s is Strategy.KEEP for s, _ in users)
    return bool(writers) and bool(readers) and all(readers) and not kept


def made_volumes(given: Ingredients, service: Service) -> dict[str, str]:
    """Target -> volume key, for anonymous and image volumes of services that replace themselves on the same data."""
    if given.placements[service.name].strategy not in (Strategy.KEEP, Strategy.RECREATE):
        return {}
    anonymous = [m.target for m in service.mounts if m.kind == "volume" and not m.source]
    covered = {m.target.rstrip("/") for m in service.mounts}
    declared = [p for p in given.image_volumes.get(service.name, ()) if p.rstrip("/") not in covered]
    return {t: f"{service.name}-{t.strip('/').replace('/', '-').lower() or 'root'}" for t in (*anonymous, *declared)}


# --- services --------------------------------------------------------------------------------------------------------


def _common(given: Ingredients, service: Service, volumes: Mapping[str, VolumeSpec]) -> dict[str, Any]:
    document = {k: v for k, v in service.raw.items() if k not in _DROPPED and v not in (None, {}, [])}
    document["image"] = image_tag(given.app, service.name, given.number)
    document["pull_policy"] = "never"
    document["restart"] = "no"
    deploy = {k: v for k, v in (service.raw.get("deploy") or {}).items() if k == "resources" and v}
    replicas = 1
    if given.placements[service.name].strategy is not Strategy.JOB:
        replicas = given.scale.get(service.name, service.replicas)
    document["deploy"] = {**deploy, "replicas": replicas}
    document["volumes"] = _mounts(given, service, volumes)
    labels = {k: v for k, v in (service.raw.get("labels") or {}).items() if not _is_left_out(given, service, k)}
    document["labels"] = {
        **labels,
        "windlass.app": given.app,
        "windlass.release": str(given.number),
        "windlass.service": service.name,
        **_peer_label(given, service),
    }
    if to := given.to.get(service.name):
        document["environment"] = {**(document.get("environment") or {}), **{k: _escape(v) for k, v in to.items()}}
    return document


def _peer_label(given: Ingredients, service: Service) -> dict[str, str]:
    """Whose address it answers on, when it shares another service's network namespace."""
    kind, _, peer = service.network_mode.partition(":")
    if kind != "service" or peer not in given.placements:
        return {}
    own = given.placements[peer].in_base
    project = base_project(given.app) if own else generation_project(given.app, given.number)
    return {"windlass.peer": container_name(project, peer)}


def _is_left_out(given: Ingredients, service: Service, label: str) -> bool:
    """What stays in the base keeps the labels it has: a change of them would make it anew."""
    if label.startswith(("windlass.", "com.docker.compose.")):
        return True
    routed = given.labelled and not given.placements[service.name].in_base
    return routed and label.lower().startswith("traefik.")


def _escape(value: str) -> str:
    return value.replace("$", "$$")


def _mounts(given: Ingredients, service: Service, volumes: Mapping[str, VolumeSpec]) -> list[dict[str, Any]]:
    raw = {m.get("target"): m for m in service.raw.get("volumes") or []}
    made = made_volumes(given, service)
    found = [_mount(given, service, m, raw.get(m.target, {}), made) for m in service.mounts]
    covered = {m.target for m in service.mounts}
    found += [{"type": "volume", "source": key, "target": t} for t, key in made.items() if t not in covered]
    for entry in found:
        if entry["type"] == "volume" and entry.get("source") in volumes and volumes[entry["source"]].external:
            entry.setdefault("volume", {})
    return found


def _mount(
    given: Ingredients, service: Service, mount: Mount, raw: Mapping[str, Any], made: Mapping[str, str]
) -> dict[str, Any]:
    entry = dict(raw) or {"type": mount.kind, "source": mount.source, "target": mount.target}
    if mount.kind == "volume" and not mount.source and mount.target in made:
        entry["source"] = made[mount.target]
    if mount.kind == "bind":
        entry["source"] = given.binds.get((service.name, mount.target), mount.source)
        entry["bind"] = {**(entry.get("bind") or {}), "create_host_path": False}
    return entry


def _base_service(
    given: Ingredients, service: Service, volumes: Mapping[str, VolumeSpec], networks: Mapping[str, UserNetwork]
) -> dict[str, Any]:
    document = _common(given, service, volumes)
    if not service.grace_written:
        document["stop_grace_period"] = f"{int(max(service.stop_grace_s, STORE_GRACE_S))}s"
    if service.container_name and not service.network_mode:
        keys = dict(document.get("networks") or {"default": None})
        document["networks"] = {k: _with_alias(v, service.container_name) for k, v in keys.items()}
    if service.links:
        document["links"] = list(service.links)
    if _calls_out(given, service) and not service.network_mode:
        document["networks"] = {**(document.get("networks") or {"default": None}), "windlass-names": None}
    return document


def _calls_out(given: Ingredients, service: Service) -> bool:
    return given.placements[service.name].role.value != "store"


def _with_alias(options: Mapping[str, Any] | None, alias: str) -> dict[str, Any]:
    found = dict(options or {})
    found["aliases"] = [*found.get("aliases", ()), alias]
    return found


def _generation_service(
    given: Ingredients, service: Service, volumes: Mapping[str, VolumeSpec], networks: Mapping[str, UserNetwork]
) -> dict[str, Any]:
    document = _common(given, service, volumes)
    environment = {k: _escape(v) for k, v in given.extra_environment.items()}
    document["environment"] = {**environment, **(document.get("environment") or {})}
    if given.placements[service.name].strategy is not Strategy.RECREATE:
        document.pop("ports", None)
    inside = [
        link for link in service.links
        if (p := given.placements.get(link.partition(":")[0])) is not None and not p.in_base
    ]  # fmt: skip
    if inside:
        document["links"] = inside
    if not service.network_mode:
        document["networks"] = {
            key: _own_aliases(service, key, aliases)
            for key, aliases in _network_aliases(service).items()
            if not networks[key].external
        } or {"default": None}
    return document


def _own_aliases(service: Service, key: str, aliases: tuple[str, ...]) -> dict[str, Any] | None:
    names = [*aliases, *((service.container_name,) if service.container_name else ())]
    return {"aliases": names} if names else None


# --- models ----------------------------------------------------------------------------------------------------------


def _external_volumes(services: Mapping[str, Any], volumes: Mapping[str, VolumeSpec]) -> dict[str, Any]:
    used = {m.get("source") for s in services.values() for m in s.get("volumes", []) if m.get("type") == "volume"}
    return {k: {"external": True, "name": v.name} for k, v in volumes.items() if k in used}


def _base_model(
    given: Ingredients,
    services: Mapping[str, Any],
    volumes: Mapping[str, VolumeSpec],
    networks: Mapping[str, UserNetwork],
) -> dict[str, Any]:
    used = {
        key
        for s in services.values()
        for key in (s.get("networks") or ({} if s.get("network_mode") else {"default": 0}))
    }
    defined = {k: {"external": True, "name": n.name} for k, n in networks.items() if k in used}
    if "windlass-names" in used:
        defined["windlass-names"] = {"external": True, "name": names_network(given.app)}
    return {
        "name": base_project(given.app),
        "services": dict(services),
        "networks": defined,
        "volumes": _external_volumes(services, volumes),
    }


def _generation_model(
    given: Ingredients, services: Mapping[str, Any], volumes: Mapping[str, VolumeSpec]
) -> dict[str, Any]:
    used = {key for s in services.values() for key in s.get("networks") or ()}
    return {
        "name": generation_project(given.app, given.number),
        "services": dict(services),
        "networks": {
            key: {"external": True, "name": generation_network(given.app, given.number, key)} for key in sorted(used)
        },
        "volumes": _external_volumes(services, volumes),
    }
