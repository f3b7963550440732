"""Turns the commands of windlass.yaml into services that run once, beside those of the Compose file."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from windlass.domain import names
from windlass.domain.compose import Model, Mount, Service
from windlass.domain.derivation import Ingredients, made_volumes
from windlass.domain.errors import Detail, WindlassError
from windlass.domain.manifest import FILE, Manifest
from windlass.domain.release import Placement, Probe, Role, Strategy
from windlass.domain.roles import JOB_LABEL
from windlass.domain.tasks import APP_URL, Phase, Task, task_name, task_title

NO_SERVICE = Service("")
_URL = re.compile(rf"\$(\{{{APP_URL}\}}|{APP_URL})")
# What belongs to a service that lasts, or would let a command answer in its place.
_LEFT_OUT = frozenset({
    "command", "container_name", "depends_on", "domainname", "expose", "healthcheck", "hostname", "ipc", "labels",
    "links", "logging", "mac_address", "network_mode", "networks", "pid", "ports", "post_start", "pre_stop", "profiles",
    "restart", "scale", "stdin_open", "tty", "volumes", "volumes_from",
})  # fmt: skip


def tasks_of(manifest: Manifest) -> tuple[Task, ...]:
    """Every command of windlass.yaml in the order of its phases."""
    found = [
        Task(Phase.CHECKLIST, task_name(Phase.CHECKLIST, i), f"checklist:{c.name}", c.command, c.service, "", c.within)
        for i, c in enumerate(manifest.checklist)
    ]
    for phase, rules in ((Phase.TEST, manifest.test), (Phase.RELEASE, manifest.release)):
        for i, r in enumerate(rules):
            title = task_title(phase, r.command)
            found.append(Task(phase, task_name(phase, i), title, r.command, r.service, "", r.within))
    for i, step in enumerate(manifest.verify.steps):
        if step.run:
            title = task_title(Phase.VERIFY, step.run)
            name = task_name(Phase.VERIFY, i)
            found.append(Task(Phase.VERIFY, name, title, step.run, step.service, step.image, step.within))
    return tuple(found)


def labelled_tasks(model: Model) -> tuple[Task, ...]:
    """Compose services with the label `windlass.job: release`: jobs of the release by their author's word."""
    return tuple(
        Task(Phase.RELEASE, s.name, s.name, s.command, s.name)
        for s in model.services.values()
        if s.labels.get(JOB_LABEL) == Phase.RELEASE
    )


# --- refusals --------------------------------------------------------------------------------------------------------


def task_problems(model: Model, tasks: Iterable[Task]) -> list[Detail]:
    """Commands that name no service of the project, or cannot run for another reason."""
    found: list[Detail] = []
    for task in tasks:
        if task.name in model.services:
            found.append(_taken(task))
        if task.service and task.service not in model.services:
            found.append(_unknown(task, model))
        if task.image and (wrong := _image_problem(task)):
            found.append(wrong)
        if task.phase is not Phase.VERIFY and any(_URL.search(word) for word in task.command):
            found.append(_no_url_yet(task))
    return found


def _taken(task: Task) -> Detail:
    said = f"the Compose file has a service {task.name}: windlass needs that name for a command of {FILE}"
    return Detail("task_name_taken", f"services.{task.name}", said, "give the service another name")


def _unknown(task: Task, model: Model) -> Detail:
    close = difflib.get_close_matches(task.service, list(model.services), n=1)
    said = (
        f"{task.title} is to run in {task.service}, which is not a service of the Compose file or its chosen profiles"
    )
    fix = f"did you mean {close[0]}?" if close else f"name one of {', '.join(model.services) or 'its services'}"
    return Detail("task_service_unknown", _place(task), said, f"{fix} ({FILE})")


def _image_problem(task: Task) -> Detail | None:
    try:
        names.image_ref(task.image)
    except WindlassError as wrong:
        return Detail("task_image_invalid", _place(task), f"{task.title}: {wrong.message}", f"correct it in {FILE}")
    return None


