"""Containers of an app: created by Compose, started, stopped and removed by windlass."""

from __future__ import annotations

import base64
import copy
import threading
from collections.abc import Iterable, Mapping
from typing import Any

from windlass.domain.compose import Hook
from windlass.domain.errors import Failed, NotFound, OutOfReach
from windlass.domain.outsideservices import host_lines
from windlass.domain.plan import CreateServices, Deliver, PutBackBase, RemoveGeneration, Start, Stop
from windlass.domain.release import (
    Part,
    Snapshot,
    base_project,
    container_name,
    generation_project,
    image_tag,
)
from windlass.domain.tasks import APP_URL
from windlass.ports.engine import Container, ExecOptions
from windlass.usecases.networks import remove_network
from windlass.usecases.undertaking import Undertaking, record_container

HOOK_S = 300.0
_OF_OWN_NETWORK = frozenset(
    [
        "networks",
        "network_mode",
        "extra_hosts",
        "dns",
        "dns_search",
        "dns_opt",
        "links",
        "hostname",
        "domainname",
        "mac_address",
        "ports",
        "expose",
    ]
)


def create_services(work: Undertaking, wanted: CreateServices) -> None:
    """Let Compose create them from the release's model, and record what came of it."""
    snapshot = work.snapshot(wanted.release)
    model = snapshot.base_model if wanted.base else snapshot.generation_model
    project = base_project(work.app) if wanted.base else generation_project(work.app, wanted.release)
    for name in wanted.services:
        _refuse_foreign(work, project, snapshot.parts[name])
    marked = _marked(work, model, snapshot)
    if wanted.app_url:
        tell_app_url(marked, wanted.services, wanted.app_url)
    lead_to_edge(marked, wanted)
    work.outside.compose.create(project, marked, work.outside.trees.app(work.app), wanted.services, wanted.recreate)
    for container in project_containers(work, project):
        if container.labels.get("com.docker.compose.service") in wanted.services:
            record_container(work.outside, work.app, container)


def _refuse_foreign(work: Undertaking, project: str, part: Part) -> None:
    for i in range(part.replicas):
        work.find(container_name(project, part.name, i + 1))


def _marked(work: Undertaking, model: Mapping[str, Any], snapshot: Snapshot) -> dict[str, Any]:
    document = copy.deepcopy(dict(model))
    for name, service in document["services"].items():
        service["labels"] = {
            **service.get("labels", {}),
            **work.labels(),
            "windlass.digest": snapshot.parts[name].digest,
        }
    return document


def tell_app_url(model: dict[str, Any], services: Iterable[str], url: str) -> None:
    """The only name that windlass itself replaces in an argv; `$` is written `$$` in a model."""
    for name in services:
        service, safe = model["services"][name], url.replace("$", "$$")
        words = [str(w).replace(f"$${{{APP_URL}}}", safe) for w in service.get("command") or ()]
        service["command"] = [w.replace(f"$${APP_URL}", safe) for w in words]
        service["environment"] = {**(service.get("environment") or {}), APP_URL: safe}


def lead_to_edge(model: dict[str, Any], wanted: CreateServices) -> None:
    """Into the network of `peer`, whose names and resolver they share then; or `hosts` become names of this machine."""
    for name in wanted.services:
        service = model["services"][name]
        if wanted.peer:
            kept = {k: v for k, v in service.items() if k not in _OF_OWN_NETWORK}
            if "sysctls" in kept:
                kept["sysctls"] = {k: v for k, v in kept["sysctls"].items() if not k.startswith("net.")}
            model["services"][name] = {**kept, "network_mode": f"container:{wanted.peer}"}
        elif wanted.hosts:
            service["extra_hosts"] = [
                *host_lines(service.get("extra_hosts")),
                *(f"{h}:127.0.0.1" for h in wanted.hosts),
            ]


def project_containers(work: Undertaking, project: str) -> list[Container]:
    labels = {"com.docker.compose.project": project, "windlass.instance": work.outside.instance}
    return work.outside.engine.containers(labels)


def deliver(work: Undertaking, wanted: Deliver) -> None:
    part = work.snapshot(wanted.release).parts[wanted.service]
    for name in wanted.containers:
        container = work.container(name)
        for file in part.deliveries:
            content = base64.b64decode(file.content)
            work.outside.engine.put_file(container.id, file.target, content, file.mode, file.uid, file.gid)


def start(work: Undertaking, wanted: Start) -> None:
    """Start each with restart policy `no`, so that a crash shows; then its post_start hooks."""
    part = work.snapshot(wanted.release).parts[wanted.service]
    for name in wanted.containers:
        container = work.container(name)
        if container.state == "running":
            continue
        if _is_done_job(part, container):
            continue
        if container.restart_policy != "no":
            work.outside.engine.set_restart(container.id, "no")
        work.outside.engine.start(container.id)
        _run_hooks(work, part, container, part.post_start)


