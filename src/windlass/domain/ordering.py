"""The order in which services start: layers by dependency, and the refusal of a circle."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from windlass.domain.compose import Dependency, Model, Service
from windlass.domain.errors import Detail, refuse

_NAMESPACES = ("network_mode", "pid", "ipc")


def layers(names: Iterable[str], needs: Mapping[str, Iterable[str]]) -> tuple[tuple[str, ...], ...]:
    """Groups that may start together, each after those before it; the order of `names` is kept inside a group.

    A need outside `names` counts as met. Raises Refused (code dependency_cycle) that shows the circle.
    """
    waiting = list(dict.fromkeys(names))
    inside = set(waiting)
    open_needs = {name: {n for n in needs.get(name, ()) if n in inside} for name in waiting}
    found: list[tuple[str, ...]] = []
    while waiting:
        ready = tuple(name for name in waiting if not open_needs[name])
        if not ready:
            raise refuse([_cycle(open_needs, waiting[0])])
        found.append(ready)
        waiting = [name for name in waiting if name not in ready]
        for name in waiting:
            open_needs[name].difference_update(ready)
    return tuple(found)


def reverse(ordered: Sequence[tuple[str, ...]]) -> tuple[tuple[str, ...], ...]:
    """The order in which to stop what was started by these layers."""
    return tuple(tuple(reversed(layer)) for layer in reversed(ordered))


def start_layers(model: Model) -> tuple[tuple[str, ...], ...]:
    """The layers of all services of a model, by every kind of need."""
    return layers(model.services, {name: needed_names(service) for name, service in model.services.items()})


def needed(service: Service) -> tuple[Dependency, ...]:
    """All that must be there before it: `depends_on`, links, `volumes_from`, and shared namespaces."""
    written = {d.service for d in service.depends_on}
    further = (name for name in _referred(service) if name not in written)
    return (*service.depends_on, *(Dependency(name) for name in dict.fromkeys(further)))


def needed_names(service: Service) -> tuple[str, ...]:
    return tuple(d.service for d in needed(service))


def peers(service: Service) -> tuple[str, ...]:
    """Services whose namespace or volumes this one shares."""
    return tuple(dict.fromkeys((*_namespace_owners(service), *_volume_owners(service))))


def missing_needs(model: Model) -> tuple[Detail, ...]:
    """Needs that name no service of the model; those with `required: false` may be absent."""
    return tuple(
        Detail(
            "dependency_missing",
            f"services.{name}.depends_on.{need.service}",
            f"{name} depends on {need.service}, which is not a service of this project (or of the chosen profiles)",
            "choose its profile, or write `required: false`",
        )
        for name, service in model.services.items()
        for need in needed(service)
        if need.required and need.service not in model.services
    )


def _referred(service: Service) -> Iterable[str]:
    yield from (link.partition(":")[0] for link in service.links)
    yield from peers(service)


def _namespace_owners(service: Service) -> Iterable[str]:
    for key in _NAMESPACES:
        mode = str(service.raw.get(key) or "") if key != "network_mode" else service.network_mode
        if mode.startswith("service:"):
            yield mode.removeprefix("service:")


def _volume_owners(service: Service) -> Iterable[str]:
    """`volumes_from` entries are `service[:mode]`, or `container:name[:mode]` for one outside the project."""
    return (entry.partition(":")[0] for entry in service.volumes_from if not entry.startswith("container:"))


def _cycle(needs: Mapping[str, set[str]], start: str) -> Detail:
    path = [start]
    while path[-1] not in path[:-1]:
        path.append(min(needs[path[-1]]))
    circle = path[path.index(path[-1]) :]
    return Detail(
        "dependency_cycle",
        f"services.{circle[0]}.depends_on",
        "these services wait for each other in a circle: " + " → ".join(circle),
        "take one of these dependencies out of the Compose file",
    )