def _no_url_yet(task: Task) -> Detail:
    said = f"{task.title}: ${APP_URL} is known in `verify` alone; before the switch the new version has no address"
    return Detail("task_url_unknown", _place(task), said, f"take it out, or move the command to verify.steps in {FILE}")


def _place(task: Task) -> str:
    index = int(task.name.rpartition("-")[2]) - 1
    return f"{'verify.steps' if task.phase is Phase.VERIFY else task.phase}[{index}]"


# --- services --------------------------------------------------------------------------------------------------------


def with_images(model: Model, tasks: Iterable[Task], wider: Model | None = None) -> Model:
    """The model for building: a command's image is built or pulled, and tagged, like that of any service.

    One whose service is unknown, which `task_problems` tells, is left out. `wider`: also with services that are never
    started, but have commands run in them.
    """
    known = wider or model
    extra = {t.name: _image_of(known, t) for t in tasks if t.image or t.service in known.services}
    return replace(known, services={**model.services, **extra})


def _image_of(model: Model, task: Task) -> Service:
    if task.image:
        return Service(task.name, task.image, raw={"image": task.image})
    return replace(model.services[task.service], name=task.name)


def add_tasks(given: Ingredients, tasks: Iterable[Task], wider: Model | None = None) -> Ingredients:
    """The release with a service for each command: its origin's definition, with what lasts left out of it.

    `wider`: also with services that are never started, but have commands run in them.
    """
    chosen = tuple(tasks)
    own = given.model.services
    given = replace(given, model=wider or given.model)
    services = {t.name: _service(given, t) for t in chosen}
    binds = {(t.name, target): p for t in chosen for (n, target), p in _binds_of(given, t).items()}
    labelled = {t.name: t for t in labelled_tasks(given.model)}
    return replace(
        given,
        model=replace(given.model, services={**own, **services}),
        placements={**given.placements, **{t.name: _placement(t) for t in chosen}},
        probes={**given.probes, **{t.name: Probe((), t.within_s) for t in chosen}},
        binds={**given.binds, **binds},
        deliveries={**given.deliveries, **_copied(given.deliveries, chosen)},
        to={**given.to, **_copied(given.to, chosen)},
        tasks={**labelled, **{t.name: t for t in chosen}},
    )


def _binds_of(given: Ingredients, task: Task) -> dict[tuple[str, str], str]:
    """Its origin's, and those it borrows; its own come last, for they win."""
    sources = [s.name for s in _lenders(given.model, given.model.services.get(task.service, NO_SERVICE))]
    return {place: p for n in (*reversed(sources), task.service) for place, p in given.binds.items() if place[0] == n}


def _lenders(model: Model, origin: Service) -> list[Service]:
    """The services of its `volumes_from`."""
    found = [entry.partition(":")[0] for entry in origin.volumes_from if not entry.startswith("container:")]
    return [model.services[n] for n in found if n in model.services]


def _placement(task: Task) -> Placement:
    reason = f"{FILE} asks for it ({task.phase}): run once in the new image of {task.where}, exit 0 expected"
    return Placement(task.name, Role.JOB, Strategy.JOB, reason)


def _copied(found: Mapping[str, Any], tasks: Iterable[Task]) -> dict[str, Any]:
    return {t.name: found[t.service] for t in tasks if t.service in found}