def _is_done_job(part: Part, container: Container) -> bool:
    return part.strategy.value == "job" and container.state == "exited" and container.exit_code == 0


def _run_hooks(work: Undertaking, part: Part, container: Container, hooks: Iterable[Hook]) -> None:
    for hook in hooks:
        options = ExecOptions(hook.user, hook.working_dir, hook.environment, hook.privileged, HOOK_S)
        result = work.outside.engine.exec(container.id, hook.command, options)
        if result.exit_code != 0:
            said = result.output[-300:].strip()
            raise Failed(
                f"{part.name}: the hook {hook.command[0]} ended with {result.exit_code}: {said}", code="hook_failed"
            )


def stop(work: Undertaking, wanted: Stop) -> None:
    """pre_stop hooks, then SIGTERM and the grace; all containers of the service at once.

    A stop that a killed windlass had begun is known by the restart policy, which is taken off first.
    """
    if wanted.begun:
        _wait_for(work.stopping)
    part = work.snapshot(wanted.release).parts[wanted.service]
    threads = [
        threading.Thread(target=_stop_one, args=(work, part, name, wanted), daemon=True) for name in wanted.containers
    ]
    for thread in threads:
        thread.start()
    if wanted.wait:
        _wait_for(threads)
    else:
        work.stopping += threads


def _wait_for(threads: Iterable[threading.Thread]) -> None:
    for thread in threads:
        thread.join()


def _stop_one(work: Undertaking, part: Part, name: str, wanted: Stop) -> None:
    try:
        container = work.find(name)
        if container is None or container.state not in ("running", "restarting", "paused"):
            return
        if wanted.begun and container.restart_policy != "no":
            return
        work.outside.engine.set_restart(container.id, "no")
        for hook in part.pre_stop:
            options = ExecOptions(hook.user, hook.working_dir, hook.environment, hook.privileged, HOOK_S)
            work.outside.engine.exec(container.id, hook.command, options)
        work.outside.engine.stop(container.id, wanted.grace_s)
    except (NotFound, OutOfReach, TimeoutError) as error:
        work.note("line", {"service": part.name, "text": f"stopping {name}: {error}"})


def remove_containers(work: Undertaking, names: Iterable[str]) -> None:
    for name in names:
        container = work.find(name)
        if container is not None:
            remove_one(work, container)


def remove_one(work: Undertaking, container: Container) -> None:
    work.outside.engine.remove(container.id)
    work.outside.store.resources.forget("container", container.id)


def remove_generation(work: Undertaking, wanted: RemoveGeneration) -> None:
    """Its containers, its networks and the volumes that are its own; `images`: also its image tags."""
    project = generation_project(work.app, wanted.release)
    for container in project_containers(work, project):
        remove_one(work, container)
    for network in work.outside.engine.networks():
        if network.labels.get("com.docker.compose.project") == project and _is_ours(work, network.labels):
            remove_network(work, network.name)
    for volume in work.outside.engine.volumes():
        if volume.labels.get("com.docker.compose.project") == project and _is_ours(work, volume.labels):
            work.outside.store.resources.forget("volume", volume.name)  # found again by its labels, not by a record
            work.outside.engine.remove_volume(volume.name)
    if wanted.images:
        drop_images(work, wanted.release)


def _is_ours(work: Undertaking, labels: Mapping[str, str]) -> bool:
    return labels.get("windlass.instance") == work.outside.instance


def drop_images(work: Undertaking, release: int) -> None:
    """Untag the images of a release; images that another release or container needs stay."""
    for resource in work.outside.store.resources.of_app(work.app, "image"):
        if resource.release == release:
            work.outside.engine.untag(resource.ref)
            work.outside.store.resources.forget("image", resource.ref)


def put_back_base(work: Undertaking, wanted: PutBackBase) -> None:
    """Bring base services back to what a release says; without one they are removed, their volumes stay."""
    project = base_project(work.app)
    if wanted.release is None:
        names = [container_name(project, s) for s in wanted.services]
        for container in project_containers(work, project):
            if container.labels.get("com.docker.compose.service") in wanted.services or container.name in names:
                remove_one(work, container)
        return
    snapshot = work.snapshot(wanted.release)
    for service in wanted.services:
        part = snapshot.parts.get(service)
        if part is None or not part.in_base:
            remove_containers(work, [container_name(project, service)])
            continue
        _restore(work, snapshot, part)


def _restore(work: Undertaking, snapshot: Snapshot, part: Part) -> None:
    name = container_name(base_project(work.app), part.name)
    here = work.find(name)
    if here is None or here.labels.get("windlass.digest") != part.digest:
        create_services(work, CreateServices(snapshot.number, True, (part.name,), recreate=here is not None))
        deliver(work, Deliver(snapshot.number, part.name, (name,)))
    start(work, Start(snapshot.number, part.name, (name,)))
    work.outside.engine.set_restart(work.container(name).id, part.restart)


def pinned_image(app: str, service: str, release: int) -> str:
    return image_tag(app, service, release)