def _service(given: Ingredients, task: Task) -> Service:
    origin = given.model.services.get(task.service, NO_SERVICE)
    mode = _network_mode(given.model, origin, task.phase)
    mounts, raw_mounts = _mounts(given, origin, task.phase.is_isolated or _is_base(given, origin))
    raw = {k: v for k, v in origin.raw.items() if k not in _LEFT_OUT}
    raw |= {"command": [w.replace("$", "$$") for w in task.command], "healthcheck": {"disable": True}}
    raw |= {"network_mode": mode} if mode else {}
    return replace(
        origin,
        name=task.name,
        image=task.image or origin.image,
        command=task.command,
        labels={},
        ports=(),
        expose=(),
        mounts=mounts,
        networks={} if mode else _networks(given, origin, task),
        links=() if task.phase.is_isolated else _base_links(given, origin),
        depends_on=(),
        healthcheck=None,
        restart="no",
        replicas=1,
        network_mode=mode,
        container_name="",
        volumes_from=(),
        post_start=(),
        pre_stop=(),
        raw={**raw, "volumes": raw_mounts},
    )


def _owner(model: Model, origin: Service) -> Service:
    """Whose networks it has: another service's, when it lives in that one's namespace."""
    seen = {origin.name}
    while origin.network_mode.startswith("service:"):
        origin = model.services.get(origin.network_mode.partition(":")[2], NO_SERVICE)
        if origin.name in seen:
            return NO_SERVICE
        seen.add(origin.name)
    return origin


def _network_mode(model: Model, origin: Service, phase: Phase) -> str:
    """A namespace of the host or of another container is no place for what runs before anything is touched."""
    mode = _owner(model, origin).network_mode
    return mode if mode == "none" or not phase.is_isolated else ""


def _networks(given: Ingredients, origin: Service, task: Task) -> dict[str, tuple[str, ...]]:
    """The same networks, without any name to be called by; a bare image gets those of the services it looks at."""
    if task.image:
        routed = {r.service for r in given.routes}
        services = [s for n, s in given.model.services.items() if n in routed]
    else:
        services = [_owner(given.model, origin)]
    keys = [k for s in services if not s.network_mode for k in s.networks or ("default",)]
    outside = {k for k, n in given.model.networks.items() if n.external} if task.phase.is_isolated else set()
    return {k: () for k in keys if k not in outside} or {"default": ()}


def _base_links(given: Ingredients, origin: Service) -> tuple[str, ...]:
    targets = {n for n, p in given.placements.items() if p.in_base}
    return tuple(link for link in origin.links if link.partition(":")[0] in targets)


def _is_base(given: Ingredients, origin: Service) -> bool:
    """A store's data belongs to the store alone; others talk to it."""
    return origin.name in given.placements and given.placements[origin.name].in_base


def _mounts(given: Ingredients, origin: Service, isolated: bool) -> tuple[tuple[Mount, ...], list[dict[str, Any]]]:
    """As the service has them; `isolated`: with an empty place instead of the app's data."""
    kept: dict[str, tuple[Mount, Mapping[str, Any]]] = {}
    for owner in (origin, *_lenders(given.model, origin)):
        raw = {m.get("target"): m for m in owner.raw.get("volumes") or []}
        made = made_volumes(given, owner) if owner.name in given.placements else {}
        for mount in (*owner.mounts, *(Mount("volume", key, target) for target, key in made.items())):
            wanted = _mount(mount, made, isolated)
            if wanted is not None:
                kept.setdefault(mount.target, (wanted, raw.get(mount.target, {})))
    return tuple(m for m, _ in kept.values()), [_raw_mount(m, r) for m, r in kept.values()]


def _mount(mount: Mount, made: Mapping[str, str], isolated: bool) -> Mount | None:
    if mount.kind == "volume" and isolated:
        return Mount("volume", "", mount.target)
    if mount.kind == "volume":
        return replace(mount, source=mount.source or made.get(mount.target, ""))
    return mount if not isolated or mount.kind == "tmpfs" or mount.read_only else None


def _raw_mount(mount: Mount, raw: Mapping[str, Any]) -> dict[str, Any]:
    if mount.kind != "volume" or mount.source == raw.get("source"):
        return dict(raw) or {"type": mount.kind, "source": mount.source, "target": mount.target}
    return {"type": "volume", "target": mount.target, **({"source": mount.source} if mount.source else {})}
